import { describe, expect, test } from 'vitest'
import { measureCase } from '../../native-bench/micro/measure.ts'
import { SUBJECTS, subjectNames } from '../../native-bench/micro/subjects.ts'
import { servedApis } from '../../src/front/handlers.ts'

describe('every case', () => {
  test.each(subjectNames)('of %s does its work', (name) => {
    const { cases, close } = SUBJECTS[name]()
    try {
      expect(new Set(cases.map((one) => one.name)).size).toBe(cases.length)
      // each says itself when it did not
      for (const { run } of cases) for (let i = 0; i < 300; i++) run()
      if (name === 'codec') expect(cases).toHaveLength(4 * servedApis.length)
    } finally {
      close?.()
    }
  })
})

test('bytes allocated are told to within a few', async () => {
  // kept, or V8 would see that nobody looks at them
  const kept: unknown[] = [null]
  const buffers = await measureCase({ name: 'b', run: () => (kept[0] = new Uint8Array(1000)) }, 20)
  expect(buffers.bufferBytes).toBeGreaterThan(992)
  expect(buffers.bufferBytes).toBeLessThan(1008)
  // 16 bytes of header and 100 doubles, and the array's own object of 32
  const doubles = await measureCase(
    { name: 'd', run: () => (kept[0] = new Array(100).fill(0.5)) },
    20,
  )
  expect(doubles.heapBytes).toBeGreaterThan(800)
  expect(doubles.heapBytes).toBeLessThan(1700)
  const nothing = await measureCase({ name: 'n', run: () => kept.length }, 20)
  expect(nothing.heapBytes).toBeLessThan(4)
  expect(nothing.bufferBytes).toBeLessThan(4)
})
