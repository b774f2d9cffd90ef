/** Which commands go out first when a broker's ring is full, or it has enough to do. */
import { describe, expect, test } from 'vitest'
import { ManualClock } from '../../src/base/clock.ts'
import { BatchesOut } from '../../src/cell/batches-out.ts'
import { ParkedCommands } from '../../src/cell/parked-commands.ts'

describe('commands that wait for room', () => {
  test('go out one of each tenant in turn, in order within one', () => {
    const parked = new ParkedCommands<string>()
    for (let i = 0; i < 5; i++) parked.add('many', `m${i}`)
    parked.add('few', 'f0')
    parked.add('few', 'f1')
    expect([parked.size, parked.has('few'), parked.has('other')]).toEqual([7, true, false])
    const sent: string[] = []
    const send = (max: number) =>
      parked.sendTo((command) => {
        if (sent.length === max) return false
        sent.push(command)
        return true
      })
    expect(send(3)).toBe(3)
    expect(sent).toEqual(['m0', 'f0', 'm1'])
    // who comes now has waited for less than those that wait
    parked.add('late', 'l0')
    expect(send(6)).toBe(3)
    expect(sent.slice(3)).toEqual(['f1', 'm2', 'l0'])
    expect(parked.takeAll()).toEqual(['m3', 'm4'])
    expect([parked.size, send(99)]).toEqual([0, 0])
  })

  test('leave nothing behind when thousands have gone', () => {
    const parked = new ParkedCommands<number>()
    const sent: number[] = []
    const count = 5_000
    for (let i = 0; i < count; i++) {
      parked.add('one', i)
      if (i % 3 === 0) continue
      let left = 1
      parked.sendTo((command) => left-- > 0 && sent.push(command) > 0)
    }
    parked.sendTo((command) => sent.push(command) > 0)
    expect(sent).toEqual(Array.from({ length: count }, (_, i) => i))
  })
})

describe('batches before a broker', () => {
  const MIB = 2 ** 20

  test('are bounded while several tenants write, but for one batch', () => {
    const clock = new ManualClock()
    const out = new BatchesOut(clock)
    out.note('one')
    out.sent(0, 'one', 5 * MIB)
    expect(out.hasRoom('one', MIB)).toBe(true)
    out.note('other')
    expect(out.hasRoom('one', 1)).toBe(false)
    // numbers are used again, for other things too
    out.other(1)
    out.answered(1)
    out.answered(0)
    expect(out.hasRoom('one', 9 * MIB)).toBe(true)
    out.sent(0, 'one', 3 * MIB)
    expect([out.hasRoom('one', MIB), out.hasRoom('one', MIB + 1)]).toEqual([true, false])
    clock.advance(10_000)
    expect(out.hasRoom('one', 9 * MIB)).toBe(true)
  })

  test('of others hold nobody up who has little before the broker', () => {
    const out = new BatchesOut(new ManualClock())
    for (const tenant of ['one', 'other']) out.note(tenant)
    out.sent(0, 'one', 5 * MIB)
    expect([out.hasRoom('one', 1), out.hasRoom('other', MIB / 2)]).toEqual([false, true])
    out.sent(1, 'other', MIB / 2)
    expect(out.hasRoom('other', 1)).toBe(false)
    out.answered(1)
    expect(out.hasRoom('other', 1)).toBe(true)
  })
})
