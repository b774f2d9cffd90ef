import type { PartitionNumber } from '../base/ids.ts'
import type { LogFields } from '../base/log.ts'
import { baseOffsetOf, leaderEpochOf } from '../record/batch.ts'
import { CleanPoint } from './clean-point.ts'
import type { LogEnvironment } from './environment.ts'
import {
  copyAside,
  type DamagedRange,
  type FoundStarts,
  type LogFiles,
  listLogFiles,
  setAside,
} from './files.ts'
import { decodeEpochs, EPOCH_FILE, encodeEpochs, LeaderEpochs } from './leader-epochs.ts'
import type { RecoveryPoint } from './recovery-points.ts'
import { hasGoodBatch, scanSegment } from './scan.ts'
import type { Segment } from './segment.ts'
import { shortWalker } from './walk.ts'

export interface OpenedLog {
  readonly segments: Segment[]
  readonly snapshots: readonly number[]
  readonly starts: FoundStarts
  readonly damaged: DamagedRange[]
  readonly epochs: LeaderEpochs
  readonly cleanPoint: CleanPoint
  readonly restartedAt: number
  /** There is a file of the epochs, of whatever it tells. */
  readonly hasEpochFile: boolean
  readonly endOffset: number
  /** Its end was read batch by batch. */
  readonly recovered: boolean
  readonly failure: string | null
}

export interface OpenLogOptions {
  readonly environment: LogEnvironment
  readonly directory: string
  readonly partition: PartitionNumber
  readonly point: RecoveryPoint
  readonly indexIntervalBytes: number
}

/** Opens what is in a replica's directory; checks and mends its end when the recovery point says so. Throws DiskError. */
export function openLog(options: OpenLogOptions): OpenedLog {
  return new Opening(options).open()
}

class Opening {
  readonly #options: OpenLogOptions
  readonly #environment: LogEnvironment
  readonly #files: LogFiles
  readonly #cleanPoint: CleanPoint
  readonly #damaged: DamagedRange[] = []
  #epochs = new LeaderEpochs([])
  #hasEpochFile = false
  #failure: string | null = null
  #endOffset = 0
  #scannedBytes = 0
  #cutBytes = 0
  #setAside = ''

  constructor(options: OpenLogOptions) {
    this.#options = options
    this.#environment = options.environment
    const { disk, files } = options.environment
    this.#files = listLogFiles(disk, files, options.directory)
    this.#cleanPoint = new CleanPoint(disk, options.directory, this.#files.cleanPoint)
  }

  open(): OpenedLog {
    const { point } = this.#options
    const { segments } = this.#files
    const last = segments.at(-1)
    const epochsKnown = this.#loadEpochs()
    let recovered = false
    if (last !== undefined) {
      recovered = !this.#isClean(last)
      if (recovered) this.#recover()
    } else if (point.writtenOffset > 0 && this.#files.damagedBases.length === 0) {
      this.#damaged.push({ from: 0, to: point.writtenOffset })
      this.#failure = `no segment is left of a log that was whole to offset ${point.writtenOffset}`
    }
    const told = recovered ? this.#failure : null
    this.#noteDamagedBefore()
    if (this.#failure !== told) this.#report(this.#environment.clock.monotonicMs())
    if (!epochsKnown) this.#deriveEpochs()
    if (this.#epochs.truncate(this.#endOffset) || recovered) this.#storeEpochs()
    return {
      segments,
      snapshots: this.#files.snapshots,
      starts: this.#files.starts,
      damaged: this.#damaged,
      epochs: this.#epochs,
      cleanPoint: this.#cleanPoint,
      restartedAt: this.#files.restartedAt,
      hasEpochFile: this.#hasEpochFile,
      endOffset: this.#endOffset,
      recovered,
      failure: this.#failure,
    }
  }

  /** Whether the log ends where it did when it was clean, with good indexes. */
  #isClean(last: Segment): boolean {
    const { point } = this.#options
    if (point.dirty && !(point.powerLoss && point.wasClean)) return false
    const end = last.findEnd()
    this.#endOffset = end.offset
    if (end.position !== last.size) return false
    const atEnd = end.offset === point.flushedOffset
    return point.powerLoss ? atEnd && last.indexesAreWhole() : atEnd || point.flushedOffset === 0
  }

  #recover(): void {
    const { point, indexIntervalBytes } = this.#options
    const { segments } = this.#files
    const startedMs = this.#environment.clock.monotonicMs()
    const { writtenOffset } = point
    const { gapsTo } = this.#cleanPoint
    // A segment that was flushed to its end before it was sealed may have lost its last index entries.
    const from = point.powerLoss ? writtenOffset - 1 : writtenOffset
    const first = Math.max(
      0,
      segments.findLastIndex((segment) => segment.baseOffset <= from),
    )
    // what a power cut has left there may be of another epoch than it was written last: of batches that were cut off, for one
    if (point.powerLoss) this.#epochs.truncate(writtenOffset)
    let expected = segments[first]!.baseOffset
    for (let index = first; index < segments.length; index++) {
      const segment = segments[index]!
      if (this.#files.damagedBases.includes(expected)) expected = segment.baseOffset
      // what cleaning took from the end of a segment is missing, not lost
      if (segment.baseOffset > expected && segment.baseOffset <= gapsTo) {
        expected = segment.baseOffset
      }
      if (segment.baseOffset !== expected) {
        this.#endOffset = expected
        if (this.#mend(index, 0, true)) break
        expected = segment.baseOffset
      }
      const size = segment.size
      const result = scanSegment(segment, {
        expected,
        gapsTo,
        wholeTo: writtenOffset,
        rebuild: point.powerLoss,
        indexIntervalBytes,
        epochs: this.#epochs,
      })
      this.#scannedBytes += result.scannedBytes
      this.#endOffset = expected = result.endOffset
      if (result.goodBytes < size) {
        segment.size = size
        if (this.#mend(index, result.goodBytes, false)) break
        // Set aside as damaged: what follows is judged by itself.
        index--
        expected = segments[index + 1]?.baseOffset ?? expected
        continue
      }
      if (index < segments.length - 1) segment.seal()
    }
    if (this.#endOffset < writtenOffset && this.#failure === null) {
      this.#failure = `ends at offset ${this.#endOffset}, but was whole to ${writtenOffset}`
    }
    this.#report(startedMs)
  }

  /**
   * The log is good up to byte `position` of segment `index`, or (`gap`) that segment does not follow the one before.
   * True when the log ends there now; false when the segment was set aside as damaged and the next is to be looked at.
   */
  #mend(index: number, position: number, gap: boolean): boolean {
    const { disk } = this.#environment
    const { segments } = this.#files
    const { point } = this.#options
    const segment = segments[index]!
    const below = this.#endOffset < point.writtenOffset
    const good = (other: Segment, from: number) =>
      hasGoodBatch(other.log, from, other.size, this.#endOffset)
    const goodAfter =
      good(segment, gap ? 0 : position + 1) || segments.slice(index + 1).some((s) => good(s, 0))
    if (!below && (!goodAfter || point.powerLoss)) {
      this.#endAt(index, position, goodAfter)
      return true
    }
    if (gap) {
      // Nothing here is bad, something before is missing.
      this.#damaged.push({ from: this.#endOffset, to: segment.baseOffset })
      this.#failure = `offsets ${this.#endOffset} to ${segment.baseOffset} are missing`
      return false
    }
    const name = setAside(disk, segment, 'damaged')
    this.#setAside = name
    segments.splice(index, 1)
    this.#files.damagedBases.push(segment.baseOffset)
    this.#failure = `segment ${segment.baseOffset} is damaged at byte ${position}, it was set aside as ${name}`
    return false
  }

  /** Ends the log at byte `position` of segment `index`; keeps a copy of what is good behind that. */
  #endAt(index: number, position: number, goodAfter: boolean): void {
    const { disk } = this.#environment
    const { segments } = this.#files
    const segment = segments[index]!
    for (const later of segments.splice(index + 1)) {
      this.#cutBytes += later.size
      if (goodAfter) this.#setAside = setAside(disk, later, 'torn')
      else later.remove()
    }
    this.#cutBytes += segment.size - position
    if (segment.baseOffset !== this.#endOffset && position === 0) {
      // It begins beyond the end.
      if (goodAfter) this.#setAside = setAside(disk, segment, 'torn')
      else segment.remove()
      segments.pop()
      return
    }
    // A copy is put aside, and what counts stays where it is durable: a new file could be lost with the next power cut.
    if (goodAfter) this.#setAside = copyAside(disk, segment)
    segment.size = position
    segment.log.get().truncate(position)
  }

  #noteDamagedBefore(): void {
    const { segments, damagedBases } = this.#files
    for (const from of damagedBases) {
      const next = segments.find((segment) => segment.baseOffset > from)
      this.#damaged.push({ from, to: next?.baseOffset ?? Number.POSITIVE_INFINITY })
      this.#failure ??= `segment ${from} was found damaged and set aside`
      if (next === undefined) {
        this.#endOffset = Math.max(this.#endOffset, this.#options.point.writtenOffset, from)
      }
    }
  }

  #report(startedMs: number): void {
    const { clock, logger } = this.#environment
    const { directory, partition } = this.#options
    const fields: LogFields = {
      directory,
      partition,
      scannedBytes: this.#scannedBytes,
      cutBytes: this.#cutBytes,
      endOffset: this.#endOffset,
      setAside: this.#setAside,
      ms: Math.round(clock.monotonicMs() - startedMs),
    }
    if (this.#failure !== null) logger.log('error', `Log is damaged: ${this.#failure}`, fields)
    else if (this.#cutBytes > 0) logger.log('warn', 'Log recovered, a torn end was cut off', fields)
    else logger.log('info', 'Log recovered', fields)
  }

  #loadEpochs(): boolean {
    const path = `${this.#options.directory}/${EPOCH_FILE}`
    const { disk } = this.#environment
    // of a directory that is yet to be made nothing is asked
    this.#hasEpochFile = !this.#files.isNew && disk.exists(path)
    if (this.#files.segments.length === 0) return true
    const lines = this.#hasEpochFile ? decodeEpochs(disk.readFile(path)) : null
    if (lines === null) return false
    this.#epochs = new LeaderEpochs(lines)
    return true
  }

  /** The file was torn or lost: the batches say the same. */
  #deriveEpochs(): void {
    this.#epochs = new LeaderEpochs([])
    for (const segment of this.#files.segments) {
      shortWalker.walk(segment.log, 0, segment.size, ({ bytes, at }) => {
        this.#epochs.assign(leaderEpochOf(bytes, at), baseOffsetOf(bytes, at))
        return true
      })
    }
    this.#storeEpochs()
  }

  #storeEpochs(): void {
    const path = `${this.#options.directory}/${EPOCH_FILE}`
    this.#environment.disk.writeFileAtomic(path, encodeEpochs(this.#epochs.lines))
    this.#hasEpochFile = true
  }
}
