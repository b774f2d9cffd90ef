/** What scrapes ask of coordinators that do not answer. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { CoordinatorCalls } from '../../src/cell/coordinator-calls.ts'
import type { MetadataView } from '../../src/image/view.ts'
import type { ControlPort } from '../../src/link/ports.ts'
import { GroupStatsClient } from '../../src/server/group-stats-client.ts'
import { planMemory } from '../../src/server/memory-plan.ts'
import type { ThreadData } from '../../src/server/thread.ts'
import { allocateWiring, listThreads } from '../../src/server/wiring.ts'
import { newRegion } from '../../src/shared/region.ts'
import { formatRing, ringBytes } from '../../src/shared/ring-layout.ts'
import { RingReader } from '../../src/shared/ring-reader.ts'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.restoreAllMocks()
  vi.useRealTimers()
})

const PARTITIONS = 50

/** Of many tenants, each with its own offsets topic, all led by broker 1. */
const image = {
  tenants: () =>
    Array.from({ length: 20 }, (_, at) => ({ tenantId: at + 1, name: `tenant-${at + 1}` })),
  topicByName: (tenantId: number) => ({
    partitionCount: PARTITIONS,
    numberOf: (index: number) => tenantId * PARTITIONS + index,
  }),
  leaderOf: () => 1,
} as unknown as MetadataView

test('a broker that is gone is not asked, its successor is, and late answers of the one before are nothing', async () => {
  const wiring = allocateWiring(listThreads(1, true), planMemory(64 * 2 ** 20, 1))
  const control = { post: () => {} } as unknown as ControlPort
  const rings = wiring.fronts[1]!.map(({ requests }) => requests)
  const client = new GroupStatsClient(image, { wiring } as ThreadData, control, rings)
  const before = client.ask(() => true)
  await vi.advanceTimersByTimeAsync(10)
  client.onBrokerGone(1)
  expect(await before).toEqual({ groups: [], counts: [], leftOut: 0 })
  client.onAnswers(1, Int32Array.of(0, 0, 0), new Uint8Array(0))
  const calls = vi.spyOn(CoordinatorCalls.prototype, 'call')
  calls.mockClear()
  expect(await client.ask(() => true)).toEqual({ groups: [], counts: [], leftOut: 0 })
  expect(calls).not.toHaveBeenCalled()
  const ring = formatRing(newRegion(ringBytes(64 * 1024)))
  client.onBrokerBack(1, ring)
  void client.ask(() => true)
  await vi.advanceTimersByTimeAsync(10)
  expect(calls).toHaveBeenCalledTimes(1)
  expect(new RingReader(ring).isEmpty).toBe(false)
  await vi.advanceTimersByTimeAsync(4_000)
})

test('a scrape whose time is over asks nothing more of a broker that hangs', async () => {
  const wiring = allocateWiring(listThreads(1, true), planMemory(64 * 2 ** 20, 1))
  const calls = vi.spyOn(CoordinatorCalls.prototype, 'call')
  const control = { post: () => {} } as unknown as ControlPort
  const rings = wiring.fronts[1]!.map(({ requests }) => requests)
  const client = new GroupStatsClient(image, { wiring } as ThreadData, control, rings)
  const answer = client.ask(() => true)
  await vi.advanceTimersByTimeAsync(4_000)
  expect(await answer).toEqual({ groups: [], counts: [], leftOut: 0 })
  expect(calls).toHaveBeenCalledTimes(1)
})
