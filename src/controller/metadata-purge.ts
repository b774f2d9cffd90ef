/** Forgets what the metadata log and its snapshots say of what is gone, in one copy of them. */
import type { EntryLog } from '../machine/entry-log.ts'
import type { SnapshotStore } from '../machine/snapshot-store.ts'

/**
 * From an entry that asks for it on: a segment is begun, so that the one before can go as a whole, then snapshots are due until all that are kept, and the log, begin behind
 * it. Two are kept, and the second wants something that has changed since the first: who has asked asks again until nothing is left.
 */
export class MetadataPurge {
  readonly #store: Pick<SnapshotStore, 'kept'>
  readonly #log: Pick<EntryLog, 'startOffset' | 'roll'>
  /** What lies below is to go; 0: nothing was asked for. */
  #below = 0
  #isRolled = true

  constructor(store: Pick<SnapshotStore, 'kept'>, log: Pick<EntryLog, 'startOffset' | 'roll'>) {
    this.#store = store
    this.#log = log
  }

  get isUnderWay(): boolean {
    return this.#below > 0 && (this.wantsSnapshot || this.#log.startOffset < this.#below)
  }

  /** A snapshot that is made now is one more that says nothing of what is to go. */
  get wantsSnapshot(): boolean {
    const { kept } = this.#store
    return this.#below > 0 && this.#isRolled && (kept.length < 2 || kept[0]!.offset < this.#below)
  }

  /** All below `offset` is to go. */
  begin(offset: number): void {
    this.#below = offset
    this.#isRolled = false
  }

  /** What comes from now on is in a segment of its own; tried again with the next turn where it is not now. */
  roll(): void {
    if (this.#isRolled) return
    const from = this.#log.roll()
    if (from === null) return
    this.#below = Math.max(this.#below, from)
    this.#isRolled = true
  }
}
