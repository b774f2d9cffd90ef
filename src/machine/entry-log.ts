/**
 * The replicated log under a {@link ReplicatedMachine}: opaque entries, one offset each, counted from 0. The controller's
 * is implemented over a Raft group's log in `broker/`; a coordinator's is its internal topic's partition.
 */
export interface EntryLog {
  /** Position of the first entry that is here: what was below is in a snapshot. Moves on when one is cut off, or when it begins anew after that of another. */
  readonly startOffset: number
  /** Position after the last entry that is here, committed or not. */
  readonly endOffset: number
  /** Entries below are committed: a majority holds them as durably as it must. Never falls. */
  readonly committedOffset: number
  /**
   * The term in which this replica leads, once all that was committed before is known to be: what is here was committed then, or was appended by it since. 0 while
   * it follows.
   */
  readonly term: number
  /** It leads, and takes entries now: not while it hands leadership over. */
  readonly takesEntries: boolean
  /** Why nothing will be appended here before the log is opened again (a flush was lost), or null. */
  readonly failure: string | null
  /**
   * Appends all of `entries` or none, in one write; returns the new end. Only in a {@link term}. Throws the disk's error, and then the log is as it
   * was before the call.
   */
  append(entries: readonly Uint8Array[]): number
  /** Calls `each` for every entry of [`fromOffset`, `toOffset`), in order. The bytes may be reused after the call returns. */
  read(
    fromOffset: number,
    toOffset: number,
    each: (offset: number, bytes: Uint8Array) => void,
  ): void
  /** Of the last entry below `offset`: the term in which it was decided. */
  epochBefore(offset: number): number
  /**
   * Entries below `offset`, which are committed, are needed no more: {@link startOffset} moves, here and with all other replicas, when each has a snapshot. To
   * be asked for again where it does not; nothing happens where this replica does not lead.
   */
  deleteBelow(offset: number): void
  /** What comes from now on lies apart from what is here, so that this can go as a whole. Where that begins; null where it cannot be now. */
  roll(): number | null
  /** The disk has refused an append: another is to lead, if there is one. True where one will. */
  giveUp(): boolean
}
