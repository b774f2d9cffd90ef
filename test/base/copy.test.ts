import { describe, expect, it } from 'vitest'
import { copyBytes } from '../../src/base/copy.ts'

const memory = (bytes: number, shared: boolean) =>
  new Uint8Array(shared ? new SharedArrayBuffer(bytes) : new ArrayBuffer(bytes))

describe('copyBytes', () => {
  it('copies all and nothing but, whatever the memory, length and alignment', () => {
    for (const [from, to] of [0, 1, 2, 3].map((n) => [(n & 1) === 1, (n & 2) === 2] as const)) {
      for (const length of [0, 1, 7, 159, 160, 161, 1000, 70_001]) {
        for (const at of [0, 3, 8]) {
          const source = memory(length + 5, from).map((_, i) => i * 7 + 1)
          const piece = memory(length + 5, from)
          piece.set(source)
          const target = memory(length + 20, to)
          copyBytes(target, at, piece.subarray(5))
          expect(target.subarray(0, at).every((byte) => byte === 0)).toBe(true)
          expect(Buffer.compare(target.slice(at, at + length), source.slice(5))).toBe(0)
          expect(target.subarray(at + length).every((byte) => byte === 0)).toBe(true)
        }
      }
    }
  })

  it('refuses what does not fit, as set does', () => {
    expect(() => copyBytes(memory(500, true), 1, memory(500, false))).toThrow(RangeError)
  })
})
