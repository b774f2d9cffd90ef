/** Which commands go out first when a broker's ring is full, or it has enough to do. */
import { describe, expect, test } from 'vitest'
import { ManualClock } from '../../src/base/clock.ts'
import { BatchesOut } from '../../src/cell/batches-out.ts'
import { COMMAND_COST_BYTES, ParkedCommands } from '../../src/cell/parked-commands.ts'

describe('commands that wait for room', () => {
  const KIB = 1024

  test('go out as many bytes of each tenant in turn, in order within one', () => {
    const parked = new ParkedCommands<string>()
    // 64 KB with what each counts beside its bytes
    for (let i = 0; i < 5; i++) parked.add('many', `m${i}`, 62 * KIB)
    for (const name of ['f0', 'f1']) parked.add('few', name, 62 * KIB)
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
    parked.add('late', 'l0', 62 * KIB)
    expect(send(6)).toBe(3)
    expect(new Set(sent.slice(3))).toEqual(new Set(['f1', 'm2', 'l0']))
    expect(parked.takeAll()).toEqual(['m3', 'm4'])
    expect([parked.size, send(99)]).toEqual([0, 0])
  })

  test('that are small go out by the dozen between two large ones of another', () => {
    const parked = new ParkedCommands<string>()
    for (let i = 0; i < 3; i++) parked.add('large', 'L', 900_000)
    for (let i = 0; i < 300; i++) parked.add('small', 's', 4_000)
    const sent: string[] = []
    parked.sendTo((command) => sent.push(command) > 0)
    const smallBefore = (at: number) => sent.slice(0, at).filter((one) => one === 's').length
    const first = sent.indexOf('L')
    expect(smallBefore(first)).toBeGreaterThan(100)
    expect(smallBefore(sent.indexOf('L', first + 1))).toBeGreaterThan(250)
    expect(sent.length).toBe(303)
  })

  test('wait for none of another tenant that has no room', () => {
    const parked = new ParkedCommands<string>()
    for (const tenant of ['a', 'b', 'c']) {
      for (let i = 0; i < 3; i++) parked.add(tenant, tenant, 100)
    }
    const sent: string[] = []
    const count = parked.sendTo((command) => command !== 'a' && sent.push(command) > 0)
    expect([count, parked.size, sent.toSorted().join('')]).toEqual([6, 3, 'bbbccc'])
    expect(parked.sendTo(() => true)).toBe(3)
  })

  test('leave nothing behind when thousands have gone', () => {
    const parked = new ParkedCommands<number>()
    const sent: number[] = []
    const count = 5_000
    for (let i = 0; i < count; i++) {
      parked.add('one', i, 10)
      if (i % 3 === 0) continue
      let left = 1
      parked.sendTo((command) => left-- > 0 && sent.push(command) > 0)
    }
    parked.sendTo((command) => sent.push(command) > 0)
    expect(sent).toEqual(Array.from({ length: count }, (_, i) => i))
  })
})

describe('batches before a broker', () => {
  /** With what a batch counts beside its bytes. */
  const MIB = 2 ** 20 - COMMAND_COST_BYTES

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
    const half = 2 ** 19 - COMMAND_COST_BYTES
    out.sent(0, 'one', half)
    expect([out.hasRoom('one', half), out.hasRoom('one', half + 1)]).toEqual([true, false])
    clock.advance(10_000)
    expect(out.hasRoom('one', 9 * MIB)).toBe(true)
  })

  test('of others hold nobody up who has little before the broker', () => {
    const out = new BatchesOut(new ManualClock())
    for (const tenant of ['one', 'other']) out.note(tenant)
    out.sent(0, 'one', 5 * MIB)
    const own = 2 ** 17 - COMMAND_COST_BYTES
    expect([out.hasRoom('one', 1), out.hasRoom('other', own)]).toEqual([false, true])
    out.sent(1, 'other', own)
    expect(out.hasRoom('other', 1)).toBe(false)
    out.answered(1)
    expect(out.hasRoom('other', 1)).toBe(true)
  })
})
