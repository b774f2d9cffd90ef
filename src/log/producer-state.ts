import { segmentName } from '../base/paths.ts'
import {
  BATCH_HEADER_BYTES,
  baseSequenceOf,
  isControl,
  lastOffsetDeltaOf,
  lastOffsetOf,
  MAGIC_V2,
  magicOf,
  maxTimestampOf,
  producerEpochOf,
  producerIdOf,
} from '../record/batch.ts'
import type { LogEnvironment } from './environment.ts'
import { decodeProducerSnapshot, encodeProducerSnapshot } from './producer-snapshot.ts'
import { PRODUCERS_MAX, type ProducerBatch, ProducerTable } from './producers.ts'
import type { Segment } from './segment.ts'
import { shortWalker } from './walk.ts'

/** Who has not written for so long sends nothing again: clients give up after minutes. */
const RESENT_MS = 600_000
/** An opening that has replayed so many batches leaves a snapshot, so that the next need not. */
const REPLAYED_MAX = 1_000
/** Beside those at the start of segments: the newest, and the one before for when the log is cut back below that. */
const NEWEST_KEPT = 2

const refusedBatch: ProducerBatch = {
  producerId: -1,
  epoch: -1,
  baseSequence: -1,
  lastOffsetDelta: 0,
}

/** Reads the producer's part of the header at `at` into `out`. */
export function readProducerBatch(bytes: Uint8Array, at: number, out: ProducerBatch): void {
  out.producerId = producerIdOf(bytes, at)
  out.epoch = producerEpochOf(bytes, at)
  out.baseSequence = baseSequenceOf(bytes, at)
  out.lastOffsetDelta = lastOffsetDeltaOf(bytes, at)
}

/**
 * The producers of one log and their snapshots on disk: read at the first need, or with the log's recovery. On the
 * broker's thread.
 */
export class ProducerState {
  readonly table = new ProducerTable()
  /** Kafka's producer.id.expiration.ms. */
  expirationMs = 86_400_000
  readonly #environment: LogEnvironment
  readonly #directory: string
  /** Offsets of the snapshots in the directory, rising. */
  #snapshots: number[]
  /** Where the table is to be loaded for, before anything is done with it; −1 once it is. */
  #loadAt: number
  #segments: readonly Segment[]
  /** Batches that the last loading has read after its snapshot. */
  #replayed = 0
  /** Whether the table differs from the newest snapshot. */
  #snapshotOffset = -1
  #forgottenTold = 0

  constructor(
    environment: LogEnvironment,
    directory: string,
    snapshots: readonly number[],
    segments: readonly Segment[],
    endOffset: number,
  ) {
    this.#environment = environment
    this.#directory = directory
    this.#snapshots = [...snapshots]
    this.#segments = segments
    this.#loadAt = endOffset
  }

  get snapshots(): readonly number[] {
    return this.#snapshots
  }

  /** There was much to read after the newest snapshot: another one is worth its file. */
  get wantsSnapshot(): boolean {
    return this.#replayed >= REPLAYED_MAX
  }

  path(offset: number): string {
    return `${this.#directory}/${segmentName(offset, '.snapshot')}`
  }

  /** Reads the newest good snapshot and the batches after it, if that has not been done. Throws DiskError. */
  ensureLoaded(): void {
    if (this.#loadAt < 0) return
    const endOffset = this.#loadAt
    const nowMs = this.#environment.clock.wallMs()
    this.table.clear()
    let from = 0
    for (const offset of this.#snapshots.filter((offset) => offset <= endOffset).reverse()) {
      const entries = decodeProducerSnapshot(this.#environment.disk.readFile(this.path(offset)))
      if (entries === null) continue
      this.table.load(entries, nowMs, this.expirationMs)
      from = offset
      this.#snapshotOffset = offset
      break
    }
    this.#replayed = 0
    this.#replay(from, endOffset, nowMs)
    // only now: a table that could not be read would take every sequence
    this.#loadAt = -1
  }

  #replay(from: number, endOffset: number, nowMs: number): void {
    const batchOf: ProducerBatch = {
      producerId: -1,
      epoch: -1,
      baseSequence: -1,
      lastOffsetDelta: 0,
    }
    this.#segments.forEach((segment, index) => {
      const next = this.#segments[index + 1]?.baseOffset ?? Number.POSITIVE_INFINITY
      if (next <= from || segment.baseOffset >= endOffset) return
      const start = segment.findBatch(from, segment.size)
      if (start === null) return
      shortWalker.walk(segment.log, start.position, segment.size, (batch) => {
        readProducerBatch(batch.bytes, batch.at, batchOf)
        const lastOffset = lastOffsetOf(batch.bytes, batch.at)
        if (lastOffset >= endOffset) return false
        this.#replayed++
        if (batchOf.producerId >= 0 && !isControl(batch.bytes, batch.at)) {
          const timestampMs = maxTimestampOf(batch.bytes, batch.at)
          this.table.append(batchOf, lastOffset, timestampMs, nowMs)
          this.table.commit()
        }
        return true
      })
    })
  }

  /** A batch as a client has sent it was refused for a while: what follows on it must not go first. */
  refused(batch: Uint8Array): void {
    if (batch.length < BATCH_HEADER_BYTES || magicOf(batch, 0) !== MAGIC_V2) return
    readProducerBatch(batch, 0, refusedBatch)
    if (refusedBatch.producerId >= 0) {
      this.table.refused(refusedBatch, this.#environment.clock.wallMs())
    }
  }

  /** All producers that are known, with the time of the newest batch of each. Throws DiskError. */
  describe(): ReturnType<ProducerTable['described']> {
    this.ensureLoaded()
    return this.table.described()
  }

  /** After a truncation: forgets later snapshots; the table is read anew when it is needed. */
  reload(endOffset: number): void {
    this.removeSnapshots((offset) => offset > endOffset)
    this.table.clear()
    this.#snapshotOffset = -1
    this.#loadAt = endOffset
  }

  /** Writes the state as of `offset`; returns the file's path, null when it is there. Throws DiskError. */
  snapshot(offset: number): string | null {
    this.ensureLoaded()
    if (this.#snapshotOffset === offset) return null
    const path = this.path(offset)
    const recentMs = this.#environment.clock.wallMs() - RESENT_MS
    const entries = this.table.entries(recentMs)
    this.#environment.disk.writeFileAtomic(path, encodeProducerSnapshot(entries))
    this.#snapshotOffset = offset
    if (!this.#snapshots.includes(offset)) this.#snapshots.push(offset)
    this.#snapshots.sort((a, b) => a - b)
    return path
  }

  /**
   * After a power cut: of what is not known to be durable below `durableOffset`, a snapshot may be of batches that are not there, or are others now. But for the one with
   * which the log began anew.
   */
  removeUnproven(durableOffset: number, restartedAt: number): void {
    this.removeSnapshots((offset) => offset > durableOffset && offset !== restartedAt)
  }

  /**
   * Writes the snapshots of `from` and more again, as their flush may have failed; returns the paths. But for the one with which the log
   * began anew: that was made durable before it counted, and nothing else says what it says. Throws DiskError.
   */
  rewriteSnapshots(from: number, restartedAt: number): string[] {
    const { disk } = this.#environment
    const isTorn = (offset: number) =>
      decodeProducerSnapshot(disk.readFile(this.path(offset))) === null
    this.removeSnapshots((offset) => offset >= from && isTorn(offset))
    const again = this.#snapshots.filter((offset) => offset >= from && offset !== restartedAt)
    const paths = again.map((at) => this.path(at))
    for (const path of paths) disk.writeFileAtomic(path, disk.readFile(path))
    return paths
  }

  /** Keeps the snapshots at the start of a segment, and the newest ones. */
  removeStray(segments: readonly Segment[]): void {
    const kept = new Set(this.#snapshots.slice(-NEWEST_KEPT))
    for (const segment of segments) kept.add(segment.baseOffset)
    this.removeSnapshots((offset) => !kept.has(offset))
  }

  removeSnapshots(isGone: (offset: number) => boolean): void {
    this.#snapshots = this.#snapshots.filter((offset) => {
      if (!isGone(offset)) return true
      const path = this.path(offset)
      if (this.#environment.disk.exists(path)) this.#environment.disk.remove(path)
      return false
    })
  }

  /** Forgets those that have not written for long; says how many had to be forgotten earlier. */
  expire(nowMs: number): number {
    const { forgotten } = this.table
    if (forgotten > this.#forgottenTold) {
      const count = forgotten - this.#forgottenTold
      this.#forgottenTold = forgotten
      const limit = `a partition remembers ${PRODUCERS_MAX}, the longest idle go first`
      const message = `${count} producers were forgotten early: ${limit}`
      this.#environment.logger.log('warn', message, { directory: this.#directory })
    }
    return this.#loadAt >= 0 ? 0 : this.table.expire(nowMs, this.expirationMs)
  }
}
