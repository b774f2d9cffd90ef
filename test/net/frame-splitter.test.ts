import { describe, expect, test } from 'vitest'
import { copyBytes } from '../../src/base/copy.ts'
import { SeededRandom } from '../../src/base/random.ts'
import { FrameBuffers } from '../../src/net/frame-buffers.ts'
import { FrameSplitter } from '../../src/net/frame-splitter.ts'

const framed = (body: Uint8Array): Buffer => {
  const frame = Buffer.alloc(4 + body.length)
  frame.writeInt32BE(body.length)
  frame.set(body, 4)
  return frame
}

const drain = (splitter: FrameSplitter): Uint8Array[] => {
  const frames: Uint8Array[] = []
  for (let frame = splitter.next(); frame !== null; frame = splitter.next()) frames.push(frame)
  return frames
}

describe('a frame splitter', () => {
  test('gives frames that stay, and keeps what was not taken, when the memory that was fed is used again', () => {
    const splitter = new FrameSplitter(100_000, new FrameBuffers(2 ** 20))
    const bodies = [3, 5_000, 0, 40, 6_000].map((size, i) => Buffer.alloc(size, 65 + i))
    const stream = Buffer.concat(bodies.map(framed))
    const memory = new Uint8Array(4_000)
    const frames: Uint8Array[] = []
    for (let at = 0; at < stream.length; at += memory.length) {
      const part = stream.subarray(at, at + memory.length)
      memory.set(part)
      splitter.feed(memory.subarray(0, part.length))
      // one frame of each chunk at most, so that the rest, and whole chunks behind it, have to wait
      if (at % 8_000 === 0) frames.push(...[splitter.next()].filter((frame) => frame !== null))
      splitter.keepRest()
      memory.fill(0)
    }
    frames.push(...drain(splitter))
    expect(frames.map((frame) => Buffer.from(frame))).toEqual(bodies)
  })

  test('gives the same frames however the stream is cut', () => {
    const random = new SeededRandom(11)
    const bodies = Array.from({ length: 60 }, (_, i) => {
      const size = i % 7 === 0 ? random.below(300_000) : random.below(50)
      return Buffer.alloc(size, i)
    })
    const stream = Buffer.concat(bodies.map(framed))
    for (const chunkMax of [1, 3, 5, 1000, 70_000, stream.length]) {
      const splitter = new FrameSplitter(1_000_000, new FrameBuffers(2 ** 20))
      const frames: Uint8Array[] = []
      for (let at = 0; at < stream.length; ) {
        // One byte at a time through the large frames would only be slow.
        const size = chunkMax <= 5 && at % 1000 > 20 ? 997 : 1 + random.below(chunkMax)
        splitter.feed(stream.subarray(at, at + size))
        frames.push(...drain(splitter))
        at += size
      }
      expect(frames.map((frame) => frame.length)).toEqual(bodies.map((body) => body.length))
      frames.forEach((frame, i) => {
        expect(Buffer.compare(frame, bodies[i]!)).toBe(0)
      })
    }
  })

  test('says where the rest of a large frame belongs, and takes it from there without a copy', () => {
    const buffers = new FrameBuffers(0, {
      takes: (apiKey) => apiKey === 0,
      allocate: (bytes) => new Uint8Array(new SharedArrayBuffer(bytes)),
      free: () => true,
    })
    for (const bytes of [20_000, 100_000, 1_500_000]) {
      const splitter = new FrameSplitter(10_000_000, buffers)
      const body = Buffer.from(Array.from({ length: bytes }, (_, i) => (i < 2 ? 0 : i * 7)))
      const stream = Buffer.concat([
        framed(Buffer.from('small')),
        framed(body),
        framed(Buffer.from('next')),
      ])
      let at = 0
      let inPlace = 0
      const got: Uint8Array[] = []
      const elsewhere = new Uint8Array(3_000)
      while (at < stream.length) {
        const { rest } = splitter
        const target = rest ?? elsewhere
        // as a socket does: what has come by now, as far as there is room
        const part = stream.subarray(at, at + Math.min(target.length, 70_000))
        copyBytes(target, 0, part)
        splitter.feed(target.subarray(0, part.length))
        got.push(...drain(splitter))
        splitter.keepRest()
        elsewhere.fill(0)
        if (rest !== null) inPlace += part.length
        at += part.length
      }
      const wanted = [Buffer.from('small'), body, Buffer.from('next')]
      expect(got.map((frame, i) => wanted[i]!.equals(frame))).toEqual([true, true, true])
      expect(got[1]!.buffer).toBeInstanceOf(SharedArrayBuffer)
      if (process.platform !== 'win32') expect(inPlace).toBeGreaterThan(bytes - 40_000 - 3_000)
    }
  })

  test('leaves what is not asked for in place', () => {
    const splitter = new FrameSplitter(1000, new FrameBuffers(2 ** 20))
    splitter.feed(framed(Buffer.from('a')))
    splitter.feed(framed(Buffer.from('b')))
    expect(splitter.next()).not.toBeNull()
    expect(splitter.hasMore).toBe(true)
    expect(Buffer.from(splitter.next()!).toString()).toBe('b')
    expect(splitter.next()).toBeNull()
  })

  test('allocates a megabyte ahead of what has arrived at most, whatever is claimed', () => {
    const splitter = new FrameSplitter(104_857_600, new FrameBuffers(2 ** 20))
    const claim = Buffer.alloc(104)
    claim.writeInt32BE(104_857_600)
    const before = process.memoryUsage().arrayBuffers
    const all = Array.from({ length: 50 }, () => {
      const one = new FrameSplitter(104_857_600, new FrameBuffers(2 ** 20))
      one.feed(claim)
      expect(one.next()).toBeNull()
      return one
    })
    // 1 MB each, not 100 MB each.
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(50 * 10 * 2 ** 20)
    expect(all[0]!.partialBytes).toBe(100)
    expect(splitter.partialBytes).toBe(0)
  })

  test('says what else a size looks like', () => {
    const faultOf = (bytes: Buffer) => {
      const splitter = new FrameSplitter(1000, new FrameBuffers(0))
      splitter.feed(bytes)
      splitter.next()
      return splitter.fault
    }
    expect(faultOf(Buffer.from([0x16, 3, 1, 2, 0, 1]))).toContain('looks like TLS')
    expect(faultOf(Buffer.from('GET / HTTP/1.1\r\n\r\n'))).toContain('looks like HTTP')
    expect(faultOf(Buffer.from('PRI * HTTP/2.0\r\n\r\n'))).toContain('looks like HTTP')
    expect(faultOf(Buffer.from('SSH-2.0-x'))).toContain('looks like SSH')
    expect(faultOf(Buffer.from([0x7f, 0, 0, 0]))).toBe(
      'frame size 2130706432 exceeds 1000 (socket.request.max.bytes)',
    )
  })

  test('refuses negative sizes and those over the limit, and gives nothing more', () => {
    for (const [size, words] of [
      [-1, 'negative'],
      [1001, 'socket.request.max.bytes'],
    ] as const) {
      const splitter = new FrameSplitter(1000, new FrameBuffers(2 ** 20))
      const bad = Buffer.alloc(4)
      bad.writeInt32BE(size)
      splitter.feed(Buffer.concat([framed(Buffer.from('good')), bad, framed(Buffer.from('lost'))]))
      expect(drain(splitter)).toHaveLength(1)
      expect(splitter.fault).toContain(words)
      splitter.feed(framed(Buffer.from('lost')))
      expect(splitter.next()).toBeNull()
    }
  })
})
