import type { BrokerId, CellId } from '../../base/ids.ts'
import { replicaIdOf } from '../../base/replica-id.ts'
import type { MetadataView } from '../../image/view.ts'
import { ControlEntries } from '../../log/control-entries.ts'
import { CONTROL_ENTRIES_SUFFIX } from '../../log/control-entries-format.ts'
import type { DiskError, FlushPort } from '../../log/disk.ts'
import type { LogEnvironment } from '../../log/environment.ts'
import { PartitionLog } from '../../log/partition-log.ts'
import { type HardState, NO_REPLICA, type ReplicaId } from '../../raft/types.ts'
import { CHECKPOINT_SUFFIX } from '../checkpoint-file.ts'
import { refuseForeignMetadata } from '../directory-owner.ts'
import {
  METADATA_LOG_CONFIG,
  METADATA_PARTITION,
  metadataPath,
  readEntries,
} from '../metadata-log.ts'
import { LogFailedError, type ReplicaFiles } from './replica-files.ts'
import { REMEDY, termsOf } from './replica-opening.ts'

export interface MetadataOpeningOptions {
  readonly cellId: CellId
  readonly brokerId: BrokerId
  /** This broker's directory. */
  readonly root: string
  /** The directory of a broker of this cell. */
  readonly rootOf: (broker: BrokerId) => string
  readonly environment: LogEnvironment
  readonly image: MetadataView
  /** No other broker has a copy: where this one has no group's log it makes one, alone, of what it has. Else it joins that of the others. */
  readonly formsAlone: boolean
  /** The image knows this broker's directory. */
  readonly isRegistered: () => boolean
  /** A directory of another one that cannot be read, so that it may have a copy. */
  readonly unreadable?: string | null
  /** In which life this broker is, as a log tells that was written before there was a group; it is given one that calls for each entry, in order. */
  readonly lifeIn: (visit: (each: (offset: number, bytes: Uint8Array) => void) => void) => number
  /** Term and vote as they were kept; null where there are none. */
  readonly hardStateOf: () => HardState | null
  /** What a snapshot leaves of the log is less than two segments beyond what it must; 16 MiB unless given. */
  readonly segmentBytes?: number
  /** A flush of the log has ended. */
  readonly onFlushed: () => void
}

/** What lies in the directory is of a replica that this broker was before. */
class OtherLifeError extends LogFailedError {}

/** Opens this broker's copy of the metadata log, and says what it is called in the group. On the broker's thread. */
export class MetadataOpening {
  readonly #options: MetadataOpeningOptions
  #needsImage = false
  /** Of a copy of another life: all but what says so is removed, and that is being made durable, or is. */
  #emptying: 'under way' | 'durable' | null = null
  #emptyingFailed: DiskError | null = null

  constructor(options: MetadataOpeningOptions) {
    this.#options = options
  }

  /** There is no copy here yet, and what it is called is to come from the image. */
  get needsImage(): boolean {
    return this.#needsImage
  }

  /** A copy of another life is being removed: {@link open} says null until a flush has ended. */
  get isEmptying(): boolean {
    return this.#emptying === 'under way'
  }

  /** Of a broker's replica as the image knows it; null where it does not. */
  idOf(broker: BrokerId): number | null {
    const { image, cellId } = this.#options
    const directory = image.brokerDirectory(cellId, broker)
    return directory === undefined ? null : replicaIdOf(broker, directory.life)
  }

  /** Throws {@link LogFailedError} where the image says that this broker's directory is in another life. */
  checkLife(replicaId: number): void {
    const own = this.idOf(this.#options.brokerId)
    if (own === null || own === replicaId) return
    throw new OtherLifeError(
      `its files are of another life of this directory (replica ${replicaId}, now ${own}): it is filled anew when the other copies have a leader`,
    )
  }

  /**
   * null: the image has to come first, or a flush. `ledAs`: what a leader takes this replica for, else {@link NO_REPLICA}; with files of another life it begins anew then, as a
   * majority that has elected a leader without it has all that was committed. Throws DiskError, {@link LogFailedError} for files that must not take part, or StartRefusedError
   * for those of another broker.
   */
  open(ledAs: ReplicaId): ReplicaFiles | null {
    const { environment, root } = this.#options
    refuseForeignMetadata(environment.disk, this.#options)
    const failed = this.#emptyingFailed
    this.#emptyingFailed = null
    if (failed !== null) throw failed
    if (this.#emptying === 'under way') return null
    if (this.#emptying === 'durable') {
      this.#removeControls()
      this.#emptying = null
    }
    const isLed = ledAs !== NO_REPLICA && ledAs === this.idOf(this.#options.brokerId)
    const found = isLed ? ControlEntries.replicaIn(environment.disk, metadataPath(root)) : null
    if (found !== null && found !== ledAs) {
      this.#empty()
      return null
    }
    return this.#openFiles()
  }

  #openFiles(): ReplicaFiles | null {
    const log = this.#openLog()
    try {
      const controls = this.#controlsOf(log)
      if (controls !== null) {
        const isAlone = hasNeverHadOthers(controls, log)
        // a vote is durable no earlier than what it is about
        const isFresh = !isAlone && (this.#options.hardStateOf()?.term ?? 0) === 0
        return { log, controls, isFresh, isAlone, isOrdered: true }
      }
    } catch (error) {
      log.abandon()
      throw error
    }
    log.close()
    return null
  }

  /**
   * Removes what a replica of another life has left, but for snapshots: what they hold is committed, whoever wrote them. Its control entries, which say that it is another's, go once the rest
   * is durably gone: wherever a death or a power cut strikes it is begun again, or there is nothing left.
   */
  #empty(): void {
    const { environment, root } = this.#options
    const { disk, flush, recoveryPoints } = environment
    const directory = metadataPath(root)
    for (const name of disk.list(directory)) {
      const stays = name.endsWith(CHECKPOINT_SUFFIX) || name.endsWith(CONTROL_ENTRIES_SUFFIX)
      if (!stays) disk.remove(`${directory}/${name}`)
    }
    const done = (failed: DiskError | null) => {
      this.#emptying = failed === null ? 'durable' : null
      this.#emptyingFailed = failed
    }
    recoveryPoints.removeDurably(METADATA_PARTITION, (failed) => {
      if (failed !== null) done(failed)
      else flush.request(directory, done)
    })
    this.#emptying = 'under way'
  }

  #removeControls(): void {
    const { environment, root } = this.#options
    const directory = metadataPath(root)
    for (const name of environment.disk.list(directory)) {
      if (name.endsWith(CONTROL_ENTRIES_SUFFIX)) environment.disk.remove(`${directory}/${name}`)
    }
  }

  #openLog(): PartitionLog {
    const { environment, root, segmentBytes = METADATA_LOG_CONFIG.segmentBytes } = this.#options
    return PartitionLog.open({
      // nobody reads it over a ring
      environment: { ...environment, rings: null, flush: this.#flushPort() },
      directory: metadataPath(root),
      partition: METADATA_PARTITION,
      config: { ...METADATA_LOG_CONFIG, segmentBytes },
      origin: 'broker',
      appendsWhenFull: true,
      isReplicated: true,
    })
  }

  #flushPort(): FlushPort {
    const { environment, onFlushed } = this.#options
    return {
      request: (path, done, isUrgent) =>
        environment.flush.request(
          path,
          (error) => {
            done(error)
            onFlushed()
          },
          isUrgent,
        ),
      remove: (path, done) => environment.flush.remove(path, done),
    }
  }

  #controlsOf(log: PartitionLog): ControlEntries | null {
    const opened = ControlEntries.open(log, true)
    if (opened.kind === 'none') return this.#begin(log, null)
    if (opened.kind !== 'open') return this.#begin(log, opened)
    const { controls } = opened
    // it may have been given another name, which must not be lost once others have a vote
    log.tail.flushAlso(log.directory)
    // alone it has promised nobody anything
    if (hasNeverHadOthers(controls, log)) return controls
    try {
      this.checkLife(controls.replicaId)
      if (controls.count > 0 && this.#options.hardStateOf() === null) {
        throw new LogFailedError(`what it has voted is lost: ${REMEDY}`)
      }
    } catch (error) {
      controls.close()
      throw error
    }
    return controls
  }

  /**
   * Of a log without what a group has agreed on. Where nobody else has a copy, nobody was promised anything: it forms a group, of all that is here. Else it joins that
   * of the others, unless it has been part of it: then it may have forgotten.
   */
  #begin(log: PartitionLog, damage: { readonly reason: string } | null): ControlEntries | null {
    const { brokerId, formsAlone, unreadable = null, hardStateOf } = this.#options
    const { foundPoint, logEndOffset } = log
    if (formsAlone) {
      const replicaId = replicaIdOf(brokerId, logEndOffset > 0 ? this.#formerLife(log) : 0)
      // its flush goes with the first entry's: nobody votes before that is durable
      return this.#create(log, replicaId, [replicaId], false)
    }
    // of what a power cut has taken nobody was told, else it would be durable
    const isTorn = foundPoint.powerLoss && foundPoint.flushedOffset === 0
    const hasVoted = (hardStateOf()?.vote ?? NO_REPLICA) !== NO_REPLICA
    const holds = logEndOffset > 0 || damage !== null
    if (holds && damage === null && unreadable !== null) {
      throw new LogFailedError(
        `whether its log is that of a group is not known, as ${unreadable} cannot be read: start again once it can`,
      )
    }
    if (hasVoted || (holds && !isTorn)) {
      const why = damage?.reason ?? 'its log is not that of the group which the other brokers keep'
      throw new LogFailedError(`${why}: ${REMEDY}`)
    }
    log.truncateTo(0)
    this.#removeControls()
    // an image that knows the directory before this one names another replica, which may have promised something
    const own = this.#options.isRegistered() ? this.idOf(brokerId) : null
    this.#needsImage = own === null
    return own === null ? null : this.#create(log, own, [], true)
  }

  #create(log: PartitionLog, replicaId: number, voters: number[], isDurable: boolean) {
    const header = {
      ...{ replicaId, startOffset: 0, controlsBefore: 0, lines: termsOf(log) },
      configuration: { voters, learners: [] },
    }
    return ControlEntries.create(log, header, isDurable)
  }

  #formerLife(log: PartitionLog): number {
    return this.#options.lifeIn((each) => readEntries(log, 0, log.logEndOffset, each))
  }
}

/** Nobody else has ever had a vote beside it. */
function hasNeverHadOthers(controls: ControlEntries, log: PartitionLog): boolean {
  const { controls: entries, configuration } = controls.recovered(
    log.logStartOffset,
    log.logEndOffset,
  )
  const all = [
    configuration,
    ...entries.flatMap((one) => (one.kind === 'membership' ? [one.configuration] : [])),
  ]
  return all.every(({ voters }) => voters.length === 1 && voters[0] === controls.replicaId)
}
