import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LATEST_TIMESTAMP, LocateSource, TimestampSource } from '../../src/log/outcomes.ts'
import { baseOffsetOf, lastOffsetOf } from '../../src/record/batch.ts'
import { readRecords } from '../../src/record/records.ts'
import {
  append,
  batchOf,
  checkIndexes,
  newLocate,
  newOffsets,
  simulated,
  storedBatches,
} from './support.ts'

type Step =
  | {
      readonly kind: 'produce'
      readonly count: number
      readonly bytes: number
      readonly lateMs: number
    }
  | { readonly kind: 'flush' }
  | { readonly kind: 'retention'; readonly bytes: number }
  | { readonly kind: 'reopen'; readonly how: 'clean' | 'kill' }
  | { readonly kind: 'truncate'; readonly back: number }
  | { readonly kind: 'delete'; readonly back: number }
  | { readonly kind: 'pass'; readonly ms: number }

const steps = fc.array(
  fc.oneof(
    {
      weight: 8,
      arbitrary: fc.record({
        kind: fc.constant('produce' as const),
        count: fc.integer({ min: 1, max: 5 }),
        bytes: fc.integer({ min: 1, max: 250 }),
        lateMs: fc.integer({ min: 0, max: 5000 }),
      }),
    },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('flush' as const) }) },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant('retention' as const),
        bytes: fc.integer({ min: 0, max: 4000 }),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant('reopen' as const),
        how: fc.constantFrom('clean' as const, 'kill' as const),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant('truncate' as const),
        back: fc.integer({ min: 1, max: 12 }),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant('delete' as const),
        back: fc.integer({ min: 0, max: 20 }),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant('pass' as const),
        ms: fc.integer({ min: 1, max: 4000 }),
      }),
    },
  ) as fc.Arbitrary<Step>,
  { minLength: 5, maxLength: 60 },
)

interface ModelBatch {
  readonly base: number
  readonly last: number
  readonly timestampMs: number
}

const CONFIG = { segmentBytes: 1_500, indexIntervalBytes: 120, segmentMs: 6_000, retentionMs: -1 }

/** A log, and beside it an array of what it should hold. */
class Pair {
  readonly world = simulated()
  log = this.world.broker.open(CONFIG)
  batches: ModelBatch[] = []
  end = 0
  epoch = 0

  run(step: Step): void {
    const { broker, disk, flusher } = this.world
    switch (step.kind) {
      case 'produce': {
        const timestampMs = broker.clock.wallMs() - step.lateMs
        const values = Array.from({ length: step.count }, () => 'v'.repeat(step.bytes))
        if (step.lateMs < 300) this.epoch++
        const out = append(this.log, batchOf(values, { timestampMs }), this.epoch)
        expect([out.error, out.baseOffset]).toEqual([0, this.end])
        this.end += step.count
        this.batches.push({ base: out.baseOffset, last: this.end - 1, timestampMs })
        break
      }
      case 'flush':
        this.log.requestFlush()
        flusher.doWork()
        break
      case 'retention':
        this.log.updateConfig({ ...this.log.config, retentionBytes: step.bytes })
        this.log.applyRetention()
        this.log.updateConfig({ ...this.log.config, retentionBytes: -1 })
        this.batches = this.batches.filter(({ last }) => last >= this.log.logStartOffset)
        break
      case 'truncate': {
        const start = this.log.logStartOffset
        const offset = Math.max(start, this.end - step.back)
        // what was deleted is committed, and nothing committed is cut off
        if (this.batches.some(({ base, last }) => base < start && last >= offset)) break
        this.log.truncateTo(offset)
        this.batches = this.batches.filter(({ last }) => last < offset)
        this.end = this.batches.length > 0 ? this.batches.at(-1)!.last + 1 : this.log.logStartOffset
        break
      }
      case 'delete': {
        const target = this.end - step.back
        const start = Math.max(this.log.logStartOffset, target)
        this.log.deleteRecords(Math.max(0, target), (error, low) =>
          expect([error, low]).toEqual([0, start]),
        )
        while (flusher.doWork() > 0);
        expect(this.log.logStartOffset).toBe(start)
        this.batches = this.batches.filter(({ last }) => last >= start)
        break
      }
      case 'reopen':
        if (step.how === 'clean') {
          while (flusher.doWork() > 0);
          this.log.flushAll(() => {})
          while (flusher.doWork() > 0);
          expect(this.log.close().dirty).toBe(false)
        } else {
          disk.kill()
          flusher.forget()
          broker.start()
        }
        this.log = broker.open(CONFIG)
        break
      case 'pass':
        broker.clock.advance(step.ms)
        this.log.onTimer(broker.clock.monotonicMs())
        break
      default:
        step satisfies never
    }
    this.check()
    checkIndexes(this.log)
  }

  check(): void {
    const { log } = this
    expect(log.failure).toBe(null)
    expect(log.logEndOffset).toBe(this.end)
    expect(storedBatches(log).map(({ base, last }) => [base, last])).toEqual(
      this.batches.map(({ base, last }) => [base, last]),
    )
    expect(log.segments.every((one) => one.size <= CONFIG.segmentBytes)).toBe(true)
  }

  /** Every offset is located in its batch, every time in the first batch that reaches it. */
  checkReads(): void {
    const { log } = this
    checkIndexes(log)
    const where = newLocate()
    const found = newOffsets()
    for (const { base, last, timestampMs } of this.batches) {
      for (const offset of [Math.max(base, log.logStartOffset), last]) {
        log.locate(offset, 300, where)
        expect(where.error).toBe(0)
        if (where.source === LocateSource.FILE) this.checkFile(where, base)
      }
      const first = this.batches.find((batch) => batch.timestampMs >= timestampMs)!
      log.offsetForTimestamp(timestampMs, found)
      expect(found.source).toBe(TimestampSource.BATCH)
      const bytes = this.read(found.segmentBaseOffset, found.position, found.byteLength)
      expect([baseOffsetOf(bytes, 0), lastOffsetOf(bytes, 0)]).toEqual([first.base, first.last])
    }
    log.offsetForTimestamp(LATEST_TIMESTAMP, found)
    expect(found.offset).toBe(this.end)
    const newest = Math.max(0, ...this.batches.map((batch) => batch.timestampMs))
    log.offsetForTimestamp(newest + 1, found)
    expect([found.source, found.offset]).toEqual([TimestampSource.ANSWERED, -1])
  }

  checkFile(where: ReturnType<typeof newLocate>, base: number): void {
    const bytes = this.read(where.segmentBaseOffset, where.position, where.byteLength)
    expect(baseOffsetOf(bytes, 0)).toBe(base)
    // Whole batches, that parse.
    let at = 0
    while (at < bytes.length) {
      const size = 12 + new DataView(bytes.buffer).getInt32(at + 8)
      expect([...readRecords(bytes.slice(at, at + size), 0)].length).toBeGreaterThan(0)
      at += size
    }
    expect(at).toBe(bytes.length)
  }

  read(segmentBase: number, position: number, length: number): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(length)
    const segment = this.log.segments.find(({ baseOffset }) => baseOffset === segmentBase)!
    expect(segment.log.get().read(bytes, 0, length, position)).toBe(length)
    return bytes
  }
}

const TIMEOUT_MS = process.env.GRIOT_TEST_LONG ? 600_000 : 20_000

describe('a log beside an array of what it should hold', () => {
  it(
    'says the same after any produce, roll, retention, truncation, clean stop or death',
    () => {
      fc.assert(
        fc.property(steps, (script) => {
          const pair = new Pair()
          for (const step of script) pair.run(step)
          pair.checkReads()
        }),
        { seed: 3, numRuns: process.env.GRIOT_TEST_LONG ? 3_000 : 100 },
      )
    },
    TIMEOUT_MS,
  )
})
