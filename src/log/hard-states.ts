import type { PartitionNumber } from '../base/ids.ts'
import type { Logger } from '../base/log.ts'
import type { HardState, ReplicaId, Term } from '../raft/types.ts'
import { type Disk, DiskError, type DiskFile, type FlushPort } from './disk.ts'
import type { DiskSpace } from './disk-space.ts'
import {
  HARD_STATES_FILE,
  HARD_STATES_HEADER_BYTES,
  HardStatesWrite,
  hardStatesWriteBytes,
  readHardStates,
  readHardStatesHeader,
  writeHardStatesHeader,
} from './hard-states-format.ts'

export interface HardStatesOptions {
  readonly disk: Disk
  /** The broker's; made if missing. */
  readonly directory: string
  readonly flush: FlushPort
  readonly logger: Logger
  /** null: none is kept, or asked. */
  readonly space?: DiskSpace | null
  /** A file that has grown beyond this, and four times what it says, is begun anew; 64 KB unless given. */
  readonly compactBytes?: number
}

type FlushDone = (error: DiskError | null) => void

/** The file that is to take the place of the one there is. */
interface Draft {
  readonly file: DiskFile
  readonly path: string
  /** No flush of the file there is proves anything, or what it says of itself is wrong. */
  readonly isNeeded: boolean
  bytes: number
}

const FIRST_SLOTS = 64
const STALE_FACTOR = 4

/**
 * Term and vote of all Raft groups of a broker, in one append-only file: what is set in a turn is one write. Each opening, and a
 * file that is mostly stale, is followed by a new file, which takes the place of the old one once it is durable; until then both are
 * written. On the broker's thread.
 */
export class HardStates {
  readonly #disk: Disk
  readonly #directory: string
  readonly #path: string
  readonly #flush: FlushPort
  readonly #logger: Logger
  readonly #space: DiskSpace | null
  readonly #compactBytes: number
  /** Of a partition, the place of its numbers in the columns. */
  readonly #slots = new Map<number, number>()
  #terms = new Float64Array(FIRST_SLOTS)
  #votes = new Float64Array(FIRST_SLOTS)
  #free: number[] = []
  readonly #staged = new Set<number>()
  #file: DiskFile | null = null
  #bytes = 0
  #durableBytes = 0
  /** Bytes of a failed write may lie beyond the end. */
  #isUncut = false
  #draft: Draft | null = null
  #needsDraft = false
  #retryDraftAtBytes = 0
  /** The file's name may not be durable. */
  #isNameNew = false
  #isFlushing = false
  #waiters: FlushDone[] = []
  #lost: DiskError | null = null
  #isWhole = true
  #isNew = false

  /** Reads what is there. Throws DiskError, or for a file of a newer version. */
  static open(options: HardStatesOptions): HardStates {
    const states = new HardStates(options)
    states.#load()
    return states
  }

  private constructor(options: HardStatesOptions) {
    this.#disk = options.disk
    this.#directory = options.directory
    this.#path = `${options.directory}/${HARD_STATES_FILE}`
    this.#flush = options.flush
    this.#logger = options.logger
    this.#space = options.space ?? null
    this.#compactBytes = options.compactBytes ?? 64 * 1024
  }

  /** false: something that was durable is lost, so that every replica of this broker may have forgotten: its owner begins anew, without this file. */
  get isWhole(): boolean {
    return this.#isWhole
  }

  /** There was no file: whoever finds replicas nevertheless must take them for forgetful. */
  get isNew(): boolean {
    return this.#isNew
  }

  get size(): number {
    return this.#slots.size
  }

  get hasStaged(): boolean {
    return this.#staged.size > 0
  }

  /** The newest, staged or not; null for a group that has none. */
  get(partition: PartitionNumber): HardState | null {
    const slot = this.#slots.get(partition)
    return slot === undefined ? null : { term: this.#terms[slot]!, vote: this.#votes[slot]! }
  }

  /** To be written by the next {@link write}. */
  set(partition: PartitionNumber, term: Term, vote: ReplicaId): void {
    if (this.#put(partition, term, vote)) this.#staged.add(partition)
  }

  /**
   * The group was deleted, or its replica has another id now. Written at once, before its files go: who finds a vote without files must not believe in that replica.
   * Returns why that failed: it goes with the next write then.
   */
  forget(partition: PartitionNumber): DiskError | null {
    if (this.#drop(partition)) this.#staged.add(partition)
    return this.#file !== null && this.hasStaged ? this.write() : null
  }

  #put(partition: number, term: Term, vote: ReplicaId): boolean {
    let slot = this.#slots.get(partition)
    if (slot === undefined) {
      slot = this.#free.pop() ?? this.#slots.size
      this.#slots.set(partition, slot)
      if (slot === this.#terms.length) this.#grow()
    } else if (this.#terms[slot] === term && this.#votes[slot] === vote) return false
    this.#terms[slot] = term
    this.#votes[slot] = vote
    return true
  }

  #grow(): void {
    const [terms, votes] = [this.#terms, this.#votes]
    this.#terms = new Float64Array(terms.length * 2)
    this.#votes = new Float64Array(votes.length * 2)
    this.#terms.set(terms)
    this.#votes.set(votes)
  }

  #drop(partition: number): boolean {
    const slot = this.#slots.get(partition)
    if (slot === undefined) return false
    this.#slots.delete(partition)
    this.#free.push(slot)
    return true
  }

  /** One write for all that is staged; null, or why it is not written: it stays staged then, for the next. */
  write(): DiskError | null {
    if (this.#staged.size === 0) return null
    try {
      this.#evenWhenFull(() => this.#writeStaged())
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      this.#space?.failed(error)
      return error
    }
    this.#advance()
    return null
  }

  #writeStaged(): void {
    this.#cutRest()
    const bytes = new Uint8Array(hardStatesWriteBytes(this.#staged.size))
    const write = new HardStatesWrite(bytes, 0)
    for (const partition of this.#staged) {
      const slot = this.#slots.get(partition)
      if (slot === undefined) write.addForgotten(partition)
      else write.add(partition, this.#terms[slot]!, this.#votes[slot]!)
    }
    write.seal(this.#durableBytes)
    this.#isUncut = true
    this.#file!.write([bytes], this.#bytes)
    this.#isUncut = false
    this.#bytes += bytes.length
    this.#staged.clear()
    const draft = this.#draft
    if (draft === null) return
    write.seal(0)
    try {
      draft.file.write([bytes], draft.bytes)
      draft.bytes += bytes.length
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      // it is in the file that counts
      this.#giveUpDraft(error)
    }
  }

  #cutRest(): void {
    if (!this.#isUncut) return
    this.#file!.truncate(this.#bytes)
    this.#isUncut = false
  }

  #evenWhenFull(work: () => void): void {
    if (this.#space === null) work()
    else this.#space.withLastReserve(work)
  }

  /** `done` is called in a later turn, when all that is written is durable, or with why that is not to be had before the next opening. */
  requestFlush(done: FlushDone): void {
    if (this.#lost !== null) {
      done(this.#lost)
      return
    }
    this.#waiters.push(done)
    this.#advance()
  }

  /** Lets go of the file. What is staged is not written. */
  close(): void {
    const file = this.#file
    this.#file = null
    file?.close()
    if (this.#draft === null) return
    this.#draft.file.close()
    this.#draft = null
  }

  #load(): void {
    this.#disk.mkdirs(this.#directory)
    this.#isNew = !this.#disk.exists(this.#path)
    const found = this.#isNew ? new Uint8Array(0) : this.#disk.readFile(this.#path)
    const header = readHardStatesHeader(found, this.#path)
    const read = readHardStates(found, header !== null, {
      state: (partition, term, vote) => this.#put(partition, term, vote),
      forgotten: (partition) => this.#drop(partition),
    })
    if (header === null && read.writes === 0) {
      // none, or torn before anything was in it
      this.#isNew = true
      const bytes = new Uint8Array(HARD_STATES_HEADER_BYTES)
      writeHardStatesHeader(bytes, false)
      this.#evenWhenFull(() => this.#disk.writeFileAtomic(this.#path, bytes))
      this.#file = this.#disk.open(this.#path, 'append')
      this.#bytes = bytes.length
      this.#isNameNew = true
      return
    }
    this.#isWhole = header?.hasForgotten !== true && !read.isDamaged
    if (!this.#isWhole) {
      const message = 'Terms and votes are damaged: the replicas of this broker may have forgotten'
      this.#logger.log('error', message, { path: this.#path })
    }
    this.#file = this.#disk.open(this.#path, 'append')
    this.#bytes = read.endByte
    this.#isUncut = read.endByte < found.length
    this.#isNameNew = this.#needsDraft = true
    this.#advance()
  }

  /** Begins what is to be done next, if nothing is under way. */
  #advance(): void {
    if (this.#isFlushing || this.#draft !== null || this.#file === null) return
    if (this.#lost !== null) return
    const isDue = this.#waiters.length > 0 || this.#bytes >= this.#retryDraftAtBytes
    if ((this.#needsDraft && isDue) || this.#isStale) {
      try {
        this.#evenWhenFull(() => this.#beginDraft())
      } catch (error) {
        if (!(error instanceof DiskError)) throw error
        this.#retryDraftAtBytes = this.#bytes * 2
        this.#logger.log('warn', `Terms and votes stay in their old file: ${error.message}`)
        // of a file that an earlier process has written no flush proves anything
        if (this.#needsDraft) this.#tellWaiters(error)
      }
      if (this.#draft !== null) return
    }
    if (this.#waiters.length > 0) this.#flushFile()
  }

  get #isStale(): boolean {
    const live = HARD_STATES_HEADER_BYTES + hardStatesWriteBytes(this.#slots.size)
    return (
      this.#bytes > Math.max(this.#compactBytes, STALE_FACTOR * live) &&
      this.#bytes >= this.#retryDraftAtBytes
    )
  }

  #beginDraft(): void {
    const bytes = new Uint8Array(HARD_STATES_HEADER_BYTES + hardStatesWriteBytes(this.#slots.size))
    writeHardStatesHeader(bytes, !this.#isWhole)
    const write = new HardStatesWrite(bytes, HARD_STATES_HEADER_BYTES)
    for (const [partition, slot] of this.#slots) {
      write.add(partition, this.#terms[slot]!, this.#votes[slot]!)
    }
    write.seal(0)
    const path = `${this.#path}.tmp`
    const file = this.#disk.open(path, 'create')
    try {
      file.write([bytes], 0)
    } catch (error) {
      file.close()
      throw error
    }
    const draft: Draft = { file, path, isNeeded: this.#needsDraft, bytes: bytes.length }
    this.#draft = draft
    this.#needsDraft = false
    const { length } = bytes
    const done = (failed: DiskError | null) => {
      if (this.#draft !== draft) return
      if (failed !== null) {
        this.#giveUpDraft(failed)
        this.#lose(failed)
      } else this.#takeDraft(draft, length)
    }
    this.#flush.request(path, done, true)
  }

  /** Its first `durableBytes` are durable, and hold all that this file may have been relied on for. */
  #takeDraft(draft: Draft, durableBytes: number): void {
    try {
      this.#disk.rename(draft.path, this.#path)
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      this.#giveUpDraft(error)
      this.#advance()
      return
    }
    this.#draft = null
    this.#file!.close()
    this.#file = draft.file
    this.#bytes = draft.bytes
    this.#durableBytes = durableBytes
    this.#isUncut = false
    this.#isNameNew = true
    this.#retryDraftAtBytes = 0
    this.#advance()
  }

  #giveUpDraft(error: DiskError): void {
    const { file, isNeeded } = this.#draft!
    file.close()
    this.#draft = null
    this.#needsDraft ||= isNeeded
    this.#retryDraftAtBytes = this.#bytes * 2
    this.#logger.log('warn', `Terms and votes stay in their old file: ${error.message}`)
    if (isNeeded) this.#tellWaiters(error)
  }

  #flushFile(): void {
    const waiters = this.#waiters
    this.#waiters = []
    this.#isFlushing = true
    const bytes = this.#bytes
    const paths = this.#isNameNew ? [this.#path, this.#directory] : [this.#path]
    let [left, failed]: [number, DiskError | null] = [paths.length, null]
    const done = (error: DiskError | null) => {
      failed ??= error
      if (--left > 0) return
      this.#isFlushing = false
      if (failed === null) {
        this.#durableBytes = Math.max(this.#durableBytes, bytes)
        this.#isNameNew = false
      } else this.#lose(failed)
      for (const done of waiters) done(failed)
      this.#advance()
    }
    // elections wait for it
    for (const path of paths) this.#flush.request(path, done, true)
  }

  /** After a flush that failed the system may take for written what is not: no later one is believed. */
  #lose(error: DiskError): void {
    this.#lost = error
    this.#tellWaiters(error)
  }

  #tellWaiters(error: DiskError): void {
    const waiters = this.#waiters
    this.#waiters = []
    for (const done of waiters) done(error)
  }
}
