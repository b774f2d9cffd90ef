import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/log.ts'
import { DELETED, type Disk, DiskError, type FlushPort } from '../log/disk.ts'
import type { DiskSpace } from '../log/disk-space.ts'
import type { SnapshotId, SnapshotStore, StoredSnapshot } from '../machine/snapshot-store.ts'
import {
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
}

const byOffset = (a: SnapshotId, b: SnapshotId) => a.offset - b.offset || a.epoch - b.epoch

/**
 * The snapshots in the directory of a metadata log. One comes into being under another name, a slice a turn, is made durable, renamed, and counts when
 * that is durable; only then older ones go. On the broker's thread.
 */
export class Checkpoints implements SnapshotStore {
  readonly #options: CheckpointsOptions
  #kept: SnapshotId[]
  #writing: { readonly id: SnapshotId; readonly writer: CheckpointWriter } | null = null
  /** Written, or copied, and not durable yet. */
  #ending: SnapshotId | null = null
  #complaints: string[] = []
  #isClosed = false

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
      if (name.endsWith(`.checkpoint${PART}`)) disk.remove(`${directory}/${name}`)
    }
    this.#kept = names.flatMap((name) => parseCheckpointName(name) ?? []).sort(byOffset)
    // a death may have come between its rename and the flush of that
    if (this.#kept.length > 0) environment.flush.request(directory, () => {})
  }

  get kept(): readonly SnapshotId[] {
    return this.#kept
  }

  get isWriting(): boolean {
    return this.#writing !== null || this.#ending !== null
  }

  get complaints(): readonly string[] {
    return this.#complaints
  }

  begin(id: SnapshotId, entries: Iterator<Uint8Array>): boolean {
    if (this.isWriting || this.#isClosed) return false
    const { disk, clock } = this.#options.environment
    this.#try(id, () => {
      const writer = new CheckpointWriter(disk, this.#partOf(id), id, clock.wallMs(), entries)
      this.#writing = { id, writer }
    })
    return true
  }

  doWork(_nowMs: number): number {
    const writing = this.#writing
    if (writing === null) return 0
    const { id, writer } = writing
    this.#try(id, () => {
      if (!writer.step()) return
      this.#writing = null
      this.#end(id)
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

  /** Lets go of what is being written. */
  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#writing?.writer.close()
    this.#writing = null
  }

  /** Makes what lies whole at {@link PART} a snapshot, as soon as that is durable. */
  #end(id: SnapshotId): void {
    const { directory, environment } = this.#options
    const { disk, flush } = environment
    this.#ending = id
    flush.request(this.#partOf(id), (failed) => {
      if (this.#isClosed) return
      if (failed !== null) return this.#giveUp(id, failed)
      this.#try(id, () => {
        disk.rename(this.#partOf(id), this.#pathOf(id))
        flush.request(directory, (lost) => {
          if (this.#isClosed) return
          if (lost === null) this.#keep(id)
          else this.#giveUp(id, lost)
        })
      })
    })
  }

  #keep(id: SnapshotId): void {
    this.#ending = null
    const { offset, epoch } = id
    const isOther = (one: SnapshotId) => one.offset !== offset || one.epoch !== epoch
    this.#kept = [...this.#kept.filter(isOther), id].sort(byOffset)
    const { logger } = this.#options.environment
    logger.log('info', 'Snapshot of the metadata', { offset, epoch })
    const gone = this.#kept.splice(0, Math.max(0, this.#kept.length - CHECKPOINTS_KEPT))
    for (const one of gone) this.#remove(one)
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

  #giveUp(id: SnapshotId, error: DiskError): void {
    const { environment } = this.#options
    this.#writing?.writer.close()
    this.#writing = null
    this.#ending = null
    const reason = error.message
    environment.logger.log('warn', 'A snapshot of the metadata cannot be made', { reason })
    try {
      if (environment.disk.exists(this.#partOf(id))) environment.disk.remove(this.#partOf(id))
    } catch (failed) {
      if (!(failed instanceof DiskError)) throw failed
    }
  }

  /** On a full disk too: it is what lets the log be shorter. */
  #try(id: SnapshotId, work: () => void): void {
    const { space } = this.#options.environment
    try {
      if (space === null) work()
      else space.withReserve(work)
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      this.#giveUp(id, error)
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
