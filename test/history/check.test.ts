/** The checker: finds each fault where it was planted, and nothing in what Kafka may do. */
import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { SeededRandom } from '../../src/base/random.ts'
import { count } from '../clients/requirements.ts'
import { checkHistory, checkHistoryFiles, describeReport, type Report } from './check.ts'
import type { FaultKind } from './faults.ts'
import { measureGaps, percentile } from './gaps.ts'
import { LegalWorld } from './generate.ts'
import type { Operation, RecordRun } from './history.ts'
import { decodeOperation, encodeOperation, HistoryWriter, mergeHistories } from './history-file.ts'
import { IntervalSet } from './intervals.ts'
import { PLANTS, planted } from './plant.ts'

const seeds = count(200, 4_000)
const firstSeed = Number(process.env.GRIOT_SEED ?? 20_261_125)

const place = { topic: 't', partition: 0 }
const run = (offset: number, number: number, count = 1, producer = 'p'): RecordRun => ({
  ...{ offset, producer, number, count },
})
const producer = (name = 'p', isIdempotent = true): Operation => ({
  ...{ kind: 'producer', client: 'w', producer: name, isIdempotent },
})
type Told = { kind: 'ok'; offset: number | null } | { kind: 'failed' | 'unknown'; error: string }
const produce = (number: number, count: number, result: Told | number, more = {}): Operation => ({
  ...{ kind: 'produce', client: 'w', ...place, invokeMs: number, completeMs: number + 1 },
  ...{ producer: 'p', number, count, attempts: 1 },
  result: typeof result === 'number' ? { kind: 'ok', offset: result } : result,
  ...more,
})
const poll = (atMs: number, runs: readonly RecordRun[], client = 'c', group = 'g'): Operation => ({
  ...{ kind: 'poll', client, group, ...place, invokeMs: atMs, completeMs: atMs, runs },
})
const assign = (atMs: number, client = 'c', group: string | null = 'g'): Operation => ({
  ...{ kind: 'assign', client, group, ...place, offset: null, atMs },
})
const commit = (atMs: number, offset: number, more = {}): Operation => ({
  ...{ kind: 'commit', client: 'c', group: 'g', ...place, offset, isReset: false },
  ...{ invokeMs: atMs, completeMs: atMs + 1, result: { kind: 'ok' }, ...more },
})
const final = (runs: readonly RecordRun[], logEnd: number, more = {}): Operation => ({
  ...{ kind: 'final', ...place, logStart: 0, logEnd, keysPerProducer: 0, runs, ...more },
})
const timedOut = { kind: 'unknown', error: 'timed out' } as const
const check = (...operations: Operation[]): Promise<Report> => checkHistory(() => [operations])
const plantOf = (name: string) => PLANTS.find((one) => one.name === name)!.plant
const kinds = (report: Report): FaultKind[] => Object.keys(report.found).sort() as FaultKind[]

/** Ten records, acknowledged and stored. */
const ten = [producer(), produce(0, 5, 0), produce(5, 5, 5), final([run(0, 0, 10)], 10)]

describe('a history by hand', () => {
  it('is clean where all is as it was told', async () => {
    const report = await check(
      ...ten,
      assign(20),
      poll(21, [run(0, 0, 4)]),
      commit(22, 4),
      poll(24, [run(4, 4, 6)]),
      commit(25, 10),
      { kind: 'drained', client: 'c', group: 'g', ...place, from: 0, offset: 10 },
    )
    expect(describeReport(report)).toContain('no fault')
    expect(report.counts).toMatchObject({ acknowledged: 10, polled: 10, commits: 2, stored: 10 })
  })

  it('shows a lost write, by its operation', async () => {
    const report = await check(producer(), produce(0, 3, 0), final([run(0, 0, 2)], 2))
    expect(kinds(report)).toEqual(['lost-write'])
    expect(describeReport(report)).toBe(
      [
        '1 × lost-write; 3 operations, 3 acknowledged, 0 failed, 0 unknown, 0 polled, 0 commits, 0 commitsNotTold, 0 assignments, 0 seeks, 0 marks, 2 stored, 1 partitions',
        'lost-write in t-0: p/2 was acknowledged and is not there',
        '    0…1 ms: w, t-0, produces p/0…2: acknowledged at offset 0',
        '    at the end the log holds nothing at 2 (the log ends at 2)',
      ].join('\n'),
    )
  })

  it('shows a lost write that was acknowledged without an offset', async () => {
    const acknowledged = produce(0, 3, { kind: 'ok', offset: null })
    expect(kinds(await check(producer(), acknowledged, final([run(0, 0, 2)], 2)))).toEqual([
      'lost-write',
    ])
    expect(kinds(await check(producer(), acknowledged, final([run(0, 0, 3)], 3)))).toEqual([])
  })

  it('lets retention delete what lies below the log start, and nothing else', async () => {
    const from4 = (runs: RecordRun[]) => final(runs, 10, { logStart: 4 })
    const written = ten.slice(0, 3)
    expect(kinds(await check(...written, from4([run(4, 4, 6)])))).toEqual([])
    expect(kinds(await check(...written, from4([run(5, 5, 5)])))).toEqual(['lost-write'])
  })

  it('sees through retention that two were shown different records', async () => {
    const written = [producer(), produce(0, 5, 0), final([], 5, { logStart: 5 })]
    const seen = (record: RecordRun) => [assign(10), poll(11, [run(0, 0, 2), record])]
    expect(kinds(await check(...written, ...seen(run(2, 2))))).toEqual([])
    expect(kinds(await check(...written, ...seen(run(2, 3))))).toContain('inconsistent-offset')
  })

  it('lets compaction remove what a later record of its key replaces', async () => {
    const compacted = (runs: RecordRun[]) => final(runs, 10, { keysPerProducer: 5 })
    const written = ten.slice(0, 3)
    expect(kinds(await check(...written, compacted([run(3, 3), run(5, 5, 5)])))).toEqual([])
    expect(kinds(await check(...written, compacted([run(5, 5, 3), run(9, 9)])))).toEqual([
      'lost-write',
    ])
  })

  it('takes a result that nobody learnt either way, but not twice', async () => {
    const unknown = [producer(), produce(0, 1, 0), produce(1, 1, timedOut)]
    expect(kinds(await check(...unknown, final([run(0, 0)], 1)))).toEqual([])
    expect(kinds(await check(...unknown, final([run(0, 0, 2)], 2)))).toEqual([])
    expect(kinds(await check(...unknown, final([run(0, 0, 2), run(2, 1)], 3)))).toEqual([
      'duplicate',
    ])
  })

  it('counts what a producer without idempotence sent', async () => {
    const sent = (attempts: number | null) => [producer('p', false), produce(0, 1, 0, { attempts })]
    const twice = final([run(0, 0), run(1, 0)], 2)
    expect(kinds(await check(...sent(1), twice))).toEqual(['duplicate'])
    expect(kinds(await check(...sent(2), twice))).toEqual([])
    expect(kinds(await check(...sent(null), twice))).toEqual([])
    const thrice = final([run(0, 0), run(1, 0), run(2, 0)], 3)
    expect(kinds(await check(...sent(2), thrice))).toEqual(['duplicate'])
  })

  it('keeps the order of an idempotent producer whatever happened, and of others where nothing was sent again', async () => {
    const history = (isIdempotent: boolean, attempts: number) => [
      ...[producer('p', isIdempotent), produce(0, 1, 1, { attempts }), produce(1, 1, 0)],
      final([run(0, 1), run(1, 0)], 2),
    ]
    expect(kinds(await check(...history(true, 2)))).toEqual(['reordered'])
    expect(kinds(await check(...history(false, 1)))).toEqual(['reordered'])
    expect(kinds(await check(...history(false, 2)))).toEqual([])
  })

  it('shows an acknowledgement that names another offset', async () => {
    const report = await check(producer(), produce(0, 1, 4), final([run(0, 0)], 1))
    expect(kinds(report)).toEqual(['inconsistent-offset'])
  })

  it('shows a record that was polled and then not kept', async () => {
    const written = [producer(), produce(0, 1, 0), produce(1, 1, timedOut), assign(5)]
    const shown = poll(6, [run(0, 0, 2)])
    expect(kinds(await check(...written, shown, final([run(0, 0)], 1)))).toEqual([
      'uncommitted-read',
    ])
    // in its place another was written
    const other = [producer('q'), produce(0, 1, 1, { producer: 'q' })]
    const report = await check(
      ...[...written, ...other, shown],
      final([run(0, 0), run(1, 0, 1, 'q')], 2),
    )
    expect(kinds(report)).toEqual(['inconsistent-offset', 'uncommitted-read'])
  })

  it('shows a record that nobody wrote, and one that was refused', async () => {
    const refused = produce(10, 1, { kind: 'failed', error: 'MESSAGE_TOO_LARGE' })
    const written = [...ten.slice(0, 3), refused]
    expect(kinds(await check(...written, final([run(0, 0, 10)], 10)))).toEqual([])
    expect(kinds(await check(...written, final([run(0, 0, 11)], 11)))).toEqual([
      'failed-but-visible',
    ])
    expect(kinds(await check(...written, final([run(0, 0, 10), run(10, 77)], 11)))).toEqual([
      'phantom',
    ])
  })

  it('shows them where they were only polled, too', async () => {
    const refused = produce(10, 1, { kind: 'failed', error: 'MESSAGE_TOO_LARGE' })
    const written = [...ten.slice(0, 3), refused, final([run(0, 0, 10)], 10), assign(20)]
    const shown = (record: RecordRun) => check(...written, poll(21, [run(0, 0, 10), record]))
    expect(kinds(await shown(run(10, 10)))).toEqual(['failed-but-visible', 'uncommitted-read'])
    expect(kinds(await shown(run(10, 77)))).toEqual(['phantom', 'uncommitted-read'])
  })

  it('lets retention explain what was acknowledged without an offset, where it can', async () => {
    const history = (isIdempotent: boolean, lost: number) => [
      ...[producer('p', isIdempotent), produce(0, 3, 0), produce(5, 5, 5)],
      produce(lost, 1, { kind: 'ok', offset: null }),
      final([run(5, 5, 2), run(8, 8, 2)], 10, { logStart: 5 }),
    ]
    // 7 is gone from the middle by another produce: both name it
    expect(kinds(await check(...history(true, 3)))).toEqual(['lost-write'])
    expect((await check(...history(true, 3))).found).toEqual({ 'lost-write': 1 })
    expect((await check(...history(true, 7))).found).toEqual({ 'lost-write': 2 })
    // it may have lain below the start
    expect((await check(...history(false, 7))).found).toEqual({ 'lost-write': 1 })
  })

  it('shows what a poll passed over, unless it was told to, or nothing is there', async () => {
    const passing = [assign(20), poll(21, [run(0, 0, 2)]), poll(22, [run(4, 4, 6)])]
    const report = await check(...ten, ...passing)
    expect(kinds(report)).toEqual(['unseen-record'])
    expect(report.faults[0]!.message).toBe('c went from 2 to 4 past 2 records, first p/2 at 2')
    const seek: Operation = {
      ...{ kind: 'seek', client: 'c', group: 'g', ...place, offset: 4, atMs: 21.5 },
    }
    expect(kinds(await check(...ten, ...passing.slice(0, 2), seek, passing[2]!))).toEqual([])
    const withMarkers = [producer(), produce(0, 2, 0), produce(2, 2, 4), ...passing.slice(0, 2)]
    const report2 = await check(
      ...[...withMarkers, poll(23, [run(4, 2, 2)])],
      final([run(0, 0, 2), run(4, 2, 2)], 6),
    )
    expect(kinds(report2)).toEqual([])
  })

  it('shows what a group was never given, between its members and at the end', async () => {
    const members = [assign(20), poll(21, [run(0, 0, 3)]), commit(22, 3), assign(24, 'd')]
    const above = await check(...ten, ...members, poll(25, [run(5, 5, 5)], 'd'))
    expect(kinds(above)).toEqual(['unseen-record'])
    expect(above.faults[0]!.message).toBe('group g was never given p/3…4 at 3…4')
    const drained: Operation = {
      ...{ kind: 'drained', client: 'd', group: 'g', ...place, from: 0, offset: 10 },
    }
    const short = [...ten, ...members, poll(25, [run(3, 3, 6)], 'd')]
    expect(kinds(await check(...short))).toEqual([])
    expect(kinds(await check(...short, drained))).toEqual(['unseen-record'])
  })

  it('takes the way to an end that was sought as passed on purpose', async () => {
    const seek: Operation = {
      ...{ kind: 'seek', client: 'c', group: 'g', ...place, offset: null, atMs: 25 },
    }
    const drained: Operation = {
      ...{ kind: 'drained', client: 'c', group: 'g', ...place, from: 0, offset: 10 },
    }
    const sought = [...ten, assign(20), poll(21, [run(0, 0, 3)]), seek]
    expect(kinds(await check(...sought, drained))).toEqual([])
    expect(kinds(await check(...sought, poll(26, [run(8, 8, 2)]), drained))).toEqual([])
  })

  it('shows a poll that went back, unless after a rebalance or a seek', async () => {
    const first = [assign(20), poll(21, [run(0, 0, 5)])]
    const again = poll(30, [run(3, 3, 7)])
    expect(kinds(await check(...ten, ...first, again))).toEqual(['nonmonotonic-poll'])
    expect(kinds(await check(...ten, ...first, assign(25), again))).toEqual([])
    const seek: Operation = {
      ...{ kind: 'seek', client: 'c', group: 'g', ...place, offset: 3, atMs: 25 },
    }
    expect(kinds(await check(...ten, ...first, seek, again))).toEqual([])
  })

  it('shows a group that begins below its commit, unless that may not have counted', async () => {
    const begun = [assign(20), poll(21, [run(0, 0, 8)])]
    const anew = [assign(30, 'd'), poll(31, [run(5, 5, 5)], 'd')]
    const report = await check(...ten, ...begun, commit(22, 8), ...anew)
    expect(kinds(report)).toEqual(['lost-commit'])
    expect(report.faults[0]!.message).toBe('g began at 5, below its commit of 8')
    expect(kinds(await check(...ten, ...begun, commit(22, 5), ...anew))).toEqual([])
    const unknown = commit(22, 8, { result: timedOut })
    expect(kinds(await check(...ten, ...begun, unknown, ...anew))).toEqual([])
    const failed = commit(22, 8, { result: { kind: 'failed', error: 'REBALANCE_IN_PROGRESS' } })
    expect(kinds(await check(...ten, ...begun, failed, ...anew))).toEqual([])
    // a lower one that timed out may have come late
    const late = [commit(22, 5, { result: timedOut }), commit(24, 8)]
    expect(kinds(await check(...ten, ...begun, ...late, ...anew))).toEqual([])
    // but not once the group has gone on without it
    const fenced = [commit(22, 5, { result: timedOut }), assign(24, 'e'), commit(26, 8)]
    expect(kinds(await check(...ten, ...begun, ...fenced, ...anew))).toEqual(['lost-commit'])
    // whoever resets a group wants it to go back
    const reset = commit(24, 5, { client: 'admin', isReset: true })
    expect(kinds(await check(...ten, ...begun, commit(22, 8), reset, ...anew))).toEqual([])
  })

  it('shows a commit that went back, unless both were under way at a time', async () => {
    expect(kinds(await check(...ten, commit(20, 8), commit(30, 5)))).toEqual(['commit-went-back'])
    expect(kinds(await check(...ten, commit(20, 8, { completeMs: 35 }), commit(30, 5)))).toEqual([])
    expect(kinds(await check(...ten, commit(20, 8), commit(30, 5, { isReset: true })))).toEqual([])
    const late = commit(22, 4, { result: timedOut })
    expect(kinds(await check(...ten, commit(20, 8), late, commit(30, 5)))).toEqual([])
    expect(kinds(await check(...ten, commit(20, 8), late, commit(30, 3)))).toEqual([
      'commit-went-back',
    ])
  })

  it('says so when nobody read the log at the end, or when it contradicts itself', async () => {
    expect(kinds(await check(...ten.slice(0, 3)))).toEqual(['no-final-read'])
    expect(kinds(await check(...ten, producer()))).toEqual(['malformed'])
    expect(kinds(await check(...ten.slice(1)))).toContain('malformed')
    const twisted = final([run(0, 5, 5), run(3, 0, 5)], 10)
    expect(kinds(await check(...ten.slice(0, 3), twisted))).toContain('malformed')
  })

  it('keeps the first twenty of a kind, and counts the others', async () => {
    const report = await check(producer(), produce(0, 100, 0), final([], 0))
    expect(report.found).toEqual({ 'lost-write': 100 })
    expect(report.faults).toHaveLength(20)
  })
})

describe('random histories', () => {
  it(`of ${seeds} seeds are clean`, async () => {
    let operations = 0
    for (let seed = firstSeed; seed < firstSeed + seeds; seed++) {
      const { operations: history } = new LegalWorld(seed).run(40 + (seed % 150))
      const report = await checkHistory(() => [history])
      if (report.faults.length > 0) expect.fail(`seed ${seed}: ${describeReport(report)}`)
      operations += history.length
    }
    console.log(`${seeds} seeds from ${firstSeed}, ${operations} operations, no fault`)
  }, 300_000)

  it.each(PLANTS)(
    '$kind: $name, found in each',
    async ({ plant, kind }) => {
      let found = 0
      for (let seed = firstSeed; seed < firstSeed + seeds; seed++) {
        const history = planted(new LegalWorld(seed).run(40 + (seed % 150)), seed, plant)
        if (history === null) continue
        const report = await checkHistory(() => [history])
        if (report.found[kind] === undefined) {
          expect.fail(`seed ${seed}: not found; ${describeReport(report)}`)
        }
        found++
      }
      // where a history has no place for the fault, that is no proof
      expect(found).toBeGreaterThan(seeds / 10)
    },
    300_000,
  )

  it('are judged alike by partition and at once', async () => {
    const world = new LegalWorld(firstSeed).run(300)
    const wrong = planted(world, firstSeed, plantOf('a poll passes over a record'))!
    for (const operations of [world.operations, wrong]) {
      const whole = await checkHistory(() => [operations])
      const apart = await checkHistory(() => [operations], { partitionsAtATime: 1 })
      expect({ ...apart, runsHeldMax: 0 }).toEqual({ ...whole, runsHeldMax: 0 })
      expect(apart.runsHeldMax).toBeLessThanOrEqual(whole.runsHeldMax)
    }
  })
})

describe('a history on disk', () => {
  let directory: string
  beforeAll(async () => (directory = await mkdtemp(join(tmpdir(), 'griot-history-'))))
  afterAll(() => rm(directory, { recursive: true, force: true }))

  it('comes back as it was written', () => {
    for (let seed = firstSeed; seed < firstSeed + 20; seed++) {
      for (const operation of new LegalWorld(seed).run(150).operations) {
        expect(decodeOperation(encodeOperation(operation))).toEqual(operation)
      }
    }
    const mark: Operation = { kind: 'mark', name: 'kill 2', atMs: 1.5 }
    expect(decodeOperation(encodeOperation(mark))).toEqual(mark)
  })

  it('is merged from the files of several processes, by time', async () => {
    const history = new LegalWorld(firstSeed + 1).run(400).operations
    const paths = [0, 1, 2].map((i) => join(directory, `part-${i}.ndjson`))
    const writers = paths.map((path) => new HistoryWriter(path))
    const clients = new Map<string, number>()
    for (const operation of history) {
      const client = 'client' in operation ? operation.client : ''
      if (!clients.has(client)) clients.set(client, clients.size)
      writers[clients.get(client)! % 3]!.write(operation)
    }
    await Promise.all(writers.map((writer) => writer.end()))
    const report = await checkHistoryFiles(paths)
    expect(describeReport(report)).toBe(describeReport(await checkHistory(() => [history])))
    expect(report.counts.operations).toBe(history.length)
  })

  it('loses its last line only where that is torn, and names any other that is wrong', async () => {
    const path = join(directory, 'torn.ndjson')
    const writer = new HistoryWriter(path)
    for (const operation of ten) writer.write(operation)
    await writer.end()
    const read = async () => {
      const operations: Operation[] = []
      for await (const piece of mergeHistories([path])) operations.push(...piece)
      return operations
    }
    expect(await read()).toEqual(ten)
    await appendFile(path, '["p","w","t",0,1')
    expect(await read()).toEqual(ten)
    await appendFile(path, '\n')
    await expect(read()).rejects.toThrow(`${path}: line 6: `)
    await writeFile(path, 'something else\n')
    await expect(read()).rejects.toThrow(`${path}: line 1 is not`)
  })
})

describe('gaps', () => {
  it('are the longest waits around marks, by kind of producer', async () => {
    const acknowledged = (completeMs: number, name: string, partition: number): Operation => ({
      ...{
        kind: 'produce',
        client: 'w',
        topic: 't',
        partition,
        invokeMs: completeMs - 1,
        completeMs,
      },
      ...{ producer: name, number: completeMs, count: 1, attempts: 1 },
      result: { kind: 'ok', offset: 0 },
    })
    const operations: Operation[] = [producer('i'), producer('n', false)]
    for (let at = 0; at <= 3_000; at += 10) {
      // after the first mark partition 0 of the idempotent waits 60 ms, after the second the other waits 300
      if (!(at > 1_000 && at < 1_060)) operations.push(acknowledged(at, 'i', 0))
      if (!(at > 2_000 && at < 2_300)) operations.push(acknowledged(at, 'n', 0))
      operations.push(acknowledged(at, 'i', 1))
    }
    for (const atMs of [1_005, 2_005]) operations.push({ kind: 'mark', name: 'kill', atMs })
    const { idempotent, plain } = await measureGaps(() => [operations], { windowMs: 500 })
    expect(idempotent.marks.map(({ gapMs, place }) => [gapMs, place])).toEqual([
      [60, 'i t-0'],
      [10, 'i t-0'],
    ])
    expect(plain.marks.map(({ gapMs }) => gapMs)).toEqual([10, 300])
    expect([plain.p50Ms, plain.p99Ms, plain.maxMs]).toEqual([10, 300, 300])
    const nobody = { windowMs: 500, isClient: (name: string) => name !== 'w' }
    expect((await measureGaps(() => [operations], nobody)).plain.marks).toEqual([])
  })

  it('last until the end where nothing was acknowledged any more', async () => {
    const at = (completeMs: number, partition: number): Operation =>
      produce(0, 1, 0, { completeMs, partition })
    const mark: Operation = { kind: 'mark', name: 'kill', atMs: 12 }
    const history = [producer(), at(10, 0), at(10, 1), at(500, 1), mark]
    const { idempotent } = await measureGaps(() => [history], { windowMs: 1_000 })
    expect(idempotent.maxMs).toBe(490)
    expect(idempotent.marks[0]!.gapMs).toBe(490)
  })

  it('begin with the first that was asked for', async () => {
    const mark: Operation = { kind: 'mark', name: 'kill', atMs: 12 }
    const history = [producer(), produce(0, 1, 0, { invokeMs: 5, completeMs: 90 }), mark]
    const { idempotent } = await measureGaps(() => [history], { windowMs: 1_000 })
    expect(idempotent.maxMs).toBe(85)
  })

  it('have percentiles by nearest rank', () => {
    expect([percentile([], 50), percentile([7], 99)]).toEqual([0, 7])
    const hundred = Array.from({ length: 100 }, (_, i) => 100 - i)
    expect([percentile(hundred, 50), percentile(hundred, 99)]).toEqual([50, 99])
  })
})

it('interval sets are sets', () => {
  const random = new SeededRandom(firstSeed)
  for (let round = 0; round < 300; round++) {
    const set = new IntervalSet()
    const model = new Set<number>()
    for (let i = 0; i < 30; i++) {
      const start = random.below(60)
      const end = start + random.below(8)
      set.add(start, end)
      for (let n = start; n < end; n++) model.add(n)
      const members = [...set.within(0, 100)].flatMap(([a, b]) =>
        Array.from({ length: b - a }, (_, k) => a + k),
      )
      expect(members).toEqual([...model].sort((a, b) => a - b))
      const missing = [...set.missing(10, 40)].flatMap(([a, b]) =>
        Array.from({ length: b - a }, (_, k) => a + k),
      )
      expect(missing).toEqual(
        Array.from({ length: 30 }, (_, k) => 10 + k).filter((n) => !model.has(n)),
      )
      expect(set.has(start)).toBe(model.has(start))
    }
  }
})
