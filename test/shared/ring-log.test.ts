import { describe, expect, it } from 'vitest'
import { InvariantError } from '../../src/base/assert.ts'
import { newRegion } from '../../src/shared/region.ts'
import {
  RingLogReader,
  RingLogSnapshot,
  type RingLogSpan,
} from '../../src/shared/ring-log-reader.ts'
import { type RingLogOptions, RingLogWriter } from '../../src/shared/ring-log-writer.ts'
import { append, publishAll, readBatches, readFrom, stage } from './batches.ts'

const START: RingLogOptions = {
  generation: 1,
  partition: 7,
  fronts: 2,
  logStartOffset: 0,
  highWatermark: 0,
  lastStableOffset: 0,
  logEndOffset: 0,
}

function open(byteLength = 16_384, options: Partial<RingLogOptions> = {}) {
  const region = newRegion(byteLength)
  const writer = new RingLogWriter(region, { ...START, ...options })
  const generation = options.generation ?? 1
  const reader = new RingLogReader(region, generation, 0)
  return { region, writer, reader, other: new RingLogReader(region, generation, 1) }
}

const span = (): RingLogSpan => ({ position: 0, length: 0 })
const bases = (seen: { base: number }[] | null) => seen?.map((b) => b.base)

describe('ring log', () => {
  it('shows what is published, batch by batch, and nothing that is only staged', () => {
    const { writer, reader } = open()
    expect(reader.partition).toBe(7)
    expect(reader.find(0)).toBe(RingLogReader.AT_END)
    stage(writer, 0, 3, 100)
    stage(writer, 3, 1, 200)
    expect(reader.find(0)).toBe(RingLogReader.AT_END)
    publishAll(writer, 4)
    expect(readFrom(reader, 0)).toEqual([
      { base: 0, last: 2, length: 100 },
      { base: 3, last: 3, length: 200 },
    ])
    expect(bases(readFrom(reader, 2))).toEqual([0, 3])
    expect(bases(readFrom(reader, 3))).toEqual([3])
    expect(reader.find(4)).toBe(RingLogReader.AT_END)
  })

  it('lets consumers read up to the high watermark, transactions up to the last stable offset', () => {
    const { writer, reader } = open()
    for (let i = 0; i < 4; i++) stage(writer, i * 10, 10, 100)
    writer.publish({ logEndOffset: 40, highWatermark: 0, lastStableOffset: 0, logStartOffset: 0 })
    expect(reader.find(0)).toBe(RingLogReader.AT_END)
    writer.publishWatermarks({ highWatermark: 30, lastStableOffset: 10, logStartOffset: 0 })
    expect(bases(readFrom(reader, 0))).toEqual([0, 10, 20])
    const out = span()
    expect(reader.readable(reader.find(0), 10_000, out, 'stable')).toBe(true)
    expect(out.length).toBe(100)
    expect(reader.find(10, 'stable')).toBe(RingLogReader.AT_END)
    writer.publishWatermarks({ highWatermark: 35, lastStableOffset: 35, logStartOffset: 5 })
    expect(bases(readFrom(reader, 0))).toEqual([0, 10, 20])
    const seen = new RingLogSnapshot()
    expect(reader.snapshot(seen)).toBe(true)
    expect(seen).toMatchObject({
      logStartOffset: 5,
      highWatermark: 35,
      lastStableOffset: 35,
      logEndOffset: 40,
      oldestOffset: 0,
    })
  })

  it('copies nothing that consumers may not read: a position of another ring is nothing in this one', () => {
    const { writer, reader } = open()
    for (let i = 0; i < 4; i++) stage(writer, i, 1, 100)
    publishAll(writer, 4, 2)
    const first = reader.find(0)
    const copy = new Uint8Array(400)
    expect(reader.copy(first, 200, copy, 0)).toBe(true)
    expect(reader.isReadable(first, 200)).toBe(true)
    for (const [position, length] of [
      [first, 300],
      [first + 200, 100],
      [first + 400, 100],
      [first - 100, 100],
      [first, -100],
    ] as const) {
      expect(reader.copy(position, length, copy.fill(1), 0)).toBe(false)
      expect(reader.isReadable(position, length)).toBe(false)
      expect(copy.every((byte) => byte === 1)).toBe(true)
    }
  })

  it('carries offsets beyond 2^32', () => {
    const base = 2 ** 40 + 123
    const { writer, reader } = open(16_384, { logEndOffset: base, highWatermark: base })
    append(writer, 5, 100)
    expect(bases(readFrom(reader, base + 3))).toEqual([base + 3, base + 4])
    expect(reader.find(base - 1)).toBe(RingLogReader.NOT_FOUND)
  })

  it('drops the oldest batches whole, and finds every one that is left by its offset', () => {
    const { writer, reader } = open(65_536)
    append(writer, 1_500, 333)
    const oldest = writer.oldestOffset
    expect(oldest).toBeGreaterThan(1_200)
    expect(reader.find(oldest - 1)).toBe(RingLogReader.NOT_FOUND)
    for (let offset = oldest; offset < 1_500; offset++) {
      expect(readFrom(reader, offset)![0]!.base).toBe(offset)
    }
    const seen = new RingLogSnapshot()
    reader.snapshot(seen)
    const entries = seen.indexEnd - seen.indexStart
    expect(entries).toBeGreaterThanOrEqual(5)
    expect(entries).toBeLessThanOrEqual(8)
  })

  it('reads whole batches within a limit, one at least, contiguous pieces only', () => {
    const { writer, reader } = open()
    append(writer, 10, 1_000)
    const out = span()
    const from = reader.find(2)
    for (const [maxBytes, length] of [
      [0, 1_000],
      [999, 1_000],
      [2_000, 2_000],
      [3_999, 3_000],
      [100_000, 8_000],
    ] as const) {
      expect(reader.readable(from, maxBytes, out)).toBe(true)
      expect(out).toEqual({ position: from, length })
    }
    append(writer, 10, 1_000)
    const pieces = readFrom(reader, writer.oldestOffset)!
    expect(pieces.length).toBe(20 - writer.oldestOffset)
    reader.readable(reader.find(writer.oldestOffset), 1e6, out)
    expect(out.length).toBeLessThan(pieces.length * 1_000)
  })

  it('is right when positions wrap over 2^31 and 2^32', () => {
    for (const startPosition of [0x7fff_0000 | 0, 0xffff_0000 | 0]) {
      const { writer, reader } = open(32_768, { startPosition })
      for (let i = 0; i < 400; i++) {
        append(writer, 1, 700)
        const oldest = writer.oldestOffset
        expect(bases(readFrom(reader, oldest))).toEqual(
          Array.from({ length: i + 1 - oldest }, (_, n) => oldest + n),
        )
      }
      expect(writer.oldestOffset).toBeGreaterThan(300)
    }
  })

  it('forgets what is staged on rollback, even across the end of the data area', () => {
    const { writer, reader } = open()
    const half = writer.capacityBytes >> 1
    append(writer, 2, half - 100)
    expect(stage(writer, 2, 1, 90)).toBeGreaterThan(half)
    expect(stage(writer, 3, 1, 1_000)).toBe(0)
    expect(writer.stagedBytes).toBeGreaterThan(1_090)
    writer.rollback()
    expect(writer.stagedBytes).toBe(0)
    expect(bases(readFrom(reader, 1))).toEqual([1])
    append(writer, 1, 61)
    expect(bases(readFrom(reader, 1))).toEqual([1, 2])
  })

  it('tells the staged bytes as one piece, or two around the end', () => {
    const { writer } = open()
    const range = { firstIndex: 0, firstLength: 0, secondIndex: 0, secondLength: 0 }
    expect(writer.stagedRange(range).firstLength).toBe(0)
    const cap = writer.capacityBytes
    append(writer, 2, (cap >> 1) - 150)
    const first = stage(writer, 2, 1, 200)
    stage(writer, 3, 1, 300)
    stage(writer, 4, 1, 100)
    expect(writer.stagedRange(range)).toEqual({
      firstIndex: first,
      firstLength: 200,
      secondIndex: 0,
      secondLength: 400,
    })
    const piece = (at: number, length: number) => writer.bytes.slice(at, at + length)
    expect(bases(readBatches(piece(first, 200)))).toEqual([2])
    expect(bases(readBatches(piece(0, 400)))).toEqual([3, 4])
    publishAll(writer, 5)
    stage(writer, 5, 1, 111)
    expect(writer.stagedRange(range)).toEqual({
      firstIndex: 400,
      firstLength: 111,
      secondIndex: 0,
      secondLength: 0,
    })
  })

  it('begins at index 0 when the first staged batch does not fit before the end', () => {
    const { writer, reader } = open()
    append(writer, 2, (writer.capacityBytes >> 1) - 50)
    const range = { firstIndex: 0, firstLength: 0, secondIndex: 0, secondLength: 0 }
    expect(stage(writer, 2, 1, 1_000)).toBe(0)
    expect(writer.stagedRange(range)).toMatchObject({ firstIndex: 0, firstLength: 1_000 })
    publishAll(writer, 3)
    expect(bases(readFrom(reader, 1))).toEqual([1, 2])
  })

  it('follows a consumer at the end over the padding of a lap, committed late', () => {
    const { writer, reader } = open()
    append(writer, 2, (writer.capacityBytes >> 1) - 50)
    const end = new RingLogSnapshot()
    reader.snapshot(end)
    stage(writer, 2, 1, 1_000)
    publishAll(writer, 3, 2)
    const out = span()
    expect(reader.readable(end.committedPosition, 1e6, out)).toBe(true)
    expect(out.length).toBe(0)
    writer.publishWatermarks({ highWatermark: 3, lastStableOffset: 3, logStartOffset: 0 })
    expect(reader.readable(end.committedPosition, 1e6, out)).toBe(true)
    expect(out.length).toBe(1_000)
    const copy = new Uint8Array(1_000)
    expect(reader.copy(out.position, 1_000, copy, 0)).toBe(true)
    expect(bases(readBatches(copy))).toEqual([2])
  })

  it('refuses a batch over half of it, and goes on beyond it by skipTo', () => {
    const { writer, reader } = open()
    append(writer, 3, 500)
    expect(writer.reserve((writer.capacityBytes >> 1) + 1)).toBe(RingLogWriter.TOO_LARGE)
    expect(bases(readFrom(reader, 0))).toEqual([0, 1, 2])
    writer.skipTo(10)
    expect(reader.find(0)).toBe(RingLogReader.NOT_FOUND)
    append(writer, 2, 500)
    expect(bases(readFrom(reader, 10))).toEqual([10, 11])
    expect(readFrom(reader, 9)).toBeNull()
  })

  it('asks for a publication when what is staged would fill it', () => {
    const { writer, reader } = open()
    const third = Math.floor(writer.capacityBytes / 3)
    for (let i = 0; i < 3; i++) expect(stage(writer, i, 1, third)).toBeGreaterThanOrEqual(0)
    expect(writer.reserve(third)).toBe(RingLogWriter.STAGED_FULL)
    publishAll(writer, 3)
    expect(stage(writer, 3, 1, third)).toBe(0)
    publishAll(writer, 4)
    expect(bases(readFrom(reader, 1))).toEqual([1, 2, 3])
  })

  it('notices that bytes were overwritten before or after they were copied', () => {
    const { writer, reader } = open()
    append(writer, 3, 1_000)
    const out = span()
    const position = reader.find(0)
    expect(reader.readable(position, 1_000, out)).toBe(true)
    const target = new Uint8Array(1_000)
    let lapped = false
    const spy = {
      set: (bytes: Uint8Array) => {
        target.set(bytes)
        if (!lapped) append(writer, 15, 1_000)
        lapped = true
      },
    } as unknown as Uint8Array
    // so few that they are copied by `set`
    expect(reader.copy(position, 100, spy, 0)).toBe(false)
    expect(lapped).toBe(true)
    expect(reader.copy(position, 1_000, target, 0)).toBe(false)
    expect(reader.readable(position, 1_000, out)).toBe(false)
  })

  it('moves the head before a byte of what it passes is touched', () => {
    const { region, writer } = open()
    append(writer, 14, 1_000)
    const head = () => Atomics.load(new Int32Array(region.sab), 16)
    const was = head()
    const oldest = writer.bytes.slice(0, 1_000)
    while (head() === was) {
      expect(writer.bytes.subarray(0, 1_000)).toEqual(oldest)
      expect(writer.reserve(1_000)).toBeGreaterThanOrEqual(0)
    }
    expect(writer.bytes.subarray(0, 1_000)).toEqual(oldest)
  })

  it('retires rather than overwrite what a front has pinned', () => {
    const { writer, reader, other } = open()
    append(writer, 5, 1_000)
    const out = span()
    reader.readable(reader.find(1), 2_000, out)
    expect(reader.pin(out.position)).toBe(true)
    const bytes = reader.view(out.position, out.length)
    while (stage(writer, writer.logEndOffset, 1, 1_000) >= 0) {
      publishAll(writer, writer.logEndOffset + 1)
    }
    expect(writer.reserve(1_000)).toBe(RingLogWriter.PINNED)
    expect(writer.oldestOffset).toBe(2)
    expect(other.pin(out.position)).toBe(false)
    expect(writer.canFree()).toBe(false)
    writer.retire()
    expect(writer.canFree()).toBe(false)
    expect(bases(readBatches(bytes))).toEqual([1, 2])
    expect(reader.find(6)).toBe(RingLogReader.NOT_FOUND)
    expect(reader.snapshot(new RingLogSnapshot())).toBe(false)
    expect(other.pin(out.position + 2_000)).toBe(false)
    reader.unpin()
    expect(writer.canFree()).toBe(true)
    expect(() => writer.reserve(100)).toThrow(InvariantError)
  })

  it('passes a pin that moved up, and one whose front has exited', () => {
    const { writer, reader, other } = open()
    append(writer, 14, 1_000)
    expect(reader.pin(reader.find(0))).toBe(true)
    expect(other.pin(other.find(0))).toBe(true)
    expect(writer.reserve(5_000)).toBe(RingLogWriter.PINNED)
    reader.pinTo(reader.find(13))
    expect(() => reader.pinTo(reader.find(12))).toThrow(InvariantError)
    expect(writer.reserve(5_000)).toBe(RingLogWriter.PINNED)
    writer.releaseFront(1)
    expect(writer.reserve(5_000)).toBe(0)
  })

  it('stops at a pin in the middle of a batch that is evicted already', () => {
    const { writer, reader } = open(16_384)
    append(writer, 14, 1_000)
    const rest = writer.capacityBytes - 14_000
    expect(reader.pin(reader.find(0))).toBe(true)
    reader.pinTo(500)
    append(writer, 1, rest)
    append(writer, 1, 400)
    expect(writer.oldestOffset).toBe(1)
    expect(writer.reserve(200)).toBe(RingLogWriter.PINNED)
    expect(stage(writer, 16, 1, 100)).toBe(400)
  })

  it('keeps the last byte before an odd pin too', () => {
    const { writer, reader } = open(16_384)
    append(writer, 14, 1_000)
    append(writer, 1, writer.capacityBytes - 14_000)
    expect(reader.pin(reader.find(0))).toBe(true)
    reader.pinTo(501)
    expect(writer.reserve(502)).toBe(RingLogWriter.PINNED)
    reader.pinTo(503)
    expect(writer.reserve(502)).toBe(0)
  })

  it('tells a reader of an earlier generation that its block is another ring now', () => {
    const { region, writer, reader } = open()
    append(writer, 3, 500)
    const position = reader.find(1)
    writer.retire()
    const next = new RingLogWriter(region, { ...START, generation: 2, partition: 8 })
    append(next, 3, 500)
    const current = new RingLogReader(region, 2, 0)
    expect(current.pin(current.find(1))).toBe(true)
    expect(reader.isRetired).toBe(true)
    expect(reader.find(1)).toBe(RingLogReader.NOT_FOUND)
    expect(reader.copy(position, 500, new Uint8Array(500), 0)).toBe(false)
    expect(reader.pin(position)).toBe(false)
    reader.unpin()
    next.retire()
    expect(next.canFree()).toBe(false)
    current.unpin()
    expect(next.canFree()).toBe(true)
  })

  it('throws where batches do not fill what was reserved, and refuses newer layouts', () => {
    const { region, writer } = open()
    stage(writer, 0, 1, 300)
    writer.view.setInt32(8, 400)
    expect(() => publishAll(writer, 1)).toThrow(/overruns/)
    new Int32Array(region.sab)[0] = 9
    expect(() => new RingLogReader(region, 1, 0)).toThrow(/layout version 9/)
  })
})
