/** Each workload file, made smaller, against a real engine. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type OwnEngine, startEngine } from '../../native-bench/common/engine.ts'
import { runWorkload } from '../../native-bench/load/run-workload.ts'
import { resultText } from '../../native-bench/load/text.ts'
import type { Workload } from '../../native-bench/load/workload.ts'
import { readWorkload, workloadNames } from '../../native-bench/load/workload-files.ts'
import { expectSameCounts } from './load-counts.ts'

let engine: OwnEngine
beforeAll(async () => {
  engine = await startEngine()
})
afterAll(() => engine.stop())

const quick = { warmupSeconds: 0.2, measureSeconds: 0.8 }
const run = (workload: Workload, more: object = {}) =>
  runWorkload(workload, { bootstrap: engine.bootstrap, ...quick, ...more })

const SMALLER: Readonly<Record<string, readonly string[]>> = {
  'catch-up': ['topics.preloadBytes=20000000'],
  mixed: ['topics.1.preloadBytes=5000000'],
  'many-partitions': ['topics.count=20'],
  // one broker has one replica
  'kill-leader': ['topics.replicationFactor=1', 'topics.configs={}'],
}

/** What is written while another reads from the beginning again and again has no one count: see `move.test.ts`. */
const counted = workloadNames().filter((name) => name !== 'move-replicas')

test.each(counted)('%s: what one side counts is what the other has', async (name) => {
  const workload = readWorkload(name, SMALLER[name])
  const result = await run(workload, { keep: true, pids: [engine.pid] })
  await expectSameCounts(engine.bootstrap, workload, result)
  for (const group of result.groups) {
    expect(group.records).toBeGreaterThan(0)
    expect(group.unanswered).toBe(0)
    expect(group.latencyUs!.count).toBeGreaterThan(0)
    expect(group.latencyUs!.p50).toBeLessThanOrEqual(group.latencyUs!.max)
    const bySecond = group.perSecond.reduce((sum, { records }) => sum + records, 0)
    expect(bySecond).toBe(group.records)
  }
  const linux = process.platform === 'linux'
  expect(result.broker === null).toBe(!linux)
  if (linux) expect(result.broker!.rssBytes.peak).toBeGreaterThan(10e6)
  expect(resultText(result)).toContain(result.groups[0]!.name)
})
