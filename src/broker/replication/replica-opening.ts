import type { BrokerId, CellId, PartitionNumber } from '../../base/ids.ts'
import { partitionPath } from '../../base/paths.ts'
import { generationOf, replicaIdOf } from '../../base/replica-id.ts'
import type { MetadataView } from '../../image/view.ts'
import { ControlEntries, type OpenedControls } from '../../log/control-entries.ts'
import type { PartitionLog } from '../../log/partition-log.ts'
import { type HardState, NO_REPLICA, type ReplicaId, type TermLine } from '../../raft/types.ts'
import type { Replica } from '../replica.ts'
import type { ReplicaTable } from '../replica-table.ts'
import { LogFailedError, type ReplicaFiles } from './replica-files.ts'

export interface ReplicaOpeningOptions {
  readonly cellId: CellId
  readonly brokerId: BrokerId
  /** The directory of a broker of this cell. */
  readonly rootOf: (broker: BrokerId) => string
  readonly image: MetadataView
  readonly table: ReplicaTable
  /** Term and vote as they were kept; null where there are none. */
  readonly hardStateOf: (number: PartitionNumber) => HardState | null
  /** What was in a directory before is being removed. */
  readonly isRemoving: (directory: string) => boolean
  /** The directory is of a replica that was, and is no more: it goes, and another one begins. */
  readonly onStale: (number: PartitionNumber, directory: string) => void
  /** A group that waited for the flush of its beginning can be opened. */
  readonly onBegun: (number: PartitionNumber) => void
}

/** Opens what a replica of a group consists of, and says what it is called. On the broker's thread. */
export class ReplicaOpening {
  readonly #options: ReplicaOpeningOptions
  /** Of groups that begin with this broker's replica alone; null once that is durable. */
  readonly #beginnings = new Map<PartitionNumber, ReplicaFiles | null>()

  constructor(options: ReplicaOpeningOptions) {
    this.#options = options
  }

  /** Log and control entries, opened or made; null where this broker has none, or they cannot be opened now. */
  files(
    number: PartitionNumber,
    nowMs: number,
    ledAs: ReplicaId = NO_REPLICA,
  ): ReplicaFiles | null {
    const { table, image, brokerId } = this.#options
    if (!image.holdersOf(number).includes(brokerId)) return null
    const replica = table.admit(number)
    if (replica === undefined || !replica.isReplicated) return null
    if (this.#options.isRemoving(replica.directory)) return null
    const begun = this.#beginnings.get(number) ?? null
    if (begun !== null) {
      if (begun.log === replica.log) return null
      this.#beginnings.delete(number)
    }
    // it has begun anew; the log before was abandoned
    if (replica.log !== null) table.dropLog(replica)
    if (nowMs < replica.failedUntilMs) return null
    const log = table.openLog(replica, nowMs)
    if (log === null) return null
    let controls: ControlEntries | 'stale' | null = null
    table.guard(replica, nowMs, () => {
      controls = this.#controlsOf(number, log, ledAs)
    })
    if (controls === 'stale') {
      table.closeLog(replica)
      this.#beginnings.delete(number)
      this.#options.onStale(number, replica.directory)
    }
    if (controls === null || controls === 'stale') return null
    const files: ReplicaFiles = { log, controls, isFresh: this.#isFresh(number, log) }
    return this.#isBegun(number, files) ? files : null
  }

  /** The group of this replica is about to begin: whoever asks is to ask again. */
  isBeginning(number: PartitionNumber): boolean {
    return (this.#beginnings.get(number) ?? null) !== null
  }

  /**
   * Whether a group may be opened. One that begins with this replica alone must never begin so again, after others have come to vote: it waits until
   * its beginning is durable.
   */
  #isBegun(number: PartitionNumber, files: ReplicaFiles): boolean {
    const { controls, log } = files
    if (!this.#isAlone(number) || controls.count > 0 || this.#beginnings.get(number) === null)
      return true
    this.#beginnings.set(number, files)
    const { flush } = log.environment
    flush.request(controls.path, (failed) => {
      if (failed !== null) this.#begun(number, files, false)
      else flush.request(log.directory, (error) => this.#begun(number, files, error === null))
    })
    return false
  }

  /**
   * Nothing was promised under its name yet, and its topic asks for flushes: its first vote waits until its files are durable. Where a vote is durable the
   * replica that gave it is, then, and one whose files are gone has lost what they promised.
   */
  #isFresh(number: PartitionNumber, log: PartitionLog): boolean {
    return asksForFlushes(log) && (this.#options.hardStateOf(number)?.term ?? 0) === 0
  }

  /** The partition had one replica, this one, and its log is a group's from now on. */
  #isAlone(number: PartitionNumber): boolean {
    const { image, brokerId } = this.#options
    const first = image.firstReplicaIds(number)
    return first.length === 1 && first[0] === this.currentIdOf(number, brokerId)
  }

  #begun(number: PartitionNumber, files: ReplicaFiles, isDurable: boolean): void {
    files.controls.close()
    if (this.#beginnings.get(number) !== files) return
    if (isDurable) this.#beginnings.set(number, null)
    else this.#beginnings.delete(number)
    const replica = this.#options.table.get(number)
    // it is opened again, with what is durable now
    if (replica?.log === files.log && replica.group === null) this.#options.table.closeLog(replica)
    this.#options.onBegun(number)
  }

  #controlsOf(
    number: PartitionNumber,
    log: PartitionLog,
    ledAs: ReplicaId,
  ): ControlEntries | 'stale' {
    const { image, brokerId, hardStateOf } = this.#options
    const opened = this.#withoutTorn(number, log, ControlEntries.open(log))
    const own = this.currentIdOf(number, brokerId)
    if (opened.kind === 'open') {
      const why = refusalOf(opened.controls, own, hardStateOf(number) !== null)
      if (why === null) return opened.controls
      opened.controls.close()
      // it was moved away, and others have what it had; or a majority has elected a leader without it, which has all that was committed and fills this one anew
      const { replicaId } = opened.controls
      if (generationOf(replicaId) !== generationOf(own)) return 'stale'
      if (replicaId !== own && ledAs === own) return 'stale'
      throw new LogFailedError(why)
    }
    if (opened.kind !== 'none') throw new LogFailedError(opened.reason)
    if (log.logEndOffset > 0 && !this.#isAlone(number)) dropOrphaned(log)
    const isExplained = log.foundPoint.powerLoss && !asksForFlushes(log)
    if ((hardStateOf(number)?.term ?? 0) > 0 && !isExplained) {
      throw new LogFailedError(`it has voted, and its files are gone: ${REMEDY}`)
    }
    const first = image.firstReplicaIds(number)
    // one that was not there when the partition was made learns from the leader who votes
    const voters = first.includes(own) ? first : []
    const header = {
      ...{ replicaId: own, startOffset: 0, controlsBefore: 0, lines: termsOf(log) },
      configuration: { voters, learners: [] },
    }
    // thousands of partitions that are touched at once would keep elections waiting behind their flushes
    return ControlEntries.create(log, header, asksForFlushes(log))
  }

  /** A beginning that a power cut has torn before anything was promised by it: it is made again. */
  #withoutTorn(number: PartitionNumber, log: PartitionLog, opened: OpenedControls): OpenedControls {
    if (opened.kind !== 'torn') return opened
    const { powerLoss, flushedOffset } = log.foundPoint
    const hasVoted = (this.#options.hardStateOf(number)?.term ?? 0) > 0
    // without flushes, a vote may be durable before the file that goes with the log's first
    const isYoung = !hasVoted || (!asksForFlushes(log) && flushedOffset === 0)
    if (!powerLoss || !isYoung) return opened
    log.environment.disk.remove(opened.path)
    return { kind: 'none' }
  }

  /** Of a broker's replica of that partition, if it is made now. */
  currentIdOf(number: PartitionNumber, broker: BrokerId): number {
    const { image, cellId } = this.#options
    const life = image.brokerDirectory(cellId, broker)?.life ?? 0
    return replicaIdOf(broker, life, image.joinGenerationOf(number, broker))
  }

  /** Of the replicas that there are to be. */
  wantedIds(number: PartitionNumber): number[] {
    const brokers = this.#options.image.wantedReplicasOf(number)
    return brokers.map((broker) => this.currentIdOf(number, broker))
  }

  /** The image names this broker as one that has that replica, and no other that it was given later. */
  isHeldHere({ number, group }: Replica): boolean {
    const { image, brokerId } = this.#options
    if (!image.holdersOf(number).includes(brokerId)) return false
    const generation = image.joinGenerationOf(number, brokerId)
    return group === null || generationOf(group.raft.id) === generation
  }

  directoryOf(number: PartitionNumber, broker: BrokerId): string {
    const { image, rootOf, table, brokerId } = this.#options
    const open = table.get(number)
    // also when the image does not name it any more
    if (open !== undefined) return rootOf(broker) + open.directory.slice(rootOf(brokerId).length)
    const partition = image.partition(number)
    if (partition === undefined) throw new LogFailedError('its topic is gone')
    const { topic, index } = partition
    return partitionPath(rootOf(broker), topic.tenantId, topic.topicId, index)
  }
}

export const REMEDY =
  'remove the whole directory of this broker, and it is filled anew from the others'

/** Why a replica must not take part as what its files say that it is: it may have promised more, or less, than they tell. */
function refusalOf(controls: ControlEntries, own: number, hasVoted: boolean): string | null {
  if (controls.replicaId !== own) {
    return `its files are of another life of this directory (replica ${controls.replicaId}, now ${own}): ${REMEDY}`
  }
  return controls.count > 0 && !hasVoted ? `what it has voted is lost: ${REMEDY}` : null
}

/** What was written before there was a group: the leader epochs are its terms. */
export function termsOf({ logEndOffset, epochs }: PartitionLog): TermLine[] {
  if (logEndOffset === 0) return []
  const later = epochs.lines.filter(({ epoch }) => epoch > 0)
  const lines = later.map(({ epoch, startOffset }) => ({ term: epoch, start: startOffset }))
  return lines[0]?.start === 0 ? lines : [{ term: 0, start: 0 }, ...lines]
}

const asksForFlushes = ({ config }: PartitionLog): boolean =>
  config.flushMessages !== Number.MAX_SAFE_INTEGER

/**
 * A log without what its group has agreed on: a power cut has taken the one and left the other. Nobody was promised that it stays, else both would have
 * been flushed. Throws where that is not how it came.
 */
function dropOrphaned(log: PartitionLog): void {
  if (!log.foundPoint.powerLoss || log.logStartOffset > 0 || asksForFlushes(log)) {
    throw new LogFailedError('its log has records, but not what its group has agreed on')
  }
  const { directory, partition, logEndOffset } = log
  const why = `A power cut took what a replica's group had agreed on: its ${logEndOffset} records are dropped`
  log.environment.logger.log('warn', why, { directory, partition })
  log.truncateTo(0)
}
