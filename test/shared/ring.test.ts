import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { InvariantError } from '../../src/base/assert.ts'
import { carveRegions, newRegion } from '../../src/shared/region.ts'
import { formatRing, RING_DATA_BYTE, ringBytes } from '../../src/shared/ring-layout.ts'
import { RingReader } from '../../src/shared/ring-reader.ts'
import { RingWriter } from '../../src/shared/ring-writer.ts'

function open(capacity: number, startPosition = 0) {
  const region = formatRing(newRegion(ringBytes(capacity)), startPosition)
  return { region, writer: new RingWriter(region), reader: new RingReader(region) }
}

function write(writer: RingWriter, type: number, payload: Uint8Array): boolean {
  const at = writer.claim(type, payload.length)
  if (at < 0) return false
  writer.bytes.set(payload, at)
  writer.commit()
  return true
}

function drain(reader: RingReader, limit = 1_000): { type: number; payload: number[] }[] {
  const got: { type: number; payload: number[] }[] = []
  reader.poll(
    {
      onRecord: (type, from, offset, length) =>
        got.push({ type, payload: [...from.bytes.subarray(offset, offset + length)] }),
    },
    limit,
  )
  return got
}

describe('ring', () => {
  it('hands records over in order, aligned, each once', () => {
    const { writer, reader } = open(1024)
    expect(reader.isEmpty).toBe(true)
    expect(writer.claim(1, 3) % 8).toBe(0)
    writer.bytes.set([1, 2, 3], 8)
    writer.commit()
    write(writer, 2, Uint8Array.of())
    write(writer, 3, Uint8Array.of(9))
    expect(reader.isEmpty).toBe(false)
    expect(drain(reader, 2)).toEqual([
      { type: 1, payload: [1, 2, 3] },
      { type: 2, payload: [] },
    ])
    expect(drain(reader)).toEqual([{ type: 3, payload: [9] }])
    expect(drain(reader)).toEqual([])
  })

  it('shows nothing before commit and nothing ever of an aborted claim', () => {
    const { writer, reader } = open(1024)
    const free = writer.freeBytes
    writer.claim(1, 100)
    expect(reader.isEmpty).toBe(true)
    writer.abort()
    expect(writer.freeBytes).toBe(free)
    write(writer, 2, Uint8Array.of(7))
    expect(drain(reader)).toEqual([{ type: 2, payload: [7] }])
    expect(() => writer.commit()).toThrow(InvariantError)
    writer.claim(1, 1)
    expect(() => writer.claim(1, 1)).toThrow(InvariantError)
  })

  it('lets a claim shrink at commit', () => {
    const { writer, reader } = open(1024)
    const at = writer.claim(5, 100)
    writer.bytes[at] = 42
    writer.commit(1)
    write(writer, 6, Uint8Array.of(1))
    expect(drain(reader)).toEqual([
      { type: 5, payload: [42] },
      { type: 6, payload: [1] },
    ])
  })

  it('is full before it would meet its head, and free again after a poll', () => {
    const { writer, reader } = open(1024)
    let written = 0
    while (write(writer, 1, new Uint8Array(56).fill(written))) written++
    expect(written).toBe(15)
    expect(writer.freeBytes).toBeLessThan(64)
    expect(drain(reader, 1)[0]!.payload[0]).toBe(0)
    expect(write(writer, 1, new Uint8Array(56).fill(99))).toBe(true)
    expect(drain(reader).at(-1)!.payload[0]).toBe(99)
  })

  it('always has room for the largest record once drained, wherever it stands', () => {
    for (let shift = 0; shift < 1024; shift += 8) {
      const { writer, reader } = open(1024, shift)
      expect(write(writer, 1, new Uint8Array(writer.maxRecordBytes).fill(3))).toBe(true)
      expect(drain(reader)[0]!.payload).toEqual(Array(128).fill(3))
      expect(() => writer.claim(1, writer.maxRecordBytes + 1)).toThrow(InvariantError)
    }
  })

  it('goes on when positions wrap over 2^31 and 2^32', () => {
    for (const start of [0x7fff_ff00 | 0, 0xffff_ff00 | 0]) {
      const { writer, reader } = open(1024, start)
      for (let i = 0; i < 500; i++) {
        expect(write(writer, 1, new Uint8Array(i % 100).fill(i))).toBe(true)
        expect(drain(reader)).toEqual([{ type: 1, payload: Array(i % 100).fill(i & 255) }])
      }
    }
  })

  it('publishes the length last, after type, payload and the cleared length word of the next record', () => {
    const { region, writer } = open(1024)
    const data = new Int32Array(region.sab, RING_DATA_BYTE)
    data[4] = 0x7777_7777
    const at = writer.claim(7, 4)
    writer.view.setInt32(at, 123, true)
    let before: number[] = []
    const atomically = Atomics.store as (words: Int32Array, at: number, value: number) => number
    const store = vi.spyOn(Atomics, 'store').mockImplementation(((
      words: Int32Array,
      at: number,
      value: number,
    ) => {
      before = [...data.subarray(0, 5)]
      return atomically(words, at, value)
    }) as unknown as typeof Atomics.store)
    writer.commit()
    expect(store).toHaveBeenCalledTimes(1)
    store.mockRestore()
    expect(before).toEqual([0, 7, 123, 0, 0])
    expect(data[0]).toBe(12)
  })

  it('moves the head once per batch, but not later than an eighth of the ring', () => {
    const { region, writer, reader } = open(8192)
    const head = new Int32Array(region.sab, 128, 1)
    for (let i = 0; i < 60; i++) write(writer, 1, new Uint8Array(56))
    const heads: number[] = []
    reader.poll({ onRecord: () => heads.push(head[0]!) }, 100)
    expect([...new Set(heads)]).toEqual([0, 1024, 2048, 3072])
    expect(head[0]).toBe(60 * 64)
  })

  it('counts the record of a handler that throws as consumed, and goes on after it', () => {
    const { writer, reader } = open(1024)
    for (let i = 1; i <= 3; i++) write(writer, i, Uint8Array.of(i))
    const types: number[] = []
    const onRecord = (type: number) => {
      types.push(type)
      if (type === 2) throw new Error('handler')
    }
    expect(() => reader.poll({ onRecord }, 10)).toThrow('handler')
    expect(reader.poll({ onRecord }, 10)).toBe(1)
    expect(types).toEqual([1, 2, 3])
    expect(writer.freeBytes).toBe(1024 - 8)
  })

  it('refuses a corrupt length each time it is asked, and a layout that it does not know', () => {
    const { region, writer, reader } = open(1024)
    write(writer, 1, Uint8Array.of(1))
    const words = new Int32Array(region.sab)
    for (const length of [7, -16, 2000, 200]) {
      words[RING_DATA_BYTE / 4] = length
      expect(() => drain(reader)).toThrow(InvariantError)
      expect(() => drain(reader)).toThrow(/corrupt record at 0/)
    }
    words[0] = 2
    expect(() => new RingReader(region)).toThrow(/layout version 2/)
  })

  it('shares one buffer with other rings', () => {
    const regions = carveRegions([ringBytes(1024), ringBytes(2048), ringBytes(1024)])
    const rings = regions.map((region) => {
      formatRing(region)
      return { writer: new RingWriter(region), reader: new RingReader(region) }
    })
    expect(rings.map((r) => r.writer.capacityBytes)).toEqual([1024, 2048, 1024])
    rings.forEach(({ writer }, i) => {
      while (write(writer, i + 1, new Uint8Array(40).fill(i))) {}
    })
    rings.forEach(({ reader }, i) => {
      for (const record of drain(reader)) {
        expect(record).toEqual({ type: i + 1, payload: Array(40).fill(i) })
      }
    })
  })

  it('behaves as a bounded queue under any mix of writes, aborts and polls', () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('write'), n: fc.integer({ min: 0, max: 128 }) }),
      fc.record({ kind: fc.constant('abort'), n: fc.integer({ min: 0, max: 128 }) }),
      fc.record({ kind: fc.constant('poll'), n: fc.integer({ min: 0, max: 12 }) }),
    )
    const start = fc.constantFrom(0, 0x7fff_fe00 | 0, -1024)
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), start, (steps, startPosition) => {
        const { writer, reader } = open(1024, startPosition)
        const queue: { type: number; payload: number[] }[] = []
        let serial = 0
        for (const { kind, n } of steps) {
          if (kind === 'poll') {
            expect(drain(reader, n)).toEqual(queue.splice(0, n))
            continue
          }
          const type = (++serial % 1000) + 1
          const at = writer.claim(type, n)
          if (at < 0) {
            expect(writer.freeBytes).toBeLessThan(2 * (n + 16))
          } else if (kind === 'abort') {
            writer.abort()
          } else {
            writer.bytes.fill(serial & 255, at, at + n)
            writer.commit()
            queue.push({ type, payload: Array(n).fill(serial & 255) })
          }
        }
        expect(drain(reader)).toEqual(queue)
      }),
      { seed: 7, numRuns: 300 },
    )
  })
})
