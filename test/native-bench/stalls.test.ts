/** What a run promises, against a broker that stalls. */
import { expect, test } from 'vitest'
import { runWorkload } from '../../native-bench/load/run-workload.ts'
import { parseWorkload } from '../../native-bench/load/workload.ts'
import { type StallingBroker, startStallingBroker } from './stalling-broker.ts'

async function againstStalling(
  json: object,
  during: (broker: StallingBroker, seconds: number) => void,
) {
  const broker = await startStallingBroker()
  try {
    return await runWorkload(parseWorkload({ name: 'x', topics: {}, ...json }, 'x.json'), {
      ...{ bootstrap: broker.bootstrap, warmupSeconds: 0.2, measureSeconds: 2.5 },
      onProgress: ({ phase, elapsedSeconds }) => {
        if (phase === 'measure') during(broker, elapsedSeconds)
      },
    })
  } finally {
    broker.close()
  }
}

test.concurrent('what a consumer never got counts, as late as it is by the end at least', async () => {
  let isStalled = false
  const result = await againstStalling(
    { produce: { rate: 200 }, consume: {}, endToEnd: true },
    (broker) => {
      if (!isStalled) broker.stallFetch(60_000)
      isStalled = true
    },
  )
  const { consumed, notes } = result
  // by the schedule: 500 batches were due in the window, of which those of the first second were read
  const { count, p50, max } = consumed!.latencyUs!
  expect(count).toBeGreaterThan(498)
  expect(count).toBeLessThan(502)
  expect(consumed!.unanswered).toBeGreaterThan(250)
  expect(consumed!.unanswered).toBeLessThan(400)
  // ten seconds were waited for it
  expect(p50).toBeGreaterThan(10e6)
  expect(max).toBeLessThan(60e6)
  expect(notes).toContain(`consume: ${consumed!.unanswered} batches of the window were never read`)
  expect(notes).toContain('consume: not all was read 10 s after the last was written')
}, 40_000)

test.concurrent('what was never sent is missed by the consumer as well', async () => {
  let isStalled = false
  const { consumed } = await againstStalling(
    { produce: { rate: 200, inFlight: 1 }, consume: {}, endToEnd: true },
    (broker) => {
      if (!isStalled) broker.stall(60_000)
      isStalled = true
    },
  )
  expect(consumed!.unanswered).toBeGreaterThan(250)
  expect(consumed!.latencyUs!.count).toBeGreaterThan(498)
  expect(consumed!.latencyUs!.count).toBeLessThan(502)
}, 40_000)

test('what retention took before it was read is told', async () => {
  let isStalled = false
  const { produced, consumed, notes } = await againstStalling(
    { produce: { rate: 400, inFlight: 1000 }, consume: {}, endToEnd: true },
    (broker) => {
      if (isStalled) return
      isStalled = true
      broker.stallFetch(500)
      setTimeout(() => broker.forget(), 400)
    },
  )
  const { skipped, unanswered, total } = consumed!
  expect(skipped).toBeGreaterThan(100)
  expect(skipped).toBeLessThan(250)
  expect(total.records + skipped).toBe(produced!.total.records)
  expect(unanswered).toBe(skipped + produced!.unanswered)
  expect(notes).toContain(
    `consume: ${skipped} records were gone before they were read, retention was faster`,
  )
})

test('what a broker that stands still for half a second delays, an open loop shows', async () => {
  const broker = await startStallingBroker()
  try {
    const workload = parseWorkload(
      { name: 'x', topics: {}, produce: { rate: 200, inFlight: 1 } },
      'x.json',
    )
    let isStalled = false
    const result = await runWorkload(workload, {
      ...{ bootstrap: broker.bootstrap, warmupSeconds: 0.5, measureSeconds: 2.5 },
      onProgress: ({ phase, elapsedSeconds }) => {
        if (phase !== 'measure' || elapsedSeconds < 0.5 || isStalled) return
        isStalled = true
        broker.stall(500)
      },
    })
    const { latencyUs, total, records } = result.produced!
    expect(total.records).toBe(broker.produced)
    // the schedule is made up for, and all of it counts
    expect(records).toBeGreaterThan(400)
    expect(latencyUs!.count).toBeGreaterThan(498)
    expect(latencyUs!.count).toBeLessThan(502)
    expect(latencyUs!.p99).toBeGreaterThan(400_000)
    // a fifth of all requests was due while it stood still
    expect(latencyUs!.p90).toBeGreaterThan(150_000)
  } finally {
    broker.close()
  }
})
