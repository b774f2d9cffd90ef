/** What replication costs: arithmetic and text without a broker; a short run for real. No figure of it is judged. */
import { expect, test, vi } from 'vitest'
import { Sandbox } from '../../native-bench/common/sandbox.ts'
import { griotSide, hasChaos } from '../../native-bench/peers/griot.ts'
import { killRow } from '../../native-bench/peers/rows-replicated.ts'
import {
  COMPARED,
  type Found,
  KILLED,
  measureReplication,
} from '../../native-bench/replication/measure.ts'
import { replicationFigures, replicationText } from '../../native-bench/replication/text.ts'
import { ROW_TIMEOUT_MS } from './smoke-row.ts'

vi.setConfig({ testTimeout: ROW_TIMEOUT_MS })

const measures = [
  { key: 'rateMB', label: 'throughput', unit: 'MB/s', goal: { atLeast: 5 } },
  { key: 'cpuPerGB', label: 'CPU', unit: 's/GB', goal: null },
  { key: 'client', label: 'of the client', unit: '%', goal: null },
]
const round = (rateMB: number, three: number) => ({
  one: { rateMB, cpuPerGB: 1, client: 5, replicas: 1 },
  three: { rateMB: three, cpuPerGB: 2, client: 5, replicas: 3 },
})
const found: Found = {
  pairs: [
    {
      pair: { name: 'large', one: { measures } },
      rounds: [round(100, 50), round(200, 50), round(100, 40)],
    },
  ],
  kills: [
    { gapMs: 40, resent: 0, replicas: 3 },
    { gapMs: 150, resent: 5, replicas: 3 },
    { gapMs: 90, resent: 0, replicas: 3 },
  ],
  memory: { idleMB: 120, loadedMB: 240 },
  notes: ['A note'],
}
const cells = (text: string) =>
  text
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .map((line) => line.split('|').map((cell) => cell.trim()))
    .map((line) => line.slice(1, -1).join(' | '))

test('ratios are of the two runs of one round, told beside both with their ranges', () => {
  const text = replicationText(found)
  expect(cells(text)).toEqual([
    'workload | measure | RF 1 | RF 3 | RF 3 : RF 1',
    expect.stringMatching(/^-/),
    'large | throughput, MB/s | 100 (100–200) | 50.0 (40.0–50.0) | 0.40 (0.25–0.50)',
    ' | CPU, s/GB | 1.00 (1.00–1.00) | 2.00 (2.00–2.00) | 2.00 (2.00–2.00)',
  ])
  expect(text).toContain('acknowledgement 90.0 (40.0–150) ms (goal 200 ms, 1/60 of three Kafka')
  expect(text).toContain('12 s: reached); the client sent 0 (0–5.00) requests again.')
  expect(text).toContain('RSS: 120 MB idle after the start, 240 MB after all of it.')
  expect(text).toContain('A note.')
  expect(text).not.toContain('this is not what')
})

test('topics that have fewer replicas, and a goal that is missed, are told loudly', () => {
  const kills = [{ gapMs: 201, resent: 5, replicas: 1 }]
  const text = replicationText({ ...found, kills })
  expect(text).toContain('**Topics that were to have 3 replicas have 1: this is not what')
  expect(text).toContain('**not reached**')
  const memory = { idleMB: Number.NaN, loadedMB: Number.NaN }
  expect(replicationText({ ...found, pairs: [], memory })).toMatch(
    /^The leader’s broker .*\nA note/,
  )
})

test('what compare reads has each run’s value, the ratio, and which way is better', () => {
  const figures = replicationFigures(found)
  const of = (name: string) => figures.find((figure) => figure.name === name)
  expect(of('large, RF 3: throughput')).toMatchObject({ better: 'higher', values: [50, 50, 40] })
  expect(of('large, RF 3 : RF 1: throughput')!.values).toEqual([0.5, 0.25, 0.4])
  expect(of('large, RF 1: CPU')).toMatchObject({ better: 'lower', unit: 's/GB' })
  expect(of('kill-leader: longest time without an acknowledgement')!.values).toEqual([40, 150, 90])
  expect(figures.filter(({ name }) => name.includes('client'))).toEqual([])
})

test('one engine, both kinds of topics by turns, and a kill where brokers can be killed', async () => {
  const sandbox = new Sandbox()
  const lines: string[] = []
  try {
    const result = await measureReplication({
      workloads: ['tiny-batches', 'catch-up', KILLED],
      ...{ rounds: 1, settleMs: 0, sandbox, side: griotSide(sandbox) },
      timing: {
        ...{ seconds: 1.2, warmupSeconds: 0.2, restMs: 100, size: 0.01 },
        freshWarmupSeconds: { griot: 0.2, kafka: 0.2 },
      },
      killed: hasChaos()
        ? { side: griotSide(sandbox, 'Griot', { chaos: true }), row: killRow() }
        : 'no --chaos',
      print: (line) => lines.push(line),
    })
    expect(COMPARED).toHaveLength(4)
    expect(result.pairs.map(({ pair }) => pair.name)).toEqual(['tiny-batches', 'catch-up'])
    for (const { pair, rounds } of result.pairs) {
      expect(rounds).toHaveLength(1)
      for (const figures of Object.values(rounds[0]!))
        for (const { key, label } of pair.one.measures)
          expect(figures[key], `${pair.name}: ${label}`).toBeGreaterThan(0)
      expect(rounds[0]!.one.replicas).toBe(1)
    }
    if (hasChaos()) expect(result.kills[0]!.gapMs).toBeGreaterThan(0)
    else expect(result.notes).toContain('kill-leader is skipped: no --chaos')
    expect(result.notes.filter((note) => note.includes('in the log'))).toEqual([])
    expect(result.memory.loadedMB).toBeGreaterThan(20)
    const says = lines.map((line) => line.trim().split(/[,:] /)[0])
    expect(says.slice(2, 5)).toEqual(['round 1 of 1', 'tiny-batches', 'tiny-batches'])
  } finally {
    await sandbox.close()
  }
})
