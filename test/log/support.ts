import { ManualClock } from '../../src/base/clock.ts'
import { asPartitionNumber } from '../../src/base/ids.ts'
import type { Logger, LogLevel } from '../../src/base/log.ts'
import { SeededRandom } from '../../src/base/random.ts'
import type { Disk, FlushPort } from '../../src/log/disk.ts'
import { DiskSpace } from '../../src/log/disk-space.ts'
import type { LogEnvironment } from '../../src/log/environment.ts'
import { DEFAULT_LOG_CONFIG, type LogConfig } from '../../src/log/log-config.ts'
import { OpenFiles } from '../../src/log/open-files.ts'
import {
  type AppendOutcome,
  type LocateOutcome,
  newAppendOutcome,
  type OffsetsOutcome,
} from '../../src/log/outcomes.ts'
import { PartitionLog, type PartitionLogOptions } from '../../src/log/partition-log.ts'
import { RecoveryPoints } from '../../src/log/recovery-points.ts'
import { RingLogPool } from '../../src/log/ring-log-pool.ts'
import { SimulatedDisk } from '../../src/log/simulated-disk.ts'
import { SimulatedFlusher } from '../../src/log/simulated-flusher.ts'
import { baseOffsetOf, lastOffsetOf, producerIdOf } from '../../src/record/batch.ts'
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
      tail: tailOf(bytes, at, size),
    })
    return true
  })
  return all
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
