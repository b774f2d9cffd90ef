import type { EntryLog } from '../../src/machine/entry-log.ts'

/** An entry log in memory whose flushes finish when the test says so, and which can run out of disk. */
export class FakeEntryLog implements EntryLog {
  durableOffset = 0
  startOffset = 0
  failure: string | null = null
  flushesAsked = 0
  appends = 0
  failNextAppend: Error | null = null
  readonly entries: Uint8Array[] = []
  #flushTo = 0

  get endOffset(): number {
    return this.entries.length
  }

  append(entries: readonly Uint8Array[]): number {
    if (this.failNextAppend !== null) {
      const error = this.failNextAppend
      this.failNextAppend = null
      throw error
    }
    this.appends++
    this.entries.push(...entries)
    return this.endOffset
  }

  read(fromOffset: number, each: (offset: number, bytes: Uint8Array) => void): void {
    if (fromOffset < this.startOffset) throw new Error('what is gone is not read')
    for (let offset = fromOffset; offset < this.endOffset; offset++) {
      each(offset, this.entries[offset]!.slice())
    }
  }

  requestFlush(): void {
    this.flushesAsked++
    this.#flushTo = this.endOffset
  }

  epochBefore(): number {
    return 0
  }

  deleteBelow(offset: number): void {
    this.startOffset = offset
  }

  /** The flush that was asked for is done: it covers what was there when it was asked. */
  finishFlush(): void {
    this.durableOffset = Math.max(this.durableOffset, this.#flushTo)
  }

  /** The log as the next start finds it: with all that was written, or with what was flushed only. */
  reopened(powerCut: boolean): FakeEntryLog {
    const log = new FakeEntryLog()
    log.entries.push(...this.entries.slice(0, powerCut ? this.durableOffset : this.endOffset))
    log.durableOffset = this.durableOffset
    log.startOffset = this.startOffset
    return log
  }
}
