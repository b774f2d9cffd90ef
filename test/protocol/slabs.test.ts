import { expect, test } from 'vitest'
import { FrameSlabs, SLAB_BYTES } from '../../src/protocol/frame-slabs.ts'
import { type EncodedFrame, FrameWriter } from '../../src/protocol/frame-writer.ts'
import { filledFrame } from './filled-frame.ts'

const buffersOf = (frame: EncodedFrame) => new Set(frame.chunks.map(({ buffer }) => buffer))

function expectFilled({ chunks, byteLength }: EncodedFrame, bytes: number, value: number): void {
  const joined = Buffer.concat(chunks)
  expect(joined.length).toBe(byteLength)
  expect(joined.readInt32BE(0)).toBe(bytes)
  expect(joined.subarray(4).equals(Buffer.alloc(bytes, value))).toBe(true)
}

test('frames that are held are never written over, whatever else is released meanwhile', () => {
  const writer = new FrameWriter()
  const held: { frame: EncodedFrame; bytes: number; value: number }[] = []
  let seed = 7
  const next = (max: number) => {
    seed = (seed * 1_103_515_245 + 12_345) & 0x7fff_ffff
    return seed % max
  }
  const sizes = [10, 100, 3000, 15_000, 20_000, 70_000, 300_000, 700_000]
  for (let i = 0; i < 4000; i++) {
    const bytes = 1 + next(sizes[next(sizes.length)]!)
    const value = i % 251
    held.push({ frame: filledFrame(writer, bytes, value), bytes, value })
    if (held.length < 1 + next(40)) continue
    const { frame, ...what } = held.splice(next(held.length), 1)[0]!
    expectFilled(frame, what.bytes, what.value)
    frame.release!()
    // once is all that it counts
    frame.release!()
  }
  for (const { frame, bytes, value } of held) expectFilled(frame, bytes, value)
})

test('a frame that goes on in another slab behind a view holds both', () => {
  const writer = new FrameWriter()
  const held: { frame: EncodedFrame; value: number }[] = []
  const view = Buffer.alloc(2000, 255)
  for (let i = 0; i < 400; i++) {
    const value = i % 251
    writer.begin()
    for (const bytes of [100, 10_000, 30_000, 100, 90_000]) {
      if (writer.pos + bytes > writer.buf.length) writer.growWhole(bytes)
      writer.buf.fill(value, writer.pos, writer.pos + bytes)
      writer.pos += bytes
      writer.splice(view)
    }
    held.push({ frame: writer.finish(), value })
    if (i % 3 > 0) continue
    const old = held.splice((i * 7) % held.length, 1)[0]!
    expect(isWhole(old.frame, old.value)).toBe(true)
    old.frame.release!()
  }
  for (const { frame, value } of held) expect(isWhole(frame, value)).toBe(true)
})

function isWhole({ chunks, byteLength }: EncodedFrame, value: number): boolean {
  const joined = Buffer.concat(chunks)
  const parts = [100, 10_000, 30_000, 100, 90_000]
  const bytes = parts.flatMap((size) => [Buffer.alloc(size, value), Buffer.alloc(2000, 255)])
  const isSized = joined.length === byteLength && joined.readInt32BE(0) === byteLength - 4
  return isSized && joined.subarray(4).equals(Buffer.concat(bytes))
}

test('one request at a time is answered from one slab for ever', () => {
  const writer = new FrameWriter()
  const buffers = new Set<ArrayBufferLike>()
  for (let i = 0; i < 1000; i++) {
    const frame = filledFrame(writer, 9000, i % 251)
    for (const buffer of buffersOf(frame)) buffers.add(buffer)
    frame.release!()
  }
  expect(buffers.size).toBe(1)
})

test('large frames use their slabs again, too, and leave none behind', () => {
  const writer = new FrameWriter()
  const buffers = new Set<ArrayBufferLike>()
  for (let i = 0; i < 100; i++) {
    const frame = filledFrame(writer, 200_000, i % 251)
    for (const buffer of buffersOf(frame)) buffers.add(buffer)
    frame.release!()
  }
  expect(buffers.size).toBeLessThanOrEqual(4)
})

test('a frame that fails half-way holds nothing', () => {
  const writer = new FrameWriter()
  const first = filledFrame(writer, 10, 1)
  const buffers = new Set<ArrayBufferLike>()
  for (let i = 0; i < 100; i++) {
    writer.begin()
    buffers.add(writer.buf.buffer)
    // a view in between, so that the slab has a chunk of the frame, and another slab
    writer.buf[writer.pos++] = 1
    writer.splice(Buffer.alloc(2000))
    writer.growWhole(20_000)
    buffers.add(writer.buf.buffer)
  }
  const second = filledFrame(writer, 10, 2)
  expectFilled(first, 10, 1)
  expectFilled(second, 10, 2)
  expect(buffers.size).toBeLessThanOrEqual(3)
})

test('of what is free only so much is kept', () => {
  const slabs = new FrameSlabs()
  const taken = Array.from({ length: 1000 }, () => slabs.take(SLAB_BYTES))
  for (const slab of taken) slabs.leave(slab)
  expect(slabs.freeBytes).toBe(4 * 2 ** 20)
  slabs.leave(slabs.take(10 * 2 ** 20))
  expect(slabs.freeBytes).toBe(4 * 2 ** 20)
})
