import type { PartitionNumber } from '../base/ids.ts'
import type { Logger } from '../base/log.ts'
import { type Disk, DiskError, type DiskFile, type FlushPort } from './disk.ts'
import {
  decodeHeader,
  ENTRY_BYTES,
  EntryKind,
  encodeHeader,
  HEADER_BYTES,
  type Header,
  normalBootId,
  readEntries,
  writeEntry,
} from './recovery-points-format.ts'

/** What a partition's log must know when it is opened. */
export interface RecoveryPoint {
  /** It may have been written since everything was durable: its end must be checked. */
  readonly dirty: boolean
  /** Offsets below were durable. */
  readonly flushedOffset: number
  /** Offsets below are whole, durable or not: the operating system has them. At least `flushedOffset`. */
  readonly writtenOffset: number
  /**
   * The operating system was restarted meanwhile, or a flush has failed: what was not flushed may be lost, torn or out of
   * order.
   */
  readonly powerLoss: boolean
  /** Nothing but a lost entry can have made it dirty: with its end where it was, it is clean. */
  readonly wasClean: boolean
}

export interface RecoveryPointsOptions {
  readonly disk: Disk
  /** The broker's directory; made if missing. */
  readonly root: string
  readonly flush: FlushPort
  readonly logger: Logger
  /** A file that has grown beyond this is begun anew. */
  readonly compactBytes?: number
}

const NAME = /^recovery-points\.(\d+)$/

type Done = (failed: DiskError | null) => void
type State = 'dirty' | 'clean' | 'suspect' | 'suspectClean'
interface Known {
  state: State
  offset: number
  /** Of the last WRITTEN that was not taken back; 0 for none. */
  written: number
  /** What a power cut may leave of it is no offset beyond: an entry that lowers it counts for that once it is durable. */
  highest: number
  /** Entries since the start. */
  notes: number
}

/**
 * Which partitions of a broker were written since they were last durable, and what is flushed: one append-only file per
 * broker (see `recovery-points-format.ts`). An entry precedes a partition's first write after clean, so after a
 * process death only the partitions named need be read; after a power cut, which may have taken entries too, each
 * partition's end is checked from the flushed offset. On the broker's thread.
 */
export class RecoveryPoints {
  readonly #disk: Disk
  readonly #root: string
  readonly #flush: FlushPort
  readonly #logger: Logger
  readonly #compactBytes: number
  readonly #bootId: string | null
  readonly #known = new Map<number, Known>()
  /** Flushes that failed since the start, of partitions where there were any. */
  readonly #lostFlushes = new Map<number, number>()
  /** Flush rounds under way, also of logs that are closed by now. */
  readonly #rounds = new Map<number, number>()
  readonly #scratch = new Uint8Array(ENTRY_BYTES)
  #unnamedSuspect = false
  /** A flush of the file has failed: none that follows proves anything of it. */
  #isDoubtful = false
  #isFlushing = false
  /** For the next round. */
  #waiting: Done[] = []
  #generation = 0
  /** What is before the file that counts, to be removed once that is durable. */
  #older: readonly number[] = []
  /** The first that this process has begun, the last that was durable, and the one that is being flushed; 0 for none. */
  #first = 0
  #durable = 0
  #inFlight = 0
  #file: DiskFile | null = null
  #bytes = 0

  /** Reads what is there and begins a new file. Throws DiskError, or for a file of a newer version. */
  static open(options: RecoveryPointsOptions): RecoveryPoints {
    const points = new RecoveryPoints(options)
    points.#load()
    points.#begin()
    return points
  }

  private constructor(options: RecoveryPointsOptions) {
    this.#disk = options.disk
    this.#root = options.root
    this.#flush = options.flush
    this.#logger = options.logger
    this.#compactBytes = options.compactBytes ?? 1 << 20
    this.#bootId = normalBootId(options.disk.bootId())
  }

  of(partition: PartitionNumber): RecoveryPoint {
    const known = this.#known.get(partition)
    const state = known?.state ?? (this.#unnamedSuspect ? 'suspect' : 'clean')
    const flushedOffset = known?.offset ?? 0
    return {
      dirty: state !== 'clean',
      flushedOffset,
      writtenOffset: Math.max(flushedOffset, state === 'dirty' ? known!.written : 0),
      powerLoss: state === 'suspect' || state === 'suspectClean',
      wasClean: state === 'clean' || state === 'suspectClean',
    }
  }

  /** Partitions that are named, clean or not. */
  partitions(): number[] {
    return [...this.#known.keys()]
  }

  /** Partitions that are named as not clean: those worth opening soon after a start. */
  dirtyPartitions(): number[] {
    const isOpen = (state: State) => state === 'dirty' || state === 'suspect'
    return [...this.#known].filter(([, known]) => isOpen(known.state)).map(([number]) => number)
  }

  /** Before a partition's first write after clean, and after its recovery. Throws DiskError. */
  markDirty(partition: PartitionNumber, flushedOffset: number): void {
    this.#note(EntryKind.DIRTY, partition, flushedOffset, 'dirty')
  }

  /** The flusher has reported. */
  markFlushed(partition: PartitionNumber, flushedOffset: number): void {
    const state = this.#known.get(partition)?.state ?? 'dirty'
    this.#note(EntryKind.FLUSHED, partition, flushedOffset, state)
  }

  /** Whether a power cut may leave word that the partition's log was durable beyond `offset`. */
  mayTellBeyond(partition: PartitionNumber, offset: number): boolean {
    return (this.#known.get(partition)?.highest ?? 0) > offset
  }

  /**
   * A log is to end at `offset`, below what may be told of it: `done` once no power cut takes back that no more than this is durable. What is noted meanwhile may lie
   * beyond again: see {@link mayTellBeyond}. Throws DiskError.
   */
  lower(partition: PartitionNumber, offset: number, done: Done): void {
    this.markDirty(partition, Math.min(this.of(partition).flushedOffset, offset))
    const known = this.#known.get(partition)
    const notes = known?.notes
    this.#makeDurable((failed) => {
      if (failed === null && known !== undefined && known.notes === notes) {
        known.highest = known.offset
      }
      done(failed)
    })
  }

  /**
   * Offsets below are in the hands of the operating system: after a process death they need not be read again. Not noted while a flush of them is under way. Throws DiskError.
   */
  markWritten(partition: PartitionNumber, offset: number): void {
    const known = this.#known.get(partition)
    if (known?.state !== 'dirty' || offset <= known.written || this.#rounds.has(partition)) return
    this.#append(EntryKind.WRITTEN, partition, offset)
    known.written = offset
    if (this.#bytes > this.#compactBytes) this.#begin()
  }

  /**
   * A flush of the partition's files is about to be asked for: what it loses must be found by the next opening, so nothing counts as written before {@link roundEnded}. Also
   * where this throws DiskError.
   */
  roundBegins(partition: PartitionNumber): void {
    this.#rounds.set(partition, (this.#rounds.get(partition) ?? 0) + 1)
    const known = this.#known.get(partition)
    if (known === undefined || known.written === 0) return
    this.#append(kindOf[known.state], partition, known.offset)
    known.written = 0
  }

  roundEnded(partition: PartitionNumber): void {
    const left = this.#rounds.get(partition)! - 1
    if (left > 0) this.#rounds.set(partition, left)
    else this.#rounds.delete(partition)
  }

  /**
   * A flush of the partition's files has failed: what it was to write is nowhere but in memory, and no later flush will write
   * it. Said once more with each, whoever asked for it.
   */
  markFlushLost(partition: PartitionNumber): void {
    const known = this.#known.get(partition)
    if (known === undefined) return
    this.#lostFlushes.set(partition, this.lostFlushesOf(partition) + 1)
    try {
      this.#note(EntryKind.SUSPECT, partition, known.offset, 'suspect')
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      // at least this process knows; the next one finds it dirty, and nothing of it written: that was taken back before the flush
      known.state = 'suspect'
      known.written = 0
    }
  }

  /** How many flushes have failed since the start: one that succeeds proves nothing if another failed meanwhile. */
  lostFlushesOf(partition: PartitionNumber): number {
    return this.#lostFlushes.get(partition) ?? 0
  }

  /** All of the partition's files are durable and end at `endOffset`. */
  markClean(partition: PartitionNumber, endOffset: number): void {
    this.#note(EntryKind.CLEAN, partition, endOffset, 'clean')
  }

  /** The partition was deleted. */
  remove(partition: PartitionNumber): void {
    if (!this.#known.has(partition)) return
    this.#append(EntryKind.REMOVED, partition, 0)
    this.#known.delete(partition)
    this.#lostFlushes.delete(partition)
  }

  /** The same; `done` once no start will find it named, whatever becomes of the power. Throws DiskError. */
  removeDurably(partition: PartitionNumber, done: Done): void {
    this.remove(partition)
    this.#makeDurable(done)
  }

  /** All that has been noted: one round for all who ask while another is under way. */
  #makeDurable(done: Done): void {
    this.#waiting.push(done)
    if (!this.#isFlushing) this.#flushAll()
  }

  /** After one that failed none begins by itself: whoever asks next begins anew, with another file. */
  #flushAll(): void {
    const waiting = this.#waiting
    this.#waiting = []
    this.#isFlushing = true
    this.#flushFile((failed) => {
      this.#isFlushing = false
      for (const done of waiting) done(failed)
      const isBehind = failed === null && this.#durable < this.#generation
      if ((this.#waiting.length > 0 || isBehind) && !this.#isFlushing) this.#flushAll()
    })
  }

  #flushFile(done: Done): void {
    try {
      if (this.#isDoubtful) this.#begin()
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      done(error)
      return
    }
    const generation = this.#generation
    this.#inFlight = generation
    const end = (failed: DiskError | null) => {
      this.#inFlight = 0
      if (failed === null) this.#becameDurable(generation)
      else if (generation === this.#generation) this.#isDoubtful = true
      done(failed)
    }
    const flushNames = (failed: DiskError | null) => {
      if (failed === null) this.#flush.request(this.#root, end, true)
      else end(failed)
    }
    this.#flush.request(this.#path(generation), flushNames, true)
  }

  #becameDurable(generation: number): void {
    this.#durable = generation
    const older = this.#older.filter((one) => one < generation)
    this.#older = this.#older.filter((one) => one >= generation)
    this.#removeFiles(older)
  }

  /** At the end of a clean stop, after all logs: the file is brought to what is known, and handed to the flusher. */
  close(): void {
    if (this.#bytes > HEADER_BYTES + 2 * ENTRY_BYTES * (this.#known.size + 64)) this.#begin()
    this.#file?.close()
    this.#file = null
    this.#flush.request(this.#path(this.#generation), () => {})
  }

  #note(kind: EntryKind, partition: PartitionNumber, offset: number, state: State): void {
    const known = this.#known.get(partition)
    if (known?.state === state && known.offset === offset && known.written === 0) return
    this.#append(kind, partition, offset)
    if (known === undefined) {
      this.#known.set(partition, { state, offset, written: 0, highest: offset, notes: 1 })
    } else {
      known.state = state
      known.offset = offset
      known.written = 0
      known.highest = Math.max(known.highest, offset)
      known.notes++
    }
    if (this.#bytes > this.#compactBytes) this.#begin()
  }

  #append(kind: EntryKind, partition: number, offset: number): void {
    writeEntry(this.#scratch, 0, kind, partition, offset)
    this.#file!.write([this.#scratch], this.#bytes)
    this.#bytes += ENTRY_BYTES
  }

  #path(generation: number): string {
    return `${this.#root}/recovery-points.${generation}`
  }

  #generations(): number[] {
    return this.#disk
      .list(this.#root)
      .flatMap((name) => NAME.exec(name)?.[1] ?? [])
      .map(Number)
      .sort((a, b) => a - b)
  }

  #load(): void {
    const generations = this.#generations()
    this.#generation = generations.at(-1) ?? 0
    let base: Header | null = null
    const highest = new Map<number, number>()
    for (const generation of generations) {
      const path = this.#path(generation)
      const bytes = this.#disk.readFile(path)
      const header = decodeHeader(bytes, path)
      if (header === null) continue
      let whole = false
      readEntries(bytes, (kind) => {
        whole ||= kind === EntryKind.STATE_END
      })
      if (whole) {
        // It says all that was known; what a cut left of it without its end only adds to the file before.
        this.#known.clear()
        base = header
      }
      readEntries(bytes, (kind, partition, offset) => {
        this.#replay(kind, partition, offset)
        if (kind === EntryKind.WRITTEN) return
        highest.set(partition, Math.max(highest.get(partition) ?? 0, offset))
      })
    }
    // after the death of a process, none of it need be durable
    for (const [partition, known] of this.#known) known.highest = highest.get(partition) ?? 0
    const sameBoot = base !== null && base.bootId !== null && base.bootId === this.#bootId
    const unknown = base === null && this.#disk.list(this.#root).length > 0
    this.#unnamedSuspect = unknown || (base?.unnamedSuspect ?? false)
    if (base === null || sameBoot) return
    // A cut may have taken entries, and files of this name begun later, so each partition is checked from where it is
    // known to be durable. No clean stop changes that: the start after it may be among what was lost.
    this.#unnamedSuspect = true
    let open = 0
    for (const known of this.#known.values()) {
      if (known.state === 'clean') known.state = 'suspectClean'
      else if (known.state === 'dirty') known.state = 'suspect'
      if (known.state === 'suspect') open++
    }
    if (open === 0) return
    this.#logger.log('warn', 'The system was restarted without a clean stop: logs are checked', {
      directory: this.#root,
      logs: open,
    })
  }

  #replay(kind: EntryKind, partition: number, offset: number): void {
    const set = (state: State) => {
      this.#known.set(partition, { state, offset, written: 0, highest: offset, notes: 0 })
    }
    const known = this.#known.get(partition)
    switch (kind) {
      case EntryKind.DIRTY:
        set('dirty')
        break
      case EntryKind.CLEAN:
        set('clean')
        break
      case EntryKind.SUSPECT:
        set('suspect')
        break
      case EntryKind.SUSPECT_CLEAN:
        set('suspectClean')
        break
      case EntryKind.FLUSHED:
        set(known?.state ?? 'dirty')
        break
      case EntryKind.WRITTEN:
        if (known !== undefined) known.written = offset
        break
      case EntryKind.REMOVED:
        this.#known.delete(partition)
        break
    }
  }

  /** Writes a new file with what is known; the older ones go once it is durable, but for those that never were. */
  #begin(): void {
    this.#disk.mkdirs(this.#root)
    const older = this.#generations()
    const bytes = new Uint8Array(HEADER_BYTES + ENTRY_BYTES * (2 * this.#known.size + 1))
    bytes.set(encodeHeader({ unnamedSuspect: this.#unnamedSuspect, bootId: this.#bootId }))
    let at = HEADER_BYTES
    for (const [partition, known] of this.#known) {
      writeEntry(bytes, at, kindOf[known.state], partition, known.offset)
      at += ENTRY_BYTES
      if (known.written === 0) continue
      writeEntry(bytes, at, EntryKind.WRITTEN, partition, known.written)
      at += ENTRY_BYTES
    }
    writeEntry(bytes, at, EntryKind.STATE_END, 0, 0)
    at += ENTRY_BYTES
    const path = this.#path(this.#generation + 1)
    const file = this.#disk.open(path, 'create')
    try {
      file.write([bytes.subarray(0, at)], 0)
    } catch (error) {
      file.close()
      this.#disk.remove(path)
      throw error
    }
    this.#file?.close()
    this.#file = file
    this.#bytes = at
    this.#generation++
    this.#isDoubtful = false
    this.#first ||= this.#generation
    // a power cut might have taken them as well: without a flush that succeeds there are no more and more of them
    const isKept = (one: number) =>
      one < this.#first || one === this.#durable || one === this.#inFlight
    this.#older = older.filter(isKept)
    this.#removeFiles(older.filter((one) => !isKept(one)))
    if (!this.#isFlushing) this.#flushAll()
  }

  /** What cannot be removed is read before newer ones, and tried again with the next file. */
  #removeFiles(generations: readonly number[]): void {
    for (const path of generations.map((generation) => this.#path(generation))) {
      try {
        if (this.#disk.exists(path)) this.#disk.remove(path)
      } catch (error) {
        if (!(error instanceof DiskError)) throw error
        this.#logger.log('warn', `An old file of recovery points stays for now: ${error.message}`)
      }
    }
  }
}

const kindOf = {
  dirty: EntryKind.DIRTY,
  clean: EntryKind.CLEAN,
  suspect: EntryKind.SUSPECT,
  suspectClean: EntryKind.SUSPECT_CLEAN,
} as const satisfies Record<State, EntryKind>
