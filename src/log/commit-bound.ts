import type { LogPoint } from './durability.ts'
import type { Segment } from './segment.ts'

/** Ends of writes remembered between commit and log end; with more, every other one is looked up instead. */
const POINTS_MAX = 256

/** What a commit bound has to know of its log. */
export interface BoundedLog {
  readonly segments: readonly Segment[]
  readonly logEndOffset: number
}

/**
 * How far the group has committed the log of a replica, as a place in its files: consumers read no further. It never goes back, and never
 * lies beyond the log's end. Ends of writes are remembered until they are committed, so that most commits need no file.
 */
export class CommitBound {
  readonly #log: BoundedLog
  #committed: LogPoint
  /** Rising. */
  #points: LogPoint[] = []

  /** Throws DiskError. */
  constructor(log: BoundedLog, offset: number) {
    this.#log = log
    this.#committed = this.#find(Math.min(offset, log.logEndOffset))
  }

  get committed(): LogPoint {
    return this.#committed
  }

  /** The log ends at `end` now. */
  wrote(end: LogPoint): void {
    if (this.#points.length === POINTS_MAX) {
      this.#points = this.#points.filter((_, index) => index % 2 === 1)
    }
    this.#points.push(end)
  }

  /** The group has committed everything below `offset`; whether that moves the bound. Throws DiskError. */
  commitTo(offset: number): boolean {
    const target = Math.min(offset, this.#log.logEndOffset)
    if (target <= this.#committed.offset) return false
    const beyond = this.#points.findIndex((point) => point.offset > target)
    const count = beyond < 0 ? this.#points.length : beyond
    const known = this.#points[count - 1]
    const point = known?.offset === target ? known : this.#find(target)
    this.#points.splice(0, count)
    if (point.offset <= this.#committed.offset) return false
    this.#committed = point
    return true
  }

  /** The log was cut back to `end`, which is not below the bound. */
  truncated(end: LogPoint): void {
    while (this.#points.length > 0 && this.#points.at(-1)!.offset >= end.offset) this.#points.pop()
    const { segment, offset } = this.#committed
    if (segment === null || this.#log.segments.includes(segment)) return
    this.#committed = { offset, segment: end.segment, position: end.position }
  }

  /** Where the batches end whose offsets are all below `offset`: that may be below it. */
  #find(offset: number): LogPoint {
    const { segments, logEndOffset } = this.#log
    const index = segments.findLastIndex((segment) => segment.baseOffset < offset)
    const segment = segments[index]
    if (segment === undefined) return { offset, segment: null, position: 0 }
    if (offset === logEndOffset) return { offset, segment, position: segment.size }
    const place = segment.findBatch(offset, segment.size)
    if (place === null) return { offset, segment, position: segment.size }
    return { offset: Math.min(offset, place.baseOffset), segment, position: place.position }
  }
}
