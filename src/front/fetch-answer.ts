import { ErrorCode } from '../base/error-code.ts'
import { FetchSource } from '../link/commands.ts'
import { FetchCounter } from '../link/counters.ts'
import type { FetchResponseInput } from '../protocol/01-fetch.ts'
import type { FetchOp } from './fetch-op.ts'
import { type FetchPart, NOTHING } from './fetch-part.ts'

type TopicAnswer = FetchResponseInput['responses'][number]
type PartAnswer = TopicAnswer['partitions'][number]

const READ_COMMITTED = 1

/** From this version on an answer may name the leader. */
const LEADERS_FROM = 12

/** The reply to `op`, and what its session remembers of it. */
export function fetchResponse(op: FetchOp): FetchResponseInput {
  const { session, incremental, parts } = op.asked
  const { brokers } = op.context.state.counts
  const { topicCounts } = op.context.services
  const responses: (TopicAnswer & { partitions: PartAnswer[] })[] = []
  let last: (TopicAnswer & { partitions: PartAnswer[] }) | null = null
  for (const part of parts) {
    if (session !== null && !hasNews(part, incremental)) continue
    if (last === null || last.topicId !== part.topicId || last.topic !== part.topicName) {
      last = { topic: part.topicName, topicId: part.topicId, partitions: [] }
      responses.push(last)
    }
    last.partitions.push(partAnswer(op, part))
    count(brokers[part.brokerId === 0 ? (part.proxy?.brokerId ?? 0) : part.brokerId], part)
    if (part.topic !== undefined) {
      const counted = topicCounts.of(part.topic)
      counted.items++
      counted.bytes += part.recordsBytes
    }
    // Those that were served go behind the others, so that all get their share of maxBytes in turn.
    if (incremental && part.recordsBytes > 0) session?.moveToEnd(part)
  }
  return {
    throttleTimeMs: 0,
    errorCode: ErrorCode.NONE,
    sessionId: session?.id ?? 0,
    responses,
  }
}

function count(counts: Float64Array | undefined, part: FetchPart): void {
  if (counts === undefined) return
  counts[FetchCounter.READS]!++
  if (part.error !== ErrorCode.NONE) counts[FetchCounter.READS_FAILED]!++
  const bytes = part.recordsBytes
  if (bytes === 0) return
  counts[FetchCounter.BYTES]! += bytes
  if (part.source === FetchSource.FILE) counts[FetchCounter.FILE_BYTES]! += bytes
  else counts[FetchCounter.ZERO_COPY_BYTES]! += part.heldBytes
}

function hasNews(part: FetchPart, incremental: boolean): boolean {
  const news =
    part.error !== ErrorCode.NONE ||
    part.recordsBytes > 0 ||
    part.preferred !== 0 ||
    part.highWatermark !== part.toldHighWatermark ||
    part.logStartOffset !== part.toldLogStartOffset
  part.toldHighWatermark = part.error === ErrorCode.NONE ? part.highWatermark : -1
  part.toldLogStartOffset = part.error === ErrorCode.NONE ? part.logStartOffset : -1
  return news || !incremental
}

function partAnswer(op: FetchOp, part: FetchPart): PartAnswer {
  const isRead = part.error === ErrorCode.NONE
  // An error is told alone, as Kafka does.
  const highWatermark = isRead ? part.highWatermark : -1
  const hasAborted = op.asked.isolationLevel === READ_COMMITTED || isUnknown(part.error)
  const answer: PartAnswer = {
    partitionIndex: part.index,
    errorCode: part.error,
    highWatermark,
    // No transactions yet: everything below the high watermark is stable.
    lastStableOffset: highWatermark,
    logStartOffset: isRead ? part.logStartOffset : -1,
    abortedTransactions: hasAborted ? [] : null,
    preferredReadReplica: part.preferred === 0 ? -1 : part.preferred,
    records: isRead ? part.records : NOTHING,
  }
  const tells = op.context.version >= LEADERS_FROM && namesLeader(part.error)
  return tells ? { ...answer, currentLeader: leaderOf(op, part) } : answer
}

const isUnknown = (error: number): boolean =>
  error === ErrorCode.UNKNOWN_TOPIC_OR_PARTITION || error === ErrorCode.UNKNOWN_TOPIC_ID

const namesLeader = (error: number): boolean =>
  error === ErrorCode.NOT_LEADER_OR_FOLLOWER || error === ErrorCode.FENCED_LEADER_EPOCH

function leaderOf(op: FetchOp, part: FetchPart): { leaderId: number; leaderEpoch: number } {
  const { image, dispatcher } = op.context.services
  const leaderId =
    part.topic === undefined ? 0 : dispatcher.nodeOf(part.topic.cellId, part.partition)
  if (leaderId === 0) return { leaderId: -1, leaderEpoch: -1 }
  return { leaderId, leaderEpoch: image.leaderEpochOf(part.partition) }
}
