import type { PartitionNumber } from '../base/ids.ts'
import type { ControlHeader, ReadControls } from './control-entries-format.ts'
import type { LogEnvironment } from './environment.ts'
import type { LeaderEpochs } from './leader-epochs.ts'
import { flushedWithStart } from './log-start.ts'
import type { LogTail } from './log-tail.ts'
import type { RecoveryPoint } from './recovery-points.ts'
import type { Segment } from './segment.ts'

/** What control entries have to know of the log that they belong to, which is open: a PartitionLog. */
export interface ControlledLog {
  readonly environment: LogEnvironment
  readonly directory: string
  readonly partition: PartitionNumber
  readonly logStartOffset: number
  readonly logEndOffset: number
  readonly segments: readonly Segment[]
  readonly epochs: LeaderEpochs
  readonly cleanPoint: { readonly gapsTo: number }
  /** What the recovery points said before it was opened. */
  readonly foundPoint: RecoveryPoint
  truncateTo(offset: number): void
  fail(reason: string): void
  readonly tail: Pick<LogTail, 'makeDirectory' | 'flushAlso'>
  requestFlush(done?: () => void): void
}

/** What an opening makes of what it reads: how many entries are good, and how much of the log can be relied on. */
export class ControlsOpening {
  readonly #log: ControlledLog
  readonly #header: ControlHeader
  readonly #read: ReadControls
  readonly #isOrdered: boolean
  #endOffset: number

  /** `isOrdered`: nothing was written after an entry before that was durable. */
  constructor(log: ControlledLog, header: ControlHeader, read: ReadControls, isOrdered: boolean) {
    this.#log = log
    this.#header = header
    this.#read = read
    this.#isOrdered = isOrdered
    this.#endOffset = log.logEndOffset
  }

  /** Where the log has to end: beyond, an entry may be missing. */
  get endOffset(): number {
    return this.#endOffset
  }

  #offsetAt(index: number): number {
    const control = this.#read.controls[index]
    if (control === undefined) return this.#header.startOffset
    return control.entry.at - this.#header.controlsBefore - index
  }

  /** Entries that lie in the log. */
  goodCount(): number {
    let count = this.#read.controls.length
    while (count > 0 && this.#offsetAt(count - 1) > this.#log.logEndOffset) count--
    return count
  }

  damage(): string | null {
    const { controls, badFrom, isCutShort, hasMore } = this.#read
    for (let i = 1; i < controls.length; i++) {
      if (this.#offsetAt(i) < this.#offsetAt(i - 1)) return 'their positions do not ascend'
    }
    const { powerLoss } = this.#log.foundPoint
    const flushedOffset = this.#flushedOffset
    // else what is bad lies beyond the end of the log
    if (badFrom !== null && this.goodCount() === controls.length) {
      if (!powerLoss && (hasMore || !isCutShort)) return `they are bad from byte ${badFrom} on`
      // a death leaves the beginning of the last write, which nothing in the log follows
      if (powerLoss && !this.#isOrdered)
        this.#endsAt(Math.max(flushedOffset, this.#offsetAt(controls.length - 1)))
    }
    const stray = this.#strayOffset()
    if (stray < 0) return null
    // of an earlier term than the entries say: the log was cut there before they were written, and that is what was lost
    const isCutBack = this.#log.epochs.at(stray) < this.#termAt(stray)
    if (!powerLoss || (stray < flushedOffset && !isCutBack)) {
      return `the batch at offset ${stray} has leader epoch ${this.#log.epochs.at(stray)}, by them it has ${this.#termAt(stray)}`
    }
    this.#endsAt(stray)
    return null
  }

  /** The recovery points may have lost it: a log's start moves when all below is flushed, control entries too. */
  get #flushedOffset(): number {
    return Math.max(this.#log.foundPoint.flushedOffset, flushedWithStart(this.#log))
  }

  #endsAt(offset: number): void {
    this.#endOffset = Math.min(this.#endOffset, offset)
  }

  /** Where each term begins, in Kafka's offsets, rising in both. */
  #termOffsets(): { readonly term: number; readonly from: number }[] {
    const { startOffset, controlsBefore, lines } = this.#header
    // no control entry lies among the header's lines that begin after its start
    const terms = lines.map(({ term, start }) => ({
      ...{ term, from: Math.max(startOffset, start - controlsBefore) },
    }))
    this.#read.controls.forEach(({ entry }, index) => {
      if (entry.kind === 'term-start') terms.push({ term: entry.term, from: this.#offsetAt(index) })
    })
    return terms
  }

  #termAt(offset: number): number {
    return this.#termOffsets().findLast(({ from }) => from <= offset)?.term ?? 0
  }

  /**
   * The first offset whose batch has another epoch than the entries say: the entry that began it is lost, or the batch is one that was cut off and
   * came back. −1 for none. Below gaps that cleaning left an epoch may begin later than it did.
   */
  #strayOffset(): number {
    const { epochs, cleanPoint, logStartOffset } = this.#log
    // what lies below the log's start is gone, and its epochs may be
    const begin = Math.max(this.#header.startOffset, cleanPoint.gapsTo, logStartOffset)
    const places = [begin, ...epochs.lines.map(({ startOffset }) => startOffset)]
    places.push(...this.#termOffsets().map(({ from }) => from))
    const stray = places.filter((offset) => {
      if (offset < begin || offset >= this.#endOffset) return false
      const epoch = epochs.at(offset)
      return epoch >= 0 && epoch !== this.#termAt(offset)
    })
    return stray.length === 0 ? -1 : Math.min(...stray)
  }
}
