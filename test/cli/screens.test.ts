import { describe, expect, test } from 'vitest'
import { parseProperties } from '../../src/cli/client-properties.ts'
import { bootstrapOf } from '../../src/cli/cluster.ts'
import { explainFailure } from '../../src/cli/failure.ts'
import { parseTarget } from '../../src/cli/group-reset.ts'
import { parseMetrics } from '../../src/cli/metrics-text.ts'
import { renderTable } from '../../src/cli/table.ts'
import { type Look, ratesOf } from '../../src/cli/top-sample.ts'
import { renderRates } from '../../src/cli/top-screen.ts'
import { ConnectionError, KafkaError } from '../../src/kafka-client/errors.ts'

describe('tables', () => {
  test('have numbers to the right and no room behind', () => {
    const rows = [
      ['a', 1, null],
      ['longer', 12_345, 'x'],
    ]
    expect(renderTable(['NAME', 'COUNT', 'NOTE'], rows)).toBe(
      ['NAME    COUNT  NOTE', 'a           1  -', 'longer  12345  x', ''].join('\n'),
    )
  })

  test('let no name drive the terminal', () => {
    expect(renderTable(['N'], [['\x1b[2Jgone\n']])).toBe('N\n\\x1b[2Jgone\\n\n')
  })
})

const look = (atMs: number, end: number, committed: number, metrics: string | null): Look => ({
  ...{ atMs, clusterId: 'c' },
  topics: [
    { name: 'quiet', partitions: 1, offline: 0, start: 0, end: 7 },
    { name: 'busy', partitions: 3, offline: 1, start: 0, end },
  ],
  groups: [{ groupId: 'g', state: 'Stable', members: 2, lag: end - committed, committed }],
  brokers: [{ nodeId: 1, address: 'h:1', leads: 4 }],
  metrics:
    metrics === null
      ? { numbers: null, missing: 'no engine answers at x' }
      : { numbers: parseMetrics(metrics), missing: null },
})

describe('griot top', () => {
  const metrics = (bytes: number, busy: number) =>
    [
      '# HELP kafka_server_brokertopicmetrics_bytesin_total bytes',
      `kafka_server_brokertopicmetrics_bytesin_total{broker="1"} ${bytes}`,
      `griot_thread_busy_seconds_total{thread="broker-1-1"} ${busy}`,
    ].join('\n')

  test('tells what happened between two looks', () => {
    const rates = ratesOf(
      look(0, 1_000, 100, metrics(0, 1)),
      look(2_000, 5_000, 300, metrics(2e6, 2)),
    )
    const text = renderRates(rates, { title: 'x', sort: 'rate', rows: 99, columns: 99 })
    expect(text.split('\n')).toEqual([
      'x  1 broker, 2 topics, 1 group, 2,000 records/s',
      '',
      'BROKER  ADDRESS  LEADS  RECORDS/S  IN        OUT',
      '     1  h:1          4          -  1.0 MB/s    -',
      'busy: broker-1-1 50%',
      '',
      'GROUP  STATE   MEMBERS  RECORDS/S   LAG',
      'g      Stable        2  100        4700',
      '',
      'TOPIC  PARTITIONS  RECORDS/S  RECORDS',
      'busy            3  2,000         5000  1 without a leader',
      'quiet           1  0                7',
    ])
  })

  test('says why rates of brokers are missing', () => {
    const rates = ratesOf(look(0, 0, 0, null), look(1_000, 0, 0, null))
    expect(rates.metricsMissing).toBe('no engine answers at x')
    const text = renderRates(rates, { title: 'x', sort: 'rate', rows: 99, columns: 99 })
    expect(text).toContain('\nno rates of brokers: no engine answers at x\n')
  })

  test('a topic that is new, or was made anew, has no rate', () => {
    const before = { ...look(0, 1_000, 0, null), topics: [] }
    expect(ratesOf(before, look(1_000, 5_000, 0, null)).topics[1]!.recordsPerSecond).toBe(0)
    const again = ratesOf(look(0, 1_000, 0, null), look(1_000, 10, 0, null))
    expect(again.topics[1]!.recordsPerSecond).toBe(0)
  })

  test('fits the terminal, whatever there is', () => {
    const topics = Array.from({ length: 500 }, (_, i) => ({
      ...{ name: `topic-${i}`, partitions: 1, offline: 0, start: 0, end: i },
    }))
    const rates = ratesOf({ ...look(0, 1, 0, null), topics }, { ...look(1, 1, 0, null), topics })
    const text = renderRates(rates, { title: 'x', sort: 'records', rows: 20, columns: 30 })
    const lines = text.split('\n')
    expect(lines.length).toBeLessThanOrEqual(20)
    expect(lines.length).toBeGreaterThan(15)
    expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(30)
    expect(text).toContain('topic-499')
  })

  test('reads labels with quotes', () => {
    const parsed = parseMetrics('m{a="x\\"y",b="1"} 3\nnonsense\nn 1e3')
    expect(parsed.get('m')).toEqual([{ labels: { a: 'x"y', b: '1' }, value: 3 }])
    expect(parsed.get('n')).toEqual([{ labels: {}, value: 1_000 }])
  })
})

describe('where the cluster is', () => {
  test('the option wins over -X, that over the environment, that over the default', () => {
    const env = { GRIOT_BOOTSTRAP: 'env:1' }
    expect(bootstrapOf({}, {}, {})).toEqual([{ host: '127.0.0.1', port: 9092 }])
    expect(bootstrapOf({}, {}, env)).toEqual([{ host: 'env', port: 1 }])
    const { properties } = parseProperties(['bootstrap.servers=x:2,y:3'])
    expect(bootstrapOf({}, properties, env)).toEqual([
      { host: 'x', port: 2 },
      { host: 'y', port: 3 },
    ])
    expect(bootstrapOf({ brokers: 'b,[::1]:4' }, properties, env)).toEqual([
      { host: 'b', port: 9092 },
      { host: '::1', port: 4 },
    ])
  })

  test('what is none is refused with its origin', () => {
    expect(() => bootstrapOf({ brokers: 'http://x' })).toThrow('option -b: "http://x" is refused')
    expect(() => bootstrapOf({ brokers: 'a:0' })).toThrow('wants HOST:PORT')
    expect(() => bootstrapOf({}, {}, { GRIOT_BOOTSTRAP: ',' })).toThrow('GRIOT_BOOTSTRAP: names no')
    expect(() => parseProperties(['compresion.codec=lz4'])).toThrow(
      'did you mean compression.codec',
    )
    expect(() => parseProperties(['ssl.cipher.suites=x'])).toThrow(
      '-X: ssl.cipher.suites is refused',
    )
    expect(() => parseProperties(['constructor=x'])).toThrow('not a property')
  })
})

test('failures say what to do next', () => {
  const refused = new ConnectionError('h:1', 'ECONNREFUSED', 'h:1: connect ECONNREFUSED')
  expect(explainFailure(refused)).toContain(
    'nobody listens at h:1: is `griot start` running there?',
  )
  const advertised = new ConnectionError('h:2', 'ENOTFOUND', 'h:2: …', true)
  expect(explainFailure(advertised)).toContain('--kafka-advertise')
  expect(explainFailure(new KafkaError(68, 'group "g"'))).toMatch(
    /^group "g": NON_EMPTY_GROUP; .*stop/,
  )
  expect(explainFailure(new KafkaError(30, 'x', 'because'))).toBe(
    'x: GROUP_AUTHORIZATION_FAILED (because)',
  )
})

test('where group reset-offsets goes', () => {
  const now = 1769860800000
  const target = (options: object) => parseTarget(options, now)
  expect(target({ to: 'start' })).toEqual({ kind: 'start' })
  expect(target({ to: 'latest' })).toEqual({ kind: 'end' })
  expect(target({ to: '12' })).toEqual({ kind: 'offset', offset: 12 })
  expect(target({ to: '@1769860000' })).toEqual({ kind: 'time', timeMs: 1769860000000 })
  expect(target({ to: '2026-01-31' })).toEqual({ kind: 'time', timeMs: Date.UTC(2026, 0, 31) })
  expect(target({ shiftBy: '-5' })).toEqual({ kind: 'shift', by: -5 })
  expect(target({ shiftBy: '+5' })).toEqual({ kind: 'shift', by: 5 })
  expect(target({ byDuration: '1h' })).toEqual({ kind: 'time', timeMs: now - 3_600_000 })
  for (const bad of [{}, { to: 'start', shiftBy: '1' }, { to: 'strat' }, { shiftBy: 'x' }]) {
    expect(() => target(bad)).toThrow()
  }
})
