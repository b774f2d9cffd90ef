import { invariant } from '../../base/assert.ts'
import { ErrorCode } from '../../base/error-code.ts'
import type { PartitionNumber } from '../../base/ids.ts'
import type { ReceivedMessage } from '../../link/raft-message-reader.ts'
import { type AppendPlace, NO_PLACE } from '../../link/raft-messages.ts'
import type { ControlEntries } from '../../log/control-entries.ts'
import type { DeleteRecordsDone } from '../../log/log-start.ts'
import type { PartitionLog } from '../../log/partition-log.ts'
import { canReachMajority, membersOf } from '../../raft/membership.ts'
import { RaftGroup } from '../../raft/raft-group.ts'
import {
  type Configuration,
  type ControlEntry,
  type HardState,
  type Message,
  NO_REPLICA,
  type Position,
  type Ready,
  type ReplicaId,
  Role,
  type Term,
} from '../../raft/types.ts'
import { BatchCopy, type CopyStep } from './batch-copy.ts'
import type { BelievedLeader } from './believed-leaders.ts'
import type { GroupHost } from './group-host.ts'
import { atLeast } from './kept-votes.ts'
import { AppendPlaces, firstOffsetOf } from './log-places.ts'
import { LogStarts, type StartHost } from './log-starts.ts'
import { Promises } from './promises.ts'
import { LogFailedError, type ReplicaFiles } from './replica-files.ts'
import { SnapshotBases, snapshotBaseOf } from './snapshot-bases.ts'
import { UndurableControls } from './undurable-controls.ts'

export interface ReplicaGroupOptions {
  readonly partition: PartitionNumber
  readonly files: ReplicaFiles
  readonly hardState: HardState | null
  readonly host: GroupHost
  readonly electionTicks: () => number
  /** What is known of its leader since it was closed; null for nothing. Told where this replica's log ends. */
  readonly believed?: (end: Position) => BelievedLeader | null
}

/**
 * One replica of a partition: its Raft group, its log and its control entries. Does what the group's Ready says, in its order: hard state, log,
 * and only then messages. A leader's batches are written first and proposed then, so that the group never knows of what is not there. Whatever
 * throws ends with this replica. On the broker's thread.
 */
export class ReplicaGroup {
  readonly partition: PartitionNumber
  readonly raft: RaftGroup
  readonly #host: GroupHost
  readonly #copy: BatchCopy
  readonly #starts: LogStarts
  readonly #startHost: StartHost = {
    mayBeginAt: (offset) => this.#host.mayBeginAt(this, offset),
    onStart: (isKept) => (isKept ? this.#host.touch(this) : this.#host.touchLater(this)),
  }
  #files: ReplicaFiles
  /** Of the term in which this replica leads, its start is written: batches may follow. */
  #ledTerm: Term = 0
  /** Position of that start. */
  #startedAt = 0
  #role: Role = Role.FOLLOWER
  #term: Term
  #leader: ReplicaId = NO_REPLICA
  #knewCommit = false
  #commitTerm: Term = -1
  readonly #promises = new Promises()
  /** Its log is about to be cut back or to begin anew: nothing is done until that is done. */
  #isChanging = false
  /** Its files are being made durable: nothing is done until they are. */
  #isBeginning = false
  /** It has no hard state yet. With the first, what follows waits until that is durable: entries without one would be those of a replica that has forgotten. */
  #isUnvoted: boolean
  #parked: Ready | null = null
  #isClosed = false
  #isFlushed = false
  readonly #bases = new SnapshotBases()
  readonly #undurable = new UndurableControls()
  /** As the group knows it. */
  #logStartOffset: number
  readonly #places = new AppendPlaces()
  /** Of the host: it is to be looked at in this turn. */
  isQueued = false
  /** Of the host: whose members' brokers it was told of. */
  toldOf: Configuration | null = null

  constructor(options: ReplicaGroupOptions) {
    const { partition, files, hardState, host, electionTicks } = options
    this.partition = partition
    this.#files = files
    this.#host = host
    const { log, controls } = files
    const recovered = controls.recovered(firstOffsetOf(log), log.logEndOffset)
    const believed = options.believed?.(recovered.end) ?? null
    this.raft = new RaftGroup({
      id: controls.replicaId,
      hardState: atLeast(hardState, recovered.lines.at(-1)?.term ?? 0),
      log: recovered,
      commit: believed?.end ?? recovered.start,
      leader: believed?.leader ?? NO_REPLICA,
      electionTicks,
      isAfterPowerLoss: log.foundPoint.powerLoss,
    })
    // retention, which may have opened it, goes no further
    if (believed !== null) log.commitTo(controls.offsetOf(believed.end))
    this.#isUnvoted = hardState === null
    this.#term = this.raft.term
    this.#logStartOffset = log.logStartOffset
    this.#starts = new LogStarts(recovered.controls)
    this.#copy = new BatchCopy({
      logger: host.logger,
      log: () => this.#files.log,
      controls: () => this.#files.controls,
      directoryOf: (replica) => host.directoryOf(this, replica),
    })
    this.#promises.holdTail(log, () => host.guard(this, () => this.#tailStored()))
    if (!files.isFresh) return
    this.#isBeginning = true
    controls.makeDurable(() => {
      // where that has failed, so has the log
      this.#isBeginning = false
      host.touch(this)
    })
  }

  #tailStored(): void {
    if (!this.#promises.tailStored()) return
    this.hardStateStored()
    this.#host.touch(this)
  }

  get log(): PartitionLog {
    return this.#files.log
  }

  get controls(): ControlEntries {
    return this.#files.controls
  }

  get leader(): ReplicaId {
    return this.#leader
  }

  /** Batches are taken: this replica leads, its term has begun in its log, and it is not handing leadership over. */
  get takesAppends(): boolean {
    if (this.#isChanging || this.#isHeld) return false
    return this.#ledTerm === this.raft.term && this.raft.takesProposals
  }

  /** Control entries are not durable yet, which nothing may follow before. */
  get #isHeld(): boolean {
    if (this.#files.isOrdered !== true) return false
    return this.#promises.isTailUndurable || this.#undurable.from !== Number.POSITIVE_INFINITY
  }

  /** What is committed includes all that was committed in earlier terms: reads may say where the log ends. */
  get knowsCommit(): boolean {
    return this.#ledTerm === this.raft.term && this.raft.commit > this.#startedAt
  }

  /**
   * It leads, or hears who does, and knows of all that was committed before this term: whoever reads it up to its high watermark is no further behind than
   * what is on its way from the leader.
   */
  get isReadable(): boolean {
    const { leader, term } = this.raft
    return leader !== NO_REPLICA && this.#commitTerm === term && !this.#isChanging
  }

  /** What it has promised is not durable yet, or what it has asked for cannot count before that is. */
  get waitsForDisk(): boolean {
    return this.#promises.areWaiting
  }

  /** Something can be copied now. */
  get hasWork(): boolean {
    return this.#copy.isActive && !this.#isChanging && !this.#isHeld
  }

  /** Nothing of it is under way, and everybody who is to have something has it: it may be closed until it is touched. */
  get isAtRest(): boolean {
    const { raft } = this
    const isBusy =
      this.#parked !== null ||
      this.#isBeginning ||
      this.#copy.isActive ||
      this.#isChanging ||
      this.#promises.areWaiting ||
      this.#starts.isAsked
    if (isBusy || raft.needsTicks) return false
    // nobody can lead it: whoever has more, or asks for it, opens it again
    if (!canReachMajority(raft.configuration, raft.unreachable)) return raft.role !== Role.LEADER
    if (raft.commit !== raft.end) return false
    if (raft.role !== Role.LEADER) return raft.leader !== NO_REPLICA
    // one that cannot be reached now is owed what it lacks
    return membersOf(raft.configuration).every(
      (replica) => replica === raft.id || (raft.progressOf(replica)?.match ?? 0) >= raft.end,
    )
  }

  step(received: ReceivedMessage): void {
    const { message, place } = received
    // it was asked for before this replica's own vote is durable, and counts with that
    if (message.type === 'vote-reply' && this.#promises.areWaiting) {
      this.#promises.say(() => this.raft.step(message))
      return
    }
    if (message.type === 'append') this.#copy.noteAppend(message.from, place)
    this.#bases.note(received)
    this.raft.step(message)
  }

  /**
   * Before batches are written to a leader's log: control entries that are proposed and not written yet go before them. False where none
   * are taken. Throws DiskError.
   */
  aboutToAppend(): boolean {
    if (this.takesAppends && !this.#isWritten) this.advance()
    if (!this.takesAppends || !this.#isWritten) return false
    this.#places.noteTail(this.log)
    return true
  }

  /** Log and control entries have all that the group knows of. */
  get #isWritten(): boolean {
    return this.controls.positionOf(this.log.logEndOffset) === this.raft.end
  }

  /** What the leader has written to its log is its group's from now on. */
  appended(): void {
    const end = this.controls.positionOf(this.log.logEndOffset)
    const width = end - this.raft.end
    if (width === 0) return
    invariant(this.takesAppends && this.raft.propose(width) >= 0, 'only a leader appends')
    this.#tellStored()
  }

  /** DeleteRecords, by this leader: `done` is called once, with the start as it is here when the group has agreed, and this log has moved. */
  deleteRecords(offset: number, done: DeleteRecordsDone): void {
    const target = offset === -1 ? this.log.highWatermark : offset
    const error = LogStarts.answerNow(this.log, target)
    if (error !== null) {
      done(error, error === ErrorCode.NONE ? this.log.logStartOffset : -1)
      return
    }
    this.#starts.ask(target, done)
    this.#host.touch(this)
  }

  /** The log begins later than it did: what is gone was committed. */
  startMoved(): void {
    const { log, controls } = this.#files
    const { start } = controls.recovered(firstOffsetOf(log), log.logEndOffset)
    this.raft.logStart(start)
    controls.forget(start)
    this.#logStartOffset = log.logStartOffset
  }

  /** The log is flushed further, where its topic asks for that: told with the next {@link advance}. */
  flushed(): void {
    this.#isFlushed = true
    this.#host.touch(this)
  }

  /** That with which it begins is not durable: it says nothing before {@link hardStateStored}. */
  waitForHardState(): void {
    this.#promises.wait()
  }

  /** A hard state that was asked for is durable. */
  hardStateStored(): void {
    if (!this.#promises.stored()) return
    if (this.#parked !== null) {
      const ready = this.#parked
      this.#parked = null
      this.#do(ready)
    }
    this.#promises.keep()
    this.raft.hardStateStored()
    this.#host.touch(this)
  }

  /** Bytes that the last {@link copySome} has taken. */
  get copiedBytes(): number {
    return this.#copy.takenBytes
  }

  /** Copies a bit of what the leader has, at least a batch. */
  copySome(nowMs: number, bytesMax = Number.POSITIVE_INFINITY): CopyStep {
    if (this.#isHeld) return 'waits'
    const step = this.#copy.step(nowMs, bytesMax)
    if (step === 'moved') this.#tellStored()
    return step
  }

  /** Does what Raft says is to be done since the last time. Throws DiskError, and then this replica is to be opened again. */
  advance(): void {
    if (this.#isChanging || this.#parked !== null) return
    if (this.log.failure !== null) throw new LogFailedError(this.log.failure)
    if (this.#isBeginning) return
    if (this.log.logStartOffset !== this.#logStartOffset) this.startMoved()
    if (this.#starts.isAsked) this.#starts.propose((payload) => this.raft.proposeControl(payload))
    const ready = this.raft.ready()
    if (ready.hardState !== null) {
      this.#promises.wait()
      this.#host.storeHardState(this, ready.hardState)
      if (this.#isUnvoted) {
        this.#isUnvoted = false
        this.#parked = ready
        return
      }
    }
    this.#do(ready)
  }

  /** But for its hard state. */
  #do(ready: Ready): void {
    if (ready.truncateTo === null || !this.#announceCut(ready, ready.truncateTo))
      this.#change(ready)
  }

  /** Whether what Raft drops stays until no power cut can leave a log that seems to have lost it: the rest of the Ready waits for that. */
  #announceCut(ready: Ready, position: Position): boolean {
    const { log, controls } = this.#files
    this.#copy.stop()
    this.#isChanging = true
    const isWaiting = log.announceCut(controls.offsetOf(position), (failed) => {
      this.#isChanging = false
      if (failed !== null) this.#host.onFailed(this, failed)
      else if (!this.#isClosed) this.#host.guard(this, () => this.#change(ready))
      this.#host.touch(this)
    })
    if (!isWaiting) this.#isChanging = false
    return isWaiting
  }

  #change(ready: Ready): void {
    if (ready.truncateTo !== null) this.#truncate(ready.truncateTo)
    if (ready.restore !== null) this.#restart(ready)
    else this.#finish(ready)
    if (!this.#isFlushed || this.#isChanging) return
    this.#isFlushed = false
    this.#tellStored()
  }

  /** It is about to be closed with its log as it may be: others are to lead. */
  giveUp(): void {
    // it may have resigned already, and not have said so
    this.raft.resign()
    for (const message of this.raft.ready().messages) {
      if (message.type === 'resign') this.#host.send(this, message, NO_PLACE, null)
    }
  }

  close(): void {
    this.#isClosed = true
    this.#promises.tailStored()
    this.#starts.close()
    this.#copy.stop()
    this.controls.close()
  }

  #truncate(position: number): void {
    const { log, controls } = this.#files
    // data first: control entries that lie beyond the end are dropped when a log is opened, data beyond lost entries would be damage
    log.truncateTo(controls.offsetOf(position))
    controls.truncate(position)
    this.#starts.truncated(position)
    this.#undurable.truncated(position)
  }

  #finish(ready: Ready): void {
    const { controls, log } = this.#files
    if (ready.controls.length > 0) this.#append(ready.controls)
    if (ready.role === Role.LEADER) {
      this.#lead(ready)
    } else if (ready.copy !== null) this.#copy.begin(ready.copy)
    this.#sendAll(ready.messages)
    if (ready.controls.length > 0) this.#tellStored()
    const isMore = log.commitTo(controls.offsetOf(ready.commit))
    this.#commitTerm = ready.commitTerm
    if (ready.role !== Role.LEADER) this.#starts.refuseAll()
    this.#starts.commit(ready.commit, log, this.#startHost)
    const { knowsCommit } = this
    const isChanged =
      ready.role !== this.#role ||
      ready.term !== this.#term ||
      ready.leader !== this.#leader ||
      knowsCommit !== this.#knewCommit
    this.#knewCommit = knowsCommit
    this.#role = ready.role
    this.#term = ready.term
    this.#leader = ready.leader
    if (isChanged) this.#host.onLeadership(this)
    if (isMore) this.#host.onCommit(this)
  }

  #append(entries: readonly ControlEntry[]): void {
    const { controls, log } = this.#files
    controls.append(entries)
    this.#starts.noted(entries)
    this.#undurable.appended(entries, log, () => this.flushed())
  }

  #lead(ready: Ready): void {
    this.#copy.stop()
    if (this.#ledTerm === ready.term) return
    this.#ledTerm = ready.term
    this.#startedAt = ready.controls.findLast(({ kind }) => kind === 'term-start')!.at
    this.#places.forgetTail()
  }

  #tellStored(): void {
    const { log, controls } = this.#files
    const { raft } = this
    const written = controls.positionOf(Math.min(log.storedOffset, log.logEndOffset))
    const end = Math.min(written, this.#undurable.from)
    if (this.#ledTerm === raft.term && raft.role === Role.LEADER)
      raft.stored(Math.min(end, raft.end))
    else raft.stored(end)
    this.#host.touch(this)
  }

  /**
   * To ask for votes promises nothing: where nobody leads that goes at once, while this replica's own vote is made durable. Should it die before that is, it has not led, and may ask
   * again in the same term or give its vote to another. Nothing that was said to it before reaches its next life.
   */
  #sendAll(messages: readonly Message[]): void {
    if (!this.#promises.areWaiting) {
      this.#send(messages)
      return
    }
    const isLed = this.#leader !== NO_REPLICA && !this.raft.unreachable.has(this.#leader)
    const isAtOnce = ({ type }: Message) => type === 'vote' && !isLed
    this.#send(messages.filter(isAtOnce))
    this.#promises.say(() => this.#send(messages.filter((message) => !isAtOnce(message))))
  }

  #send(messages: readonly Message[]): void {
    for (const message of messages) {
      const place = message.type === 'append' ? this.placeOf(message) : NO_PLACE
      const base = message.type === 'snapshot' ? snapshotBaseOf(this.#files, message.start) : null
      this.#host.send(this, message, place, base)
    }
  }

  /** Where the range of an append begins in this log. Throws DiskError. */
  placeOf(message: Extract<Message, { type: 'append' }>): AppendPlace {
    return this.#places.of(this.#files, message)
  }

  /** The log is given up for one that begins with the snapshot; what follows in the Ready waits for that. */
  #restart(ready: Ready): void {
    const restore = ready.restore!
    const base = this.#bases.take(restore)
    if (base === undefined) throw new LogFailedError('a snapshot has come without its base')
    this.#isChanging = true
    this.#copy.stop()
    const header = {
      replicaId: this.raft.id,
      startOffset: base.offset,
      controlsBefore: base.controlsBefore,
      lines: restore.lines,
      configuration: restore.configuration,
    }
    const { producers } = base
    invariant(producers !== null, 'the host has taken the producers out of their buffer')
    const { log } = this
    const restart = () =>
      log.restartAt(base.offset, { controls: header, producers }, (failed) => {
        this.#isChanging = false
        if (failed !== null) this.#host.onFailed(this, failed)
        else this.#host.guard(this, () => this.#goOn(ready))
      })
    this.#host.beforeRestart(this, restore.from, base.offset, (failed) => {
      if (failed !== null) this.#host.onFailed(this, failed)
      else if (!this.#isClosed) this.#host.guard(this, restart)
    })
  }

  /** After a restart, with the log that begins with the snapshot. */
  #goOn(ready: Ready): void {
    this.controls.close()
    this.log.abandon()
    const files = this.#host.reopen(this)
    if (files === null) throw new LogFailedError('it cannot be opened')
    this.#files = files
    this.#logStartOffset = files.log.logStartOffset
    this.#undurable.clear()
    this.#tailStored()
    this.#finish(ready)
    this.#host.touch(this)
  }
}
