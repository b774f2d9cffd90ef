import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Timer, TimerQueue } from '../../src/base/timer-queue.ts'

describe('TimerQueue', () => {
  it('fires what is due, earliest first, and nothing that was cancelled', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ atMs: fc.nat(1000), cancelled: fc.boolean() }), { maxLength: 200 }),
        fc.nat(1000),
        (plan, nowMs) => {
          const queue = new TimerQueue()
          const fired: number[] = []
          const timers = plan.map(({ atMs }) => queue.schedule(atMs, () => fired.push(atMs)))
          plan.forEach(({ cancelled }, i) => {
            if (cancelled) queue.cancel(timers[i]!)
          })
          const live = plan.filter((timer) => !timer.cancelled).map((timer) => timer.atMs)
          const due = live.filter((atMs) => atMs <= nowMs).sort((a, b) => a - b)
          expect(queue.fireDue(nowMs)).toBe(due.length)
          expect(fired).toEqual(due)
          const rest = live.filter((atMs) => atMs > nowMs)
          expect(queue.size).toBe(rest.length)
          expect(queue.nextAtMs).toBe(Math.min(...rest, Number.POSITIVE_INFINITY))
        },
      ),
      { seed: 7, numRuns: 300 },
    )
  })

  it('a timer may cancel others and arm new ones while it fires', () => {
    const queue = new TimerQueue()
    const fired: string[] = []
    let victim: Timer
    queue.schedule(1, () => {
      fired.push('first')
      queue.cancel(victim)
      queue.schedule(2, () => fired.push('armed while firing'))
    })
    victim = queue.schedule(3, () => fired.push('cancelled'))
    queue.fireDue(10)
    queue.cancel(victim)
    expect(fired).toEqual(['first', 'armed while firing'])
  })
})
