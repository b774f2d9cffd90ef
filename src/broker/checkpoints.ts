import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/log.ts'
import { DELETED, type Disk, DiskError, type FlushPort } from '../log/disk.ts'
import type { DiskSpace } from '../log/disk-space.ts'
import type { SnapshotId, SnapshotStore, StoredSnapshot } from '../machine/snapshot-store.ts'
import {
  CHECKPOINT_SUFFIX,
  CheckpointError,
  CheckpointWriter,
  checkpointName,
  parseCheckpointName,
  readCheckpoint,
} from './checkpoint-file.ts'

/** What is being written ends in it: never taken for a snapshot, and removed by the next who opens the directory. */
export const PART = '.part'

/**
 * Snapshots that are kept. The log goes back to the older one, so that a newest one that cannot be read costs nothing: it may be the only
 * copy of what everything else hangs on.
 */
export const CHECKPOINTS_KEPT = 2

export interface CheckpointsOptions {
  readonly environment: {
    readonly disk: Disk
    readonly flush: FlushPort
    readonly clock: Clock
    readonly logger: Logger
    readonly space: DiskSpace | null
  }
  /** The metadata log's. */
  readonly directory: string
  /** Directories of other replicas of that log. */
  readonly others?: readonly string[]
  /** There is another one, durable: what waits for one may go on. */
  readonly onKept?: () => void
}

/** What is being made. */
interface Making {
  readonly id: SnapshotId
  readonly done: (failed: Error | null) => void
  /** null: all is written, and not durable yet. */
  writer: CheckpointWriter | null
}

/** Nothing is wrong with what is written here: what is copied cannot be read. */
class SourceError extends CheckpointError {}

const byOffset = (a: SnapshotId, b: SnapshotId) => a.offset - b.offset || a.epoch - b.epoch

/**
 * The snapshots in the directory of a metadata log. One comes into being under another name, a slice a turn, is made durable, renamed, and counts when
 * that is durable; only then older ones go. On the broker's thread.
 */
export class Checkpoints implements SnapshotStore {
  readonly #options: CheckpointsOptions
  #kept: SnapshotId[]
  #making: Making | null = null
  #complaints: string[] = []
  #wantedFrom = 0
  #searches = 0

  /** Removes what a death has left half done. Throws DiskError. */
  static open(options: CheckpointsOptions): Checkpoints {
    return new Checkpoints(options)
  }

  private constructor(options: CheckpointsOptions) {
    this.#options = options
    const { directory, environment } = options
    const { disk } = environment
    const names = disk.list(directory)
    for (const name of names) {
      if (name.endsWith(`${CHECKPOINT_SUFFIX}${PART}`)) disk.remove(`${directory}/${name}`)
    }
    this.#kept = checkpointsIn(disk, directory)
    // a death may have come between its rename and the flush of that
    if (this.#kept.length > 0) environment.flush.request(directory, () => {})
  }

  get kept(): readonly SnapshotId[] {
    return this.#kept
  }

  get isWriting(): boolean {
    return this.#making !== null
  }

  get wantedFrom(): number {
    return this.#wantedFrom
  }

  /** Whether there is one of `offset` or later, so that what the log holds below may go; if not, one is wanted. */
  covers(offset: number): boolean {
    if (this.#kept.some((one) => one.offset >= offset)) return true
    this.#wantedFrom = Math.max(this.#wantedFrom, offset)
    return false
  }

  get complaints(): readonly string[] {
    return this.#complaints
  }

  /** A slice can be written now. */
  get hasWork(): boolean {
    return this.#making !== null && this.#making.writer !== null
  }

  begin(id: SnapshotId, entries: Iterator<Uint8Array>): boolean {
    if (this.isWriting) return false
    this.#begin(id, entries, () => {})
    return true
  }

  /**
   * Takes over another replica's newest snapshot, checked while it is copied, a slice a turn, or the older one where that cannot be read to its end; whatever is
   * being written here is let go of. `done` is called once there is one here of `fromOffset` or later, durable, or with why there is none.
   */
  copyFrom(directory: string, fromOffset: number, done: Making['done']): void {
    if (this.covers(fromOffset)) {
      done(null)
      return
    }
    const { disk } = this.#options.environment
    this.#letGo()
    const found = foundIn(disk, directory).filter(({ offset }) => offset >= fromOffset)
    if (found.length > 0) this.#copy(directory, found.reverse(), done)
    else done(new CheckpointError(`${directory} has no snapshot of offset ${fromOffset} or later`))
  }

  /** The first of `ids` that can be read. */
  #copy(directory: string, [id, ...others]: readonly SnapshotId[], done: Making['done']): void {
    const { disk } = this.#options.environment
    const path = `${directory}/${checkpointName(id!)}`
    this.#begin(id!, copies(disk, path, id!), (failed) => {
      if (failed instanceof SourceError && others.length > 0) this.#copy(directory, others, done)
      else done(failed)
    })
  }

  search(fromOffset: number): void {
    const { environment, others = [] } = this.#options
    const newest = (directory: string) => foundIn(environment.disk, directory).at(-1)?.offset ?? -1
    // by turns, so that none which cannot be read is in the way of the others for ever
    const from = this.#searches++
    for (let i = 0; i < others.length; i++) {
      const directory = others[(from + i) % others.length]!
      if (newest(directory) < fromOffset) continue
      this.copyFrom(directory, fromOffset, () => {})
      return
    }
  }

  /** A slice of what is to be done; returns how much was done. */
  doWork(_nowMs: number): number {
    const making = this.#making
    if (making === null || making.writer === null) return 0
    this.#try(making, () => {
      if (making.writer?.step() !== true) return
      making.writer = null
      this.#end(making)
    })
    return 1
  }

  newest(fromOffset: number, toOffset: number): StoredSnapshot | null {
    this.#complaints = []
    for (const id of this.#kept.toReversed()) {
      if (id.offset < fromOffset || id.offset > toOffset) continue
      const why = this.#fault(id)
      if (why === null) return { ...id, entries: () => this.#read(id) }
      this.#complaints.push(why)
      // the file stays for whoever may mend it, but nothing may rely on it: not how far the log goes back
      this.#kept = this.#kept.filter((one) => one !== id)
      this.#options.environment.logger.log(
        'error',
        `A snapshot of the metadata is of no use: ${why}`,
      )
    }
    return null
  }

  /** Nothing more is written. */
  close(): void {
    this.#letGo()
  }

  #begin(id: SnapshotId, entries: Iterator<Uint8Array>, done: Making['done']): void {
    const { disk, clock } = this.#options.environment
    const making: Making = { id, done, writer: null }
    this.#making = making
    this.#try(making, () => {
      const wallMs = clock.wallMs()
      making.writer = new CheckpointWriter(disk, this.#partOf(id), id, wallMs, entries)
    })
  }

  /** Makes what lies whole at {@link PART} a snapshot, as soon as that is durable. */
  #end(making: Making): void {
    const { directory, environment } = this.#options
    const { disk, flush } = environment
    const { id } = making
    const then = (work: () => void) => (failed: DiskError | null) => {
      if (this.#making !== making) return
      if (failed !== null) this.#giveUp(making, failed)
      else this.#try(making, work)
    }
    const keep = then(() => this.#keep(making))
    const rename = then(() => {
      disk.rename(this.#partOf(id), this.#pathOf(id))
      flush.request(directory, keep)
    })
    flush.request(this.#partOf(id), rename)
  }

  #letGo(): void {
    this.#making?.writer?.close()
    this.#making = null
  }

  #keep({ id, done }: Making): void {
    this.#making = null
    const { offset, epoch } = id
    const isOther = (one: SnapshotId) => one.offset !== offset || one.epoch !== epoch
    this.#kept = [...this.#kept.filter(isOther), id].sort(byOffset)
    const { logger } = this.#options.environment
    logger.log('info', 'Snapshot of the metadata', { offset, epoch })
    const gone = this.#kept.splice(0, Math.max(0, this.#kept.length - CHECKPOINTS_KEPT))
    for (const one of gone) this.#remove(one)
    done(null)
    this.#options.onKept?.()
  }

  /** What cannot be removed does no harm, and is tried again with the next one. */
  #remove(id: SnapshotId): void {
    const { disk, flush } = this.#options.environment
    const path = this.#pathOf(id)
    try {
      disk.rename(path, `${path}${DELETED}`)
      flush.remove(`${path}${DELETED}`, () => {})
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      if (error.code !== 'ENOENT') this.#kept.unshift(id)
    }
  }

  #giveUp({ id, done }: Making, error: Error): void {
    const { environment } = this.#options
    this.#letGo()
    const reason = error.message
    environment.logger.log('warn', 'A snapshot of the metadata cannot be made', { reason })
    try {
      if (environment.disk.exists(this.#partOf(id))) environment.disk.remove(this.#partOf(id))
    } catch (failed) {
      if (!(failed instanceof DiskError)) throw failed
    }
    done(error)
  }

  /** On a full disk too: it is what lets the log be shorter. */
  #try(making: Making, work: () => void): void {
    const { space } = this.#options.environment
    try {
      if (space === null) work()
      else space.withReserve(work)
    } catch (error) {
      if (!(error instanceof DiskError || error instanceof CheckpointError)) throw error
      this.#giveUp(making, error)
    }
  }

  /** Why it cannot be read to its end, null where it can. */
  #fault(id: SnapshotId): string | null {
    try {
      for (const _ of this.#read(id));
      return null
    } catch (error) {
      if (error instanceof CheckpointError || error instanceof DiskError) return error.message
      throw error
    }
  }

  #read(id: SnapshotId): IterableIterator<Uint8Array> {
    return readCheckpoint(this.#options.environment.disk, this.#pathOf(id), id)
  }

  #pathOf(id: SnapshotId): string {
    return `${this.#options.directory}/${checkpointName(id)}`
  }

  #partOf(id: SnapshotId): string {
    return `${this.#pathOf(id)}${PART}`
  }
}

const checkpointsIn = (disk: Disk, directory: string): SnapshotId[] =>
  disk
    .list(directory)
    .flatMap((name) => parseCheckpointName(name) ?? [])
    .sort(byOffset)

/** What cannot be looked at has none. */
function foundIn(disk: Disk, directory: string): SnapshotId[] {
  try {
    return checkpointsIn(disk, directory)
  } catch (error) {
    if (!(error instanceof DiskError)) throw error
    return []
  }
}

/** Each to be kept until it is written. Throws {@link SourceError}. */
function* copies(disk: Disk, path: string, id: SnapshotId): IterableIterator<Uint8Array> {
  try {
    for (const bytes of readCheckpoint(disk, path, id)) yield bytes.slice()
  } catch (error) {
    if (error instanceof CheckpointError || error instanceof DiskError) {
      throw new SourceError(error.message)
    }
    throw error
  }
}
