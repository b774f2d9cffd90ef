/** A snapshot: what a machine restates, in place of the entries below `offset`. */
export interface SnapshotId {
  readonly offset: number
  /** Of the last of those entries. */
  readonly epoch: number
}

/** Snapshots of a {@link ReplicatedMachine} on disk, opaque entries. They are written in slices, by whoever owns the store, in later turns. */
export interface SnapshotStore {
  /** Durable, the oldest first. */
  readonly kept: readonly SnapshotId[]
  readonly isWriting: boolean
  /** One of this offset or later is waited for: set by whoever waits, heeded by whoever begins them. */
  readonly wantedFrom: number
  /**
   * Begins to write one, which is there when it is among those kept; false while one is being written. What cannot be written is said and
   * let go of.
   */
  begin(id: SnapshotId, entries: Iterator<Uint8Array>): boolean
  /** Looks for one of `fromOffset` or later with the other replicas, and copies it: what it says was committed, wherever it lies. */
  search(fromOffset: number): void
  /**
   * The newest that is whole, of those from `fromOffset` up to `toOffset`; null where there is none. Why others count no more has been said. Throws what
   * reading the disk throws.
   */
  newest(fromOffset: number, toOffset: number): StoredSnapshot | null
  /** Why {@link newest} has passed over snapshots, each naming its file. */
  readonly complaints: readonly string[]
}

export interface StoredSnapshot extends SnapshotId {
  /** In order; one is valid until the next is asked for. */
  entries(): IterableIterator<Uint8Array>
}
