import type { PartitionNumber } from '../base/ids.ts'
import type { Logger } from '../base/log.ts'
import { DiskError, isEndOfProcess } from '../log/disk.ts'
import type { PartitionLog } from '../log/partition-log.ts'
import { CoordinatorPartition, type NewCoordinator } from './coordinator-partition.ts'
import type { Replica } from './replica.ts'

export interface StandbyCoordinatorsOptions {
  /** Of the partitions of an internal topic; null for a topic that has none. */
  readonly newCoordinator: NewCoordinator
  readonly logger: Logger
  /** What its log holds is damaged: it could not coordinate. */
  readonly onRotten: (replica: Replica) => void
}

/** Of all followers' logs together, replayed per turn: nobody waits for it. */
const REPLAY_BYTES_PER_TURN = 256 * 1024
/** One in which nobody lives, and to which nothing was written for so long, is dropped. */
const DROP_AFTER_MS = 600_000
const LOOK_MS = 60_000
/** A disk that could not be read is asked again after this. */
const TRY_AGAIN_MS = 5_000

interface Standby {
  readonly partition: CoordinatorPartition
  touchedAtMs: number
}

/**
 * Coordinators of partitions that another broker leads: what is committed of their logs is replayed here as it is committed, so that this broker
 * coordinates at once when it leads. No more than that: what is not committed may yet be cut off. On the broker's thread.
 */
export class StandbyCoordinators {
  readonly #options: StandbyCoordinatorsOptions
  readonly #standbys = new Map<PartitionNumber, Standby>()
  /** Of which more is committed than is replayed. */
  readonly #behind = new Set<Replica>()
  /** Logs that could not be read, and monotonic ms at which that is tried again. */
  readonly #unreadable = new WeakMap<PartitionLog, number>()
  #lookAtMs = 0
  #isStopped = false

  constructor(options: StandbyCoordinatorsOptions) {
    this.#options = options
  }

  get hasWork(): boolean {
    return this.#behind.size > 0
  }

  /** More is committed of a replica of an internal topic. */
  onCommit(replica: Replica): void {
    if (!this.#isStopped) this.#behind.add(replica)
  }

  /** Replays a bit of what is committed; returns of how many. */
  doWork(nowMs: number): number {
    if (nowMs >= this.#lookAtMs) this.#dropIdle(nowMs)
    let work = 0
    let left = REPLAY_BYTES_PER_TURN
    for (const replica of this.#behind) {
      if (left <= 0) break
      work++
      this.#behind.delete(replica)
      const bytes = this.#catchUp(replica, nowMs, left)
      // there is more: at the back, so that each has its turn
      if (bytes >= left) this.#behind.add(replica)
      left -= bytes
    }
    return work
  }

  /** This broker leads the partition from now on, and that log is what it goes on with: its coordinator as far as it is, to be replayed to the end. null: there is none. */
  take(replica: Replica, log: PartitionLog, nowMs: number): CoordinatorPartition | null {
    const standby = this.#standbyOf(replica, log, nowMs)
    this.drop(replica.number)
    return standby?.partition ?? null
  }

  drop(number: PartitionNumber): void {
    this.#standbys.delete(number)
    for (const replica of this.#behind) if (replica.number === number) this.#behind.delete(replica)
  }

  /** Of partitions that are not here any more, whether something of them is in use or not. */
  dropGone(isHere: (number: PartitionNumber) => boolean): void {
    for (const number of this.#standbys.keys()) if (!isHere(number)) this.drop(number)
  }

  /** The broker stops: nobody is to lead here. */
  stop(): void {
    this.#isStopped = true
    this.#standbys.clear()
    this.#behind.clear()
  }

  /** Those to which nothing was written for long, and in which nobody lives. */
  #dropIdle(nowMs: number): void {
    this.#lookAtMs = nowMs + LOOK_MS
    for (const [number, { partition, touchedAtMs }] of this.#standbys) {
      if (nowMs - touchedAtMs >= DROP_AFTER_MS && partition.coordinator.isQuiet) this.drop(number)
    }
  }

  /** Replays about `bytesMax`; returns how much it was, less where there is no more. */
  #catchUp(replica: Replica, nowMs: number, bytesMax: number): number {
    const { log, ledTerm } = replica
    const isFollower = ledTerm === 0 && log !== null && log.failure === null
    if (!isFollower || nowMs < (this.#unreadable.get(log) ?? 0)) return 0
    const standby = this.#standbyOf(replica, log, nowMs)
    if (standby === null) return 0
    const { partition } = standby
    standby.touchedAtMs = nowMs
    try {
      const { highWatermark } = log
      // before the replay: what lies there already needs no history
      partition.coordinator.commit(highWatermark)
      partition.load(log, bytesMax, highWatermark)
      return partition.loadedBytes
    } catch (error) {
      if (isEndOfProcess(error)) throw error
      this.#standbys.delete(replica.number)
      this.#onUnreadable(replica, log, error, nowMs)
      return 0
    }
  }

  /** It follows on: what its log has kept counts for the others. */
  #onUnreadable(replica: Replica, log: PartitionLog, error: unknown, nowMs: number): void {
    const { topic, index, directory } = replica
    const isRotten = isRottenLog(error)
    this.#unreadable.set(log, isRotten ? Number.POSITIVE_INFINITY : nowMs + TRY_AGAIN_MS)
    const why = error instanceof Error ? error.message : String(error)
    const message = `Coordinator: a log cannot be read that it would begin with, should this broker lead: ${why}`
    const fields = { tenantId: topic.tenantId, topic: topic.name, partition: index, directory }
    this.#options.logger.log('error', message, fields)
    if (isRotten) this.#options.onRotten(replica)
  }

  /** One that lacks what its log does not begin with any more is of no use. */
  #standbyOf(replica: Replica, log: PartitionLog, nowMs: number): Standby | null {
    const { number, topic } = replica
    const known = this.#standbys.get(number)
    if (known !== undefined && known.partition.nextOffset >= log.logStartOffset) return known
    const coordinator = this.#options.newCoordinator(topic, number)
    if (coordinator === null) return null
    const partition = new CoordinatorPartition(number, topic.tenantId, coordinator, log, nowMs)
    const standby = { partition, touchedAtMs: nowMs }
    this.#standbys.set(number, standby)
    return standby
  }
}

/** What lies there is not what was written; a disk that cannot be read for a while says something else. */
export const isRottenLog = (error: unknown): boolean =>
  error instanceof DiskError && error.code === 'EBADMSG'
