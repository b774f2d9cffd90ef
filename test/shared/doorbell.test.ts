import { describe, expect, it } from 'vitest'
import {
  DOORBELL_BYTES,
  DoorbellRinger,
  DoorbellWaiter,
  formatDoorbell,
} from '../../src/shared/doorbell.ts'
import { newRegion } from '../../src/shared/region.ts'

function open() {
  const region = formatDoorbell(newRegion(DOORBELL_BYTES))
  const sequence = () => Atomics.load(new Int32Array(region.sab), 32)
  return {
    region,
    waiter: new DoorbellWaiter(region),
    ringer: new DoorbellRinger(region),
    sequence,
  }
}

describe('doorbell', () => {
  it('costs the ringer nothing while the waiter is awake', () => {
    const { waiter, ringer, sequence } = open()
    expect(ringer.ring()).toBe(false)
    waiter.prepare()
    waiter.cancel()
    expect(ringer.ring()).toBe(false)
    expect(sequence()).toBe(0)
  })

  it('reads the sequence before it announces sleep, and announces it atomically', () => {
    const { waiter, ringer } = open()
    const { load, store } = Atomics
    const done: string[] = []
    Atomics.load = ((words: Int32Array, at: number) => {
      done.push(`load ${at}`)
      return load(words, at)
    }) as unknown as typeof load
    Atomics.store = ((words: Int32Array, at: number, value: number) => {
      done.push(`store ${at}`)
      return store(words, at, value)
    }) as unknown as typeof store
    try {
      waiter.prepare()
    } finally {
      Object.assign(Atomics, { load, store })
    }
    expect(done).toEqual(['load 32', 'store 16'])
    expect(ringer.ring()).toBe(true)
  })

  it('does not let a waiter sleep that was rung between announcing and waiting', () => {
    const { waiter, ringer } = open()
    const ticket = waiter.prepare()
    expect(ringer.ring()).toBe(true)
    expect(waiter.waitSync(ticket, 10_000)).toBe(true)
    expect(ringer.ring()).toBe(false)
  })

  it('is rung once per sleep and ringer', () => {
    const { region, waiter, ringer, sequence } = open()
    const another = new DoorbellRinger(region)
    const first = waiter.prepare()
    expect([ringer.ring(), ringer.ring(), ringer.ring()]).toEqual([true, false, false])
    expect(another.ring()).toBe(true)
    expect(sequence()).toBe(2)
    expect(waiter.waitSync(first, 10_000)).toBe(true)
    const second = waiter.prepare()
    expect(waiter.waitSync(second, 1)).toBe(false)
    waiter.prepare()
    expect(ringer.ring()).toBe(true)
    expect(sequence()).toBe(3)
  })

  it('rings the first sleep of a successor that has woken it once, though its tickets begin anew', () => {
    const { region, waiter, ringer } = open()
    waiter.prepare()
    expect(ringer.ring()).toBe(true)
    // the waiter's thread dies, and another takes its place
    const successor = new DoorbellWaiter(region)
    successor.wake()
    const sequence = successor.prepare()
    expect(ringer.ring()).toBe(true)
    expect(successor.waitSync(sequence, 10_000)).toBe(true)
  })

  it('wakes a waiter on the event loop, by a ringer or by itself', async () => {
    const { waiter, ringer } = open()
    const first = waiter.waitAsync(waiter.prepare())
    expect(ringer.ring()).toBe(true)
    await first
    expect(ringer.ring()).toBe(false)
    const second = waiter.waitAsync(waiter.prepare())
    waiter.wake()
    await second
  })

  it('lets pending I/O run first when it was rung already', async () => {
    const { region, ringer } = open()
    const deferred: (() => void)[] = []
    const waiter = new DoorbellWaiter(region, (run) => deferred.push(run))
    const sequence = waiter.prepare()
    ringer.ring()
    let woken = false
    const wait = waiter.waitAsync(sequence).then(() => {
      woken = true
    })
    await Promise.resolve()
    expect([deferred.length, woken]).toEqual([1, false])
    deferred[0]!()
    await wait
    expect(ringer.ring()).toBe(false)
  })
})
