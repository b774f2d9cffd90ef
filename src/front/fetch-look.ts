/** Where a partition of a fetch is, and how far it can be looked up without asking anybody. */
import { ErrorCode } from '../base/error-code.ts'
import type { BrokerId } from '../base/ids.ts'
import type { TailReader } from '../cell/tail-reader.ts'
import type { TopicView } from '../image/view.ts'
import { FetchSource } from '../link/commands.ts'
import type { LocatedReply } from '../link/replies.ts'
import { requiredAcls } from '../tenant/required-acls.ts'
import type { FetchContext } from './fetch-asked.ts'
import type { FetchPart } from './fetch-part.ts'
import { EPOCH_UNKNOWN, epochToTell } from './nodes.ts'

const { acls } = requiredAcls.fetch

/** From this version on topics are named by id. */
const TOPIC_IDS_FROM = 13

/** Who reads in a row asks the broker for so many fetches at a time, … */
const IN_ROW_FACTOR = 16
/** … which hold for so long: as late is the removal of records told to those who are about to read them. */
const LOCATED_FOR_MS = 20

/** Finds the partition, and its leader to be read from; why not, or NONE. */
export function resolvePart(
  context: FetchContext,
  part: FetchPart,
  isFromFollower: boolean,
): number {
  const { services, session, version } = context
  const { image } = services
  const byId = version >= TOPIC_IDS_FROM
  const topic = byId
    ? image.topicById(session.tenantId, part.topicId)
    : image.topicByName(session.tenantId, part.topicName)
  // an id that is not there has no name that ACLs could be about
  const isNamed = !byId || topic !== undefined
  if (isFromFollower ? !context.may(acls.follower) : isNamed && !mayRead(context, part, topic)) {
    part.topic = undefined
    return ErrorCode.TOPIC_AUTHORIZATION_FAILED
  }
  part.topic = topic
  if (topic === undefined) {
    return byId ? ErrorCode.UNKNOWN_TOPIC_ID : ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
  }
  if (part.index < 0 || part.index >= topic.partitionCount) {
    return ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
  }
  part.partition = topic.numberOf(part.index)
  if (!toLeader(context, part)) return ErrorCode.NOT_LEADER_OR_FOLLOWER
  const epoch = part.currentLeaderEpoch
  if (epoch < 0) return ErrorCode.NONE
  const known = epochToTell(image, part.partition)
  // nobody has said who leads: a broker is asked, and judges
  if (known === EPOCH_UNKNOWN) return ErrorCode.NONE
  if (epoch < known) return ErrorCode.FENCED_LEADER_EPOCH
  return epoch > known ? ErrorCode.UNKNOWN_LEADER_EPOCH : ErrorCode.NONE
}

const mayRead = (context: FetchContext, part: FetchPart, topic: TopicView | undefined): boolean =>
  context.may(acls.topic, topic?.name ?? part.topicName)

/** The leader is to be read from; false where there is none. */
export function toLeader({ services }: FetchContext, part: FetchPart): boolean {
  const proxy = services.dispatcher.leaderOf(part.topic!.cellId, part.partition)
  part.follower = 0
  if (!proxy?.alive) return false
  part.proxy = proxy
  return true
}

/** Whose log is read, as far as is known. */
export const readFrom = ({ services }: FetchContext, part: FetchPart): BrokerId | 0 =>
  part.follower === 0 ? services.image.leaderOf(part.partition) : part.follower

/** The ring log that is to be looked into, if this thread knows it. */
export function tailOf(context: FetchContext, part: FetchPart): TailReader | undefined {
  return context.services.tails.get(part.partition, readFrom(context, part))
}

/** The ring that a broker names. A ring of one that led once tells nothing new: it is not taken up. */
export function toldTail(
  context: FetchContext,
  part: FetchPart,
  reply: Readonly<LocatedReply>,
): TailReader | undefined {
  const { arenaOf, tails, dispatcher } = context.services
  const broker = dispatcher.proxy(part.topic!.cellId, part.brokerId)
  if (broker === undefined || readFrom(context, part) !== part.brokerId) return undefined
  return tails.update(part.partition, part.brokerId, reply, arenaOf(broker))
}

/** Who reads files in a row goes on where the broker has said that more is; false when it must be asked. */
export function goOn(context: FetchContext, part: FetchPart): boolean {
  const { state, services } = context
  // cleaning leaves gaps, so that the next batch is not known to begin there
  if (state.reading === null || part.topic!.effective.cleanupPolicy.compact) return false
  const { partition, fetchOffset, maxBytes } = part
  const nowMs = services.clock.monotonicMs()
  const located = state.reading.takeLocated(partition, fetchOffset, maxBytes, nowMs)
  if (located === null) return false
  // another is read since
  if (located.brokerId !== readFrom(context, part)) return false
  part.source = FetchSource.FILE
  part.pending = true
  part.isAt(located)
  // what is there is checked: after a gap it is another, and the broker is asked
  part.batchBaseOffset = fetchOffset
  part.locatedUntilMs = located.untilMs
  return true
}

/** It is about to be asked for: for how many bytes. Who reads in a row is told of the next stretches too: they are read ahead, and not asked for. */
export function toLocate({ state, services }: FetchContext, part: FetchPart): number {
  const { partition, fetchOffset, maxBytes } = part
  part.locatedUntilMs = services.clock.monotonicMs() + LOCATED_FOR_MS
  const isInRow = state.reading?.isInRow(partition, fetchOffset) === true
  return isInRow ? Math.min(IN_ROW_FACTOR * maxBytes, 2 ** 30) : maxBytes
}
