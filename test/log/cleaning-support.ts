/** What tests of cleaning share: keyed records, running a cleaning to its end, what a reader sees. */
import { expect } from 'vitest'
import { KeyOffsets, type KeyOffsetsLimits } from '../../src/log/key-offsets.ts'
import {
  type CleaningLimits,
  type CleaningOutcome,
  LogCleaning,
} from '../../src/log/log-cleaning.ts'
import type { LogConfig } from '../../src/log/log-config.ts'
import { LocateSource } from '../../src/log/outcomes.ts'
import type { PartitionLog } from '../../src/log/partition-log.ts'
import type { SimulatedFlusher } from '../../src/log/simulated-flusher.ts'
import {
  baseOffsetOf,
  type Codec,
  codecOf,
  isControl,
  lastOffsetOf,
  leaderEpochOf,
  sizeInBytesOf,
} from '../../src/record/batch.ts'
import { type BatchOptions, buildBatch } from '../../src/record/builder.ts'
import { decompressedBody } from '../../src/record/inspect.ts'
import { readRecords } from '../../src/record/records.ts'
import { append, newLocate, simulated } from './support.ts'

/** A record: its key and value, null for none. */
export type Keyed = readonly [key: string | null, value: string | null]

const encoder = new TextEncoder()
const decoder = new TextDecoder()
const encoded = (text: string | null): Uint8Array | null =>
  text === null ? null : encoder.encode(text)

export const keyed = (
  records: readonly Keyed[],
  options: BatchOptions & { timestampMs?: number; stepMs?: number } = {},
): Uint8Array =>
  buildBatch(
    records.map(([key, value], index) => ({
      timestampMs: (options.timestampMs ?? 1_700_000_000_000) + index * (options.stepMs ?? 0),
      key: encoded(key),
      value: encoded(value),
    })),
    options,
  )

export const newKeys = (limits: Partial<KeyOffsetsLimits> = {}): KeyOffsets =>
  new KeyOffsets({ keysMax: 1 << 20, keyBytesMax: 64 << 20, ...limits }, 0x1234567)

/** Cleans until it ends, flushes included; at most `stepsMax` steps. */
export function clean(
  log: PartitionLog,
  flusher: SimulatedFlusher,
  options: { keys?: KeyOffsets; limits?: Partial<CleaningLimits>; stepsMax?: number } = {},
): CleaningOutcome | null {
  const cleaning = new LogCleaning(log, options.keys ?? newKeys(), options.limits)
  for (let steps = options.stepsMax ?? 100_000; steps > 0 && cleaning.outcome === null; steps--) {
    if (cleaning.step() === 0) flusher.doWork()
  }
  return cleaning.outcome
}

export interface SeenRecord {
  readonly offset: number
  readonly timestampMs: number
  readonly key: string | null
  readonly value: string | null
}

export interface SeenBatch {
  readonly base: number
  readonly last: number
  readonly epoch: number
  readonly codec: Codec
  readonly isControl: boolean
  readonly records: readonly SeenRecord[]
}

/** Everything in the log, in order. */
export function seenBatches(log: PartitionLog): SeenBatch[] {
  const seen: SeenBatch[] = []
  log.readBatches(log.logStartOffset, (bytes, at) => {
    seen.push(seenBatch(bytes, at))
    return true
  })
  return seen
}

export function seenBatch(bytes: Uint8Array, at: number): SeenBatch {
  const batch = bytes.slice(at, at + sizeInBytesOf(bytes, at))
  const codec = codecOf(batch, 0) as Codec
  const records = readRecords(batch, 0, decompressedBody(batch, 0, 1 << 24))
  return {
    base: baseOffsetOf(batch, 0),
    last: lastOffsetOf(batch, 0),
    epoch: leaderEpochOf(batch, 0),
    codec,
    isControl: isControl(batch, 0),
    records: records.map(({ offset, timestampMs, key, value }) => ({
      offset,
      timestampMs,
      key: key === null ? null : decoder.decode(key),
      value: value === null ? null : decoder.decode(value),
    })),
  }
}

export const seenRecords = (log: PartitionLog): SeenRecord[] =>
  seenBatches(log).flatMap(({ records }) => records)

/** What a reader from the start ends up with. */
export function reduced(records: Iterable<SeenRecord>): Map<string, string> {
  const map = new Map<string, string>()
  for (const { key, value } of records) {
    if (key === null) continue
    if (value === null) map.delete(key)
    else map.set(key, value)
  }
  return map
}

/** Every offset, gone or not, is answered with the batch that has it or the next one, up to the end. */
export function checkGaps(log: PartitionLog): void {
  const batches = seenBatches(log)
  let before = -1
  for (const { base, last } of batches) {
    if (base <= before) throw new Error(`offset ${base} comes after ${before}`)
    before = last
  }
  const where = newLocate()
  let at = 0
  for (let offset = log.logStartOffset; offset < log.committed.offset; offset++) {
    while (batches[at] !== undefined && batches[at]!.last < offset) at++
    if (batches[at] === undefined) break
    log.locate(offset, 1, where)
    if (where.error !== 0) throw new Error(`offset ${offset} is answered with ${where.error}`)
    if (where.source !== LocateSource.FILE) continue
    const segment = log.segments.find(({ baseOffset }) => baseOffset === where.segmentBaseOffset)!
    const bytes = new Uint8Array(where.byteLength)
    segment.log.get().read(bytes, 0, bytes.length, where.position)
    const found = [baseOffsetOf(bytes, 0), where.batchBaseOffset]
    if (found.some((base) => base !== batches[at]!.base)) {
      throw new Error(`offset ${offset} is found at ${found}, not at ${batches[at]!.base}`)
    }
  }
}

const COMPACT: Partial<LogConfig> = {
  segmentBytes: 700,
  indexIntervalBytes: 100,
  retentionMs: -1,
  cleanupPolicy: { delete: false, compact: true },
  deleteRetentionMs: 1_000,
}

/** A compacted topic's log, and what is done with it. */
export function compacted(config: Partial<LogConfig> = {}) {
  const { disk, flusher, broker } = simulated(false)
  const merged = { ...COMPACT, ...config }
  const options = { origin: 'broker' } as const
  let log = broker.open(merged, options)
  const flush = () => {
    log.requestFlush()
    while (flusher.doWork() > 0);
  }
  return {
    disk,
    flusher,
    broker,
    get log(): PartitionLog {
      return log
    },
    write(records: readonly Keyed[], more: Parameters<typeof keyed>[1] = {}, epoch = 0): number {
      const out = append(log, keyed(records, more), epoch)
      expect([out.error, out.faultMessage]).toEqual([0, null])
      return out.baseOffset
    },
    /** Begins a segment, so that what is there can be cleaned. */
    roll() {
      log.tail.markDirty()
      log.tail.roll(broker.clock.wallMs())
      flush()
    },
    flush,
    reopen(how: 'clean' | 'kill' | number = 'kill') {
      if (how === 'clean') {
        log.flushAll(() => {})
        while (flusher.doWork() > 0);
        log.close()
        broker.environment.recoveryPoints.close()
      }
      if (how === 'kill') disk.kill()
      if (typeof how === 'number') disk.powerCut(how)
      flusher.forget()
      broker.start()
      log = broker.open(merged, options)
      expect(log.failure).toBe(null)
      return log
    },
    clean: (options: Parameters<typeof clean>[2] = {}) => clean(log, flusher, options),
    files: () => disk.list(log.directory),
  }
}

export const keysOf = (log: PartitionLog): string[] =>
  seenRecords(log).map(({ key, value }) => `${key}=${value}`)
