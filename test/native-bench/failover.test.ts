/** A producer that sends again, against nodes that fail in each way there is. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { LongestGap } from '../../native-bench/load/longest-gap.ts'
import { runWorkload } from '../../native-bench/load/run-workload.ts'
import { resultText } from '../../native-bench/load/text.ts'
import { parseWorkload } from '../../native-bench/load/workload.ts'
import { ErrorCode } from '../../src/base/error-code.ts'
import { type FailingCluster, startFailingCluster } from './failing-cluster.ts'

let cluster: FailingCluster
beforeEach(async () => {
  cluster = await startFailingCluster()
})
afterEach(() => cluster.close())

const producer = { recordsPerBatch: 3, idempotence: true, rate: 300, inFlight: 5 }

async function run(fails: () => void, change: object = {}) {
  const json = { name: 'x', topics: { replicationFactor: 2 }, produce: { ...producer, ...change } }
  return await runWorkload(parseWorkload(json, 'x.json'), {
    ...{ bootstrap: cluster.bootstrap, warmupSeconds: 0.1, measureSeconds: 1.5 },
    during: async () => {
      setTimeout(fails, 300)
    },
  })
}

const again = { retries: true }

describe('each record is there once, in sequence', () => {
  test.each([
    [0, 'nothing of it was taken'],
    [1, 'one was taken'],
    [3, 'several were taken'],
  ])('when the leader is gone after %i requests without an answer: %s', async (appended) => {
    const result = await run(() => cluster.killLeader(appended, 400), again)
    const { total, longestGapUs, resent, unanswered } = result.produced!
    expect(unanswered).toBe(0)
    expect(cluster.records).toBe(total.records)
    expect(resent).toBeGreaterThanOrEqual(appended)
    expect(longestGapUs! / 1000).toBeGreaterThan(400)
    expect(longestGapUs! / 1000).toBeLessThan(20_000)
    expect([...cluster.answered.keys()]).toEqual([0])
    expect(resultText(result)).toMatch(
      /produce: longest without an answer .* ms; \d+ requests were/,
    )
  })

  test('when it leads no more, and when it cannot serve for a while', async () => {
    const result = await run(() => {
      cluster.moveLeader()
      setTimeout(() => cluster.refuse(ErrorCode.NOT_ENOUGH_REPLICAS), 300)
      setTimeout(() => cluster.refuse(null), 600)
    }, again)
    const { total, resent, unanswered, longestGapUs } = result.produced!
    expect(unanswered).toBe(0)
    expect(cluster.records).toBe(total.records)
    expect(resent).toBeGreaterThan(0)
    expect(longestGapUs! / 1000).toBeGreaterThan(300)
    expect(cluster.answered.get(ErrorCode.NOT_LEADER_OR_FOLLOWER)).toBeGreaterThan(0)
    expect(cluster.answered.get(ErrorCode.NOT_ENOUGH_REPLICAS)).toBeGreaterThan(0)
  })

  test('in a closed loop, too', async () => {
    const result = await run(() => cluster.killLeader(2, 100), { ...again, rate: null })
    expect(result.produced!.unanswered).toBe(0)
    expect(cluster.records).toBe(result.produced!.total.records)
  })
})

test('an error that does not pass ends the run, with its name and the partition', async () => {
  const refuse = () => cluster.refuse(ErrorCode.TOPIC_AUTHORIZATION_FAILED)
  await expect(run(refuse, again)).rejects.toThrow(
    /-main-0-0 was answered with TOPIC_AUTHORIZATION_FAILED/,
  )
  cluster.refuse(null)
  // a gap in sequences without an error before it is a loss
  const lose = () => cluster.refuse(ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER)
  await expect(run(lose, again)).rejects.toThrow('OUT_OF_ORDER_SEQUENCE_NUMBER')
})

test('without retries any error ends the run, and so does a leader that is gone', async () => {
  const refuse = () => cluster.refuse(ErrorCode.NOT_LEADER_OR_FOLLOWER)
  await expect(run(refuse)).rejects.toThrow('NOT_LEADER_OR_FOLLOWER')
  cluster.refuse(null)
  await expect(run(() => cluster.killLeader(0, 100))).rejects.toThrow('closed the connection')
})

test('what runs beside the window ends the run where it fails, and fewer replicas are told', async () => {
  const json = { name: 'x', topics: { replicationFactor: 3 }, produce: { rate: 100 } }
  const workload = parseWorkload(json, 'x.json')
  const short = { bootstrap: cluster.bootstrap, warmupSeconds: 0.1, measureSeconds: 0.3 }
  const names: string[] = []
  const result = await runWorkload(workload, {
    ...short,
    during: async (topics) => {
      names.push(...topics)
    },
  })
  expect(names).toEqual([`${result.prefix}-main-0`])
  expect(result.replicas).toBe(2)
  expect(result.notes).toEqual(['**3 replicas were asked for, but there are 2**'])
  const during = () => Promise.reject(new Error('no such broker'))
  await expect(runWorkload(workload, { ...short, during })).rejects.toThrow('no such broker')
})

test('a gap counts within the window: from its begin, and to its own end', () => {
  const gap = new LongestGap({ fromUs: 1_000, toUs: 2_000 })
  gap.add(0, 900)
  gap.add(2_000, 9_000)
  expect(gap.us).toBe(0)
  gap.add(0, 1_100)
  expect(gap.us).toBe(100)
  gap.add(1_100, 1_150)
  expect(gap.us).toBe(100)
  gap.add(1_900, 5_000)
  expect(gap.us).toBe(3_100)
})
