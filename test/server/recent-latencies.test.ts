import { expect, test } from 'vitest'
import { COUNTER_KINDS, LATENCY_BOUNDS_US, LATENCY_FROM } from '../../src/link/counters.ts'
import { COUNTER_ROWS, defaultTenantRow } from '../../src/server/counter-rows.ts'
import { quantileUs, RecentLatencies } from '../../src/server/recent-latencies.ts'
import {
  CounterReader,
  CounterWriter,
  counterTableBytes,
  formatCounterTable,
} from '../../src/shared/counter-table.ts'
import { newRegion } from '../../src/shared/region.ts'

const counts = (...filled: [bucket: number, count: number][]) => {
  const all = new Array(LATENCY_BOUNDS_US.length + 1).fill(0)
  for (const [bucket, count] of filled) all[bucket] = count
  return all
}

test('quantiles are linear within a bucket, NaN of nothing, and bounded by the last bound', () => {
  expect(quantileUs(counts(), 0.5)).toBeNaN()
  expect(quantileUs(counts([0, 10]), 0.5)).toBe(250)
  expect(quantileUs(counts([1, 4], [2, 4]), 0.5)).toBe(1_000)
  expect(quantileUs(counts([1, 4], [2, 4]), 0.75)).toBe(1_750)
  expect(quantileUs(counts([11, 3]), 0.99)).toBe(1_000_000)
})

test('what is older than two windows counts no more', () => {
  const shape = { threads: 1, rows: COUNTER_ROWS, kinds: COUNTER_KINDS }
  const region = formatCounterTable(newRegion(counterTableBytes(shape)), shape)
  const slots = new CounterWriter(region, 0).row(defaultTenantRow(0))
  const latencies = new RecentLatencies(new CounterReader(region))
  const medianMs = () => latencies.read()[0]!.quantileMs(0.5)
  latencies.look(0)
  slots[LATENCY_FROM[0]! + 5]! += 10
  expect(medianMs()).toBe(17.5)
  latencies.look(15_000)
  slots[LATENCY_FROM[0]!]! += 30
  expect(medianMs()).toBeLessThan(0.5)
  latencies.look(30_000)
  // of the window that has ended only the fast ones are left
  expect(medianMs()).toBe(0.25)
  latencies.look(45_000)
  expect(medianMs()).toBeNaN()
  expect(latencies.read()[0]!.count).toBe(40)
})
