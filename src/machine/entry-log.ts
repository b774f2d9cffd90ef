/**
 * The durable log under a {@link ReplicatedMachine}: opaque entries, one offset each, counted from 0. The controller's
 * is implemented over a partition log in `broker/`; a coordinator's will be its internal topic's partition.
 */
export interface EntryLog {
  /** Position of the first entry that is there: what was below is in a snapshot. */
  readonly startOffset: number
  /** Position after the last entry appended. */
  readonly endOffset: number
  /** Entries below have been flushed: they survive power loss. */
  readonly durableOffset: number
  /** Why nothing will be appended or flushed any more (a flush was lost), or null. Final until the process starts anew. */
  readonly failure: string | null
  /**
   * Appends all of `entries` or none, in one write; returns the new end. Throws the disk's error, and then the log is as it
   * was before the call.
   */
  append(entries: readonly Uint8Array[]): number
  /** Of the last entry below `offset`: by whom it was decided. */
  epochBefore(offset: number): number
  /** Calls `each` for every entry from `fromOffset` on, in order. The bytes may be reused after the call returns. */
  read(fromOffset: number, each: (offset: number, bytes: Uint8Array) => void): void
  /** Asks for a flush of everything appended so far; `durableOffset` moves when it is done. Never blocks. */
  requestFlush(): void
  /**
   * Entries below `offset`, which are committed, are needed no more: {@link startOffset} moves when that is durable. To be asked for again where it does
   * not; nothing happens where this log cannot decide it.
   */
  deleteBelow(offset: number): void
}
