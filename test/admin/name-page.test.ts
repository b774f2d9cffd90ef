import fc from 'fast-check'
import { expect, test } from 'vitest'
import { pageOf, smallestAfter } from '../../src/admin/name-page.ts'

test('pages give every name once, in order, whatever order they come in', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.string({ minLength: 1, maxLength: 4 })),
      fc.integer({ min: 1, max: 5 }),
      (names, count) => {
        const seen: string[] = []
        let after = ''
        // a page that did not move on would never end
        for (let pages = 0; pages <= names.length; pages++) {
          const { names: page, next } = pageOf(names, after, count)
          expect(page.length).toBeLessThanOrEqual(count)
          seen.push(...page)
          if (next === null) break
          expect(page.length).toBe(count)
          after = next
        }
        expect(seen).toEqual([...names].sort())
      },
    ),
  )
})

test('a page of many names is found in one pass that keeps few of them', () => {
  // the worst order: each is smaller than all before it
  const names = Array.from({ length: 100_000 }, (_, at) => `tenant-${String(999_999 - at)}`)
  const startMs = performance.now()
  expect(smallestAfter(names, '', 3)).toEqual(names.slice(-3).reverse())
  expect(smallestAfter(names, names[50_000]!, 1_001)).toHaveLength(1_001)
  expect(performance.now() - startMs).toBeLessThan(1_000)
})
