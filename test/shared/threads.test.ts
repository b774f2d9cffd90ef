import { existsSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import { describe, expect, it } from 'vitest'
import { SeededRandom } from '../../src/base/random.ts'
import {
  DOORBELL_BYTES,
  DoorbellRinger,
  DoorbellWaiter,
  formatDoorbell,
} from '../../src/shared/doorbell.ts'
import { newRegion, type Region } from '../../src/shared/region.ts'
import { formatRing, ringBytes } from '../../src/shared/ring-layout.ts'
import {
  RingLogReader,
  RingLogSnapshot,
  type RingLogSpan,
} from '../../src/shared/ring-log-reader.ts'
import { RingPins } from '../../src/shared/ring-pins.ts'
import { RingReader } from '../../src/shared/ring-reader.ts'
import { RingWriter } from '../../src/shared/ring-writer.ts'

/** Real threads, for as long as fits: interleavings that no single thread can act out. */
const STRESS_MS = process.env.GRIOT_TEST_LONG ? 30_000 : 2_500
const TIMEOUT_MS = STRESS_MS + 15_000
const LIB = new URL('../../dist/lib/shared/', import.meta.url)

interface Peer {
  /** Tells the other thread to stop (`wake` ends its sleep) and returns its result. */
  stop(wake?: () => void): Promise<Record<string, number | boolean>>
  readonly sab: Promise<SharedArrayBuffer>
}

function startPeer(role: string, regions: Region[], extra: object = {}): Peer {
  if (!existsSync(LIB)) throw new Error('dist/lib is missing: npm run build')
  const control = new Int32Array(new SharedArrayBuffer(8))
  const workerData = { role, regions, control, seed: 5, lib: LIB.href, ...extra }
  const worker = new Worker(new URL('./stress-worker.mjs', import.meta.url), { workerData })
  const sab = withResolvers<SharedArrayBuffer>()
  const result = new Promise<Record<string, number | boolean>>((resolve, reject) => {
    worker.on('error', reject)
    worker.on('message', (m) => (m.sab ? sab.resolve(m.sab) : resolve(m.result)))
  })
  return {
    sab: sab.promise,
    stop: async (wake = () => {}) => {
      Atomics.store(control, 0, 1)
      wake()
      const value = await result
      await worker.terminate()
      return value
    },
  }
}

/** Promise.withResolvers, which Node 20 lacks. */
function withResolvers<T>() {
  let resolve!: (value: T) => void
  const promise = new Promise<T>((r) => {
    resolve = r
  })
  return { promise, resolve }
}

const newRing = (capacity: number, start = 0) => formatRing(newRegion(ringBytes(capacity)), start)
const tick = () => new Promise((resolve) => setImmediate(resolve))

describe('two threads', () => {
  it(
    'a ring delivers every record once, in order and whole',
    async () => {
      const ring = newRing(8_192, 0x7fff_f000 | 0)
      const reader = new RingReader(ring)
      const peer = startPeer('writeRing', [ring])
      let expected = 0
      let wrong = 0
      const handler = {
        onRecord: (type: number, from: RingReader, offset: number, length: number) => {
          if (from.view.getInt32(offset, true) !== expected) wrong++
          if (type !== 1 + (expected % 100)) wrong++
          const fill = expected & 255
          for (let i = offset + 4; i < offset + length; i++) if (from.bytes[i] !== fill) wrong++
          expected++
        },
      }
      const until = performance.now() + STRESS_MS
      while (performance.now() < until) {
        for (let i = 0; i < 2_000; i++) reader.poll(handler, 1 + (i % 50))
        expect(wrong).toBe(0)
        await tick()
      }
      const { written } = await peer.stop()
      while (reader.poll(handler, 100) > 0) {}
      expect(wrong).toBe(0)
      expect(expected).toBe(written)
      expect(expected).toBeGreaterThan(10_000)
    },
    TIMEOUT_MS,
  )

  it(
    'a ring log never shows a torn copy, nor changes what is pinned',
    async () => {
      const coordinates = newRing(65_536)
      const peer = startPeer('writeLog', [coordinates], { ringBytes: 60_000 })
      const reading = new LogReading(new RingReader(coordinates), await peer.sab)
      const until = performance.now() + STRESS_MS
      while (performance.now() < until) {
        for (let i = 0; i < 200; i++) reading.turn()
        await tick()
      }
      reading.releaseAll()
      const result = await peer.stop()
      const { copies, discarded, views, missed } = reading
      expect(copies).toBeGreaterThan(1_000)
      expect(views).toBeGreaterThan(100)
      expect(discarded + missed).toBeGreaterThan(0)
      expect(result.retired).toBeGreaterThan(5)
      expect(result.freed).toBeGreaterThan(0)
      expect(result.written).toBeGreaterThan(10_000)
      if (process.env.GRIOT_TEST_LONG) {
        console.log('ring log stress', { copies, discarded, views, missed, ...result })
      }
    },
    TIMEOUT_MS,
  )

  it(
    'a doorbell loses no wake-up, whichever side sleeps',
    async () => {
      const rings = [newRing(8_192), newRing(8_192)]
      const bells = [newRegion(DOORBELL_BYTES), newRegion(DOORBELL_BYTES)].map(formatDoorbell)
      const peer = startPeer('answer', [...rings, ...bells])
      const writer = new RingWriter(rings[0]!)
      const reader = new RingReader(rings[1]!)
      const ringer = new DoorbellRinger(bells[0]!)
      const waiter = new DoorbellWaiter(bells[1]!)
      const random = new SeededRandom(9)
      const got = new Set<number>()
      const handler = {
        onRecord: (_type: number, from: RingReader, offset: number) => {
          got.add(from.view.getInt32(offset, true))
        },
      }
      let sent = 0
      let slept = 0
      const until = performance.now() + STRESS_MS
      while (performance.now() < until) {
        for (let burst = 1 + random.below(4); burst > 0; burst--) {
          const at = writer.claim(1, 4)
          writer.view.setInt32(at, sent++, true)
          writer.commit()
          ringer.ring()
          for (let i = random.below(300); i > 0; i--) Atomics.load(new Int32Array(1), 0)
        }
        while (got.size < sent) {
          if (reader.poll(handler, 10) > 0) continue
          const sequence = waiter.prepare()
          if (!reader.isEmpty) {
            waiter.cancel()
            continue
          }
          slept++
          await waiter.waitAsync(sequence)
        }
      }
      const result = await peer.stop(() => new DoorbellWaiter(bells[0]!).wake())
      expect(result).toMatchObject({ answered: sent, lost: false })
      expect(slept).toBeGreaterThan(100)
      expect(result.slept).toBeGreaterThan(100)
    },
    TIMEOUT_MS,
  )
})

/** A front that reads one partition's ring logs: copies small pieces, pins and keeps larger ones for a while. */
class LogReading {
  copies = 0
  discarded = 0
  views = 0
  missed = 0
  #log: { reader: RingLogReader; pins: RingPins } | null = null
  readonly #coordinates: RingReader
  readonly #sab: SharedArrayBuffer
  readonly #random = new SeededRandom(77)
  readonly #held: { pins: RingPins; position: number; bytes: Uint8Array; offset: number }[] = []
  readonly #span: RingLogSpan = { position: 0, length: 0 }
  readonly #seen = new RingLogSnapshot()
  readonly #copy = new Uint8Array(65_536)

  constructor(coordinates: RingReader, sab: SharedArrayBuffer) {
    this.#coordinates = coordinates
    this.#sab = sab
  }

  turn(): void {
    this.#coordinates.poll(this, 100)
    if (!this.#log) return
    if (this.#random.chance(0.02)) this.#pin()
    else this.#read()
    if (this.#held.length > 12 || (this.#held.length > 0 && this.#random.chance(0.02))) {
      this.#release(this.#random.below(this.#held.length))
    }
  }

  onRecord(_type: number, from: RingReader, offset: number): void {
    const byteOffset = from.view.getInt32(offset + 4, true)
    const byteLength = from.view.getInt32(offset + 8, true)
    const region = { sab: this.#sab, byteOffset, byteLength }
    const reader = new RingLogReader(region, from.view.getInt32(offset, true), 1)
    this.#log = { reader, pins: new RingPins(reader) }
  }

  releaseAll(): void {
    while (this.#held.length > 0) this.#release(0)
  }

  /** Some readable place, biased to the oldest, where the writer comes next. */
  #locate(maxBytes: number): number | null {
    const { reader } = this.#log!
    if (!reader.snapshot(this.#seen)) return this.#miss()
    const { oldestOffset, highWatermark } = this.#seen
    if (highWatermark <= oldestOffset) return this.#miss()
    const width = this.#random.chance(0.5) ? 20 : highWatermark - oldestOffset
    const offset = Math.min(oldestOffset + this.#random.below(width), highWatermark - 1)
    const position = reader.find(offset)
    if (position >= 2 ** 31) return this.#miss()
    if (!reader.readable(position, maxBytes, this.#span)) return this.#miss()
    return offset
  }

  #miss(): null {
    this.missed++
    return null
  }

  #read(): void {
    const offset = this.#locate(this.#random.below(20_000))
    if (offset === null) return
    const { position, length } = this.#span
    if (!this.#log!.reader.copy(position, length, this.#copy, 0)) {
      this.discarded++
      return
    }
    this.copies++
    checkBatches(this.#copy.subarray(0, length), offset)
  }

  #pin(): void {
    const offset = this.#locate(30_000)
    if (offset === null) return
    const { position, length } = this.#span
    const { reader, pins } = this.#log!
    if (!pins.hold(position)) {
      this.missed++
      return
    }
    const bytes = reader.view(position, length)
    checkBatches(bytes, offset)
    this.#held.push({ pins, position, bytes, offset })
    this.views++
  }

  #release(at: number): void {
    const { pins, position, bytes, offset } = this.#held.splice(at, 1)[0]!
    checkBatches(bytes, offset)
    pins.release(position)
  }
}

/** Throws unless `bytes` are whole batches of consecutive offsets from `offset` on, every byte as it was written. */
function checkBatches(bytes: Uint8Array, offset: number): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let expected = offset
  for (let at = 0; at < bytes.length; ) {
    const length = view.getInt32(at + 8) + 12
    const base = view.getInt32(at) * 2 ** 32 + view.getUint32(at + 4)
    if (base !== expected) throw new Error(`batch ${expected}: found ${base}`)
    if (length < 61 || at + length > bytes.length) throw new Error(`batch ${base}: torn`)
    if (view.getInt32(at + 17) !== (base ^ length)) throw new Error(`batch ${base}: checksum`)
    const fill = (base * 7 + 3) & 255
    for (let i = at + 61; i < at + length; i++) {
      if (bytes[i] !== fill) throw new Error(`batch ${base}: byte ${i - at}`)
    }
    at += length
    expected++
  }
}
