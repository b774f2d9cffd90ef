import { describe, expect, test } from 'vitest'
import { asPartitionNumber } from '../../src/base/ids.ts'
import { SeededRandom } from '../../src/base/random.ts'
import { Waiter, WatchTable } from '../../src/cell/watch-table.ts'

class Recorder extends Waiter {
  woken: number[] = []

  onWoken(error: number): void {
    this.woken.push(error)
  }
}

const P = asPartitionNumber(1)

/** A table, and what a broker that it talks to would know. */
const table = (room = Number.POSITIVE_INFINITY) => {
  const sent: [number, number][] = []
  const made = new WatchTable((partition, offset) => {
    if (sent.length >= room) return false
    sent.push([partition, offset])
    return true
  })
  return { made, sent }
}

describe('a watch table', () => {
  test('sends one WATCH for a partition, however many wait', () => {
    const { made, sent } = table()
    const waiters = Array.from({ length: 5 }, () => new Recorder())
    for (const waiter of waiters) made.add(P, 10, waiter)
    made.doWork()
    expect(sent).toEqual([[1, 10]])
    made.onWoken(P, 0, 11)
    expect(waiters.every(({ woken }) => woken.length === 1)).toBe(true)
    expect(made.outstanding).toBe(0)
  })

  test('keeps those for whom it is not far enough, and asks again for them', () => {
    const { made, sent } = table()
    const [near, far] = [new Recorder(), new Recorder()]
    made.add(P, 10, near)
    made.doWork()
    made.add(P, 12, far)
    made.doWork()
    expect(sent).toHaveLength(1)
    made.onWoken(P, 0, 12)
    made.doWork()
    expect([near.woken.length, far.woken.length]).toEqual([1, 0])
    expect(sent).toEqual([
      [1, 10],
      [1, 12],
    ])
    made.onWoken(P, 0, 13)
    expect(far.woken).toEqual([0])
  })

  test('wakes at the next turn who comes behind what the broker was asked to look beyond', () => {
    const { made } = table()
    const [ahead, behind] = [new Recorder(), new Recorder()]
    made.add(P, 12, ahead)
    made.doWork()
    made.add(P, 10, behind)
    expect(behind.woken).toEqual([])
    expect(made.hasDue).toBe(true)
    made.doWork()
    expect([ahead.woken.length, behind.woken.length]).toEqual([0, 1])
  })

  test('keeps a WATCH that is out for the next who comes', () => {
    const { made, sent } = table()
    for (let i = 0; i < 10; i++) {
      const waiter = new Recorder()
      made.add(P, 10, waiter)
      made.doWork()
      made.remove(waiter)
    }
    expect(sent).toHaveLength(1)
    expect(made.outstandingAt(P)).toBe(10)
  })

  test('sends what there is room for, and the rest when there is', () => {
    const { made, sent } = table(3)
    for (let i = 0; i < 5; i++) made.add(asPartitionNumber(i), 0, new Recorder())
    made.doWork()
    expect(sent).toHaveLength(3)
    sent.length = 0
    made.doWork()
    expect(sent.map(([partition]) => partition)).toEqual([3, 4])
  })

  test('tells everybody when the broker is gone, and starts anew', () => {
    const { made, sent } = table()
    const waiters = [1, 2].map((n) => {
      const waiter = new Recorder()
      made.add(asPartitionNumber(n), 0, waiter)
      return waiter
    })
    made.doWork()
    made.failAll(5)
    expect(waiters.map(({ woken }) => woken)).toEqual([[5], [5]])
    made.add(P, 0, new Recorder())
    made.doWork()
    expect(sent).toHaveLength(3)
  })

  test('without a broker keeps nothing of partitions that nobody waits for any more', () => {
    const made = new WatchTable(null)
    const [stays, leaves, told] = [new Recorder(), new Recorder(), new Recorder()]
    made.add(P, 1, stays)
    made.add(asPartitionNumber(2), 1, leaves)
    made.add(asPartitionNumber(3), 1, told)
    expect(made.hasWork).toBe(false)
    expect(made.doWork()).toBe(0)
    leaves.leave()
    made.dismiss(asPartitionNumber(3), 6)
    expect(told.woken).toEqual([6])
    expect(made.size).toBe(1)
  })

  test('loses nobody, whatever happens in whatever order', () => {
    const random = new SeededRandom(8)
    const { made } = table()
    const highWatermark = [0, 0, 0]
    const waiting = new Map<Recorder, [number, number]>()
    for (let step = 0; step < 20_000; step++) {
      const n = random.below(3)
      const partition = asPartitionNumber(n)
      const kind = random.below(5)
      if (kind <= 1) {
        const waiter = new Recorder()
        const seen = Math.max(0, highWatermark[n]! - random.below(2))
        waiting.set(waiter, [n, seen])
        made.add(partition, seen, waiter)
      } else if (kind === 2) {
        const [first] = waiting.keys()
        if (first !== undefined && first.woken.length === 0) made.remove(first)
        if (first !== undefined) waiting.delete(first)
      } else if (kind === 3) highWatermark[n]!++
      else {
        made.doWork()
        const asked = made.outstandingAt(partition)
        if (asked >= 0 && asked < highWatermark[n]!) made.onWoken(partition, 0, highWatermark[n]!)
      }
      for (const [waiter, [n, offset]] of waiting) {
        if (waiter.woken.length === 0) continue
        waiting.delete(waiter)
        expect(offset).toBeLessThan(highWatermark[n]!)
      }
    }
    for (let round = 0; round < 4; round++) {
      made.doWork()
      for (let n = 0; n < 3; n++) {
        const asked = made.outstandingAt(asPartitionNumber(n))
        if (asked >= 0 && asked < highWatermark[n]!) {
          made.onWoken(asPartitionNumber(n), 0, highWatermark[n]!)
        }
      }
    }
    for (const [waiter, [n, offset]] of waiting) {
      expect(waiter.woken.length).toBe(offset < highWatermark[n]! ? 1 : 0)
    }
  })
})
