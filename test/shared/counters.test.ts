import { describe, expect, it } from 'vitest'
import { InvariantError } from '../../src/base/assert.ts'
import {
  CounterReader,
  CounterWriter,
  counterTableBytes,
  formatCounterTable,
} from '../../src/shared/counter-table.ts'
import { newRegion } from '../../src/shared/region.ts'
import {
  formatThreadStatus,
  ThreadState,
  type ThreadStatus,
  ThreadStatusReader,
  ThreadStatusWriter,
  threadStatusBytes,
} from '../../src/shared/thread-status.ts'

const shape = { threads: 3, rows: 4, kinds: 5 }
const table = () => formatCounterTable(newRegion(counterTableBytes(shape)), shape)

describe('counter table', () => {
  it('sums what each thread has added in its own stripe', () => {
    const region = table()
    const writers = [0, 1, 2].map((thread) => new CounterWriter(region, thread))
    const reader = new CounterReader(region)
    writers[0]!.add(1, 2, 10)
    writers[0]!.add(1, 2, 5)
    writers[2]!.add(1, 2, 2 ** 52)
    expect(reader.sum(1, 2)).toBe(2 ** 52 + 15)
    expect(reader.value(0, 1, 2)).toBe(15)
    expect(reader.value(1, 1, 2)).toBe(0)
    expect(reader.sum(1, 1)).toBe(0)
    expect(reader.sum(2, 2)).toBe(0)
    expect(() => new CounterWriter(region, 3)).toThrow(InvariantError)
  })

  it('carries limits back, fractions and none at all included', () => {
    const region = table()
    const quota = new CounterWriter(region, 1)
    const front = new CounterReader(region)
    quota.set(3, 4, 0.25)
    expect(front.value(1, 3, 4)).toBe(0.25)
    quota.set(3, 4, Number.POSITIVE_INFINITY)
    expect(front.value(1, 3, 4)).toBe(Number.POSITIVE_INFINITY)
  })
})

describe('thread status', () => {
  const blank = (): ThreadStatus => ({
    state: ThreadState.ABSENT,
    busy: false,
    turns: 0,
    workTurns: 0,
    busyUs: 0,
    lastTurnMs: 0,
  })

  it('shows state, turns and time at work of each thread alone', () => {
    const region = formatThreadStatus(newRegion(threadStatusBytes(2)), 2)
    const writer = new ThreadStatusWriter(region, 1)
    const reader = new ThreadStatusReader(region)
    writer.setState(ThreadState.RUNNING)
    writer.beginTurn(100.5)
    expect(reader.read(1, blank())).toMatchObject({ busy: true, turns: 1, lastTurnMs: 100 })
    writer.endTurn(102, 3)
    writer.beginTurn(103)
    writer.endTurn(109, 0)
    expect(reader.read(1, blank())).toEqual({
      state: ThreadState.RUNNING,
      busy: false,
      turns: 2,
      workTurns: 1,
      busyUs: 1500,
      lastTurnMs: 103,
    })
    expect(reader.read(0, blank())).toEqual(blank())
    expect(() => new ThreadStatusWriter(region, 2)).toThrow(InvariantError)
  })

  it('calls a thread stuck that stays in one turn, not one that sleeps or turns', () => {
    const region = formatThreadStatus(newRegion(threadStatusBytes(1)), 1)
    const writer = new ThreadStatusWriter(region, 0)
    const reader = new ThreadStatusReader(region)
    expect(reader.stuckForMs(0, 0)).toBe(0)
    writer.beginTurn(1)
    expect(reader.stuckForMs(0, 5_000)).toBe(0)
    expect(reader.stuckForMs(0, 8_000)).toBe(3_000)
    writer.endTurn(2, 1)
    expect(reader.stuckForMs(0, 9_000)).toBe(0)
    writer.beginTurn(3)
    expect(reader.stuckForMs(0, 99_000)).toBe(0)
    writer.endTurn(4, 1)
    writer.beginTurn(5)
    expect(reader.stuckForMs(0, 100_000)).toBe(0)
    expect(reader.stuckForMs(0, 100_250)).toBe(250)
  })
})
