import { expect, test } from 'vitest'
import { LoginDelays } from '../../src/tenant/login-delays.ts'
import { loginSource } from '../../src/tenant/login-source.ts'

test('an address waits after failed logins, twice as long each time, up to a limit', () => {
  const delays = new LoginDelays()
  expect(delays.waitMs('a', 1_000)).toBe(0)
  const waits: number[] = []
  for (let i = 0; i < 9; i++) {
    delays.failed('a', 1_000)
    waits.push(delays.waitMs('a', 1_000))
  }
  expect(waits).toEqual([100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000, 5_000])
  for (let i = 0; i < 5_000; i++) delays.failed('a', 1_000)
  expect(delays.waitMs('a', 1_000)).toBe(5_000)
  expect(delays.waitMs('b', 1_000)).toBe(0)
})

test('the wait counts from the last failure, and is forgotten after a while without one', () => {
  const delays = new LoginDelays({ forgottenAfterMs: 60_000 })
  for (const atMs of [0, 10, 20]) delays.failed('a', atMs)
  expect(delays.waitMs('a', 120)).toBe(300)
  expect(delays.waitMs('a', 419)).toBe(1)
  expect(delays.waitMs('a', 421)).toBe(0)
  delays.failed('a', 60_019)
  expect(delays.waitMs('a', 60_019)).toBe(800)
  delays.failed('a', 120_019)
  expect(delays.waitMs('a', 120_019)).toBe(100)
})

test('a failure that is told later counts from then, and adds nothing to the wait of others', () => {
  const delays = new LoginDelays()
  delays.failed('a', 1_000)
  delays.failed('a', 1_100)
  expect(delays.waitMs('a', 1_000)).toBe(200)
  expect(delays.waitMs('a', 1_100)).toBe(200)
  expect(delays.waitMs('a', 1_250)).toBe(50)
})

test('many addresses do not make it grow: the oldest are forgotten, or those whose time is over', () => {
  const delays = new LoginDelays({ sourcesMax: 100, forgottenAfterMs: 10_000 })
  for (let i = 0; i < 1_000; i++) {
    delays.failed(`${i}`, i)
    delays.failed('always', i)
  }
  expect(delays.size).toBe(100)
  expect(delays.waitMs('always', 999)).toBe(5_000)
  expect(delays.waitMs('999', 999)).toBe(100)
  expect(delays.waitMs('900', 900)).toBe(0)
  delays.failed('later', 10_990)
  expect(delays.size).toBe(11)
})

test.each([
  ['192.0.2.1', '192.0.2.1'],
  ['::ffff:192.0.2.1', '192.0.2.1'],
  ['::FFFF:c000:201', '192.0.2.1'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:DB8:1:2::1', '2001:db8:1:2::/64'],
  ['2001:0db8:0001:0002:ffff::', '2001:db8:1:2::/64'],
  ['2001:db8::1', '2001:db8:0:0::/64'],
  ['2001:db8:1:2:3:4:192.0.2.1', '2001:db8:1:2::/64'],
  ['2001:db8::ffff:192.0.2.1', '2001:db8:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
  ['::', '0:0:0:0::/64'],
  ['1:2:3', '1:2:3'],
  ['1::2::3', '1::2::3'],
  ['1:2:3:4:5:6:7:8::', '1:2:3:4:5:6:7:8::'],
  ['1:2:3:4:5:6:7:g', '1:2:3:4:5:6:7:g'],
  ['x'.repeat(100), 'x'.repeat(64)],
])('logins from %s are counted under %s', (address, source) => {
  expect(loginSource(address)).toBe(source)
})
