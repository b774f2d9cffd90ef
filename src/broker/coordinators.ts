import type { Clock } from '../base/clock.ts'
import { ErrorCode } from '../base/error-code.ts'
import type { PartitionNumber } from '../base/ids.ts'
import type { LogFields, Logger } from '../base/log.ts'
import type { CoordinatorAnswer, CoordinatorCall, CoordinatorStep } from '../coordinator/hosted.ts'
import type { TopicView } from '../image/view.ts'
import { newAppendOutcome } from '../log/outcomes.ts'
import { buildBatch } from '../record/builder.ts'
import type { CallToken, CoordinatorAnswers } from './coordinator-answers.ts'
import type { CoordinatorPartition, NewCoordinator } from './coordinator-partition.ts'
import type { LeaderPartitions } from './leader-partitions.ts'
import type { Replica } from './replica.ts'
import { isRottenLog, StandbyCoordinators } from './standby-coordinators.ts'

export interface CoordinatorsOptions {
  readonly partitions: LeaderPartitions
  readonly answers: CoordinatorAnswers
  readonly logger: Logger
  /** Tells how long loading took. */
  readonly clock: Clock
  readonly newCoordinator: NewCoordinator
  /** The log of that replica is damaged: it cannot be loaded from it. */
  readonly onRotten: (replica: Replica) => void
  /** The image holds every topic of the tenant: a coordinator forgets what belongs to topics that it does not find. */
  readonly isImageWhole: () => boolean
}

/** Of a coordinator's log, replayed per turn. */
const LOAD_BYTES_PER_TURN = 2 * 2 ** 20
/** Calls that may wait for a coordinator to be loaded; more are told to come again. */
const WAITING_CALLS_MAX = 1_000
const TIMERS_PER_TURN = 256
/** A coordinator in which nobody lives and that nobody asks is dropped, and loaded again when it is needed. */
const UNLOAD_AFTER_MS = 600_000

/**
 * The coordinators whose partitions this broker leads: loaded from their logs at the first call, asked, and answered for once
 * what they decided is committed. A log that fails takes its coordinator along: who waits is told to look for it again, and
 * the next call loads it anew. On the broker's thread, a bounded bit per turn.
 */
export class Coordinators {
  readonly #options: CoordinatorsOptions
  readonly #partitions: LeaderPartitions
  readonly #loaded = new Map<PartitionNumber, CoordinatorPartition>()
  readonly #loading = new Set<CoordinatorPartition>()
  /** With records that are staged and not written. */
  #staged: CoordinatorPartition[] = []
  /** With answers that wait for their commit. */
  readonly #uncommitted = new Set<CoordinatorPartition>()
  readonly #standbys: StandbyCoordinators
  readonly #outcome = newAppendOutcome()

  constructor(options: CoordinatorsOptions) {
    this.#options = options
    this.#partitions = options.partitions
    this.#standbys = new StandbyCoordinators(options)
  }

  /** Those that are loaded or being loaded. */
  *all(): IterableIterator<CoordinatorPartition> {
    yield* this.#loaded.values()
    yield* this.#loading
  }

  /** Something is to be done in the next turn, whatever comes. */
  get hasWork(): boolean {
    if (this.#standbys.hasWork) return true
    for (const { waitsForFlush } of this.#loading) if (!waitsForFlush) return true
    return false
  }

  /** Hands a call to the coordinator in partition `number`, or refuses it with the error that the front is told. */
  call(number: PartitionNumber, call: CoordinatorCall<CallToken>): void {
    const { token } = call
    // topics that are there would be taken for gone
    const isWhole = this.#options.isImageWhole()
    const partition = isWhole ? this.#find(number) : ErrorCode.COORDINATOR_LOAD_IN_PROGRESS
    if (typeof partition === 'number') {
      this.#options.answers.refuse(token.front, token.correlation, partition)
      return
    }
    this.#partitions.use.turnToTenant(partition.tenantId)
    partition.usedAtMs = this.#partitions.nowMs
    partition.open.add(token)
    if (partition.isLoaded) this.#handle(partition, call)
    else if (partition.waiting.length < WAITING_CALLS_MAX) partition.waiting.push(call)
    else this.#refuse(partition, token, ErrorCode.COORDINATOR_LOAD_IN_PROGRESS)
  }

  /** More is committed of a replica that follows: should this broker lead it, it coordinates at once. */
  onCommit(replica: Replica): void {
    if (replica.topic.internal && replica.ledTerm === 0) this.#standbys.onCommit(replica)
  }

  /** Loads a bit, writes what this turn has staged, sends what is committed; returns how much was done. */
  doWork(): number {
    let work = 0
    for (const partition of this.#loading) work += this.#load(partition)
    work += this.#standbys.doWork(this.#partitions.nowMs)
    work += this.#writeStaged()
    for (const partition of this.#uncommitted) work += this.#settle(partition)
    return work + this.#options.answers.post()
  }

  /** Its log has failed, its topic was deleted, or another broker leads it. */
  drop(number: PartitionNumber): void {
    this.#standbys.drop(number)
    const partition = this.#byNumber(number)
    if (partition !== undefined) this.#unload(partition)
  }

  /** The image is whole: what it does not name here is gone. */
  dropGone(isHere: (number: PartitionNumber) => boolean): void {
    this.#standbys.dropGone(isHere)
  }

  /** Those that are loaded later look for themselves what is gone. */
  onTopicsDeleted(topics: readonly TopicView[]): void {
    const { nowMs, wallMs } = this.#partitions
    const byTenant = new Map<string, Pick<TopicView, 'name' | 'topicId'>[]>()
    for (const { tenantId, name, topicId } of topics) {
      const ofTenant = byTenant.get(tenantId)
      if (ofTenant === undefined) byTenant.set(tenantId, [{ name, topicId }])
      else ofTenant.push({ name, topicId })
    }
    for (const partition of [...this.#loaded.values()]) {
      const deleted = byTenant.get(partition.tenantId)
      if (deleted === undefined) continue
      this.#guard(partition, () =>
        this.#take(partition, partition.coordinator.onTopicsDeleted(deleted, nowMs, wallMs)),
      )
    }
  }

  /** The broker stops: whoever waits is sent to look for another coordinator. */
  stop(): void {
    this.#writeStaged()
    for (const partition of [...this.all()]) this.#unload(partition)
    this.#standbys.stop()
    this.#options.answers.post()
  }

  #byNumber(number: PartitionNumber): CoordinatorPartition | undefined {
    const loaded = this.#loaded.get(number)
    if (loaded !== undefined) return loaded
    for (const partition of this.#loading) if (partition.number === number) return partition
    return undefined
  }

  /** The coordinator of a partition that this broker leads, begun to be loaded if it is not; or why there is none. */
  #find(number: PartitionNumber): CoordinatorPartition | number {
    const known = this.#byNumber(number)
    if (known !== undefined && known.ledTerm === 0) return known
    const replica = this.#partitions.admit(number, -1)
    if (replica === null) return ErrorCode.NOT_COORDINATOR
    if (known?.ledTerm === replica.ledTerm) return known
    // others may have written since
    if (known !== undefined) this.#unload(known)
    const log = this.#partitions.open(replica)
    if (log === null || log.failure !== null) return ErrorCode.COORDINATOR_NOT_AVAILABLE
    const partition = this.#standbys.take(replica, log, this.#partitions.nowMs)
    if (partition === null) return ErrorCode.INVALID_REQUEST
    partition.startedAtMs = this.#options.clock.monotonicMs()
    partition.records = 0
    partition.ledTerm = replica.ledTerm
    replica.isCoordinated = true
    this.#loading.add(partition)
    this.#load(partition)
    const isKept = partition.isLoaded || this.#loading.has(partition)
    return isKept ? partition : ErrorCode.COORDINATOR_NOT_AVAILABLE
  }

  #load(partition: CoordinatorPartition): number {
    const replica = this.#replicaOf(partition)
    if (replica === null) return 1
    const { table, nowMs, wallMs } = this.#partitions
    const log = this.#partitions.open(replica)
    if (log === null || log.failure !== null) {
      this.#unload(partition)
      return 1
    }
    // a life before may have answered for what is not known to be durable now: it is told again once it is
    partition.waitsForFlush = log.acknowledgedOffset < log.logEndOffset
    if (partition.waitsForFlush) return 0
    let isWhole = false
    // what throws here is the log's fault: `drop` is called by way of the table
    const isGood = table.guard(replica, nowMs, () => {
      // before the replay: what lies there already needs no history
      partition.coordinator.commit(log.acknowledgedOffset)
      try {
        isWhole = partition.load(log, LOAD_BYTES_PER_TURN)
      } catch (error) {
        if (isRottenLog(error)) this.#options.onRotten(replica)
        throw error
      }
    })
    if (!isGood || !isWhole) return 1
    this.#loading.delete(partition)
    this.#loaded.set(partition.number, partition)
    partition.isLoaded = true
    const { waiting, coordinator } = partition
    partition.waiting = []
    this.#logLoaded(partition)
    this.#guard(partition, () => this.#take(partition, coordinator.onLoaded(nowMs, wallMs)))
    // those that are left when it is dropped have been refused
    for (const call of waiting) {
      if (this.#loaded.get(partition.number) === partition) this.#handle(partition, call)
    }
    return 1
  }

  #logLoaded(partition: CoordinatorPartition): void {
    const { logger, clock } = this.#options
    const { records, startedAtMs } = partition
    logger.log('info', 'Coordinator: its log is loaded', {
      ...this.#placeOf(partition),
      records,
      tookMs: Math.round(clock.monotonicMs() - startedAtMs),
    })
  }

  /** As log lines name it. */
  #placeOf({ number, tenantId }: CoordinatorPartition): LogFields {
    const replica = this.#partitions.table.get(number)
    if (replica === undefined) return { tenantId, number }
    const { topic, index, directory } = replica
    return { tenantId, topic: topic.name, partition: index, directory }
  }

  #handle(partition: CoordinatorPartition, call: CoordinatorCall<CallToken>): void {
    const { nowMs, wallMs } = this.#partitions
    const work = () => this.#take(partition, partition.coordinator.handle(call, nowMs, wallMs))
    this.#guard(partition, work, call.token)
  }

  /** What a coordinator throws is a bug of ours, and ends with that coordinator: the next call loads it anew. */
  #guard(partition: CoordinatorPartition, work: () => void, asker?: CallToken): void {
    try {
      work()
      this.#arm(partition)
    } catch (error) {
      const message = error instanceof Error ? (error.stack ?? error.message) : String(error)
      this.#options.logger.log('error', 'a coordinator failed', {
        ...this.#placeOf(partition),
        error: message,
      })
      if (asker !== undefined) this.#refuse(partition, asker, ErrorCode.UNKNOWN_SERVER_ERROR)
      this.#unload(partition)
    }
  }

  #take(partition: CoordinatorPartition, step: CoordinatorStep<CallToken>): void {
    const { records, answers } = step
    if (records.length > 0 && !this.#append(partition, step)) return
    this.#answer(partition, answers)
  }

  /** Sends answers once everything appended so far is committed. */
  #answer(partition: CoordinatorPartition, answers: readonly CoordinatorAnswer<CallToken>[]): void {
    if (answers.length === 0) return
    const isCommitted = !this.#uncommitted.has(partition) && !partition.isStaged
    if (isCommitted) this.#deliver(partition, answers)
    else {
      partition.answers.park(partition.nextOffset, answers)
      this.#uncommitted.add(partition)
    }
  }

  /** Stages the records and replays them. False when the log does not take them: all that waits has been answered then. */
  #append(partition: CoordinatorPartition, step: CoordinatorStep<CallToken>): boolean {
    const { table, nowMs, wallMs } = this.#partitions
    const replica = this.#replicaOf(partition)
    const log = replica === null ? null : this.#partitions.open(replica)
    if (replica === null || log === null) {
      this.#failStep(partition, step, 'its log is not to be had')
      return false
    }
    if (!partition.isStaged && log.logEndOffset !== partition.nextOffset) {
      // it was opened anew, and did not keep all that was written
      const reason = `it ends at offset ${log.logEndOffset}, not at ${partition.nextOffset}`
      this.#failStep(partition, step, reason)
      return false
    }
    const { records } = step
    if (replica.isReplicated && !partition.isStaged) {
      if (!this.#partitions.replication.aboutToAppend(replica)) {
        this.#failStep(partition, step, 'this broker leads it no more')
        return false
      }
    }
    const batch = buildBatch(records.map((one) => ({ timestampMs: wallMs, ...one })))
    const outcome = this.#outcome
    const epoch = this.#partitions.leaderEpochOf(replica)
    const isGood = table.guard(replica, nowMs, () => log.stage(batch, wallMs, epoch, outcome))
    // the table has dropped the coordinator
    if (!isGood) return false
    const { coordinator } = partition
    if (outcome.error !== ErrorCode.NONE) {
      if (outcome.error === ErrorCode.KAFKA_STORAGE_ERROR) {
        this.#failStep(partition, step, outcome.faultMessage ?? 'its log takes no more')
      } else this.#answer(partition, coordinator.fail(step, outcome.error, nowMs, wallMs))
      return false
    }
    for (let i = 0; i < records.length; i++) {
      const { key, value } = records[i]!
      coordinator.replay(outcome.baseOffset + i, key, value)
    }
    partition.nextOffset = outcome.lastOffset + 1
    this.#uncommitted.add(partition)
    replica.isHeld = true
    if (!partition.isStaged) {
      partition.isStaged = true
      this.#staged.push(partition)
    }
    return true
  }

  /** What the coordinator thinks and what its log holds are two things now: it begins anew from the log. */
  #failStep(
    partition: CoordinatorPartition,
    step: CoordinatorStep<CallToken>,
    reason: string,
  ): void {
    const message = `Coordinator: records were not appended: ${reason}`
    this.#options.logger.log('error', message, this.#placeOf(partition))
    for (const { token } of step.answers) {
      this.#refuse(partition, token, ErrorCode.COORDINATOR_NOT_AVAILABLE)
    }
    this.#unload(partition)
  }

  #writeStaged(): number {
    if (this.#staged.length === 0) return 0
    const staged = this.#staged
    this.#staged = []
    for (const partition of staged) {
      const failed = this.#write(partition)
      if (failed !== null) this.#onWriteFailed(partition, failed)
    }
    return staged.length
  }

  /** Writes what the partition has staged, if it has; returns why that failed. What throws drops the coordinator. */
  #write(partition: CoordinatorPartition): Error | null {
    if (!partition.isStaged) return null
    partition.isStaged = false
    const { table, nowMs } = this.#partitions
    const replica = table.get(partition.number)
    const log = replica?.log ?? null
    if (replica === undefined || log === null) return null
    let failed: Error | null = null
    const isGood = table.guard(replica, nowMs, () => {
      failed = log.write()
    })
    if (!isGood) return null
    // also where it failed: a part of the turn may have been written before
    if (replica.isReplicated) this.#partitions.replication.appended(replica)
    // its group may have given up
    if (replica.log !== log) return failed
    this.#partitions.settle(replica)
    table.arm(replica)
    return failed
  }

  #onWriteFailed(partition: CoordinatorPartition, error: Error): void {
    const message = `Coordinator: its log was not written: ${error.message}`
    this.#options.logger.log('error', message, this.#placeOf(partition))
    this.#unload(partition)
  }

  /** Sends the answers whose records are acknowledged. */
  #settle(partition: CoordinatorPartition): number {
    const replica = this.#replicaOf(partition)
    const log = replica?.log ?? null
    if (replica === null || log === null || log.failure !== null) {
      this.#unload(partition)
      return 1
    }
    const acknowledged = log.acknowledgedOffset
    partition.coordinator.commit(acknowledged)
    const sent = partition.answers.commit(acknowledged, (answers) =>
      this.#deliver(partition, answers),
    )
    if (acknowledged >= partition.nextOffset && !partition.isStaged) {
      this.#uncommitted.delete(partition)
      replica.isHeld = false
    }
    return sent
  }

  /** A call that was answered is not answered again: its number may be another call's by now. */
  #deliver(
    partition: CoordinatorPartition,
    answers: readonly CoordinatorAnswer<CallToken>[],
  ): void {
    const { answers: out, logger } = this.#options
    for (const { token, response } of answers) {
      if (!partition.open.delete(token)) continue
      try {
        out.answer(token, response)
      } catch (error) {
        const message = error instanceof Error ? (error.stack ?? error.message) : String(error)
        logger.log('error', "a coordinator's answer could not be encoded", { error: message })
        out.refuse(token.front, token.correlation, ErrorCode.UNKNOWN_SERVER_ERROR)
      }
    }
  }

  #unload(partition: CoordinatorPartition): void {
    this.#loading.delete(partition)
    if (this.#loaded.get(partition.number) === partition) this.#loaded.delete(partition.number)
    this.#uncommitted.delete(partition)
    // written or undone before anybody appends to that log again
    this.#write(partition)
    const { table } = this.#partitions
    if (partition.timer !== null) table.timers.cancel(partition.timer)
    partition.timer = null
    const replica = table.get(partition.number)
    if (replica !== undefined) replica.isHeld = replica.isCoordinated = false
    // records of what it has looked at may be written, and last
    const refuse = (token: CallToken, wasHandled = true) =>
      this.#refuse(partition, token, ErrorCode.NOT_COORDINATOR, wasHandled)
    partition.answers.fail((answers) => {
      for (const { token } of answers) refuse(token)
    })
    for (const { token } of partition.waiting) refuse(token, false)
    partition.waiting = []
    try {
      this.#deliver(partition, partition.coordinator.stop())
    } finally {
      // whom it has lost sight of
      for (const token of [...partition.open]) refuse(token)
    }
  }

  /** The table's replica; null, and the coordinator is dropped, when this broker leads the partition no more. */
  #replicaOf(partition: CoordinatorPartition): Replica | null {
    const replica = this.#partitions.table.get(partition.number)
    if (replica !== undefined) return replica
    const admitted = this.#partitions.admit(partition.number, -1)
    if (admitted === null) this.#unload(partition)
    return admitted
  }

  /** Wakes the thread for the coordinator's next timer, or to see whether it can be dropped. */
  #arm(partition: CoordinatorPartition): void {
    if (this.#loaded.get(partition.number) !== partition) return
    const { timers } = this.#partitions.table
    const idleAtMs = partition.usedAtMs + UNLOAD_AFTER_MS
    const atMs = Math.min(partition.coordinator.nextTimerAtMs, idleAtMs)
    if (partition.timer !== null) {
      if (partition.timer.atMs <= atMs) return
      timers.cancel(partition.timer)
    }
    partition.timer = timers.schedule(atMs, (nowMs) => this.#onTimer(partition, nowMs))
  }

  #onTimer(partition: CoordinatorPartition, nowMs: number): void {
    partition.timer = null
    const { coordinator } = partition
    if (nowMs >= partition.usedAtMs + UNLOAD_AFTER_MS) {
      if (this.#mayGo(partition)) {
        this.#unload(partition)
        return
      }
      partition.usedAtMs = nowMs
    }
    const { wallMs } = this.#partitions
    this.#guard(partition, () => {
      const fired = coordinator.fireTimers(nowMs, wallMs, TIMERS_PER_TURN, (step) => {
        if (this.#loaded.get(partition.number) === partition) this.#take(partition, step)
      })
      partition.hasFired ||= fired > 0
    })
  }

  /** Nobody lives in it, and it has looked for what has expired since it was loaded. */
  #mayGo(partition: CoordinatorPartition): boolean {
    const { coordinator, hasFired } = partition
    const isDone = hasFired || coordinator.nextTimerAtMs === Number.POSITIVE_INFINITY
    return isDone && coordinator.isQuiet && !this.#uncommitted.has(partition)
  }

  #refuse(
    partition: CoordinatorPartition,
    token: CallToken,
    error: number,
    wasHandled = false,
  ): void {
    if (!partition.open.delete(token)) return
    this.#options.answers.refuse(token.front, token.correlation, error, wasHandled)
  }
}
