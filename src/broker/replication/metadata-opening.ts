import type { BrokerId, CellId } from '../../base/ids.ts'
import { replicaIdOf } from '../../base/replica-id.ts'
import type { MetadataView } from '../../image/view.ts'
import { ControlEntries } from '../../log/control-entries.ts'
import type { FlushPort } from '../../log/disk.ts'
import type { LogEnvironment } from '../../log/environment.ts'
import { PartitionLog } from '../../log/partition-log.ts'
import { type HardState, NO_REPLICA } from '../../raft/types.ts'
import {
  METADATA_LOG_CONFIG,
  METADATA_PARTITION,
  metadataPath,
  readEntries,
} from '../metadata-log.ts'
import { LogFailedError, type ReplicaFiles } from './replica-group.ts'
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
    throw new LogFailedError(
      `its files are of another life of this directory (replica ${replicaId}, now ${own}): ${REMEDY}`,
    )
  }

  /** null: the image has to come first. Throws DiskError, or {@link LogFailedError} for files that must not take part. */
  open(): ReplicaFiles | null {
    const { environment, root, segmentBytes = METADATA_LOG_CONFIG.segmentBytes } = this.#options
    const log = PartitionLog.open({
      // nobody reads it over a ring
      environment: { ...environment, rings: null, flush: this.#flushPort() },
      directory: metadataPath(root),
      partition: METADATA_PARTITION,
      config: { ...METADATA_LOG_CONFIG, segmentBytes },
      origin: 'broker',
      appendsWhenFull: true,
      isReplicated: true,
    })
    try {
      const controls = this.#controlsOf(log)
      if (controls !== null) {
        return { log, controls, isAlone: isAlone(controls, log), isOrdered: true }
      }
    } catch (error) {
      log.abandon()
      throw error
    }
    log.close()
    return null
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
    if (opened.kind === 'damaged') return this.#begin(log, opened.reason)
    const { controls } = opened
    try {
      this.checkLife(controls.replicaId)
      const isForgetful = controls.count > 0 && this.#options.hardStateOf() === null
      // alone it has promised nobody anything
      if (isForgetful && !isAlone(controls, log)) {
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
  #begin(log: PartitionLog, damage: string | null): ControlEntries | null {
    const { brokerId, formsAlone, hardStateOf } = this.#options
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
      const why = damage ?? 'its log is not that of the group which the other brokers keep'
      throw new LogFailedError(`${why}: ${REMEDY}`)
    }
    log.truncateTo(0)
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
function isAlone(controls: ControlEntries, log: PartitionLog): boolean {
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
