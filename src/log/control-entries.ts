import { invariant } from '../base/assert.ts'
import { segmentName } from '../base/paths.ts'
import type { RecoveredLog } from '../raft/log-view.ts'
import type { Configuration, ControlEntry, Position, ReplicaId, TermLine } from '../raft/types.ts'
import {
  CONTROL_ENTRIES_SUFFIX,
  type ControlHeader,
  controlCrc,
  controlHeaderCrc,
  decodeControlHeader,
  encodeControl,
  encodeControlHeader,
  linesOf,
  readControls,
  type StoredControl,
} from './control-entries-format.ts'
import { type ControlledLog, ControlsOpening } from './control-entries-opening.ts'
import { type Disk, DiskError } from './disk.ts'
import type { LogEnvironment } from './environment.ts'
import type { FileHandle } from './open-files.ts'

export type OpenedControls =
  /** There is no file: the log has never been a replica of a group. */
  | { readonly kind: 'none' }
  | { readonly kind: 'open'; readonly controls: ControlEntries }
  /** Its header was not written to its end, or is damaged. */
  | { readonly kind: 'torn'; readonly path: string; readonly reason: string }
  /** Not all that was in it is known: the replica must not vote under its id any more. */
  | { readonly kind: 'damaged'; readonly reason: string }

/** Fewer entries to be forgotten than this are not worth another file. */
const FORGET_FROM = 32

const NAME = /^(\d{20})\.control-entries$/

/**
 * A replica's control entries, which no client sees, in a file of their own beside its log, and with that the way between Raft's
 * positions and Kafka's offsets: position = offset + control entries before it. They are written before the data that follows
 * them, and go with the log's flush rounds. On the broker's thread. All of it throws DiskError, and nothing has changed then.
 */
export class ControlEntries {
  readonly #log: ControlledLog
  #header: ControlHeader
  #headerBytes: Uint8Array
  #path: string
  #file: FileHandle
  #controls: StoredControl[]
  /** Bytes of a failed write may lie beyond the end. */
  #isUncut = false
  #changes = 0
  #isRewriting = false
  #closed = false

  /**
   * Begins the file of a replica that has none. `isDurable`: its flush is asked for at once; else it goes with the log's first, and a power cut before that
   * may take it from beside a log that stays (its owner begins that anew).
   */
  static create(log: ControlledLog, header: ControlHeader, isDurable = true): ControlEntries {
    const { environment, directory } = log
    const path = `${directory}/${segmentName(header.startOffset, CONTROL_ENTRIES_SUFFIX)}`
    const bytes = encodeControlHeader(header)
    evenWhenFull(environment, () => {
      log.tail.makeDirectory()
      environment.disk.writeFileAtomic(path, bytes)
    })
    log.tail.flushAlso(path)
    log.tail.flushAlso(directory)
    if (isDurable) log.requestFlush()
    return new ControlEntries(log, path, header, bytes, [])
  }

  /** Which replica a directory's control entries are of, by the newest file; null where there is none, or its header is torn. Throws DiskError, or for a newer version. */
  static replicaIn(disk: Disk, directory: string): ReplicaId | null {
    const newest = offsetsIn(disk, directory).at(-1)
    if (newest === undefined) return null
    const path = `${directory}/${newest}${CONTROL_ENTRIES_SUFFIX}`
    return decodeControlHeader(disk.readFile(path), path)?.header.replicaId ?? null
  }

  /**
   * Reads what is there, and drops what a death or a power cut has torn, or what lies beyond the log's end. Where a power cut may have
   * taken an entry in the midst of the log, the log is cut back to where it is known: below its flushed offset nothing is missing. `isOrdered`: nothing was ever written
   * after an entry before that was durable, so that none can be missing in the midst. Throws for a newer version.
   */
  static open(log: ControlledLog, isOrdered = false): OpenedControls {
    const { disk } = log.environment
    const offsets = offsetsIn(disk, log.directory)
    const newest = offsets.at(-1)
    if (newest === undefined) return { kind: 'none' }
    const path = `${log.directory}/${newest}${CONTROL_ENTRIES_SUFFIX}`
    const bytes = disk.readFile(path)
    const decoded = decodeControlHeader(bytes, path)
    if (decoded === null) {
      const { reason } = damaged(log, 'their header is torn or damaged')
      return { kind: 'torn', path, reason }
    }
    const { header, byteLength } = decoded
    if (log.logEndOffset < header.startOffset) {
      return damaged(
        log,
        `the log ends at ${log.logEndOffset}, they begin at ${header.startOffset}`,
      )
    }
    const read = readControls(bytes, byteLength)
    const opening = new ControlsOpening(log, header, read, isOrdered)
    const reason = opening.damage()
    if (reason !== null) return damaged(log, reason)
    if (opening.endOffset < log.logEndOffset) {
      report(log, `Control entries may be lost: the log is cut to ${opening.endOffset}`)
      log.truncateTo(opening.endOffset)
    }
    const headerBytes = bytes.slice(0, byteLength)
    const controls = new ControlEntries(log, path, header, headerBytes, read.controls)
    controls.#dropFrom(opening.goodCount(), bytes.length)
    // a life before has not told, or has lost, whether what it wrote is durable
    controls.#writeAgain(bytes)
    log.tail.flushAlso(path)
    // the one that is torn or beyond the end may come back with a power cut, unless it goes with a flush
    for (const offset of offsets.slice(0, -1)) controls.#removeFile(offset)
    return { kind: 'open', controls }
  }

  private constructor(
    log: ControlledLog,
    path: string,
    header: ControlHeader,
    headerBytes: Uint8Array,
    controls: StoredControl[],
  ) {
    this.#log = log
    this.#path = path
    this.#header = header
    this.#headerBytes = headerBytes
    this.#file = log.environment.files.handle(path, 'append')
    this.#controls = controls
  }

  get replicaId(): ReplicaId {
    return this.#header.replicaId
  }
  get path(): string {
    return this.#path
  }
  /** How many are kept in the file. */
  get count(): number {
    return this.#controls.length
  }
  /** What the file begins with. */
  get header(): ControlHeader {
    return this.#header
  }

  #endByte(count: number): number {
    return this.#controls[count - 1]?.endByte ?? this.#headerBytes.length
  }

  /** Kafka offset at which the entry of that index lies. */
  #offsetAt(index: number): number {
    return this.#controls[index]!.entry.at - this.#header.controlsBefore - index
  }

  /** How many kept entries there are for which `isBefore`, which holds for the first ones. */
  #countWhile(isBefore: (index: number) => boolean): number {
    let low = 0
    let high = this.#controls.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (isBefore(middle)) low = middle + 1
      else high = middle
    }
    return low
  }

  #countBelow(position: Position): number {
    return this.#countWhile((index) => this.#controls[index]!.entry.at < position)
  }

  /** Kafka offset of an end: how many offsets there are before `position`. */
  offsetOf(position: Position): number {
    return position - this.#header.controlsBefore - this.#countBelow(position)
  }

  /** Of the record at a Kafka offset; of the log end it is the end. Not below {@link ControlHeader.startOffset}. */
  positionOf(offset: number): Position {
    const before = this.#countWhile((index) => this.#offsetAt(index) <= offset)
    return offset + this.#header.controlsBefore + before
  }

  /** Control entries before `position`: what a snapshot says of its start. */
  controlsBefore(position: Position): number {
    return this.#header.controlsBefore + this.#countBelow(position)
  }

  /** The file and its names, which whoever made them may not have flushed; `done` is called once, where that has failed the log has, too. */
  makeDurable(done: () => void): void {
    const { tail, directory } = this.#log
    tail.makeDirectory()
    tail.flushAlso(this.#path)
    tail.flushAlso(directory)
    this.#log.requestFlush(done)
  }

  /** A flush of the file may have failed, and later ones succeed without what it was to write: unless that is written again. */
  #writeAgain(bytes: Uint8Array): void {
    const good = bytes.subarray(0, this.#endByte(this.#controls.length))
    evenWhenFull(this.#log.environment, () => this.#file.get().write([good], 0))
  }

  /** Adds entries, in order, by one write; what follows them in the log comes after. A host's payload is a Uint8Array. */
  append(entries: readonly ControlEntry[]): void {
    if (entries.length === 0) return
    this.#cutRest()
    const count = this.#controls.length
    const added: StoredControl[] = []
    const pieces: Uint8Array[] = []
    let endByte = this.#endByte(count)
    let crc = this.#controls.at(-1)?.crc ?? controlHeaderCrc(this.#headerBytes)
    let offset = count > 0 ? this.#offsetAt(count - 1) : this.#header.startOffset
    entries.forEach((entry, i) => {
      const own = entry.at - this.#header.controlsBefore - count - i
      invariant(own >= offset, 'control entries: positions ascend, from the log start on')
      offset = own
      const bytes = encodeControl(entry, crc)
      pieces.push(bytes)
      crc = controlCrc(bytes)
      endByte += bytes.length
      added.push({ entry, crc, endByte })
    })
    this.#isUncut = true
    try {
      const at = this.#endByte(count)
      evenWhenFull(this.#log.environment, () => this.#file.get().write(pieces, at))
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      this.#log.environment.space?.failed(error)
      this.#tryCutRest()
      throw error
    }
    this.#isUncut = false
    this.#controls.push(...added)
    this.#changes++
    this.#log.tail.flushAlso(this.#path)
    // a term's start is told by the epoch of its first batch; of others nothing in the log says that they are missing
    if (entries.some(({ kind }) => kind !== 'term-start')) this.#log.requestFlush()
  }

  #cutRest(): void {
    if (!this.#isUncut) return
    this.#file.get().truncate(this.#endByte(this.#controls.length))
    this.#isUncut = false
  }

  #tryCutRest(): void {
    try {
      this.#cutRest()
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      // it would come back, before what is appended now
      this.#log.fail(
        `what a failed write of control entries left could not be removed (${error.message})`,
      )
    }
  }

  /** Drops the entries from `position` on. */
  truncate(position: Position): void {
    this.#cutRest()
    this.#dropFrom(this.#countBelow(position), this.#endByte(this.#controls.length))
  }

  #dropFrom(count: number, fileBytes: number): void {
    const endByte = this.#endByte(count)
    if (endByte === fileBytes) return
    this.#file.get().truncate(endByte)
    this.#controls.length = count
    this.#changes++
    this.#log.tail.flushAlso(this.#path)
  }

  /**
   * Entries before `position` were committed, and will not be asked for: the log begins there or later. Where there are many, another
   * file is begun without them; it takes the place of this one once it is durable, if nothing has changed meanwhile.
   */
  forget(position: Position): void {
    const gone = this.#countBelow(position)
    if (gone < FORGET_FROM || this.#isRewriting || this.#closed) return
    const { environment, directory } = this.#log
    const header: ControlHeader = {
      replicaId: this.#header.replicaId,
      startOffset: this.offsetOf(position),
      controlsBefore: this.#header.controlsBefore + gone,
      lines: this.#linesFrom(position),
      configuration: this.#configurationAt(position),
    }
    const next = fileOf(
      header,
      this.#controls.slice(gone).map(({ entry }) => entry),
    )
    const path = `${directory}/${segmentName(header.startOffset, CONTROL_ENTRIES_SUFFIX)}`
    // an opening removes it where a death leaves it
    const draft = `${path}.tmp`
    const file = environment.disk.open(draft, 'create')
    try {
      file.write(next.pieces, 0)
    } finally {
      file.close()
    }
    const changes = this.#changes
    this.#isRewriting = true
    environment.flush.request(draft, (failed) => {
      this.#isRewriting = false
      if (this.#closed) return
      if (failed !== null || changes !== this.#changes) this.#tryRemove(draft)
      else this.#replace(draft, path, next)
    })
  }

  /** `draft` is durable, and says what this file says. */
  #replace(draft: string, path: string, next: WholeFile): void {
    const log = this.#log
    const old = this.#path
    try {
      this.#cutRest()
      this.#file.release()
      log.environment.disk.rename(draft, path)
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      this.#tryRemove(draft)
      return
    }
    this.#path = path
    this.#file = log.environment.files.handle(path, 'append')
    this.#header = next.header
    this.#headerBytes = next.headerBytes
    this.#controls = next.kept
    this.#changes++
    // a round that was to flush the old file has not done so, and the name of this one may be lost still
    log.tail.flushAlso(log.directory, true)
    if (old === path) return
    log.environment.flush.request(log.directory, (failed) => {
      if (failed === null && !this.#closed && this.#path !== old) this.#tryRemove(old)
    })
  }

  /**
   * The only voter that there is goes by another name from now on, in all that is kept here: another file takes the place of this one. It is durable with the next round of flushes.
   * The log and all positions stay as they are, so that those who copy from it go on.
   */
  rename(replicaId: ReplicaId): void {
    const before = this.replicaId
    const renamed = ({ voters, learners }: Configuration): Configuration => ({
      voters: voters.map((voter) => (voter === before ? replicaId : voter)),
      learners: learners.filter((learner) => learner !== replicaId),
    })
    const { environment, directory, tail } = this.#log
    const header = {
      ...{ ...this.#header, replicaId },
      configuration: renamed(this.#header.configuration),
    }
    const entries = this.#controls.map(({ entry }) =>
      entry.kind === 'membership'
        ? { ...entry, configuration: renamed(entry.configuration) }
        : entry,
    )
    const next = fileOf(header, entries)
    this.#file.release()
    evenWhenFull(environment, () =>
      environment.disk.writeFileAtomic(this.#path, joined(next.pieces)),
    )
    this.#file = environment.files.handle(this.#path, 'append')
    this.#header = header
    this.#headerBytes = next.headerBytes
    this.#controls = next.kept
    this.#isUncut = false
    this.#changes++
    tail.flushAlso(this.#path, true)
    tail.flushAlso(directory, true)
  }

  #removeFile(offset: string): void {
    this.#tryRemove(`${this.#log.directory}/${offset}${CONTROL_ENTRIES_SUFFIX}`)
  }

  /** What stays does no harm: the newest counts. */
  #tryRemove(path: string): void {
    const { disk, logger } = this.#log.environment
    try {
      if (disk.exists(path)) disk.remove(path)
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      logger.log('warn', `Old control entries stay for now: ${error.message}`)
    }
  }

  /** What Raft begins with, of a log with these bounds. */
  recovered(logStartOffset: number, logEndOffset: number): RecoveredLog {
    const from = Math.max(logStartOffset, this.#header.startOffset)
    const before = this.#countWhile((index) => this.#offsetAt(index) < from)
    const start = from + this.#header.controlsBefore + before
    const end = this.positionOf(logEndOffset)
    return {
      start,
      end,
      lines: this.#linesFrom(start),
      // those that were written ahead of what is copied are not in the log yet
      controls: this.#controls
        .slice(before)
        .flatMap(({ entry }) => (entry.at < end ? [entry] : [])),
      configuration: this.#configurationAt(start),
    }
  }

  /** Of all entries there are, from the one before `start` on. */
  #linesFrom(start: Position): TermLine[] {
    const lines = linesOf(this.#header, this.#controls)
    return lines.slice(
      Math.max(
        0,
        lines.findLastIndex((line) => line.start < start),
      ),
    )
  }

  #configurationAt(position: Position): Configuration {
    const last = this.#controls.findLast(
      ({ entry }) => entry.kind === 'membership' && entry.at < position,
    )?.entry
    return last?.kind === 'membership' ? last.configuration : this.#header.configuration
  }

  /** Lets go of the descriptor. */
  close(): void {
    this.#closed = true
    this.#file.release()
  }
}

/** Control entries are Raft's own: they go on when the disk is full, at the end from the reserve. */
const evenWhenFull = <Result>({ space }: LogEnvironment, work: () => Result): Result =>
  space === null ? work() : space.withLastReserve(work)

/** Names of the files that a directory has, without their ends, the newest last. */
const offsetsIn = (disk: Disk, directory: string): string[] =>
  disk
    .list(directory)
    .flatMap((name) => NAME.exec(name)?.[1] ?? [])
    .sort()

/** A file as it is begun with all that is to be in it. */
interface WholeFile {
  readonly header: ControlHeader
  readonly headerBytes: Uint8Array
  readonly kept: StoredControl[]
  readonly pieces: Uint8Array[]
}

function fileOf(header: ControlHeader, entries: readonly ControlEntry[]): WholeFile {
  const headerBytes = encodeControlHeader(header)
  const pieces = [headerBytes]
  let crc = controlHeaderCrc(headerBytes)
  let endByte = headerBytes.length
  const kept = entries.map((entry) => {
    const bytes = encodeControl(entry, crc)
    pieces.push(bytes)
    crc = controlCrc(bytes)
    endByte += bytes.length
    return { entry, crc, endByte }
  })
  return { header, headerBytes, kept, pieces }
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const piece of pieces) {
    whole.set(piece, at)
    at += piece.length
  }
  return whole
}

function report(log: ControlledLog, message: string): void {
  const { directory, partition, environment } = log
  environment.logger.log('warn', message, { directory, partition })
}

function damaged(log: ControlledLog, reason: string): Extract<OpenedControls, { kind: 'damaged' }> {
  report(log, `Control entries are damaged: ${reason}`)
  return { kind: 'damaged', reason }
}
