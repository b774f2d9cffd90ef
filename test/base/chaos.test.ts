import { expect, test } from 'vitest'
import { ChaosError, parseChaos } from '../../src/base/chaos.ts'

const refusal = (value: unknown): string => {
  try {
    parseChaos(value)
    return 'taken'
  } catch (error) {
    expect(error).toBeInstanceOf(ChaosError)
    expect((error as ChaosError).reason).toBe('invalid')
    return (error as ChaosError).message
  }
}

test('orders are taken with what may be left out filled in', () => {
  const all = [
    [{ action: 'kill-broker', broker: 2 }, {}],
    [{ action: 'pause-broker', broker: 1, forMs: 5_000 }, {}],
    [
      { action: 'fail-disk', broker: 1 },
      { code: 'EIO', forMs: null },
    ],
    [{ action: 'fail-disk', broker: 1, code: 'ENOSPC', forMs: 9 }, {}],
    [{ action: 'slow-disk', broker: 1, byMs: 50 }, { forMs: null }],
    [{ action: 'heal-disk', broker: 3 }, {}],
    [{ action: 'partition', broker: 1, other: 2, forMs: 10 }, {}],
    [{ action: 'heal' }, {}],
  ] as const
  for (const [given, filled] of all) expect(parseChaos(given)).toEqual({ ...given, ...filled })
})

test.each([
  [null, 'an object with an action is wanted'],
  [[], 'an object with an action is wanted'],
  ['kill', 'an object with an action is wanted'],
  [{}, 'action: nothing is refused, it wants one of kill-broker, pause-broker'],
  [{ action: 'explode' }, 'action: "explode" is refused, it wants one of kill-broker'],
  [{ action: 'toString' }, 'action: "toString" is refused'],
  [{ action: 'kill-broker' }, 'broker: nothing is refused, it wants a whole number from 1'],
  [{ action: 'kill-broker', broker: '2' }, 'broker: "2" is refused'],
  [{ action: 'kill-broker', broker: 0 }, 'broker: 0 is refused'],
  [{ action: 'kill-broker', broker: 1.5 }, 'broker: 1.5 is refused'],
  [{ action: 'kill-broker', broker: 1, forMs: 1 }, 'forMs: kill-broker takes broker'],
  [{ action: 'heal', broker: 1 }, 'broker: heal takes no more'],
  [{ action: 'pause-broker', broker: 1 }, 'forMs: nothing is refused'],
  [{ action: 'pause-broker', broker: 1, forMs: 3_600_001 }, 'forMs: 3600001 is refused'],
  [{ action: 'fail-disk', broker: 1, code: 'EPERM' }, 'code: "EPERM" is refused, it wants EIO or'],
  [{ action: 'slow-disk', broker: 1, byMs: 10_001 }, 'byMs: 10001 is refused'],
  [{ action: 'partition', broker: 1, other: 1 }, 'other: a broker always reaches itself'],
  [{ action: 'partition', broker: 1, other: NaN }, 'other: null is refused'],
])('%j is refused by name', (given, text) => {
  expect(refusal(given)).toContain(text)
})

test('what is refused is shown up to a line', () => {
  expect(refusal({ action: 'x'.repeat(10_000) }).length).toBeLessThan(300)
})
