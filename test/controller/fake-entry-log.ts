import type { EntryLog } from '../../src/machine/entry-log.ts'

/**
 * A replicated log in memory: what is appended is committed when the test says so, a term begins and ends when it says so, and it can run out of disk. Begun as the
 * leader's of term 1.
 */
export class FakeEntryLog implements EntryLog {
  committedOffset = 0
  startOffset = 0
  term = 1
  takesEntries = true
  failure: string | null = null
  appends = 0
  failNextAppend: Error | null = null
  /** Another would lead where this one gives up. */
  hasHeir = false
  readonly entries: Uint8Array[] = []

  get endOffset(): number {
    return this.entries.length
  }

  append(entries: readonly Uint8Array[]): number {
    if (this.term === 0 || !this.takesEntries) throw new Error('only a leader appends')
    if (this.failNextAppend !== null) {
      const error = this.failNextAppend
      this.failNextAppend = null
      throw error
    }
    this.appends++
    this.entries.push(...entries)
    return this.endOffset
  }

  read(
    fromOffset: number,
    toOffset: number,
    each: (offset: number, bytes: Uint8Array) => void,
  ): void {
    if (fromOffset < this.startOffset) throw new Error('what is gone is not read')
    for (let offset = fromOffset; offset < toOffset; offset++) {
      each(offset, this.entries[offset]!.slice())
    }
  }

  epochBefore(): number {
    return this.term
  }

  deleteBelow(offset: number): void {
    this.startOffset = offset
  }

  roll(): number {
    return this.endOffset
  }

  giveUp(): boolean {
    if (this.hasHeir) this.follow()
    return this.hasHeir
  }

  /** A majority has all that is here. */
  commit(): void {
    this.committedOffset = this.endOffset
  }

  /** Another leads: `entries` are what it has committed from the end of what was committed here on, in the place of what was not. */
  follow(entries: readonly Uint8Array[] = []): void {
    this.term = 0
    this.entries.splice(this.committedOffset, Number.POSITIVE_INFINITY, ...entries)
    if (entries.length > 0) this.commit()
  }

  /** Elected: all that is here is committed. */
  lead(term: number): void {
    this.term = term
    this.takesEntries = true
    this.commit()
  }

  /** The log as the next start finds it, elected anew: with all that was written, or with what was committed only. */
  reopened(powerCut: boolean): FakeEntryLog {
    const log = new FakeEntryLog()
    log.entries.push(...this.entries.slice(0, powerCut ? this.committedOffset : this.endOffset))
    log.lead(this.term + 1)
    return log
  }
}
