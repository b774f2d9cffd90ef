import type { BrokerId, PartitionNumber } from '../../base/ids.ts'
import { brokerOf, isBefore } from '../../base/replica-id.ts'
import type { MetadataView } from '../../image/view.ts'
import { majorityOf } from '../../raft/membership.ts'
import { NO_REPLICA, type Position, type ReplicaId } from '../../raft/types.ts'
import type { Replica } from '../replica.ts'
import type { ReplicaTable } from '../replica-table.ts'
import { CommitLooks } from './commit-looks.ts'
import type { ReplicaGroup } from './replica-group.ts'

export interface ReplicaMovingOptions {
  readonly brokerId: BrokerId
  readonly image: MetadataView
  readonly table: ReplicaTable
  /** Opens the group of a replica, and has it elect a leader where nobody leads. */
  readonly wake: (replica: Replica) => void
  /** The log of this replica, at rest, is to be a group's from now on: it is taken out of the table. */
  readonly onRaised: (replica: Replica) => void
  /** The group has the voters that there are to be, and that is committed: for the controller. */
  readonly onSettled: (replica: Replica, voters: readonly BrokerId[]) => void
  /** Of a broker's replica of that partition, if it is made now. */
  readonly currentIdOf: (number: PartitionNumber, broker: BrokerId) => ReplicaId
  /** Nobody can lead the group, as most of its voters were in directories that are no more: these brokers have the others. null: that is not known. */
  readonly onLeft: (group: ReplicaGroup, left: readonly BrokerId[] | null) => void
}

/** Groups that are opened in a sweep because their replicas move, though nobody uses them. */
const OPENED_PER_SWEEP = 64
/** A partition with one replica that is never at rest for so long takes nothing new until it is. */
const RAISE_AFTER_MS = 500
/**
 * A broker's part in moves of replicas: wakes the groups that they are of, has logs that were nobody's but its own become a group's, and tells the
 * controller what is done. The steps are {@link moveMembership}'s. On the broker's thread.
 */
export class ReplicaMoving {
  readonly #options: ReplicaMovingOptions
  /** Replicas whose logs are to be a group's, and since when. */
  readonly #raising = new Map<Replica, number>()
  readonly #looks = new CommitLooks()

  constructor(options: ReplicaMovingOptions) {
    this.#options = options
  }

  /** Something moves, here or elsewhere. */
  get isBusy(): boolean {
    return this.#options.image.movingPartitions().size > 0
  }

  /** Now and then: every partition of this broker whose replicas move is to be awake. */
  sweep(nowMs: number): void {
    const { image, table, brokerId, wake, onLeft } = this.#options
    let opened = 0
    for (const number of image.movingPartitions()) {
      if (!image.holdersOf(number).includes(brokerId)) continue
      const replica = table.admit(number)
      if (replica === undefined) continue
      if (!replica.isReplicated) {
        if (!this.#raising.has(replica)) this.#raising.set(replica, nowMs)
        continue
      }
      if (replica.group === null && ++opened > OPENED_PER_SWEEP) continue
      table.touch(replica, nowMs)
      wake(replica)
      const { group } = replica
      if (group !== null) onLeft(group, this.#leftOf(group))
    }
  }

  /**
   * While replicas move, the image cannot tell who votes, and so whether anybody can lead: who has a replica can. A copy of the group's log that is behind may be wrong:
   * whoever leads says otherwise. null: a majority of the voters may be there, or this replica is none of them.
   */
  #leftOf({ raft, partition }: ReplicaGroup): BrokerId[] | null {
    const { currentIdOf } = this.#options
    const { voters } = raft.configuration
    if (raft.leader !== NO_REPLICA) return null
    const isGone = (voter: ReplicaId) => isBefore(voter, currentIdOf(partition, brokerOf(voter)))
    const left = voters.filter((voter) => !isGone(voter))
    const isElectable = left.length >= majorityOf(raft.configuration)
    return isElectable || !left.includes(raft.id) ? null : left.map(brokerOf)
  }

  /** Whatever waits for this turn's commands has been answered, or is known to wait. */
  doWork(nowMs: number): number {
    let work = 0
    for (const [replica, sinceMs] of this.#raising) {
      if (replica.isRemoved) this.#raising.delete(replica)
      else if (replica.isAtRest) {
        this.#raising.delete(replica)
        this.#options.onRaised(replica)
        // its group begins in this turn: those who come next are not to wait for the sweep
        const raised = this.#options.table.admit(replica.number)
        if (raised?.isReplicated === true) this.#options.wake(raised)
        work++
      } else replica.isToBeRaised = nowMs - sinceMs >= RAISE_AFTER_MS
    }
    return work
  }

  /** See {@link CommitLooks}. */
  caughtUpTo(group: ReplicaGroup, nowMs: number): Position {
    return this.#looks.caughtUpTo(group, nowMs)
  }

  /** Of a group that this broker leads and that {@link isSettled}; whether nothing more is to be done for it here. */
  settled(replica: Replica, { raft, knowsCommit }: ReplicaGroup): boolean {
    if (!this.#options.image.movingPartitions().has(replica.number)) return true
    // before that it might be undone
    if (!knowsCommit || !raft.isMembershipCommitted) return false
    this.#options.onSettled(replica, raft.configuration.voters.map(brokerOf))
    return true
  }
}
