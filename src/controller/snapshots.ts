/** When snapshots of the controller's state are made, and how far the log goes back. */
import type { MetadataEntry } from '../image/entry.ts'
import type { EntryLog } from '../machine/entry-log.ts'
import type { SnapshotStore } from '../machine/snapshot-store.ts'
import { decodeEntry, encodeEntry } from './entry-codec.ts'
import { MetadataPurge } from './metadata-purge.ts'
import { StartRefusedError } from './refused.ts'

/** Of entries that versions refuse which know nothing of snapshots. */
const SNAPSHOT_FORMAT = 4

export interface SnapshotSettings {
  /** Kafka's metadata.log.max.record.bytes.between.snapshots. */
  readonly maxBytes: number
  /** Kafka's metadata.log.max.snapshot.interval.ms: at most, if anything has changed; 0 for never. */
  readonly maxIntervalMs: number
  /** No other replica has what this log may have lost: default false. */
  readonly isOnlyCopy?: boolean
}

/** Between two looks for a snapshot that is missing here. */
const SEARCH_AGAIN_MS = 1_000
/** After one that could not be written: each attempt takes of the disk's reserve, and says why it has failed. */
const WRITE_AGAIN_MS = 10_000

/**
 * Owned by the agent, which says what comes into the log, and what is committed. The log begins with the older of the snapshots that are kept, once there
 * are two: the newest may turn out to be unreadable.
 */
export class MetadataSnapshots {
  readonly #store: SnapshotStore
  readonly #log: EntryLog
  readonly #settings: SnapshotSettings
  /** Of entries, since the newest snapshot was begun. */
  #bytes = 0
  /** Position of the last entry that this process has seen of a format that older versions refuse. */
  #refusedAt = -1
  #askedFor = 0
  /** When the interval began, monotonic; null before the first turn. */
  #sinceMs: number | null = null
  #nowMs = 0
  #isChanged = false
  /** What the newest will end at when what was begun is whole; −1: nothing was, or its end has been seen. */
  #begunFor = -1
  /** The last one could not be written, and is still due. */
  #isOwed = false
  #writeAtMs = Number.NEGATIVE_INFINITY
  #hasLooked = false
  #searchAtMs = Number.NEGATIVE_INFINITY
  readonly #purge: MetadataPurge
  #loading: { readonly offset: number; readonly entries: Iterator<Uint8Array> } | null = null

  constructor(store: SnapshotStore, log: EntryLog, settings: SnapshotSettings) {
    this.#store = store
    this.#log = log
    this.#settings = settings
    this.#purge = new MetadataPurge(store, log)
  }

  /** The next turn that is needed if nothing else happens. */
  get nextTimerAtMs(): number {
    const { maxIntervalMs } = this.#settings
    // nothing is done before the log is open again, which is not this one's to wait for
    if (this.#log.failure !== null) return Number.POSITIVE_INFINITY
    if (this.#loading !== null) return 0
    if (this.#searchAtMs > this.#nowMs) return this.#searchAtMs
    if (!this.#isChanged || this.#store.isWriting) return Number.POSITIVE_INFINITY
    if (this.#isOwed) return this.#writeAtMs
    if (this.#purge.wantsSnapshot) return this.#nowMs
    if (maxIntervalMs === 0) return Number.POSITIVE_INFINITY
    return (this.#sinceMs ?? this.#nowMs) + maxIntervalMs
  }

  /** A snapshot is being replayed: the state is none before that is done. */
  get isLoading(): boolean {
    return this.#loading !== null
  }

  /** Whether a snapshot comes before the log: nothing is applied yet, or what is, `applied`, ends before the log begins. */
  precede(applied: number): boolean {
    const { startOffset, committedOffset, term } = this.#log
    if (applied < startOffset) return true
    return !this.#hasLooked && (committedOffset > 0 || term !== 0)
  }

  /**
   * Looks for the newest snapshot that can be read, to be replayed by {@link load}. False where there is none: none is needed, or one is looked for with the
   * other replicas. Throws {@link StartRefusedError} where there are no others.
   */
  begin(nowMs: number): boolean {
    const { startOffset, endOffset } = this.#log
    const isOnlyCopy = this.#settings.isOnlyCopy === true
    const last = this.#store.kept.at(-1)?.offset ?? 0
    if (isOnlyCopy && last > endOffset) {
      throw new StartRefusedError(
        `metadata log: it ends at offset ${endOffset}, but a snapshot in its directory says what was before ${last}: the log has lost entries; restore it, or begin with another --data-dir`,
      )
    }
    if (this.#store.isWriting || nowMs < this.#searchAtMs) return false
    // that of a replica may lie beyond the end of a log that is being filled: what it holds was committed
    const found = this.#store.newest(startOffset, isOnlyCopy ? endOffset : Number.POSITIVE_INFINITY)
    if (found === null) {
      this.#hasLooked ||= startOffset === 0
      if (startOffset > 0) this.#search(nowMs)
      return false
    }
    this.#hasLooked = true
    this.#loading = { offset: found.offset, entries: found.entries() }
    return true
  }

  /** Replays some; returns where the log goes on when that was all, null when more follow. */
  load(entriesMax: number, replay: (entry: MetadataEntry) => void): number | null {
    const { offset, entries } = this.#loading!
    for (let i = 0; i < entriesMax; i++) {
      const { value, done } = entries.next()
      if (done === true) {
        this.#loading = null
        return offset
      }
      replay(decodeEntry(value, offset))
    }
    return null
  }

  /** What was applied ends before the log begins. */
  #search(nowMs: number): void {
    const { startOffset } = this.#log
    const { complaints } = this.#store
    const why = complaints.length > 0 ? complaints.join('; ') : 'there is none in its directory'
    const what = `metadata log: it begins at offset ${startOffset}, and no snapshot can be read that says what was before: ${why}`
    if (this.#settings.isOnlyCopy === true) {
      throw new StartRefusedError(`${what}; restore the file, or begin with another --data-dir`)
    }
    this.#searchAtMs = nowMs + SEARCH_AGAIN_MS
    this.#store.search(startOffset)
  }

  /** An entry is in the log, committed or not. */
  noted(offset: number, bytes: Uint8Array, { kind }: MetadataEntry): void {
    this.#bytes += bytes.length
    if (kind === 'metadata-purge' && !this.#purge.isUnderWay) this.#purge.begin(offset + 1)
    if (bytes[0]! >= SNAPSHOT_FORMAT) this.#refusedAt = offset
  }

  /** Begins what is due. Everything below `committed` is replayed; `restate` says what that is. */
  doWork(nowMs: number, committed: number, restate: () => Iterable<MetadataEntry>): number {
    this.#nowMs = nowMs
    this.#sinceMs ??= nowMs
    const store = this.#store
    if (store.isWriting) return 0
    this.#cut()
    this.#purge.roll()
    const last = store.kept.at(-1)?.offset ?? 0
    this.#isChanged = committed > last
    this.#seeEnd(last, nowMs)
    if (nowMs < this.#writeAtMs) return 0
    const isWanted = store.wantedFrom > last && committed >= store.wantedFrom
    if (!this.#isChanged || !(isWanted || this.#isDue(nowMs))) return 0
    this.#bytes = 0
    this.#sinceMs = nowMs
    const id = { offset: committed, epoch: this.#log.epochBefore(committed) }
    if (!store.begin(id, encoded(restate()))) return 0
    this.#begunFor = committed
    return 1
  }

  /** Of what was begun here, if it has ended since. */
  #seeEnd(last: number, nowMs: number): void {
    if (this.#begunFor > last) {
      this.#isOwed = true
      this.#writeAtMs = nowMs + WRITE_AGAIN_MS
    } else if (this.#begunFor >= 0 || !this.#isChanged) this.#isOwed = false
    this.#begunFor = -1
  }

  #isDue(nowMs: number): boolean {
    const { maxBytes, maxIntervalMs } = this.#settings
    if (this.#isOwed || this.#bytes >= maxBytes || this.#purge.wantsSnapshot) return true
    return maxIntervalMs > 0 && nowMs - this.#sinceMs! >= maxIntervalMs
  }

  /** What is left must hold an entry that an older version refuses: it knows nothing of snapshots, and would take the log for whole. */
  #cut(): void {
    const { kept } = this.#store
    const offset = kept.length > 1 ? kept[0]!.offset : 0
    if (offset <= this.#askedFor || offset <= this.#log.startOffset) return
    if (this.#refusedAt < offset || !this.#log.takesEntries) return
    this.#askedFor = offset
    this.#log.deleteBelow(offset)
  }
}

function* encoded(entries: Iterable<MetadataEntry>): IterableIterator<Uint8Array> {
  for (const entry of entries) yield encodeEntry(entry)
}
