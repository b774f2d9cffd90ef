import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { InvariantError } from '../../src/base/assert.ts'
import { newRegion } from '../../src/shared/region.ts'
import { RingLogReader } from '../../src/shared/ring-log-reader.ts'
import { RingLogWriter } from '../../src/shared/ring-log-writer.ts'
import { RingPins } from '../../src/shared/ring-pins.ts'
import { append } from './batches.ts'

function open(startPosition = 0) {
  const region = newRegion(65_536)
  const offsets = { logStartOffset: 0, highWatermark: 0, lastStableOffset: 0, logEndOffset: 0 }
  const writer = new RingLogWriter(region, {
    generation: 1,
    partition: 1,
    fronts: 2,
    startPosition,
    ...offsets,
  })
  const reader = new RingLogReader(region, 1, 1)
  const word = () => Atomics.load(new Int32Array(region.sab), 112 + 16)
  return { writer, reader, pins: new RingPins(reader), word }
}

describe('ring pins', () => {
  it('publish the oldest position that any socket holds', () => {
    const { writer, reader, pins, word } = open()
    append(writer, 50, 1_000)
    const at = [0, 10, 20, 30].map((offset) => reader.find(offset))
    expect(word()).toBe(0)
    expect(pins.hold(at[1]!)).toBe(true)
    expect(pins.hold(at[2]!)).toBe(true)
    expect(pins.hold(at[1]!)).toBe(true)
    expect(word()).toBe(10_000 | 1)
    expect(pins.hold(at[0]!)).toBe(true)
    expect(word()).toBe(0 | 1)
    pins.release(at[0]!)
    expect(word()).toBe(10_000 | 1)
    pins.release(at[1]!)
    expect(word()).toBe(10_000 | 1)
    pins.release(at[1]!)
    expect(word()).toBe(20_000 | 1)
    expect(pins.size).toBe(1)
    expect(() => pins.release(at[1]!)).toThrow(InvariantError)
    pins.release(at[2]!)
    expect(word()).toBe(0)
  })

  it('refuse a position that is overwritten, and keep the others', () => {
    const { writer, reader, pins } = open()
    append(writer, 50, 1_000)
    const old = reader.find(0)
    append(writer, 50, 1_000)
    expect(pins.hold(old)).toBe(false)
    expect(pins.size).toBe(0)
    const held = reader.find(80)
    expect(pins.hold(held)).toBe(true)
    expect(pins.hold(old)).toBe(false)
    expect(pins.oldestPosition).toBe(held)
    writer.retire()
    expect(pins.hold((held + 1_000) | 0)).toBe(true)
    pins.release(held)
    expect(writer.canFree()).toBe(false)
    pins.release((held + 1_000) | 0)
    expect(writer.canFree()).toBe(true)
  })

  it('equal the minimum of a plain list, in any order of holds and releases, also at the wrap', () => {
    const action = fc.record({ n: fc.integer({ min: 0, max: 49 }), hold: fc.boolean() })
    fc.assert(
      fc.property(
        fc.array(action, { maxLength: 400 }),
        fc.constantFrom(0, 0x7fff_9000 | 0),
        (actions, start) => {
          const { writer, pins, word } = open(start)
          append(writer, 50, 1_000)
          const held: number[] = []
          for (const { n, hold } of actions) {
            if (hold || held.length === 0) {
              expect(pins.hold((start + n * 1_000) | 0)).toBe(true)
              held.push(n)
            } else {
              const gone = held.splice(n % held.length, 1)[0]!
              pins.release((start + gone * 1_000) | 0)
            }
            const oldest = held.length === 0 ? null : (start + Math.min(...held) * 1_000) | 0
            expect(pins.oldestPosition).toBe(oldest)
            expect(pins.size).toBe(held.length)
            expect(word()).toBe(oldest === null ? 0 : (oldest & ~1) | 1)
          }
        },
      ),
      { seed: 3, numRuns: 100 },
    )
  })
})
