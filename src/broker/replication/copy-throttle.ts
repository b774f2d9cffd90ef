import type { BrokerId } from '../../base/ids.ts'
import { isThrottledReplica, throttleRates } from '../../image/replication-throttle.ts'
import type { MetadataView, TopicView } from '../../image/view.ts'
import type { Append } from '../../link/raft-messages.ts'
import { pieceOf } from '../../link/split-append.ts'
import type { Position, ReplicaId } from '../../raft/types.ts'
import type { Replica } from '../replica.ts'
import { bytesBetween, endWithin } from './log-places.ts'
import type { ReplicaGroup } from './replica-group.ts'

/** What was not used of a rate is kept for so long, and no longer. */
const SAVED_MS = 200
/** A rate may have changed by then: nobody rests for longer. */
const REST_MS_MAX = 1_000
/** A voter that lacks no more than this keeps up: what is on its way. */
const ON_ITS_WAY_BYTES = 1 << 20

/** Bytes that may flow: more of them with time, up to a bound; below zero, for what was one batch, or on its way. */
class Bucket {
  #bytes = 0
  #atMs: number
  #rate = 0

  constructor(nowMs: number) {
    this.#atMs = nowMs
  }

  /** What is left at `rate` bytes a second. */
  left(rate: number, nowMs: number): number {
    // what was owed at another rate is paid at this one
    this.#rate = rate
    const savedMax = Math.max(1, (rate * SAVED_MS) / 1_000)
    const more = ((nowMs - this.#atMs) * rate) / 1_000
    this.#bytes = Math.min(savedMax, this.#bytes + more)
    this.#atMs = nowMs
    return this.#bytes
  }

  take(bytes: number): void {
    this.#bytes -= bytes
  }

  /** When something may be left again, after {@link left}. */
  get freeAtMs(): number {
    if (this.#bytes > 0) return this.#atMs
    const restMs = this.#rate <= 0 ? REST_MS_MAX : ((1 - this.#bytes) * 1_000) / this.#rate
    return this.#atMs + Math.min(REST_MS_MAX, Math.ceil(restMs))
  }
}

export interface CopyThrottleOptions {
  readonly brokerId: BrokerId
  readonly image: MetadataView
  readonly replicaOf: (group: ReplicaGroup) => Replica | undefined
}

type Side = 'leader' | 'follower'

/**
 * Kafka's throttle of replication (KIP-73): per tenant and broker a rate at which replicas that do not keep up are copied, as leader and as
 * follower, of those that the topic names. What keeps up is never slowed down. A leader gives out what may be copied now, and counts what has
 * arrived; a follower counts what it has written, and rests until more is due. On the broker's thread.
 */
export class CopyThrottle {
  readonly #options: CopyThrottleOptions
  readonly #buckets = new Map<string, Bucket>()
  #freeAtMs = 0

  constructor(options: CopyThrottleOptions) {
    this.#options = options
  }

  /** Bytes that this follower may copy now; 0: none before {@link restsUntilMs}. */
  allowance(group: ReplicaGroup, nowMs: number): number {
    const topic = this.#throttled(group, 'follower')
    if (topic === null || keepsUp(group)) return Number.POSITIVE_INFINITY
    const bucket = this.#bucketOf(topic, 'follower', nowMs)
    const left = bucket.left(this.#rateOf(topic, 'follower'), nowMs)
    this.#freeAtMs = bucket.freeAtMs
    return Math.max(0, left)
  }

  /** Of the follower that was allowed nothing last. */
  get restsUntilMs(): number {
    return this.#freeAtMs
  }

  /** This follower has copied `bytes`. */
  copied(group: ReplicaGroup, bytes: number, nowMs: number): void {
    const topic = bytes === 0 ? null : this.#throttled(group, 'follower')
    if (topic === null || keepsUp(group)) return
    this.#bucketOf(topic, 'follower', nowMs).take(bytes)
  }

  /** As much of an append of this leader as may be copied now; what is left out is sent later, as if it had been lost. Throws DiskError. */
  granted(group: ReplicaGroup, message: Append, nowMs: number): Append {
    const topic = message.end === message.start ? null : this.#throttled(group, 'leader')
    if (topic === null) return message
    const { log, controls } = group
    const from = controls.offsetOf(message.start)
    const to = controls.offsetOf(message.end)
    if (from === to || isInSync(group, message.to, message.start)) return message
    const left = this.#bucketOf(topic, 'leader', nowMs).left(this.#rateOf(topic, 'leader'), nowMs)
    if (left <= 0) return pieceOf(message, message.start, message.start)
    const end = controls.positionOf(endWithin(log, from, left))
    return end >= message.end ? message : pieceOf(message, message.start, end)
  }

  /** Of this leader's log that replica has more than before. Throws DiskError. */
  arrived(group: ReplicaGroup, replica: ReplicaId, before: Position, nowMs: number): void {
    const topic = this.#throttled(group, 'leader')
    if (topic === null) return
    const match = group.raft.progressOf(replica)?.match ?? 0
    if (match <= before || isInSync(group, replica, before)) return
    const { log, controls } = group
    const bytes = bytesBetween(log, controls.offsetOf(before), controls.offsetOf(match))
    this.#bucketOf(topic, 'leader', nowMs).take(bytes)
  }

  /** The topic of a group whose replica here is to be throttled, where there is a rate; null: it is not. */
  #throttled(group: ReplicaGroup, side: Side): TopicView | null {
    const { brokerId } = this.#options
    const replica = this.#options.replicaOf(group)
    if (replica === undefined) return null
    const { topic, index } = replica
    const config = topic.effectiveAt(brokerId)
    const list =
      side === 'leader'
        ? config.leaderReplicationThrottledReplicas
        : config.followerReplicationThrottledReplicas
    if (!isThrottledReplica(list, index, brokerId)) return null
    return this.#rateOf(topic, side) === Number.POSITIVE_INFINITY ? null : topic
  }

  #rateOf({ tenantId }: TopicView, side: Side): number {
    const { image, brokerId } = this.#options
    const tenant = image.tenant(tenantId)
    if (tenant === undefined) return Number.POSITIVE_INFINITY
    return throttleRates(tenant.brokerConfigs(brokerId))[side]
  }

  #bucketOf({ tenantId }: TopicView, side: Side, nowMs: number): Bucket {
    const key = `${tenantId} ${side}`
    let bucket = this.#buckets.get(key)
    if (bucket === undefined) {
      bucket = new Bucket(nowMs)
      this.#buckets.set(key, bucket)
    }
    return bucket
  }
}

/** A voter that has what it knows to be committed, or lacks no more than what is on its way, by how wide its records are. */
function keepsUp({ raft, log }: ReplicaGroup): boolean {
  if (!raft.configuration.voters.includes(raft.id)) return false
  const lacks = raft.leaderCommit - raft.end
  if (lacks <= 0) return true
  const width = log.sizeBytes / Math.max(1, log.logEndOffset - log.logStartOffset)
  return lacks * width <= ON_ITS_WAY_BYTES
}

/** A voter that has what is committed, or lacks no more than what is on its way. Throws DiskError. */
function isInSync({ raft, log, controls }: ReplicaGroup, replica: ReplicaId, match: Position) {
  if (!raft.configuration.voters.includes(replica)) return false
  if (match >= raft.commit) return true
  const lacks = bytesBetween(log, controls.offsetOf(match), controls.offsetOf(raft.end))
  return lacks <= ON_ITS_WAY_BYTES
}
