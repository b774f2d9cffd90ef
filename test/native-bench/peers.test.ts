/** The peers of the bench: arithmetic, files of results, the table, what is checked before a row. No broker runs here. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Circumstances } from '../../native-bench/common/machine.ts'
import { serverProperties } from '../../native-bench/peers/kafka.ts'
import { javaProgram, javaVersion } from '../../native-bench/peers/kafka-libs.ts'
import {
  goalText,
  type Measure,
  ratioLine,
  ratioOf,
  ratiosOf,
  reaches,
} from '../../native-bench/peers/measures.ts'
import { assertRoom, memoryPlace } from '../../native-bench/peers/preflight.ts'
import {
  fileName,
  keepResult,
  newestResults,
  type RowResult,
} from '../../native-bench/peers/results.ts'
import { rowNamed, rows } from '../../native-bench/peers/rows.ts'
import { lossNotes } from '../../native-bench/peers/rows-kill.ts'
import { fanOutNotes } from '../../native-bench/peers/rows-load.ts'
import { resultsPage } from '../../native-bench/peers/table.ts'
import { type RunFacts, whyTrial } from '../../native-bench/peers/trial.ts'
import { replicated, workloadFile } from '../../native-bench/peers/variants.ts'

const throughput: Measure = {
  key: 'rate',
  label: 'throughput',
  unit: 'MB/s',
  goal: { atLeast: 3 },
}
const cpu: Measure = { key: 'cpu', label: 'CPU', unit: 's/GB', goal: { atMost: 1 / 4 } }
const note: Measure = { key: 'rss', label: 'RSS', unit: 'MB', goal: null }

const rounds = [
  { griot: { rate: 600, cpu: 1 }, peer: { rate: 200, cpu: 5 } },
  { griot: { rate: 900, cpu: 2 }, peer: { rate: 200, cpu: 4 } },
  { griot: { rate: 500, cpu: 1 }, peer: { rate: 250, cpu: 4 } },
]

describe('ratios', () => {
  test('are of the two runs of one round, not of medians', () => {
    expect(ratiosOf(rounds, 'rate')).toEqual([3, 4.5, 2])
    expect(ratioOf(rounds, throughput)).toEqual({ median: 3, min: 2, max: 4.5, isReached: true })
    expect(ratioOf(rounds, cpu)).toEqual({ median: 0.25, min: 0.2, max: 0.5, isReached: true })
  })

  test('of an even number of rounds take the mean of the two in the middle', () => {
    expect(ratioOf(rounds.slice(0, 2), throughput)!.median).toBe(3.75)
  })

  test('leave out rounds that one side could not measure, and are none where none is left', () => {
    const half = [...rounds.slice(0, 1), { griot: { rate: 9 }, peer: {} }]
    expect(ratioOf(half, throughput)!.median).toBe(3)
    expect(ratioOf(half.slice(1), throughput)).toBeNull()
    expect(ratioOf([{ griot: { rate: 1 }, peer: { rate: 0 } }], throughput)).toBeNull()
  })

  test('reach their goal on it and beyond, on the right side', () => {
    expect(reaches(3, { atLeast: 3 })).toBe(true)
    expect(reaches(2.99, { atLeast: 3 })).toBe(false)
    expect(reaches(0.25, { atMost: 0.25 })).toBe(true)
    expect(reaches(0.26, { atMost: 0.25 })).toBe(false)
    expect(ratioOf(rounds, { ...note, key: 'rate' })!.isReached).toBeNull()
  })

  test('are told with the digits that count', () => {
    expect(ratioLine({ median: 3.456, min: 0.0412, max: 12.34, isReached: null })).toBe(
      '3.46 (0.041–12.3)',
    )
    expect([3, 1].map((atLeast) => goalText({ atLeast }))).toEqual(['≥ 3 ×', '≥ 1 ×'])
    expect([1 / 10, 1 / 3, 1].map((atMost) => goalText({ atMost }))).toEqual([
      '≤ 1/10',
      '≤ 1/3',
      '≤ 1 ×',
    ])
  })
})

const at: Circumstances = {
  date: '2026-11-25T12:00:00.000Z',
  commit: 'abc1234',
  node: 'v20.20.2',
  cpus: 2,
  cpuModel: 'Some CPU',
  memoryBytes: 24 * 2 ** 30,
  kernel: 'linux 6.18 x64',
}

const always = () => true

const result = (row: string, date: string, change: Partial<RowResult> = {}): RowResult => ({
  format: 1,
  row,
  title: `what ${row} is`,
  peer: 'Apache Kafka 4.3.1',
  command: `npm run bench -- peers --row ${row}`,
  at: { ...at, date },
  java: '17.0.15',
  loadBefore: 0.1,
  seconds: 15,
  measures: [throughput, cpu, note],
  rounds,
  notes: ['A note.'],
  ...change,
})

describe('results', () => {
  let directory: string
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'griot-results-'))
  })
  afterEach(() => rmSync(directory, { recursive: true, force: true }))

  test('keep the newest run of a row, and leave other rows alone', () => {
    keepResult(directory, result('a', '2026-11-25T10:00:00.000Z'))
    keepResult(directory, result('a-lz4', '2026-11-24T10:00:00.000Z'))
    const path = keepResult(directory, result('a', '2026-11-25T11:00:00.000Z'))
    expect(readdirSync(directory).sort()).toEqual([
      'a-2026-11-25T110000-abc1234.json',
      'a-lz4-2026-11-24T100000-abc1234.json',
    ])
    expect(path).toBe(join(directory, 'a-2026-11-25T110000-abc1234.json'))
    expect(newestResults(directory).get('a')).toEqual(result('a', '2026-11-25T11:00:00.000Z'))
  })

  test('are chosen by date where several runs of a row lie there, whatever their names say', () => {
    for (const [name, date] of [
      ['z', '2026-11-01'],
      ['m', '2026-11-03'],
      ['a', '2026-11-02'],
    ] as const) {
      const one = result('row', `${date}T00:00:00.000Z`)
      writeFileSync(join(directory, `${name}.json`), JSON.stringify(one))
    }
    mkdirSync(join(directory, 'trial'))
    writeFileSync(join(directory, 'trial', 'row.json'), 'not looked at')
    expect(newestResults(directory).get('row')!.at.date).toBe('2026-11-03T00:00:00.000Z')
  })

  test('keep five digits, nothing for what was not measured, and a name that says of which commit and whether it was changed', () => {
    const changed = { ...at, commit: 'abc1234+' }
    const one = {
      griot: { rate: 123456.789, cpu: Number.NaN },
      peer: { rate: 0.00123456, cpu: 1 },
    }
    const kept = result('a', at.date, { at: changed, rounds: [one] })
    keepResult(directory, kept)
    expect(fileName(kept)).toBe('a-2026-11-25T120000-abc1234-changed.json')
    expect(newestResults(directory).get('a')!.rounds).toEqual([
      { griot: { rate: 123460 }, peer: { rate: 0.0012346, cpu: 1 } },
    ])
  })

  test('that are none are refused by name; no directory is no result', () => {
    expect(newestResults(join(directory, 'missing')).size).toBe(0)
    writeFileSync(join(directory, 'x.json'), '{"format":0}')
    expect(() => newestResults(directory)).toThrow(/x\.json is no result of format 1/)
    writeFileSync(join(directory, 'x.json'), '{')
    expect(() => newestResults(directory)).toThrow(/x\.json is no JSON/)
  })
})

describe('the table', () => {
  const known = [
    { name: 'a', title: 'what a is', measures: [throughput, cpu, note] },
    { name: 'b', title: 'what b is', measures: [throughput] },
  ]
  const cells = (page: string) =>
    page
      .split('\n')
      .filter((line) => line.startsWith('|'))
      .map((line) => line.split('|').map((cell) => cell.trim()))
      .map((line) => line.slice(1, -1).join(' | '))

  test('has ratios with spread and goal first, then figures beside the peer’s, then how each was had', () => {
    const page = resultsPage(known, new Map([['a', result('a', at.date)]]), always)
    const lines = cells(page)
    expect(lines).toContain('a | throughput | 3.00 (2.00–4.50) | ≥ 3 × | yes | abc1234')
    expect(lines).toContain(' | CPU | 0.25 (0.20–0.50) | ≤ 1/4 | yes | ')
    expect(lines).toContain('b | throughput | not run | ≥ 3 × | – | ')
    expect(lines).toContain(
      'a | throughput, MB/s | 600 (500–900) | 200 (200–250) | Apache Kafka 4.3.1',
    )
    expect(lines).toContain(' | RSS, MB | – | – | ')
    expect(page).toContain('`npm run bench -- peers --row a`')
    expect(page).toContain('2026-11-25, commit abc1234, Node v20.20.2, 2 × Some CPU, 24 GB')
    expect(page).toContain('3 rounds of 15 s')
    expect(page).toContain('A note.')
    expect(page).toContain('Not run: b.')
    expect(page.indexOf('## Ratios')).toBeLessThan(page.indexOf('## Figures'))
    expect(page).not.toContain('not a quiet machine')
  })

  test('says which goal was missed, and where the machine was busy', () => {
    const missed = { ...throughput, goal: { atLeast: 4 } }
    const one = result('a', at.date, { loadBefore: 8 })
    const rowsNow = [{ ...known[0]!, measures: [missed, { ...cpu, key: 'new', label: 'new' }] }]
    const page = resultsPage(rowsNow, new Map([['a', one]]), always)
    // measured before there was such a figure
    expect(cells(page)).toContain(' | new | not measured | ≤ 1/4 | – | ')
    expect(cells(page)).toContain('a | throughput | 3.00 (2.00–4.50) | ≥ 4 × | **no** | abc1234')
    expect(page).toContain('not a quiet machine')
  })

  test('goes by what else ran during the row, where that is known', () => {
    const pageOf = (change: Partial<RowResult>) =>
      resultsPage(known, new Map([['a', result('a', at.date, change)]]), always)
    expect(pageOf({ loadBefore: 8, othersCores: 0.1 })).not.toContain('not a quiet machine')
    const busy = pageOf({ loadBefore: 0, othersCores: 0.31 })
    expect(busy).toContain('other processes took 0.31 of a core (**not a quiet machine**)')
    expect(pageOf({ loadBefore: 8, othersCores: null })).toContain('not a quiet machine')
  })

  test('marks what was measured of other sources than those that are there', () => {
    const asked: (string | null)[] = []
    const page = resultsPage(known, new Map([['a', result('a', at.date)]]), (commit) => {
      asked.push(commit)
      return false
    })
    expect(asked).toEqual(['abc1234'])
    expect(cells(page)).toContain('a | throughput | 3.00 (2.00–4.50) | ≥ 3 × | yes | abc1234 †')
    expect(page).toContain('† `src` has changed since')
  })

  test('has rows of three nodes in a section of their own', () => {
    const three = { name: 'a-rf3', title: 'a', measures: [throughput], nodes: 3 as const }
    const results = new Map([
      ['a', result('a', at.date)],
      ['a-rf3', result('a-rf3', at.date, { peer: 'Apache Kafka 4.3.1, three nodes' })],
    ])
    const page = resultsPage([...known, three], results, always)
    const [before, section] = page.split('## Three nodes, replication factor 3\n')
    expect(cells(before!).join('\n')).not.toContain('a-rf3')
    expect(cells(section!)).toContain(
      'a-rf3 | throughput | 3.00 (2.00–4.50) | ≥ 3 × | yes | abc1234',
    )
    expect(cells(section!)).toContain(
      'a-rf3 | throughput, MB/s | 600 (500–900) | 200 (200–250) | Apache Kafka 4.3.1, three nodes',
    )
    expect(section).toContain('- **a-rf3**')
    expect(section).toContain('- **a** (')
    expect(resultsPage(known, results, always)).not.toContain('Three nodes')
  })

  test('can be written before any row was run', () => {
    const page = resultsPage(rows, new Map(), always)
    for (const { name } of rows) expect(page).toContain(`| ${name} `)
    expect(page).toContain('No row has been run.')
  })
})

describe('a run of a row', () => {
  const kept: RunFacts = {
    ...{ rounds: 5, seconds: 15, hasOwnWarmup: false, peer: 'kafka' as const },
    lacksReplicas: false,
    ...{ commit: 'abc1234', builtBefore: 'x', builtAfter: 'x' },
  }

  test('is kept where it is all that the goals are about, of one commit', () => {
    expect(whyTrial(kept)).toEqual([])
    expect(whyTrial({ ...kept, rounds: 9, seconds: 60 })).toEqual([])
  })

  test.each([
    [{ rounds: 4 }, 'fewer than 5 rounds'],
    [{ seconds: 14 }, 'less than 15 s'],
    [{ hasOwnWarmup: true }, 'a warm-up of its own'],
    [{ peer: 'griot' }, 'no peer but Griot itself'],
    [{ lacksReplicas: true }, 'fewer replicas than asked for'],
    [{ commit: null }, 'no commit'],
    [{ commit: 'abc1234+' }, 'changes that are in no commit'],
    [{ builtAfter: 'y' }, 'dist was built anew meanwhile'],
  ] as const)('is a trial with %j', (change, why) => {
    expect(whyTrial({ ...kept, ...change })).toEqual([why])
  })

  test('says loudly where not all of what was produced was delivered', () => {
    const of = (inBytes: number, outBytes: number) =>
      fanOutNotes({
        workload: { consume: [{ connections: 5 }] },
        ...{ produced: { bytes: inBytes }, consumed: { bytes: outBytes } },
      } as never)
    expect(of(100, 500)).toEqual([])
    expect(of(100, 460)).toEqual([])
    expect(of(100, 440)).toEqual(['**delivered 4.40 × of what was produced, not 5 ×**'])
    expect(of(100, 560)).toHaveLength(1)
    expect(of(0, 0)).toHaveLength(1)
  })
})

test('a log with other records than were acknowledged is told loudly, unless those may be that had no answer', () => {
  const of = (unanswered: number, written: number) =>
    lossNotes(
      {
        workload: { produce: [{ recordsPerBatch: 16 }] },
        produced: { total: { records: 160 }, unanswered },
      } as never,
      written,
    )
  expect(of(0, 160)).toEqual([])
  expect(of(0, 159)).toEqual(['**160 records were acknowledged, and 159 are in the log**'])
  expect(of(0, 176)).toHaveLength(1)
  expect(of(2, 192)).toEqual([])
  expect(of(2, 208)).toHaveLength(1)
})

describe('before a row', () => {
  test('memory is taken for directories only where there is room for them', () => {
    expect(memoryPlace({ diskBytes: 1e15, memoryBytes: 0 })).toBeNull()
    expect(memoryPlace({ diskBytes: 1, memoryBytes: 1e15 })).toBeNull()
    if (existsSync('/dev/shm'))
      expect(memoryPlace({ diskBytes: 1, memoryBytes: 1 })).toBe('/dev/shm')
  })

  test('too little disk or memory is said with what is needed, there, and would help', () => {
    const needs = { diskBytes: 10e9, memoryBytes: 4e9 }
    const check = (diskBytes: number, memoryBytes: number) => () =>
      assertRoom('catch-up', needs, { diskBytes, memoryBytes }, '/data')
    expect(check(10e9, 4e9)).not.toThrow()
    expect(check(9.9e9, 4e9)).toThrow(/catch-up needs 10\.0 GB of disk, and \/data has 9\.9 GB/)
    expect(check(10e9, 3e9)).toThrow(/needs 4\.0 GB of memory.*3\.0 GB are available/)
  })

  test('a Java that is missing or too old is said with how to get one', () => {
    expect(javaVersion('openjdk version "17.0.15" 2025-04-15')).toBe(17)
    expect(javaVersion('java version "1.8.0_202"')).toBe(8)
    expect(javaVersion('what?')).toBeNull()
    expect(() => javaProgram({ PATH: '/nowhere' })).toThrow(/JDK 17 or later/)
  })

  test('a row is found by its name, and one of three nodes also without its suffix where these are asked for', () => {
    expect(rowNamed('large-batches')).toMatchObject({ name: 'large-batches' })
    expect(rowNamed('large-batches', 3)).toMatchObject({ name: 'large-batches-rf3', nodes: 3 })
    expect(rowNamed('large-batches-rf3')).toMatchObject({ name: 'large-batches-rf3', nodes: 3 })
    expect(() => rowNamed('kill-leader')).toThrow(/no row kill-leader \(kill-leader-rf3 with/)
    expect(() => rowNamed('start', 3)).toThrow(
      /row start has one node; with three there are large-b/,
    )
    expect(() => rowNamed('memory-rf3', 1)).toThrow(/row memory-rf3 has three nodes/)
    expect(() => rowNamed('nope', 3)).toThrow(/no row nope; there are large-batches,/)
  })

  test('workloads of three nodes ask for three replicas, two in sync, and idempotent producers', () => {
    const three = replicated(workloadFile('large-batches'), 3)
    expect(three.topics[0]).toMatchObject({
      replicationFactor: 3,
      configs: { 'min.insync.replicas': '2', 'retention.bytes': '1073741824' },
    })
    expect(three.produce[0]!.idempotence).toBe(true)
    const one = replicated(workloadFile('large-batches'), 1)
    expect(one.topics[0]).toMatchObject({ replicationFactor: 1 })
    expect(one.topics[0]!.configs).not.toHaveProperty('min.insync.replicas')
    expect(one.produce).toEqual(three.produce)
  })

  test('each row has a name of its own and at least one goal', () => {
    expect(new Set(rows.map(({ name }) => name)).size).toBe(rows.length)
    for (const { name, measures } of rows) {
      expect(measures.some(({ goal }) => goal !== null) ? name : '').toBe(name)
      expect(new Set(measures.map(({ key }) => key)).size).toBe(measures.length)
    }
  })
})

test('three nodes of Kafka name each other and have ports of their own', () => {
  const texts = [1, 2, 3].map((node) =>
    serverProperties({ nodes: 3, properties: { extra: 1 } }, node, 20_000, `/d/${node}`),
  )
  for (const text of texts) {
    expect(text).toContain(
      'controller.quorum.voters=1@127.0.0.1:20001,2@127.0.0.1:20003,3@127.0.0.1:20005\n',
    )
    expect(text).toContain('offsets.topic.replication.factor=3\n')
    expect(text).toContain('transaction.state.log.min.isr=2\n')
    expect(text).toContain('extra=1\n')
  }
  expect(texts[1]).toContain('listeners=PLAINTEXT://127.0.0.1:20002,CONTROLLER://127.0.0.1:20003\n')
  const alone = serverProperties({ nodes: 1 }, 1, 20_000, '/d')
  expect(alone).toContain('offsets.topic.replication.factor=1\n')
  expect(alone).toContain('transaction.state.log.min.isr=1\n')
})
