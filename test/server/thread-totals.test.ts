import { describe, expect, test } from 'vitest'
import { COUNTER_KINDS, LoopCounter } from '../../src/link/counters.ts'
import { COUNTER_ROWS, THREAD_ROW } from '../../src/server/counter-rows.ts'
import { LoopSampler } from '../../src/server/loop-sampler.ts'
import { ThreadTotals } from '../../src/server/thread-totals.ts'
import { listThreads } from '../../src/server/wiring.ts'
import {
  CounterWriter,
  counterTableBytes,
  formatCounterTable,
} from '../../src/shared/counter-table.ts'
import { newRegion } from '../../src/shared/region.ts'
import {
  formatThreadStatus,
  ThreadStatusWriter,
  threadStatusBytes,
} from '../../src/shared/thread-status.ts'

function world() {
  const threads = listThreads(1, false)
  const shape = { threads: threads.length, rows: COUNTER_ROWS, kinds: COUNTER_KINDS }
  const status = formatThreadStatus(newRegion(threadStatusBytes(threads.length)), threads.length)
  const counters = formatCounterTable(newRegion(counterTableBytes(shape)), shape)
  const broker = threads.findIndex(({ role }) => role === 'broker')
  const front = threads.findIndex(({ role }) => role === 'kafka-front')
  return {
    totals: new ThreadTotals({ status, counters, threads }),
    broker,
    front,
    brokerStatus: new ThreadStatusWriter(status, broker),
    frontCounts: new CounterWriter(counters, front).row(THREAD_ROW),
  }
}

describe('totals of threads', () => {
  test('go on where the counters in shared memory wrap', () => {
    const { totals, broker, brokerStatus } = world()
    // three hours of work in turns of forty minutes: uint32 microseconds hold 71 minutes
    for (let turn = 0; turn < 5; turn++) {
      brokerStatus.beginTurn(turn * 2_400_000)
      brokerStatus.endTurn((turn + 1) * 2_400_000, 1)
      totals.look(turn * 2_400_000)
    }
    expect(totals.look(12_000_000)[broker]).toMatchObject({ turns: 5, workTurns: 5 })
    expect(totals.look(12_000_000)[broker]!.busySeconds).toBeCloseTo(12_000, 3)
  })

  test('tell how busy a thread was lately, not since the start', () => {
    const { totals, broker, brokerStatus } = world()
    let nowMs = 0
    const run = (seconds: number, busyMs: number) => {
      for (let second = 0; second < seconds; second++, nowMs += 1_000) {
        brokerStatus.beginTurn(nowMs)
        brokerStatus.endTurn(nowMs + busyMs, 1)
        totals.look(nowMs + 1_000)
      }
    }
    run(100, 250)
    expect(totals.look(nowMs)[broker]!.busyShare).toBeCloseTo(0.25, 1)
    run(40, 900)
    expect(totals.look(nowMs)[broker]!.busyShare).toBeCloseTo(0.9, 1)
  })

  test('count the whole event loop where there is one', () => {
    const { totals, front, frontCounts } = world()
    frontCounts[LoopCounter.ACTIVE_US] = 2_500_000
    expect(totals.look(0)[front]!.busySeconds).toBe(2.5)
  })
})

describe('an event loop', () => {
  test('is late by what its timer took beyond half a second, and the worst is remembered a while', () => {
    const own = new Float64Array(COUNTER_KINDS)
    const sampler = new LoopSampler(own)
    const lag = () => [own[LoopCounter.LAG_US_NOW], own[LoopCounter.LAG_US_MAX_NOW]]
    let nowMs = 1_000
    sampler.beat(nowMs)
    expect(lag()).toEqual([0, 0])
    sampler.beat((nowMs += 750))
    expect(lag()).toEqual([250_000, 250_000])
    sampler.beat((nowMs += 500))
    expect(lag()).toEqual([0, 250_000])
    for (let beats = 0; beats < 70; beats++) sampler.beat((nowMs += 500))
    expect(lag()).toEqual([0, 0])
    expect(own[LoopCounter.ACTIVE_US]).toBeGreaterThanOrEqual(0)
  })
})
