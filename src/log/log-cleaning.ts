import {
  baseOffsetOf,
  isControl,
  isTransactional,
  lastOffsetOf,
  producerIdOf,
} from '../record/batch.ts'
import { RecordFormatError } from '../record/fault.ts'
import { decompressedBody } from '../record/inspect.ts'
import { RecordCursor } from '../record/records.ts'
import { BatchFilter } from './batch-filter.ts'
import { BatchSource, UncleanableError } from './batch-source.ts'
import { type Cleanable, cleanablePart, groupLength } from './cleanable.ts'
import { CleanedSegment } from './cleaned-segment.ts'
import { DiskError } from './disk.ts'
import type { KeyOffsets } from './key-offsets.ts'
import type { PartitionLog } from './partition-log.ts'
import { evenWhenFull } from './retention.ts'
import type { Segment } from './segment.ts'
import { beginSwap, cancelSwap, finishSwap } from './swap.ts'

export interface CleaningLimits {
  /** Of batches read, per step; one batch at least. */
  readonly bytesPerStep: number
  /** Of records looked at, per step. */
  readonly recordsPerStep: number
  /** Segments that become one. */
  readonly segmentsMax: number
  /** Of one batch's records, when they are decompressed. */
  readonly decompressedBytesMax: number
}

export const DEFAULT_CLEANING_LIMITS: CleaningLimits = {
  bytesPerStep: 128 * 1024,
  recordsPerStep: 2_048,
  segmentsMax: 64,
  decompressedBytesMax: 64 * 2 ** 20,
}

/** How a cleaning ended. */
export type CleaningOutcome =
  /** Each key has one value below `endOffset`; `more` when the map was full, and the rest is another cleaning's. */
  | { readonly kind: 'cleaned'; readonly endOffset: number; readonly more: boolean }
  /** The disk: to be tried again later. What was swapped by then stays. */
  | { readonly kind: 'failed'; readonly error: DiskError }
  /** What the log holds: trying again is no use. */
  | { readonly kind: 'blocked'; readonly reason: string }
  /** The log was closed, has failed or was cut, or there was nothing to do. */
  | { readonly kind: 'cancelled' }

/** What is wrong with a batch's content; anything else is thrown on. */
function reasonOf(error: unknown): string {
  if (error instanceof RecordFormatError) return error.message
  throw error
}

/** Probes of the map that count as one record. */
const PROBES_PER_RECORD = 8

type Phase =
  /** The dirty part is read, for the last offset of each key. */
  | 'mapping'
  /** Segments are read once more, and what stays is written. */
  | 'filtering'
  /** The files of one that was written are being made durable. */
  | 'flushing'
  | 'flushed'
  /** Its name, which says that it counts instead of the others, is being made durable. */
  | 'naming'
  | 'named'

/**
 * Cleans the sealed segments of one log to the last value per key, from the start up to as far as the map of keys reaches: a
 * bounded step at a time, which never waits; flushes are awaited between steps. Old segments give way to new ones group by
 * group, oldest first, each by a swap that a crash at any point leaves done or not done (`swap.ts`). On the broker's thread.
 */
export class LogCleaning {
  readonly #log: PartitionLog
  readonly #keys: KeyOffsets
  readonly #limits: CleaningLimits
  readonly #nowMs: number
  readonly #part: Cleanable | null
  readonly #source = new BatchSource()
  #phase: Phase = 'mapping'
  #outcome: CleaningOutcome | null = null
  /** Where the next segment to be read, or the next group, begins. */
  #nextBase: number
  /** Segments that are being read: one while mapping, those that become one while filtering. */
  #segments: readonly Segment[] = []
  #index = 0
  /** A batch is under way: its records, while mapping. */
  #cursor: RecordCursor | null = null
  #body: Uint8Array = new Uint8Array(0)
  #isFiltering = false
  /** Below, the map knows the last offset of each key of the dirty part. */
  #endOffset: number
  #filter: BatchFilter | null = null
  #changesBefore = 0
  #target: CleanedSegment | null = null
  #blocked: string | null = null
  #isWaiting = false
  #bytesLeft = 0
  #recordsLeft = 0
  #probes = 0

  /** `keys` is this cleaning's own until its end. */
  constructor(log: PartitionLog, keys: KeyOffsets, limits: Partial<CleaningLimits> = {}) {
    this.#log = log
    this.#keys = keys
    this.#limits = { ...DEFAULT_CLEANING_LIMITS, ...limits }
    this.#nowMs = log.environment.clock.wallMs()
    this.#part = cleanablePart(log, this.#nowMs)
    this.#endOffset = this.#part?.endOffset ?? 0
    this.#nextBase = -1
    keys.clear()
    if (this.#part === null || log.cleaning !== null) this.#end({ kind: 'cancelled' })
    else log.cleaning = this
  }

  /** null while it is under way. */
  get outcome(): CleaningOutcome | null {
    return this.#outcome
  }

  /** A flush is awaited: steps do nothing. */
  get isWaiting(): boolean {
    return this.#isWaiting
  }

  /** Does a bounded bit; returns how much, 0 when it waits or has ended. What it throws is not the disk's fault. */
  step(): number {
    if (this.#outcome !== null || this.#isWaiting) return 0
    const { bytesPerStep, recordsPerStep } = this.#limits
    this.#bytesLeft = bytesPerStep
    this.#recordsLeft = recordsPerStep
    this.#probes = this.#keys.probes
    try {
      if (this.#log.failure !== null || !this.#standsStill()) this.cancel()
      while (this.#mayGoOn()) this.#go()
    } catch (error) {
      this.#onError(error)
    }
    return 1
  }

  /** Gives up what was not swapped yet: the log is about to lose segments, or its end. */
  cancel(): void {
    if (this.#outcome !== null) return
    this.#discard()
    this.#end({ kind: 'cancelled' })
  }

  /** The log is being closed: what counts already is put in its place by the next opening. */
  release(): void {
    if (this.#outcome !== null) return
    const isSwapping = this.#phase === 'naming' || this.#phase === 'named'
    if (!isSwapping) this.#discard()
    this.#end({ kind: 'cancelled' })
  }

  #mayGoOn(): boolean {
    if (this.#outcome !== null || this.#isWaiting) return false
    const probed = (this.#keys.probes - this.#probes) / PROBES_PER_RECORD
    return this.#bytesLeft > 0 && this.#recordsLeft - probed > 0
  }

  #go(): void {
    switch (this.#phase) {
      case 'mapping':
        this.#map()
        break
      case 'filtering':
        this.#copy()
        break
      case 'flushed':
        this.#swap()
        break
      case 'named':
        this.#replace()
        break
      case 'flushing':
      case 'naming':
        break
      default:
        this.#phase satisfies never
    }
  }

  /** Whether the segments in work are still the log's: retention may have taken them. */
  #standsStill(): boolean {
    const { segments } = this.#log
    const first = this.#segments[0]
    if (first === undefined) return true
    const from = segments.indexOf(first)
    return from >= 0 && this.#segments.every((one, index) => segments[from + index] === one)
  }

  // --- the map of keys

  #map(): void {
    if (this.#cursor !== null) this.#mapRecords(this.#cursor)
    else if (this.#segments.length === 0) this.#openDirty()
    else if (!this.#source.next()) this.#segments = []
    else {
      const { bytes, at, size } = this.#source
      this.#bytesLeft -= size
      if (lastOffsetOf(bytes, at) < this.#part!.firstDirtyOffset) return
      if (isTransactional(bytes, at) || isControl(bytes, at)) {
        // which records were aborted is not known: such logs are cleaned once transactions keep that
        this.#stopMapping(bytes, at, 'transactions')
        return
      }
      try {
        this.#body = decompressedBody(bytes, at, this.#limits.decompressedBytesMax)
        this.#cursor = new RecordCursor(bytes, at, this.#body)
      } catch (error) {
        this.#stopMapping(bytes, at, reasonOf(error))
      }
    }
  }

  /** Opens the next segment of the dirty part, or begins to filter. */
  #openDirty(): void {
    const { segments } = this.#log
    const { firstDirtyOffset } = this.#part!
    const from = this.#nextBase < 0 ? firstDirtyOffset : this.#nextBase
    const index = segments.findLastIndex((one) => one.baseOffset <= from)
    if (from >= this.#endOffset || index < 0) {
      this.#endMapping()
      return
    }
    const segment = segments[index]!
    this.#segments = [segment]
    this.#nextBase = segments[index + 1]!.baseOffset
    this.#source.open(segment, this.#nextBase, this.#log.cleanPoint.gapsTo)
  }

  #mapRecords(cursor: RecordCursor): void {
    const keys = this.#keys
    const { firstDirtyOffset } = this.#part!
    try {
      while (this.#mayGoOn()) {
        if (!cursor.next()) {
          this.#cursor = null
          return
        }
        this.#recordsLeft--
        if (cursor.keyLength < 0 || cursor.offset < firstDirtyOffset) continue
        const { keyFrom, keyLength, offset } = cursor
        if (keys.put(this.#body, keyFrom, keyFrom + keyLength, offset)) continue
        // clean as far as the map reaches, go on another time
        this.#endOffset = offset
        this.#endMapping()
        return
      }
    } catch (error) {
      this.#stopMapping(this.#source.bytes, this.#source.at, reasonOf(error))
    }
  }

  /** Nothing is cleaned from this batch on: what is known of its keys must not count. */
  #stopMapping(bytes: Uint8Array, at: number, reason: string): void {
    const offset = baseOffsetOf(bytes, at)
    this.#blocked = `the batch at offset ${offset} cannot be cleaned: ${reason}`
    this.#endOffset = Math.max(offset, this.#part!.firstDirtyOffset)
    this.#endMapping()
  }

  #endMapping(): void {
    this.#cursor = null
    this.#body = new Uint8Array(0)
    this.#segments = []
    if (this.#endOffset <= this.#part!.firstDirtyOffset) {
      this.#end({ kind: 'blocked', reason: this.#blocked ?? 'a key larger than the map' })
      return
    }
    const { producers, config, segments } = this.#log
    producers.ensureLoaded()
    const { table } = producers
    this.#filter = new BatchFilter({
      keys: this.#keys,
      endOffset: this.#endOffset,
      nowMs: this.#nowMs,
      deleteRetentionMs: config.deleteRetentionMs,
      decompressedBytesMax: this.#limits.decompressedBytesMax,
      keepsEmpty: (bytes, at) => {
        const lastOffset = lastOffsetOf(bytes, at)
        // the last of all says where the cleaned part ends
        if (lastOffset + 1 === this.#endOffset) return true
        const producerId = producerIdOf(bytes, at)
        return producerId >= 0 && table.lastOffsetOf(producerId) === lastOffset
      },
    })
    this.#nextBase = segments[0]!.baseOffset
    this.#phase = 'filtering'
  }

  // --- what stays

  #copy(): void {
    if (this.#segments.length === 0) this.#openGroup()
    else if (this.#isFiltering) this.#filterBatch()
    else if (this.#source.next()) {
      this.#bytesLeft -= this.#source.size
      this.#filter!.begin(this.#source.bytes, this.#source.at)
      this.#isFiltering = true
    } else if (++this.#index < this.#segments.length) this.#openSegment()
    else this.#endGroup()
  }

  #filterBatch(): void {
    const filter = this.#filter!
    const wanted = Math.max(1, this.#recordsLeft)
    const looked = filter.look(wanted)
    this.#recordsLeft -= looked
    if (looked === wanted) return
    this.#isFiltering = false
    const stays = filter.end()
    if (stays === null) return
    const { bytes, isNew } = stays
    if (isNew) this.#target!.add(bytes, 0, bytes.length)
    else this.#target!.add(bytes, this.#source.at, this.#source.size)
  }

  #openGroup(): void {
    const log = this.#log
    const index = log.segments.findIndex((one) => one.baseOffset === this.#nextBase)
    const count = index < 0 ? 0 : groupLength(log, index, this.#endOffset, this.#limits.segmentsMax)
    if (count === 0) {
      this.#endAll()
      return
    }
    this.#segments = log.segments.slice(index, index + count)
    this.#nextBase = log.segments[index + count]!.baseOffset
    this.#index = 0
    this.#changesBefore = this.#filter!.changes
    this.#target = new CleanedSegment(log, this.#segments[0]!.baseOffset)
    this.#openSegment()
  }

  #openSegment(): void {
    const endOffset = this.#segments[this.#index + 1]?.baseOffset ?? this.#nextBase
    this.#source.open(this.#segments[this.#index]!, endOffset, this.#log.cleanPoint.gapsTo)
  }

  #endGroup(): void {
    const isAsBefore = this.#filter!.changes === this.#changesBefore && this.#segments.length === 1
    if (isAsBefore) {
      this.#target!.remove()
      this.#closeGroup()
      return
    }
    const { cleanPoint, directory } = this.#log
    this.#target!.finish()
    // before anything is missing: an opening would take it for lost
    evenWhenFull(this.#log, () => cleanPoint.allowGaps(this.#nextBase))
    this.#flush('flushing', 'flushed', [...this.#target!.paths, directory])
  }

  #closeGroup(): void {
    this.#target = null
    this.#segments = []
    this.#phase = 'filtering'
  }

  #endAll(): void {
    const { cleanPoint, producers, segments } = this.#log
    evenWhenFull(this.#log, () => cleanPoint.advance(this.#endOffset))
    producers.removeStray(segments)
    const isBlocked = this.#blocked !== null
    const more = !isBlocked && this.#endOffset < this.#part!.endOffset
    this.#end(
      isBlocked
        ? { kind: 'blocked', reason: this.#blocked! }
        : { kind: 'cleaned', endOffset: this.#endOffset, more },
    )
  }

  // --- old for new

  #flush(during: Phase, after: Phase, paths: readonly string[]): void {
    const { flush, recoveryPoints } = this.#log.environment
    const { directory, partition } = this.#log
    this.#phase = during
    this.#isWaiting = true
    let failed: DiskError | null = null
    // one more, so that a port that answers at once does not end it early
    let left = paths.length + 1
    const ended = () => {
      if (--left > 0 || this.#outcome !== null) return
      this.#isWaiting = false
      if (failed === null) this.#phase = after
      else this.#onError(failed)
    }
    for (const path of paths) {
      flush.request(path, (error) => {
        // whose name was lost with it is not known
        if (error !== null && path === directory) recoveryPoints.markFlushLost(partition)
        failed ??= error
        ended()
      })
    }
    ended()
  }

  #swap(): void {
    const { directory, environment, cleanPoint } = this.#log
    cleanPoint.dropOlder()
    const base = this.#target!.baseOffset
    evenWhenFull(this.#log, () => beginSwap(environment.disk, directory, base, this.#nextBase))
    this.#flush('naming', 'named', [directory])
  }

  #replace(): void {
    const log = this.#log
    const target = this.#target!
    for (const segment of this.#segments) segment.release()
    try {
      evenWhenFull(log, () =>
        finishSwap(log.environment.disk, log.directory, target.baseOffset, this.#nextBase),
      )
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      // half done: an opening does the rest
      log.fail(`cleaned segments could not take their place (${error.message})`)
      this.#end({ kind: 'failed', error })
      return
    }
    log.replaceSegments(this.#segments, target.inPlace())
    this.#closeGroup()
  }

  // --- the end

  #onError(error: unknown): void {
    const isKnown =
      error instanceof DiskError ||
      error instanceof UncleanableError ||
      error instanceof RecordFormatError
    if (!isKnown) {
      this.#end({ kind: 'cancelled' })
      throw error
    }
    this.#discard()
    if (error instanceof DiskError) this.#end({ kind: 'failed', error })
    else this.#end({ kind: 'blocked', reason: error.message })
  }

  /** Removes what was written and counts for nothing yet. What stays of it goes at the next opening, but for a swap. */
  #discard(): void {
    const log = this.#log
    const target = this.#target
    if (target === null) return
    const { disk } = log.environment
    const isSwapping = this.#phase === 'naming' || this.#phase === 'named'
    try {
      if (isSwapping) {
        cancelSwap(disk, log.directory, target.baseOffset, this.#nextBase)
        log.tail.flushNames()
      }
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      log.fail(`a cleaned segment that counts for nothing could not be removed (${error.message})`)
    }
    try {
      target.remove()
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
    }
  }

  #end(outcome: CleaningOutcome): void {
    this.#outcome = outcome
    this.#isWaiting = false
    this.#target = null
    this.#filter = null
    this.#segments = []
    this.#cursor = null
    this.#keys.clear()
    if (this.#log.cleaning === this) this.#log.cleaning = null
  }
}
