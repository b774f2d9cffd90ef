import { expect, test } from 'vitest'
import { HeapTrim } from '../../src/server/heap-trim.ts'

function world() {
  const image = { offset: 0 }
  const collected: number[] = []
  let nowMs = 0
  const trim = new HeapTrim({ image, collect: () => collected.push(nowMs) })
  /** Turns each half second, up to `untilMs`. */
  const run = (untilMs: number, each: () => void = () => {}) => {
    for (; nowMs < untilMs; nowMs += 500) {
      each()
      trim.doWork(nowMs)
    }
  }
  return { image, collected, trim, run }
}

test('a heap is trimmed twice, once much metadata has come and nothing more comes', () => {
  const { image, collected, trim, run } = world()
  run(5_000)
  image.offset = 60_000
  run(20_000)
  expect(collected).toEqual([7_000, 13_000])
  expect(trim.nextTimerAtMs).toBe(Number.POSITIVE_INFINITY)
  // as long as more comes it waits
  run(30_000, () => {
    image.offset += 1_000
  })
  expect(collected).toHaveLength(2)
  expect(trim.nextTimerAtMs).toBe(31_500)
  run(40_000)
  expect(collected).toEqual([7_000, 13_000, 31_500, 37_500])
})

test('little that comes is no reason, but what comes bit by bit is in the end', () => {
  const { image, collected, run } = world()
  run(100_000, () => {
    image.offset += 20
  })
  expect(collected).toEqual([])
  run(102_500)
  expect(collected).toEqual([])
  image.offset += 1_000
  run(115_000)
  expect(collected).toEqual([104_500, 110_500])
})
