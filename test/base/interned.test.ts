import { expect, test } from 'vitest'
import { Interned } from '../../src/base/interned.ts'

test('equal values are one object, until there are too many', () => {
  const kept = new Interned<readonly number[]>(2)
  const first = [1]
  expect(kept.of('1', first)).toBe(first)
  expect(kept.of('1', [1])).toBe(first)
  kept.of('2', [2])
  expect(kept.of('1', [1])).toBe(first)
  kept.of('3', [3])
  expect(kept.of('1', [1])).not.toBe(first)
})
