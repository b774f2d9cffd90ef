/** Random lives of a compacted log beside the list of all that was ever appended to it. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LogCleaning } from '../../src/log/log-cleaning.ts'
import type { LogConfig } from '../../src/log/log-config.ts'
import { TimestampSource } from '../../src/log/outcomes.ts'
import { Codec } from '../../src/record/batch.ts'
import {
  checkGaps,
  type Keyed,
  keyed,
  newKeys,
  reduced,
  type SeenRecord,
  seenBatches,
  seenRecords,
} from './cleaning-support.ts'
import { append, checkIndexes, newOffsets, simulated } from './support.ts'

type Step =
  | {
      readonly kind: 'write'
      readonly records: readonly (readonly [number, number])[]
      readonly codec: Codec
      readonly producer: number
      readonly lateMs: number
    }
  | { readonly kind: 'flush' }
  | { readonly kind: 'clean'; readonly steps: number; readonly keysMax: number }
  | { readonly kind: 'reopen'; readonly how: 'clean' | 'kill' | 'cut'; readonly seed: number }
  | { readonly kind: 'pass'; readonly ms: number }
  | { readonly kind: 'retention'; readonly bytes: number }
  | { readonly kind: 'delete'; readonly share: number }

const scripts = fc.array(
  fc.oneof(
    {
      weight: 10,
      arbitrary: fc.record({
        kind: fc.constant('write' as const),
        // key and length of the value; below 0: none
        records: fc.array(
          fc.tuple(fc.integer({ min: -1, max: 7 }), fc.integer({ min: -2, max: 60 })),
          {
            minLength: 1,
            maxLength: 5,
          },
        ),
        codec: fc.constantFrom(Codec.none, Codec.none, Codec.none, Codec.lz4, Codec.gzip),
        producer: fc.integer({ min: 0, max: 3 }),
        lateMs: fc.integer({ min: 0, max: 2_000 }),
      }),
    },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('flush' as const) }) },
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant('clean' as const),
        steps: fc.constantFrom(1, 3, 7, 12, 30, 10_000, 10_000, 10_000, 10_000),
        keysMax: fc.constantFrom(2, 5, 1_000, 1_000),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant('reopen' as const),
        how: fc.constantFrom('clean' as const, 'kill' as const, 'cut' as const),
        seed: fc.integer({ min: 1, max: 1_000_000 }),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant('pass' as const),
        ms: fc.integer({ min: 1, max: 3_000 }),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant('retention' as const),
        bytes: fc.integer({ min: 500, max: 4_000 }),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant('delete' as const),
        share: fc.double({ min: 0, max: 0.6, noNaN: true }),
      }),
    },
  ) as fc.Arbitrary<Step>,
  { minLength: 10, maxLength: 70 },
)

const CONFIG: Partial<LogConfig> = {
  segmentBytes: 600,
  indexIntervalBytes: 100,
  retentionMs: -1,
  cleanupPolicy: { delete: false, compact: true },
  deleteRetentionMs: 2_500,
  flushMessages: 1,
}

class Pair {
  readonly world = simulated(false)
  readonly keys = newKeys()
  log = this.#open()
  readonly appended: SeenRecord[] = []
  /** Below, everything was acknowledged. */
  acknowledged = 0
  epoch = 0
  sequences = new Map<number, number>()
  cleaned = 0
  /** Some values were left for a cleaning that sees more keys at a time. */
  hasSmallMaps = false

  #open() {
    return this.world.broker.open(CONFIG, { origin: 'broker' })
  }

  run(step: Step): void {
    const { broker, flusher } = this.world
    switch (step.kind) {
      case 'write':
        this.#write(step)
        break
      case 'flush':
        while (flusher.doWork() > 0);
        break
      case 'clean':
        this.#clean(step.steps, step.keysMax)
        break
      case 'reopen':
        this.#reopen(step.how, step.seed)
        break
      case 'pass':
        broker.clock.advance(step.ms)
        this.log.onTimer(broker.clock.monotonicMs())
        break
      case 'retention': {
        const cleanupPolicy = { delete: true, compact: true }
        const { config } = this.log
        this.log.updateConfig({ ...config, cleanupPolicy, retentionBytes: step.bytes })
        this.log.applyRetention()
        this.log.updateConfig(config)
        break
      }
      case 'delete': {
        const { logStartOffset, highWatermark, config } = this.log
        const offset = logStartOffset + Math.floor((highWatermark - logStartOffset) * step.share)
        const cleanupPolicy = { delete: true, compact: true }
        this.log.updateConfig({ ...config, cleanupPolicy })
        this.log.deleteRecords(offset, (error) => expect([0, 56]).toContain(error))
        this.log.updateConfig(config)
        break
      }
      default:
        step satisfies never
    }
    this.acknowledged = Math.max(this.acknowledged, this.log.acknowledgedOffset)
    this.check()
  }

  #write(step: Step & { kind: 'write' }): void {
    const { clock } = this.world.broker
    const timestampMs = clock.wallMs() - step.lateMs
    const at = this.log.logEndOffset
    const records = step.records.map(
      ([key, length], index): Keyed => [
        key < 0 ? null : `key ${key}`,
        length < 0 ? null : `${at + index}`.padEnd(length, '.'),
      ],
    )
    const baseSequence = this.sequences.get(step.producer) ?? 0
    const producer =
      step.producer === 0 ? {} : { producerId: step.producer, producerEpoch: 0, baseSequence }
    if (step.lateMs < 200) this.epoch++
    const batch = keyed(records, { timestampMs, stepMs: 3, codec: step.codec, ...producer })
    const out = append(this.log, batch, this.epoch)
    expect([out.error, out.baseOffset, out.faultMessage]).toEqual([0, at, null])
    this.sequences.set(step.producer, baseSequence + records.length)
    records.forEach(([key, value], index) => {
      this.appended.push({ offset: at + index, timestampMs: timestampMs + index * 3, key, value })
    })
  }

  #clean(steps: number, keysMax: number): void {
    const { flusher } = this.world
    if (steps >= 30) while (flusher.doWork() > 0);
    const keys = keysMax === 1_000 ? this.keys : newKeys({ keysMax })
    const limits = { bytesPerStep: 150, recordsPerStep: 4, segmentsMax: 3 }
    const cleaning = new LogCleaning(this.log, keys, limits)
    for (let left = steps; left > 0 && cleaning.outcome === null; left--) {
      if (cleaning.step() === 0) flusher.doWork()
      if (left % 4 === 0) this.check()
    }
    const { outcome } = cleaning
    cleaning.cancel()
    expect(this.log.cleaning).toBe(null)
    if (outcome?.kind !== 'cleaned') {
      expect(outcome?.kind ?? 'cancelled').toBe('cancelled')
      return
    }
    this.cleaned++
    this.hasSmallMaps ||= keysMax < 1_000
    if (this.hasSmallMaps) return
    // one value per key, and nothing without a key
    const keysSeen = new Set<string>()
    for (const { key, offset } of seenRecords(this.log)) {
      if (offset >= outcome.endOffset) continue
      expect(key).not.toBe(null)
      expect(keysSeen).not.toContain(key)
      keysSeen.add(key!)
    }
  }

  #reopen(how: 'clean' | 'kill' | 'cut', seed: number): void {
    const { broker, disk, flusher } = this.world
    if (how === 'clean') {
      while (flusher.doWork() > 0);
      this.log.flushAll(() => {})
      while (flusher.doWork() > 0);
      this.log.close()
    } else {
      if (how === 'kill') disk.kill()
      else disk.powerCut(seed)
      flusher.forget()
      broker.start()
    }
    this.log = this.#open()
    expect(this.log.failure).toBe(null)
    expect(this.log.logEndOffset).toBeGreaterThanOrEqual(this.acknowledged)
    // what was lost was never acknowledged
    while ((this.appended.at(-1)?.offset ?? -1) >= this.log.logEndOffset) this.appended.pop()
    this.sequences = new Map()
    for (let id = 1; id <= 3; id++) {
      this.log.producers.ensureLoaded()
      const sequence = this.log.producers.table.entries().findLast((one) => one.producerId === id)
      if (sequence !== undefined) this.sequences.set(id, sequence.lastSequence + 1)
    }
  }

  check(): void {
    const { log, appended } = this
    expect(log.failure).toBe(null)
    const start = log.logStartOffset
    const seen = seenRecords(log).filter(({ offset }) => offset >= start)
    const byOffset = new Map(appended.map((record) => [record.offset, record]))
    expect(seen).toEqual(seen.map(({ offset }) => byOffset.get(offset)))
    // offsets rise: checkGaps; what is left says what all of it said, from the log's start on
    const all = appended.filter(({ offset }) => offset >= start)
    expect(reduced(seen)).toEqual(reduced(all))
  }

  checkReads(): void {
    const { log } = this
    checkIndexes(log)
    checkGaps(log)
    const found = newOffsets()
    const batches = seenBatches(log).filter(
      ({ base, last }) => base < log.committed.offset && last >= log.logStartOffset,
    )
    const times = [...new Set(batches.flatMap((one) => one.records.map((r) => r.timestampMs)))]
    for (const timestampMs of times) {
      const first = batches.find((one) => one.records.some((r) => r.timestampMs >= timestampMs))!
      log.offsetForTimestamp(timestampMs, found)
      expect([found.source, found.offset]).toEqual([TimestampSource.BATCH, first.base])
    }
  }
}

const TIMEOUT_MS = process.env.GRIOT_TEST_LONG ? 600_000 : 40_000

describe('a log that is cleaned, beside all that was appended to it', () => {
  it(
    'reduces to the same, at the same offsets, whatever interrupts it',
    () => {
      let cleaned = 0
      fc.assert(
        fc.property(scripts, (script) => {
          const pair = new Pair()
          for (const step of script) pair.run(step)
          pair.checkReads()
          cleaned += pair.cleaned
        }),
        { seed: 5, numRuns: process.env.GRIOT_TEST_LONG ? 3_000 : 100 },
      )
      expect(cleaned).toBeGreaterThan(40)
    },
    TIMEOUT_MS,
  )
})
