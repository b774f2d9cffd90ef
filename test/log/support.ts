import { expect } from 'vitest'
import { ManualClock } from '../../src/base/clock.ts'
import { asPartitionNumber } from '../../src/base/ids.ts'
import type { Logger, LogLevel } from '../../src/base/log.ts'
import { SeededRandom } from '../../src/base/random.ts'
import type { Disk, FlushPort } from '../../src/log/disk.ts'
import { DiskSpace } from '../../src/log/disk-space.ts'
import type { LogEnvironment } from '../../src/log/environment.ts'
import {
  offsetEntryOffset,
  offsetEntryPosition,
  timeEntryOffset,
  timeEntryTimestamp,
} from '../../src/log/index-file.ts'
import { DEFAULT_LOG_CONFIG, type LogConfig } from '../../src/log/log-config.ts'
import { OpenFiles } from '../../src/log/open-files.ts'
import {
  type AppendOutcome,
  type LocateOutcome,
  newAppendOutcome,
  type OffsetsOutcome,
} from '../../src/log/outcomes.ts'
import { PartitionLog } from '../../src/log/partition-log.ts'
import type { PartitionLogOptions } from '../../src/log/partition-log-options.ts'
import { RecoveryPoints } from '../../src/log/recovery-points.ts'
import { RingLogPool } from '../../src/log/ring-log-pool.ts'
import { SimulatedDisk } from '../../src/log/simulated-disk.ts'
import { SimulatedFlusher } from '../../src/log/simulated-flusher.ts'
import { BatchWalker } from '../../src/log/walk.ts'
import {
  baseOffsetOf,
  lastOffsetOf,
  leaderEpochOf,
  maxTimestampOf,
  producerIdOf,
} from '../../src/record/batch.ts'
import { type BatchOptions, buildBatch } from '../../src/record/builder.ts'
import { Arena } from '../../src/shared/arena.ts'

export const ROOT = '/data/broker-1'
export const DIRECTORY = `${ROOT}/00000000000000aa/${'0'.repeat(30)}bb-0`
export const PARTITION = asPartitionNumber(7)

export interface LogLine {
  readonly level: LogLevel
  readonly message: string
}

/** One broker's share of a machine: a disk, a clock, its logs. Survives deaths of the process and power cuts. */
export class Broker {
  readonly disk: Disk
  readonly clock = new ManualClock(1_700_000_000_000)
  readonly lines: LogLine[] = []
  readonly flush: FlushPort
  readonly root: string
  environment!: LogEnvironment
  arena: Arena | null
  markBytes: number | null = 0
  flushEveryBytes = 64 << 20
  noteEveryBytes = 64 << 20
  reserveBytes = 0

  constructor(disk: Disk, flush: FlushPort, root = ROOT, withRings = true) {
    this.disk = disk
    this.flush = flush
    this.root = root
    this.arena = withRings ? new Arena({ capacityBytes: 64 << 20 }) : null
    disk.mkdirs(root)
  }

  /** A new process: reads the recovery points. */
  start(): void {
    const { disk, clock, root, flush } = this
    const logger: Logger = { log: (level, message) => this.lines.push({ level, message }) }
    const { markBytes, reserveBytes } = this
    const options = { disk, directory: root, clock, logger, markBytes, reserveBytes }
    this.environment = {
      disk,
      files: new OpenFiles(disk, 64),
      rings: this.arena === null ? null : new RingLogPool({ arena: this.arena, fronts: 2 }),
      flush,
      clock,
      random: new SeededRandom(1),
      logger,
      space: new DiskSpace(options),
      flushEveryBytes: this.flushEveryBytes,
      noteEveryBytes: this.noteEveryBytes,
      recoveryPoints: RecoveryPoints.open({ disk, root, flush, logger }),
    }
  }

  open(config: Partial<LogConfig> = {}, more: Partial<PartitionLogOptions> = {}): PartitionLog {
    return PartitionLog.open({
      environment: this.environment,
      directory: `${this.root}${DIRECTORY.slice(ROOT.length)}`,
      partition: PARTITION,
      config: { ...DEFAULT_LOG_CONFIG, ...config },
      ...more,
    })
  }
}

/** A broker on a simulated disk, started. */
export function simulated(withRings = true): {
  disk: SimulatedDisk
  flusher: SimulatedFlusher
  broker: Broker
} {
  const disk = new SimulatedDisk()
  const flusher = new SimulatedFlusher(disk)
  disk.mkdirs(ROOT)
  for (const path of ['/data', '/']) disk.flush(path)
  const broker = new Broker(disk, flusher, ROOT, withRings)
  broker.start()
  return { disk, flusher, broker }
}

const encoder = new TextEncoder()

/** A batch of `values`, all of the same time unless told. */
export const batchOf = (
  values: readonly string[],
  options: BatchOptions & { timestampMs?: number } = {},
): Uint8Array =>
  buildBatch(
    values.map((value) => ({
      timestampMs: options.timestampMs ?? 1_700_000_000_000,
      key: null,
      value: encoder.encode(value),
    })),
    options,
  )

/** Stages and writes one batch. */
export function append(log: PartitionLog, batch: Uint8Array, leaderEpoch = 0): AppendOutcome {
  const out = newAppendOutcome()
  log.stage(batch, log.environment.clock.wallMs(), leaderEpoch, out)
  const failed = log.write()
  if (failed !== null && out.lastOffset >= log.logEndOffset) {
    out.error = 56
    out.faultMessage = failed.message
  }
  return out
}

export interface StoredBatch {
  readonly base: number
  readonly last: number
  readonly producerId: number
  readonly leaderEpoch: number
  /** Everything after the base offset and leader epoch, which the log stamps. */
  readonly tail: string
}

export const tailOf = (bytes: Uint8Array, at: number, size: number): string =>
  Buffer.from(bytes.slice(at + 17, at + size)).toString('latin1')

export function storedBatches(log: PartitionLog, from = log.logStartOffset): StoredBatch[] {
  const all: StoredBatch[] = []
  log.readBatches(from, (bytes, at, size) => {
    all.push({
      base: baseOffsetOf(bytes, at),
      last: lastOffsetOf(bytes, at),
      producerId: producerIdOf(bytes, at),
      leaderEpoch: leaderEpochOf(bytes, at),
      tail: tailOf(bytes, at, size),
    })
    return true
  })
  return all
}

/**
 * What Kafka's dump tool checks: each offset entry is the last offset of the batch at its position, each time entry the
 * largest timestamp up to a batch; both rise, and a sealed segment's last time entry is its largest. And the epochs
 * are those of the batches.
 */
export function checkIndexes(log: PartitionLog): void {
  for (const segment of log.segments) {
    const batches = new Map<number, { last: number; max: number }>()
    let max = -1
    new BatchWalker(1 << 16, false).walk(
      segment.log,
      0,
      segment.size,
      ({ bytes, at, position }) => {
        max = Math.max(max, maxTimestampOf(bytes, at))
        batches.set(position, { last: lastOffsetOf(bytes, at), max })
        return true
      },
    )
    let before = -1
    for (let i = 0; i < segment.offsets.count; i++) {
      const { bytes, at } = segment.offsets.read(i)
      const offset = segment.baseOffset + offsetEntryOffset(bytes, at)
      expect(batches.get(offsetEntryPosition(bytes, at))?.last).toBe(offset)
      expect(offset).toBeGreaterThan(before)
      before = offset
    }
    const maxAt = new Map([...batches.values()].map((batch) => [batch.last, batch.max]))
    let newest = -1
    for (let i = 0; i < segment.times.count; i++) {
      const { bytes, at } = segment.times.read(i)
      const offset = segment.baseOffset + timeEntryOffset(bytes, at)
      expect(maxAt.get(offset)).toBe(timeEntryTimestamp(bytes, at))
      expect(timeEntryTimestamp(bytes, at)).toBeGreaterThan(newest)
      newest = timeEntryTimestamp(bytes, at)
    }
    if (segment !== log.active) expect(newest).toBe(max)
    expect(log.environment.disk.size(segment.path('.log'))).toBe(segment.size)
  }
  const stored = storedBatches(log)
  for (const { base, leaderEpoch } of stored) {
    // the log may begin within its first batch
    expect(log.epochs.at(Math.max(base, log.logStartOffset))).toBe(leaderEpoch)
  }
  if (stored.length > 0) expect(log.epochs.latest).toBe(stored.at(-1)!.leaderEpoch)
}

export const newLocate = (): LocateOutcome => ({
  error: 0,
  source: 0,
  logStartOffset: 0,
  highWatermark: 0,
  lastStableOffset: 0,
  logEndOffset: 0,
  segmentBaseOffset: 0,
  position: 0,
  byteLength: 0,
  leaderEpoch: 0,
  ringByteOffset: 0,
  ringByteLength: 0,
  ringGeneration: 0,
  batchBaseOffset: 0,
})

export const newOffsets = (): OffsetsOutcome => ({
  error: 0,
  source: 0,
  offset: 0,
  timestamp: 0,
  leaderEpoch: 0,
  byteLength: 0,
  segmentBaseOffset: 0,
  position: 0,
  logStartOffset: 0,
})
