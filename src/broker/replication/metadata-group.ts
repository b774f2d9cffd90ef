import { InvariantError, invariant } from '../../base/assert.ts'
import { ErrorCode, errorName } from '../../base/error-code.ts'
import type { BrokerId } from '../../base/ids.ts'
import { brokerOf } from '../../base/replica-id.ts'
import { StartRefusedError } from '../../controller/refused.ts'
import type { MetadataView } from '../../image/view.ts'
import type { QuorumView } from '../../link/control.ts'
import { DiskError, isEndOfProcess } from '../../log/disk.ts'
import { newAppendOutcome } from '../../log/outcomes.ts'
import type { PartitionLog } from '../../log/partition-log.ts'
import type { EntryLog } from '../../machine/entry-log.ts'
import { NO_REPLICA, type ReplicaId, Role } from '../../raft/types.ts'
import { Checkpoints } from '../checkpoints.ts'
import { batchOf, METADATA_PARTITION, metadataPath, readEntries, rolled } from '../metadata-log.ts'
import { CommitLooks } from './commit-looks.ts'
import type { RestartReady } from './group-host.ts'
import type { GroupOwner } from './group-owner.ts'
import { isSettled, isVoter, moveMembership } from './membership-moves.ts'
import { MetadataOpening, type MetadataOpeningOptions } from './metadata-opening.ts'
import { MetadataWaiting, type MetadataWaitingOptions } from './metadata-waiting.ts'
import { PREFERRED_AFTER_MS } from './preferred-leaders.ts'
import { isNext, type RaftHost } from './raft-host.ts'
import type { ReplicaFiles } from './replica-files.ts'
import type { ReplicaGroup } from './replica-group.ts'
import { heirsOf } from './yielding.ts'

/** What the thread gives a broker that may keep the metadata. */
export type MetadataFiles = Pick<
  MetadataGroupOptions,
  'root' | 'voters' | 'formsAlone' | 'unreadable' | 'lifeIn' | 'segmentBytes'
>

export interface MetadataGroupOptions
  extends Omit<MetadataOpeningOptions, 'onFlushed'>,
    MetadataWaitingOptions {
  readonly host: RaftHost
  /** The brokers of the cell that keep the metadata, the preferred leader first. */
  readonly voters: readonly BrokerId[]
  /** The image knows this broker's directory. */
  readonly isRegistered: () => boolean
  /** So long that broker can be reached without a break; 0 where it cannot. */
  readonly reachableForMs: (broker: BrokerId) => number
}

/** Between two looks whether leadership can go back, or at a change of voters that waits for one who cannot be reached; … */
const SWEEP_MS = 1_000
/** … and at one that waits for nobody but those who copy. */
const STEP_MS = 10
/** A replica that has failed is opened again after this. */
const RETRY_MS = 1_000
/** One that was offered leadership, and did not keep it, is offered it again after so long, and after twice as long each time … */
const OFFER_AGAIN_MS = 10_000
/** … up to this: what is wrong with it may last, and each change of controllers costs a pause. */
const OFFER_AGAIN_MS_MAX = 600_000
/** A replica whose disk has refused a write does not lead for so long. */
const UNFIT_MS = 5_000

/**
 * The metadata log as a group of its own, partition 0: no topic's, so that it has no place in the image, which comes from it. On the brokers that may keep it,
 * each on its broker's thread: opened at the start, never closed for want of work, and led by the first of them where that can be. The controller on the same
 * thread takes it for its {@link EntryLog}.
 */
export class MetadataGroup implements EntryLog, GroupOwner {
  readonly #options: MetadataGroupOptions
  readonly #opening: MetadataOpening
  readonly #outcome = newAppendOutcome()
  readonly #looks = new CommitLooks()
  /** What was said below the log's start. */
  readonly snapshots: Checkpoints
  #log: PartitionLog | null = null
  #group: ReplicaGroup | null = null
  /** Others than this one vote, as far as was known last. */
  #hasOthers = false
  #failedUntilMs = 0
  #isFailed = false
  /** Its disk has refused a write: it does not lead before this. */
  #unfitUntilMs = 0
  #hasCampaigned = false
  #hasOpened = false
  /** Its files have another name for it than it was opened with. */
  #isRenamed = false
  #isStopping = false
  /** Where the image was when the voters were those that there are to be; −1: they are not. Of a leader. */
  #settledAt = -1
  #sweepAtMs = 0
  /** Leadership was offered to the preferred replica then, … */
  #offeredAtMs = Number.NEGATIVE_INFINITY
  /** … and not again before so long. */
  #offerAgainMs = OFFER_AGAIN_MS
  readonly #waiting: MetadataWaiting
  #nowMs = 0

  constructor(options: MetadataGroupOptions) {
    this.#options = options
    this.#waiting = new MetadataWaiting(options)
    this.#opening = new MetadataOpening({ ...options, onFlushed: () => this.#group?.flushed() })
    const { environment, root, rootOf, voters, brokerId } = options
    this.snapshots = Checkpoints.open({
      environment,
      directory: metadataPath(root),
      others: voters.filter((id) => id !== brokerId).map((id) => metadataPath(rootOf(id))),
      onKept: () => {
        if (this.#group !== null) options.host.touch(this.#group)
      },
    })
  }

  get startOffset(): number {
    return this.#group?.log.logStartOffset ?? 0
  }

  get endOffset(): number {
    return this.#group?.log.logEndOffset ?? 0
  }

  get committedOffset(): number {
    return this.#group?.log.highWatermark ?? 0
  }

  get term(): number {
    const group = this.#group
    const leads = group !== null && group.raft.role === Role.LEADER && group.knowsCommit
    return leads ? group.raft.term : 0
  }

  get takesEntries(): boolean {
    return this.term !== 0 && this.#group!.takesAppends
  }

  get failure(): string | null {
    if (this.#group !== null) return this.#group.log.failure
    return this.#isFailed ? 'the metadata log cannot be opened' : null
  }

  /** As it is open; null while it is not. For tests. */
  get group(): ReplicaGroup | null {
    return this.#group
  }

  /** This broker votes, as what it is in this directory, and that is committed. */
  get isVoter(): boolean {
    return this.#group !== null && isVoter(this.#group)
  }

  /** For DescribeQuorum; null while it is not open. */
  get view(): QuorumView | null {
    if (this.#group === null) return null
    const { raft, log } = this.#group
    const { logEndOffset: endOffset, highWatermark } = log
    const leader = raft.leader === NO_REPLICA ? 0 : brokerOf(raft.leader)
    // one that was lost with its directory votes no more, though it counts until it is replaced: who has its place only copies yet
    const voters = raft.configuration.voters
      .filter((voter) => voter === raft.id || this.#idOf(this.#group!, brokerOf(voter)) === voter)
      .map(brokerOf)
    return { endOffset, highWatermark, term: raft.term, leader, voters }
  }

  /** Monotonic milliseconds at which the next turn is due. */
  get nextTimerAtMs(): number {
    if (this.#isStopping) return Number.POSITIVE_INFINITY
    if (this.snapshots.hasWork) return 0
    if (this.#group === null) {
      const waits = this.#opening.needsImage || this.#opening.isEmptying
      return waits ? Number.POSITIVE_INFINITY : this.#failedUntilMs
    }
    const unfitUntilMs = this.#group.raft.mayLead ? Number.POSITIVE_INFINITY : this.#unfitUntilMs
    const sweepAtMs = this.#isSwept ? this.#sweepAtMs : Number.POSITIVE_INFINITY
    return Math.min(this.#group.log.nextTimerAtMs, unfitUntilMs, sweepAtMs)
  }

  /** Before the host's turn; returns how much was done. */
  doWork(nowMs: number): number {
    this.#nowMs = nowMs
    if (this.#isStopping) return 0
    const { host } = this.#options
    const written = this.snapshots.doWork(nowMs)
    this.#lookWhoLeads()
    if (this.#group === null) {
      if (nowMs < this.#failedUntilMs) return written
      if (this.#opening.needsImage && !this.#options.isRegistered()) return written
      return written + (host.open(METADATA_PARTITION) === null ? 0 : 1)
    }
    const group: ReplicaGroup = this.#group
    host.guard(group, () => this.#look(group))
    if (this.#isRenamed) this.#openAgain()
    return written
  }

  append(entries: readonly Uint8Array[]): number {
    const group = this.#group
    const { host } = this.#options
    invariant(group !== null && this.term !== 0, 'only a leader appends')
    if (entries.length === 0) return this.endOffset
    let isTaken = false
    host.guard(group, () => {
      isTaken = group.aboutToAppend()
    })
    if (!isTaken) throw new DiskError('EIO', group.log.directory, 'write')
    const { log, raft } = group
    const nowMs = log.environment.clock.wallMs()
    const outcome = this.#outcome
    log.stage(batchOf(entries, nowMs), nowMs, raft.term, outcome)
    if (outcome.error === ErrorCode.KAFKA_STORAGE_ERROR) {
      throw new DiskError('EIO', log.directory, 'write')
    }
    if (outcome.error !== ErrorCode.NONE) {
      const why = outcome.faultMessage ?? errorName(outcome.error)
      throw new InvariantError(`the metadata log refuses its own batch: ${why}`)
    }
    const error = log.write()
    if (error !== null) throw error
    host.guard(group, () => group.appended())
    host.touch(group)
    return log.logEndOffset
  }

  read(
    fromOffset: number,
    toOffset: number,
    each: (offset: number, bytes: Uint8Array) => void,
  ): void {
    invariant(this.#group !== null, 'what is closed is not read')
    readEntries(this.#group.log, fromOffset, toOffset, each)
  }

  epochBefore(offset: number): number {
    return Math.max(0, this.#group?.log.epochs.at(offset - 1) ?? 0)
  }

  deleteBelow(offset: number): void {
    const group = this.#group
    if (group === null || !this.takesEntries) return
    this.#options.host.guard(group, () => group.deleteRecords(offset, () => {}))
  }

  roll(): number | null {
    const group = this.#group
    let from: number | null = null
    if (group !== null) {
      this.#options.host.guard(group, () => {
        from = rolled(group.log)
      })
    }
    return from
  }

  giveUp(): boolean {
    const group = this.#group
    if (group === null || group.raft.role !== Role.LEADER) return this.#hasOthers
    const { raft } = group
    if (heirsOf(raft).length === 0) return false
    raft.mayLead = false
    this.#unfitUntilMs = this.#nowMs + UNFIT_MS
    this.resign()
    return true
  }

  /** Leads no more, if it does and another can: nothing that this thread would say is sure. */
  resign(): void {
    if (this.#group === null || !this.#hasOthers) return
    this.#group.raft.resign()
    this.#options.host.touch(this.#group)
  }

  /** The broker stops, and the others with it: nobody is elected in its place for that. */
  stop(): void {
    this.#isStopping = true
    this.snapshots.close()
    if (this.#group !== null) this.#group.raft.mayLead = false
  }

  /** For the broker's stop, with its other logs. */
  flushAll(done: (error: DiskError | null) => void): void {
    this.stop()
    if (this.#log === null) done(null)
    else this.#log.flushAll(done)
  }

  close(): void {
    this.stop()
    this.#options.host.close(METADATA_PARTITION)
    this.#group = null
    const log = this.#log
    this.#log = null
    log?.close()
  }

  openFiles(_partition: number, ledAs: ReplicaId): ReplicaFiles | null {
    if (this.#isStopping) return null
    if (ledAs === NO_REPLICA && this.#nowMs < this.#failedUntilMs) return null
    if (this.#opening.needsImage && !this.#options.isRegistered()) return null
    // it has begun anew, and was abandoned
    this.#log = null
    try {
      const files = this.#opening.open(ledAs)
      this.#log = files?.log ?? null
      return files
    } catch (error) {
      this.#fail(error)
      return null
    }
  }

  directoryOf(_partition: number, broker: BrokerId): string {
    return metadataPath(this.#options.rootOf(broker))
  }

  mayBeginAt(_partition: number, offset: number): boolean {
    return this.snapshots.covers(offset)
  }

  beforeRestart(partition: number, from: BrokerId, offset: number, ready: RestartReady): void {
    this.snapshots.copyFrom(this.directoryOf(partition, from), offset, ready)
  }

  onOpened(group: ReplicaGroup): void {
    this.#group = group
    this.#isFailed = false
    this.#hasOpened = true
    this.#noteOthers(group)
    group.raft.mayLead = this.#nowMs >= this.#unfitUntilMs
  }

  onLeadership(group: ReplicaGroup): void {
    this.#noteOthers(group)
    this.#settledAt = -1
    this.#sweepAtMs = 0
  }

  onCommit(): void {}

  onUnopened(_partition: number, reason: unknown): void {
    this.#log?.abandon()
    this.#log = null
    this.#fail(reason)
  }

  onFailed(_group: ReplicaGroup, reason: unknown): void {
    this.#group = null
    const log = this.#log
    this.#log = null
    log?.abandon()
    this.#fail(reason)
  }

  #noteOthers({ raft }: ReplicaGroup): void {
    const { voters } = raft.configuration
    this.#hasOthers = voters.length !== 1 || voters[0] !== raft.id
  }

  /** What nobody else has: the start fails. Else it is tried again, and the others go on. */
  #fail(reason: unknown): void {
    if (isEndOfProcess(reason) || reason instanceof StartRefusedError) throw reason
    const { environment, formsAlone } = this.#options
    if (!this.#hasOpened && formsAlone) throw reason
    this.#failedUntilMs = this.#nowMs + RETRY_MS
    const text = reason instanceof Error ? reason.message : String(reason)
    // said once, not each second
    if (this.#isFailed) return
    this.#isFailed = true
    const isKnown = reason instanceof DiskError || (reason as Error).name === 'LogFailedError'
    environment.logger.log('error', `This broker's copy of the metadata failed: ${text}`, {
      directory: metadataPath(this.#options.root),
      retryInMs: RETRY_MS,
      stack: isKnown ? undefined : (reason as Error).stack,
    })
  }

  #lookWhoLeads(): void {
    const raft = this.#group?.raft
    // who has no copy yet is told of the others by the image
    const isLed = raft === undefined ? this.#options.isRegistered() : raft.leader !== NO_REPLICA
    const voters = () => raft?.configuration.voters.map(brokerOf).join() ?? ''
    this.#waiting.look(isLed, voters, this.#nowMs)
  }

  #look(group: ReplicaGroup): void {
    const { raft, log } = group
    const { host } = this.#options
    if (this.#nowMs >= log.nextTimerAtMs) log.onTimer(this.#nowMs)
    if (this.#hasOthers) this.#opening.checkLife(raft.id)
    else this.#rename(group)
    if (this.#isRenamed) return
    const mayLead = this.#nowMs >= this.#unfitUntilMs
    if (raft.mayLead !== mayLead) {
      raft.mayLead = mayLead
      host.touch(group)
    }
    // at the start, the one that is to lead: the others wait for their ticks
    if (!this.#hasCampaigned && isNext(raft) && raft.configuration.voters[0] === raft.id) {
      this.#hasCampaigned = true
      raft.campaign()
      host.touch(group)
    }
    if (this.#nowMs >= this.#sweepAtMs || this.#hasNews) this.#move(group)
  }

  /**
   * The only voter, whose directory has come into another life since, goes on as that one: nobody else has a vote to be asked for under its old name, or can tell of one. With a second
   * voter it would be too late for that. As it knows from the image that it has published itself.
   */
  #rename({ raft, controls }: ReplicaGroup): void {
    const { image, brokerId, environment, root } = this.#options
    const own = this.#opening.idOf(brokerId)
    const isSure = this.term !== 0 && image.epoch === raft.term && raft.isMembershipCommitted
    if (own === null || own === raft.id || !isSure) return
    controls.rename(own)
    this.#isRenamed = true
    environment.logger.log('info', 'The metadata goes on under the new id of its directory', {
      ...{ directory: metadataPath(root), before: raft.id, replicaId: own },
    })
  }

  #openAgain(): void {
    this.#isRenamed = false
    this.#hasCampaigned = false
    const { host } = this.#options
    host.close(METADATA_PARTITION)
    this.#group = null
    this.#log?.close()
    this.#log = null
    host.open(METADATA_PARTITION)
  }

  /** A leader that is not the preferred one, or whose voters are not those that there are to be. */
  get #isSwept(): boolean {
    const { voters, brokerId } = this.#options
    return this.term !== 0 && (this.#settledAt < 0 || brokerId !== voters[0])
  }

  /** It had looked at what the image said, and that may be another. */
  get #hasNews(): boolean {
    return this.#settledAt >= 0 && this.#settledAt !== this.#options.image.offset
  }

  #move(group: ReplicaGroup): void {
    const { raft } = group
    this.#sweepAtMs = this.#nowMs + SWEEP_MS
    if (!this.takesEntries) return
    if (!this.#hasOthers && !this.#options.isRegistered()) {
      // the name that the others are to know it by is another, perhaps
      this.#sweepAtMs = this.#nowMs + STEP_MS
      return
    }
    const wanted = this.#wanted(group)
    this.#settledAt = isSettled(group, wanted) ? this.#options.image.offset : -1
    if (this.#settledAt >= 0) {
      this.#giveBack(group)
      return
    }
    const caughtUpTo = this.#looks.caughtUpTo(group, this.#nowMs)
    // before the step: whoever it takes in is told of only after it
    const isHeld = wanted.some((replica) => raft.unreachable.has(replica))
    moveMembership(group, wanted, (broker) => this.#idOf(group, broker), caughtUpTo)
    this.#noteOthers(group)
    if (!isHeld) this.#sweepAtMs = this.#nowMs + STEP_MS
    this.#options.host.touch(group)
  }

  /** To the preferred voter, once it has been there for a while and has all that there is. */
  #giveBack(group: ReplicaGroup): void {
    const { voters, brokerId, reachableForMs, host } = this.#options
    const preferred = voters[0]!
    if (preferred === brokerId || reachableForMs(preferred) < PREFERRED_AFTER_MS) return
    const { raft } = group
    const id = this.#idOf(group, preferred)
    const isAtRest = raft.commit === raft.end && (raft.progressOf(id)?.match ?? 0) >= raft.end
    const sinceMs = this.#nowMs - this.#offeredAtMs
    if (!isAtRest || sinceMs < this.#offerAgainMs || !raft.transferTo(id)) return
    const isSoon = sinceMs < 2 * OFFER_AGAIN_MS_MAX
    this.#offerAgainMs = isSoon
      ? Math.min(2 * this.#offerAgainMs, OFFER_AGAIN_MS_MAX)
      : OFFER_AGAIN_MS
    this.#offeredAtMs = this.#nowMs
    host.touch(group)
  }

  #wanted(group: ReplicaGroup): number[] {
    return this.#options.voters
      .map((broker) => this.#idOf(group, broker))
      .filter((replica) => replica !== 0)
  }

  /** Of a broker's replica as it is now: of this one as it is open; 0 where nobody knows yet. */
  #idOf({ raft }: ReplicaGroup, broker: BrokerId): number {
    if (broker === this.#options.brokerId) return raft.id
    const known = this.#opening.idOf(broker)
    if (known !== null) return known
    return raft.configuration.voters.find((voter) => brokerOf(voter) === broker) ?? 0
  }
}

/** What this broker knows, by its copy or, where it keeps none, by its image. */
export function quorumView(group: MetadataGroup | null, image: MetadataView): QuorumView {
  const { offset, epoch } = image
  const told = { endOffset: offset, highWatermark: offset, term: epoch, leader: 0, voters: [] }
  return group?.view ?? told
}
