import type { BrokerId } from '../../base/ids.ts'
import { brokerOf } from '../../base/replica-id.ts'
import type { MetadataView } from '../../image/view.ts'
import { majorityOf } from '../../raft/membership.ts'
import { type Position, type ReplicaId, Role } from '../../raft/types.ts'
import type { Replica } from '../replica.ts'
import type { ReplicaGroup } from './replica-group.ts'

/** Kafka's replica.lag.time.max.ms. */
const LAG_MAX_MS = 30_000

/** A replica that has failed is opened again, and fails again or not, within this. */
const FAILED_MS = 10_000

interface Failed {
  /** The end that it had then. */
  readonly match: Position
  readonly atMs: number
}

const NOBODY: ReadonlyMap<ReplicaId, number> = new Map()

/** Which voters keep up, of the groups that this broker leads: what clients know as the ISR. On the broker's thread. */
export class InSync {
  readonly #brokerId: BrokerId
  readonly #image: MetadataView
  /** Of voters that did not have what was committed when it was looked: since when. */
  readonly #laggingSinceMs = new Map<ReplicaGroup, ReadonlyMap<ReplicaId, number>>()

  /** Of voters that have failed, and have not caught up since. */
  readonly #failed = new Map<ReplicaGroup, Map<ReplicaId, Failed>>()

  constructor(brokerId: BrokerId, image: MetadataView) {
    this.#brokerId = brokerId
    this.#image = image
  }

  /** It leads from now on: everybody has the time that there is to catch up. */
  begin(group: ReplicaGroup): void {
    this.end(group)
  }

  end(group: ReplicaGroup): void {
    this.#laggingSinceMs.delete(group)
    this.#failed.delete(group)
  }

  /** That broker's disk has refused something of its replica: as in Kafka it does not keep up from now on. */
  failed(group: ReplicaGroup, broker: BrokerId, nowMs: number): void {
    const { raft } = group
    const voter = raft.configuration.voters.find((one) => brokerOf(one) === broker)
    if (voter === undefined || voter === raft.id) return
    const failed = this.#failed.get(group) ?? new Map<ReplicaId, Failed>()
    failed.set(voter, { match: raft.progressOf(voter)?.match ?? 0, atMs: nowMs })
    this.#failed.set(group, failed)
  }

  /** Now and then: whoever has what is committed keeps up. */
  look(group: ReplicaGroup, nowMs: number): void {
    const { raft } = group
    const before = this.#laggingSinceMs.get(group) ?? NOBODY
    const lagging = new Map<ReplicaId, number>()
    for (const voter of raft.configuration.voters) {
      if (voter === raft.id || (raft.progressOf(voter)?.match ?? 0) >= raft.commit) continue
      lagging.set(voter, before.get(voter) ?? nowMs)
    }
    if (lagging.size > 0) this.#laggingSinceMs.set(group, lagging)
    else this.#laggingSinceMs.delete(group)
    const failed = this.#failed.get(group)
    for (const [voter, { match, atMs }] of failed ?? []) {
      const isMore = (raft.progressOf(voter)?.match ?? 0) > match || nowMs - atMs >= FAILED_MS
      if (isMore && !lagging.has(voter)) failed!.delete(voter)
    }
    if (failed?.size === 0) this.#failed.delete(group)
  }

  /** Brokers of the voters that keep up, this one first. */
  of(group: ReplicaGroup, nowMs: number): BrokerId[] {
    const { raft } = group
    const lagging = this.#laggingSinceMs.get(group) ?? NOBODY
    const failed = this.#failed.get(group)
    const brokers = [this.#brokerId]
    for (const voter of raft.configuration.voters) {
      if (voter === raft.id || raft.unreachable.has(voter) || failed?.has(voter) === true) continue
      if (nowMs - (lagging.get(voter) ?? nowMs) < LAG_MAX_MS) brokers.push(brokerOf(voter))
    }
    return brokers
  }

  /** How many keep up, without making a list of them where all do. */
  countOf(group: ReplicaGroup, nowMs: number): number {
    const { configuration, unreachable } = group.raft
    const isAll =
      unreachable.size === 0 && !this.#laggingSinceMs.has(group) && !this.#failed.has(group)
    return isAll ? configuration.voters.length : this.of(group, nowMs).length
  }

  /** Fewer replicas keep up than a batch with acks=all asks for: not even a majority, or fewer than min.insync.replicas. */
  hasTooFew(replica: Replica, nowMs: number): boolean {
    const { group } = replica
    // one that has just lost its term is about to be told so
    if (group === null || group.raft.role !== Role.LEADER) return false
    return this.countOf(group, nowMs) < this.#neededBy(replica, group)
  }

  /** Below this offset the topic's min.insync.replicas hold what is committed. */
  heldBelow(replica: Replica): number {
    const { group } = replica
    if (group === null) return 0
    const needed = this.#neededBy(replica, group)
    if (needed <= majorityOf(group.raft.configuration)) return Number.POSITIVE_INFINITY
    return group.controls.offsetOf(this.#heldBy(group, needed))
  }

  /** Its min.insync.replicas are more than a majority. */
  isStrict(replica: Replica, group: ReplicaGroup): boolean {
    return this.#neededBy(replica, group) > majorityOf(group.raft.configuration)
  }

  /** As Kafka's effective minimum: no more than there are to be, or are while they move. A majority always. */
  #neededBy({ topic, number }: Replica, group: ReplicaGroup): number {
    const { minInsyncReplicas } = topic.effectiveAt(this.#brokerId)
    const { configuration } = group.raft
    const isMoving = this.#image.movingPartitions().has(number)
    const { length } = isMoving ? configuration.voters : this.#image.replicasOf(number)
    return Math.max(majorityOf(configuration), Math.min(minInsyncReplicas, length))
  }

  /** The end that `count` voters have, this one among them. */
  #heldBy({ raft }: ReplicaGroup, count: number): Position {
    const ends = raft.configuration.voters.map((voter) =>
      voter === raft.id ? raft.end : (raft.progressOf(voter)?.match ?? 0),
    )
    return ends.sort((a, b) => b - a)[count - 1] ?? 0
  }
}
