/** Reading from followers (KIP-392): whose replica a fetch is answered from, and which one its client is named. */
import { ErrorCode } from '../base/error-code.ts'
import type { BrokerId } from '../base/ids.ts'
import type { LocateSink, ReplicaReads } from '../cell/broker-proxy.ts'
import { LEADER_SELECTOR, REPLICA_SELECTOR } from '../image/broker-config-defs.ts'
import type { LocatedReply } from '../link/replies.ts'
import type { FetchContext } from './fetch-asked.ts'
import type { FetchPart } from './fetch-part.ts'

/** From this version on a fetch tells the rack of its client, and an answer the replica to read from. */
const RACKS_FROM = 11

const mayRead = (context: FetchContext, part: FetchPart): boolean => {
  const { image, settings } = context.services
  if (context.version < RACKS_FROM || part.isPastFollowers) return false
  if (!image.isReplicated(part.partition)) return false
  return settings.brokerConfigs[REPLICA_SELECTOR] !== LEADER_SELECTOR
}

/**
 * Has the replica read whose port was asked, if it does not lead and keeps up. A port whose node has no such replica serves what the leader has, so that no
 * client has to go elsewhere.
 */
export function toOwnFollower(context: FetchContext, part: FetchPart): boolean {
  if (!mayRead(context, part)) return false
  const { image, dispatcher } = context.services
  const node = context.connection.listener.nodeId as BrokerId
  if (node === image.leaderOf(part.partition) || !image.isrOf(part.partition).includes(node)) {
    return false
  }
  const own = dispatcher.replicasAt(part.topic!.cellId, node)
  if (own === undefined) return false
  part.proxy = own
  part.follower = node
  return true
}

/** Replicas that keep up in the client's rack, of which one may be named to it; null where there is none, or the leader is there. */
export function nearestOf(
  context: FetchContext,
  part: FetchPart,
  rackId: string,
): readonly ReplicaReads[] | null {
  if (!mayRead(context, part)) return null
  const { image, dispatcher } = context.services
  const { cellId } = part.topic!
  const leader = image.leaderOf(part.partition)
  const node = context.connection.listener.nodeId
  const rackOf = (broker: BrokerId) => image.brokerDirectory(cellId, broker)?.rack ?? null
  if (leader === 0 || rackOf(leader) === rackId) return null
  const replicas: ReplicaReads[] = []
  for (const broker of image.isrOf(part.partition)) {
    if (broker === leader || broker === node || rackOf(broker) !== rackId) continue
    const one = dispatcher.replicasAt(cellId, broker)
    if (one !== undefined) replicas.push(one)
  }
  return replicas.length === 0 ? null : replicas
}

/** Of the question to the leader, beside those to followers. */
const OF_LEADER = -1

/** Who waits for what followers say. */
export interface FollowerAsker {
  readonly context: FetchContext
  /** `reply` is used again: read it inside the call. */
  onFollower(part: FetchPart, from: BrokerId, reply: Readonly<LocatedReply>): void
  /** None has what was asked for. */
  onNoFollower(part: FetchPart): void
}

/** A question to one or several followers about one place. Answers that come after it was given up count no more. */
export class FollowerQuestion implements LocateSink {
  readonly isToBeNamed: boolean
  readonly #asker: FollowerAsker
  readonly #part: FetchPart
  readonly #replicas: readonly ReplicaReads[]
  #due: number
  #best: (LocatedReply & { from: BrokerId }) | null = null
  /** What the follower has said, which the leader is asked about. */
  #beyond: LocatedReply | null = null
  #isOver = false

  /** `isToBeNamed`: they are asked only whether they have it, and one is named; else the only one is read from. */
  constructor(
    asker: FollowerAsker,
    part: FetchPart,
    replicas: readonly ReplicaReads[],
    isToBeNamed: boolean,
  ) {
    this.#asker = asker
    this.#part = part
    this.#replicas = replicas
    this.#due = replicas.length
    this.isToBeNamed = isToBeNamed
  }

  ask(maxBytes: number): void {
    const { partition, fetchOffset, currentLeaderEpoch } = this.#part
    this.#replicas.forEach((replica, token) => {
      replica.locate(partition, fetchOffset, maxBytes, currentLeaderEpoch, this, token)
    })
  }

  onLocated(token: number, reply: Readonly<LocatedReply>): void {
    if (this.#isOver) return
    if (token === OF_LEADER) {
      this.#tellBeyond(reply.error)
      return
    }
    const from = this.#replicas[token]!.brokerId
    // its group is closed, and is opened once the leader has been asked
    if (reply.error === ErrorCode.REPLICA_NOT_AVAILABLE) this.#part.asleep = from
    if (!this.isToBeNamed) {
      if (reply.error === ErrorCode.OFFSET_NOT_AVAILABLE && this.#askLeader(reply)) return
      this.#isOver = true
      if (isForLeader(reply.error)) this.#asker.onNoFollower(this.#part)
      else this.#asker.onFollower(this.#part, from, reply)
      return
    }
    const isBetter = this.#best === null || reply.logEndOffset > this.#best.logEndOffset
    if (reply.error === ErrorCode.NONE && isBetter) this.#best = { ...reply, from }
    if (--this.#due === 0) this.#decide()
  }

  /** It has waited for long enough: for those of whom one is named, or for one whose thread hangs. */
  giveUp(isHung: (replica: ReplicaReads) => boolean): boolean {
    if (this.#beyond !== null) {
      this.#tellBeyond(ErrorCode.NONE)
      return true
    }
    if (!this.isToBeNamed && !isHung(this.#replicas[0]!)) return false
    this.#decide()
    return true
  }

  /** Beyond the end of the follower, and perhaps of the log: clients would ask for ever, and know what to do about an offset that there is not. */
  #askLeader(reply: Readonly<LocatedReply>): boolean {
    const { partition, fetchOffset, currentLeaderEpoch } = this.#part
    const { dispatcher } = this.#asker.context.services
    const leader = dispatcher.leaderOf(this.#part.topic!.cellId, partition)
    if (!leader?.alive) return false
    this.#beyond = { ...reply }
    leader.locate(partition, fetchOffset, 1, currentLeaderEpoch, this, OF_LEADER)
    return true
  }

  /** `error`: of the leader. */
  #tellBeyond(error: number): void {
    const reply = this.#beyond!
    this.#isOver = true
    if (error === ErrorCode.OFFSET_OUT_OF_RANGE) reply.error = error
    this.#asker.onFollower(this.#part, this.#replicas[0]!.brokerId, reply)
  }

  #decide(): void {
    this.#isOver = true
    if (this.#best === null) this.#asker.onNoFollower(this.#part)
    else this.#asker.onFollower(this.#part, this.#best.from, this.#best)
  }
}

/** What a follower says that only the leader can answer, or can answer better: a start of the log that is later here than there is no end of what may be read. */
function isForLeader(error: number): boolean {
  const { FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH, OFFSET_NOT_AVAILABLE } = ErrorCode
  if (error === ErrorCode.NONE || error === OFFSET_NOT_AVAILABLE) return false
  return error !== FENCED_LEADER_EPOCH && error !== UNKNOWN_LEADER_EPOCH
}

const nobody = { onEpochEnd: () => {} }

/** The leader has been heard of, and so lives: the follower is to hear from it, too. It is asked something without any effect, which opens its group. */
export function wakeFollower(context: FetchContext, part: FetchPart): void {
  const { dispatcher } = context.services
  const broker = part.asleep
  part.asleep = 0
  if (broker === 0 || dispatcher.replicasAt(part.topic!.cellId, broker) === undefined) return
  dispatcher.proxy(part.topic!.cellId, broker)?.epochEnd(part.partition, 0, -1, nobody, 0)
}
