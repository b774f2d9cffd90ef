/** Whose the front's time is, where nobody's request is being handled, and beside whom. */
import { expect, test } from 'vitest'
import { ManualClock } from '../../src/base/clock.ts'
import { type Owner, Owners } from '../../src/net/owner.ts'
import { ReadTurns } from '../../src/net/read-turns.ts'

function makeTurns() {
  const clock = new ManualClock()
  const owners = new Owners(() => true)
  let busyMs = 0
  const turns = new ReadTurns(clock, owners.strangers, { busyMs: () => busyMs })
  const work = (owner: Owner, ms: number) => {
    turns.begin(owner)
    clock.advance(ms)
    turns.end(owner)
    busyMs += ms
  }
  /** What those owe more for what the thread has done besides. */
  const besides = (ms: number, ...of: readonly Owner[]) => {
    busyMs += ms
    const before = of.map(({ debtMs }) => debtMs)
    turns.renew()
    return of.map(({ debtMs }, at) => debtMs - before[at]!)
  }
  return { clock, owners, work, besides }
}

const close = (...values: readonly number[]) => values.map((value) => expect.closeTo(value, 6))

test('is of those who had time, by how much they had since it was shared out last', () => {
  const { clock, owners, work, besides } = makeTurns()
  const [one, other] = [owners.create(), owners.create()]
  for (const owner of [one, other, one]) work(owner, 0.2)
  // of before the first time nothing is known
  expect(besides(5, one, other)).toEqual([0, 0])
  work(one, 0.3)
  work(other, 0.1)
  expect(besides(0.8, one, other)).toEqual(close(0.6, 0.2))
  work(other, 0.4)
  expect(besides(0.4, one, other)).toEqual(close(0, 0.4))
  // too little to be worth it
  work(one, 0.1)
  expect(besides(0.4, one, other)).toEqual([0, 0])
  // nor is what was long ago anybody's now
  clock.advance(21)
  work(one, 0.4)
  expect(besides(9, one, other)).toEqual([0, 0])
})

test.each([true, false])(
  'of other threads is paid for where they have the same cores: %s',
  (areCoresShared) => {
    const clock = new ManualClock()
    const owners = new Owners(() => true)
    let busyMs = 0
    const turns = new ReadTurns(clock, owners.strangers, { areCoresShared, busyMs: () => busyMs })
    const [one, other] = [owners.create(), owners.create()]
    turns.elsewhere(one, 3)
    // nobody else has asked for anything
    expect(one.debtMs).toBe(0)
    for (const owner of [one, other, one]) {
      turns.begin(owner)
      clock.advance(0.3)
      turns.end(owner)
      busyMs += 0.3
    }
    turns.renew()
    const before = one.debtMs
    turns.elsewhere(one, 3)
    expect(one.debtMs - before).toBeCloseTo(areCoresShared ? 3 : 0, 6)
    expect(turns.goesOnAtMs(one) > clock.monotonicMs() + 2).toBe(areCoresShared)
    // it is no time of this thread: what that has done besides is shared out as without it
    turns.begin(one)
    clock.advance(0.3)
    turns.end(one)
    busyMs += 0.9
    const owed = one.debtMs
    turns.renew()
    expect(one.debtMs - owed).toBeCloseTo(0.6, 6)
  },
)

test('strangers wait for whoever is known, and are no company for one alone', () => {
  const { owners, work } = makeTurns()
  const { strangers } = owners
  const one = owners.create()
  work(strangers, 2)
  expect(strangers.debtMs).toBe(0)
  work(one, 2)
  work(strangers, 2)
  work(one, 2)
  expect([one.debtMs > 0, strangers.debtMs > 0]).toEqual([false, true])
})
