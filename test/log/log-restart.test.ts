import { describe, expect, it } from 'vitest'
import { InvariantError } from '../../src/base/assert.ts'
import { ErrorCode } from '../../src/base/error-code.ts'
import { ControlEntries } from '../../src/log/control-entries.ts'
import type { ControlHeader } from '../../src/log/control-entries-format.ts'
import type { LogConfig } from '../../src/log/log-config.ts'
import type { PartitionLog } from '../../src/log/partition-log.ts'
import { encodeProducerSnapshot } from '../../src/log/producer-snapshot.ts'
import type { SimulatedFlusher } from '../../src/log/simulated-flusher.ts'
import { append, batchOf, checkIndexes, DIRECTORY, simulated, storedBatches } from './support.ts'
import { liveUntil } from './workload.ts'

const SEEDS = process.env.GRIOT_TEST_LONG ? 50 : 4
const TIMEOUT_MS = process.env.GRIOT_TEST_LONG ? 600_000 : 60_000
const SMALL: Partial<LogConfig> = { segmentBytes: 300, indexIntervalBytes: 50, flushMessages: 1 }

const settle = (flusher: SimulatedFlusher) => {
  while (flusher.doWork() > 0);
}

const CONFIGURATION = { voters: [1, 2], learners: [3] }
const OLD: ControlHeader = {
  ...{ replicaId: 3, startOffset: 0, controlsBefore: 0, lines: [], configuration: CONFIGURATION },
}
const NEW: ControlHeader = {
  ...OLD,
  ...{ startOffset: 500, controlsBefore: 7, lines: [{ term: 9, start: 300 }] },
}
const PRODUCERS = encodeProducerSnapshot([
  {
    ...{ producerId: 42, epoch: 3, lastSequence: 10, lastOffset: 450, offsetDelta: 1 },
    ...{ timestampMs: 1_700_000_000_000, coordinatorEpoch: -1, txnFirstOffset: -1 },
  },
])
const GIVEN = { producers: PRODUCERS, controls: NEW }

/** A log of offsets 0 to 19 in several segments, with control entries, a producer, a deleted beginning. */
function old(withRings = true) {
  const world = simulated(withRings)
  const log = world.broker.open(SMALL)
  const controls = ControlEntries.create(log, OLD)
  controls.append([{ kind: 'term-start', at: 0, term: 1 }])
  for (let i = 0; i < 10; i++) {
    const producer = { producerId: 8, producerEpoch: 0, baseSequence: i * 2 }
    append(log, batchOf([`${i}-a`, `${i}-b`], producer), 1)
  }
  settle(world.flusher)
  log.deleteRecords(3, () => {})
  settle(world.flusher)
  return { ...world, log }
}

function restarted(log: PartitionLog, offset: number, given = GIVEN) {
  const told: (string | null)[] = []
  log.restartAt(offset, given, (failed) => told.push(failed?.code ?? null))
  return told
}

function expectNew(log: PartitionLog, where = ''): void {
  expect([log.failure, log.logStartOffset, log.logEndOffset], where).toEqual([null, 500, 500])
  expect(storedBatches(log), where).toEqual([])
  expect(log.epochs.lines, where).toEqual([])
  const found = ControlEntries.open(log)
  if (found.kind !== 'open') throw new Error(`${where}: ${found.kind}`)
  expect(found.controls.header, where).toEqual(NEW)
  expect(found.controls.recovered(500, 500), where).toEqual({
    ...{ start: 507, end: 507, controls: [], lines: NEW.lines, configuration: CONFIGURATION },
  })
  const producers = log.producers.describe()
  expect(producers, where).toMatchObject([{ producerId: 42, lastSequence: 10, lastOffset: 450 }])
}

function expectOld(log: PartitionLog, where = ''): void {
  expect([log.failure, log.logStartOffset, log.logEndOffset], where).toEqual([null, 3, 20])
  expect(storedBatches(log).at(-1), where).toMatchObject({ base: 18, last: 19 })
  const found = ControlEntries.open(log)
  if (found.kind !== 'open') throw new Error(`${where}: ${found.kind}`)
  expect(found.controls.header, where).toEqual(OLD)
  expect(found.controls.positionOf(20), where).toBe(21)
  checkIndexes(log)
}

/** What is appended to a new log is there, and stays. */
function expectGrows(world: ReturnType<typeof simulated>, log: PartitionLog, where = ''): void {
  const { broker, disk, flusher } = world
  const next = { producerId: 42, producerEpoch: 3, baseSequence: 11 }
  expect(append(log, batchOf(['x', 'y'], next), 9)).toMatchObject({ error: 0, baseOffset: 500 })
  for (let i = 0; i < 8; i++) append(log, batchOf(['x', 'y']), 9 + i)
  settle(flusher)
  expect(log.acknowledgedOffset, where).toBe(518)
  for (const seed of [1, 2, 3]) {
    disk.powerCut(seed)
    flusher.forget()
    broker.start()
    const again = broker.open(SMALL)
    expect([again.failure, again.logStartOffset, again.logEndOffset], where).toEqual([
      ...[null, 500, 518],
    ])
    expect(append(again, batchOf(['x', 'y'], next), 9)).toMatchObject({ duplicate: true })
    checkIndexes(again)
    settle(flusher)
  }
}

describe('a log that begins anew', () => {
  it('is empty at the offset, with the producers and control entries that it was given', () => {
    const { log, ...world } = old()
    const { broker, flusher, disk } = world
    const told = restarted(log, 500)
    // the old one is there until the new one is durable, but nothing more goes into it
    expect([told, log.logEndOffset]).toEqual([[], 20])
    expect(append(log, batchOf(['lost'])).error).toBe(ErrorCode.KAFKA_STORAGE_ERROR)
    settle(flusher)
    expect(told).toEqual([null])
    expect(append(log, batchOf(['lost'])).error).toBe(ErrorCode.KAFKA_STORAGE_ERROR)
    log.abandon()
    const next = broker.open(SMALL)
    expectNew(next)
    expect(disk.list(DIRECTORY).filter((name) => /^0+\d?\d\./.test(name))).toEqual([])
    expectGrows(world, next)
  })

  it('may do so again, and then one name says so', () => {
    const { log, broker, flusher, disk } = old()
    restarted(log, 500)
    settle(flusher)
    log.abandon()
    const next = broker.open(SMALL)
    append(next, batchOf(['x']), 9)
    const controls = { ...NEW, startOffset: 900 }
    restarted(next, 900, { ...GIVEN, controls })
    settle(flusher)
    next.abandon()
    const last = broker.open(SMALL)
    expect([last.logStartOffset, last.logEndOffset]).toEqual([900, 900])
    expect(disk.list(DIRECTORY).filter((name) => name.endsWith('.restart'))).toEqual([
      '00000000000000000900.restart',
    ])
    settle(flusher)
    expect(append(last, batchOf(['x']), 9).baseOffset).toBe(900)
  })

  it('may never have been written before', () => {
    const world = simulated()
    const { broker, flusher } = world
    const log = broker.open(SMALL)
    const told = restarted(log, 500)
    settle(flusher)
    expect(told).toEqual([null])
    log.abandon()
    const next = broker.open(SMALL)
    expectNew(next)
    expectGrows(world, next)
  })

  it('keeps nothing of what it had beyond the offset', () => {
    const { log, broker, flusher } = old()
    const told = restarted(log, 11, { ...GIVEN, controls: { ...NEW, startOffset: 11 } })
    settle(flusher)
    expect(told).toEqual([null])
    log.abandon()
    const next = broker.open(SMALL)
    expect([next.failure, next.logStartOffset, next.logEndOffset]).toEqual([null, 11, 11])
    expect(append(next, batchOf(['x']), 4).baseOffset).toBe(11)
    expect(next.epochs.lines).toEqual([{ epoch: 4, startOffset: 11 }])
  })

  it('refuses what makes no sense', () => {
    const { log } = old()
    expect(() => restarted(log, 3)).toThrow(InvariantError)
    expect(() => restarted(log, 501)).toThrow('begin where the log does')
    expect(() => restarted(log, 500, { ...GIVEN, producers: new Uint8Array(9) })).toThrow('whole')
  })

  it('goes on as it was where that cannot be prepared', () => {
    for (const ending of ['snapshot-restart.tmp', 'control-entries-restart.tmp', '.restart']) {
      const { log, broker, flusher, disk } = old()
      disk.onOperation = ({ path, operation }) =>
        path.endsWith(ending) && operation !== 'flush' ? { kind: 'error', code: 'EIO' } : null
      const told = restarted(log, 500)
      settle(flusher)
      expect([ending, told]).toEqual([ending, ['EIO']])
      disk.onOperation = null
      expect(append(log, batchOf(['on', 'on']), 1).baseOffset).toBe(20)
      log.truncateTo(20)
      disk.kill()
      flusher.forget()
      broker.start()
      expectOld(broker.open(SMALL), ending)
      expect(disk.list(DIRECTORY).filter((name) => name.includes('restart'))).toEqual([])
    }
  })

  it('takes no appends where its name may or may not be durable', () => {
    const { log, flusher, disk } = old()
    disk.onOperation = ({ path, operation }) =>
      path.endsWith('.restart') && operation === 'flush' ? { kind: 'error', code: 'EIO' } : null
    const told = restarted(log, 500)
    settle(flusher)
    expect([told, log.failure === null]).toEqual([['EIO'], false])
  })
})

describe('after every single change while a log begins anew', () => {
  it.each([
    ['kill', 'kill'],
    ['powerCut', 'powerCut'],
    ['powerCut', 'kill'],
    ['kill', 'powerCut'],
  ] as const)(
    '%s and then %s leave the old log or the new one',
    (first, second) => {
      let changes = 0
      let news = 0
      for (let at = 1, more = true; more; at++) {
        // a death leaves nothing to chance
        const seeds = first === 'kill' && second === 'kill' ? 2 : SEEDS
        for (let seed = 1; seed <= seeds; seed++) {
          const { log, ...world } = old(false)
          const { broker, disk, flusher } = world
          const crash = (how: 'kill' | 'powerCut', n: number) => {
            if (how === 'kill') disk.kill()
            else disk.powerCut(at * 1000 + seed * 10 + n)
            flusher.forget()
            broker.start()
          }
          let told: (string | null)[] = []
          more = liveUntil(disk, disk.operations + at, () => {
            told = restarted(log, 500)
            settle(flusher)
            log.abandon()
            const next = broker.open(SMALL)
            if (seed % 2 === 0) settle(flusher)
            next.close()
          })
          crash(first, 1)
          const where = `change ${at}, seed ${seed}`
          let found = broker.open(SMALL)
          const isNew = found.logStartOffset === 500
          if (told.length > 0) expect(isNew, where).toBe(true)
          if (isNew) expectNew(found, where)
          else expectOld(found, where)
          const isSettled = seed % 2 === 0
          if (isSettled) settle(flusher)
          crash(second, 2)
          found = broker.open(SMALL)
          const isStillNew = found.logStartOffset === 500
          // before its name is durable, a power cut may still bring the old one back
          const mayGoBack = first === 'kill' && !isSettled && told.length === 0
          if (second === 'kill' || !mayGoBack) expect(isStillNew, where).toBe(isNew)
          if (isStillNew) {
            expectNew(found, where)
            expectGrows(world, found, where)
            news++
          } else expectOld(found, where)
        }
        changes = at
      }
      expect(changes).toBeGreaterThan(20)
      expect(news).toBeGreaterThan(15)
    },
    TIMEOUT_MS,
  )
})
