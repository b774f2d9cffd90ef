import type { BrokerId, CellId } from '../../base/ids.ts'
import { replicaIdOf } from '../../base/replica-id.ts'
import type { MetadataView } from '../../image/view.ts'
import { ControlEntries } from '../../log/control-entries.ts'
import type { FlushPort } from '../../log/disk.ts'
import type { LogEnvironment } from '../../log/environment.ts'
import { PartitionLog } from '../../log/partition-log.ts'
import { type HardState, NO_REPLICA, type ReplicaId } from '../../raft/types.ts'
import { CHECKPOINT_SUFFIX } from '../checkpoint-file.ts'
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
  /** In which life this broker is, as a log tells that was written before there was a group. */
  readonly lifeIn: (entries: Iterable<Uint8Array>) => number
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

  constructor(options: MetadataOpeningOptions) {
    this.#options = options
  }

  /** There is no copy here yet, and what it is called is to come from the image. */
  get needsImage(): boolean {
    return this.#needsImage
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
   * null: the image has to come first. `ledAs`: what a leader takes this replica for, else {@link NO_REPLICA}; with files of another life it begins anew then, as a
   * majority that has elected a leader without it has all that was committed. Throws DiskError, or {@link LogFailedError} for files that must not take part.
   */
  open(ledAs: ReplicaId): ReplicaFiles | null {
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
      const isLed = ledAs !== NO_REPLICA && ledAs === this.idOf(this.#options.brokerId)
      if (!isLed || !(error instanceof OtherLifeError)) throw error
      this.#removeFiles()
      return this.open(NO_REPLICA)
    }
    log.close()
    return null
  }

  /** But for snapshots: what they hold is committed, whoever wrote them. */
  #removeFiles(): void {
    const { environment, root } = this.#options
    const { disk, recoveryPoints } = environment
    const directory = metadataPath(root)
    for (const name of disk.list(directory)) {
      if (!name.endsWith(CHECKPOINT_SUFFIX)) disk.remove(`${directory}/${name}`)
    }
    recoveryPoints.remove(METADATA_PARTITION)
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
  #begin(
    log: PartitionLog,
    damage: { readonly reason: string; readonly path?: string } | null,
  ): ControlEntries | null {
    const { brokerId, environment, formsAlone, hardStateOf } = this.#options
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
    if (hasVoted || (holds && !isTorn)) {
      const why = damage?.reason ?? 'its log is not that of the group which the other brokers keep'
      throw new LogFailedError(`${why}: ${REMEDY}`)
    }
    log.truncateTo(0)
    if (damage?.path !== undefined) environment.disk.remove(damage.path)
    const own = this.idOf(brokerId)
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
    const entries: Uint8Array[] = []
    readEntries(log, 0, log.logEndOffset, (_, bytes) => entries.push(bytes.slice()))
    return this.#options.lifeIn(entries)
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
