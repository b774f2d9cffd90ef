import { describe, expect, test } from 'vitest'
import type { FileHandle } from '../../src/log/open-files.ts'
import { BatchWalker } from '../../src/log/walk.ts'
import { buildBatch } from '../../src/record/builder.ts'

const batch = (bytes: number): Uint8Array =>
  buildBatch([{ timestampMs: 0, key: null, value: new Uint8Array(bytes) }])

const fileOf = (...batches: readonly Uint8Array[]) => {
  const bytes = Buffer.concat(batches)
  const read = (target: Uint8Array, at: number, length: number, position: number): number => {
    const part = bytes.subarray(position, position + length)
    target.set(part, at)
    return part.length
  }
  return { file: { get: () => ({ read }) } as unknown as FileHandle, size: bytes.length }
}

/** The windows in which a walk shows its batches, and how many it shows. */
const walked = (walker: BatchWalker, { file, size }: ReturnType<typeof fileOf>) => {
  const windows = new Set<ArrayBufferLike>()
  let count = 0
  const end = walker.walk(file, 0, size, ({ bytes }) => {
    windows.add(bytes.buffer)
    return ++count > 0
  })
  expect(end).toBe(size)
  return { count, windows: [...windows] }
}

describe('a walk over the batches of a file', () => {
  const small = fileOf(batch(100), batch(5_000), batch(100))
  const large = fileOf(batch(100), batch(300_000), batch(100))

  test('takes no more memory than the file has, and the next walk takes the same', () => {
    const walker = new BatchWalker(1 << 20, true)
    const first = walked(walker, small)
    expect(first.count).toBe(3)
    expect(first.windows.map(({ byteLength }) => byteLength)).toEqual([8_192])
    expect(walked(walker, small).windows).toEqual(first.windows)
    expect(walked(walker, small).windows[0]).toBe(first.windows[0])
  })

  test('grows for a batch that is larger than its window, and gives that back', () => {
    const walker = new BatchWalker(16_384, true)
    const { count, windows } = walked(walker, large)
    expect(count).toBe(3)
    expect(Math.max(...windows.map(({ byteLength }) => byteLength))).toBe(2 ** 19)
    expect(walked(walker, small).windows.map(({ byteLength }) => byteLength)).toEqual([8_192])
  })

  test('sees every batch of a file that is larger than its window', () => {
    const many = fileOf(...Array.from({ length: 100 }, (_, i) => batch(1_000 + i)))
    expect(walked(new BatchWalker(16_384, true), many).count).toBe(100)
    expect(walked(new BatchWalker(16_384, false), many).count).toBe(100)
  })
})
