import { ErrorCode } from '../base/error-code.ts'
import { FetchSource } from '../link/commands.ts'
import { FetchCounter } from '../link/counters.ts'
import { UseKind } from '../link/use-kinds.ts'
import type { FetchResponseInput } from '../protocol/01-fetch.ts'
import type { FetchOp } from './fetch-op.ts'
import { type FetchPart, NOTHING } from './fetch-part.ts'
import { endpointsOf, leaderToName, type NamedLeader } from './nodes.ts'

type TopicAnswer = FetchResponseInput['responses'][number]
type PartAnswer = TopicAnswer['partitions'][number]

const READ_COMMITTED = 1

/** From this version on an answer may name the leader, … */
const LEADERS_FROM = 12
/** … and tell where it is. */
const ENDPOINTS_FROM = 16

/** The reply to `op`, and what its session remembers of it. */
export function fetchResponse(op: FetchOp): FetchResponseInput {
  const { session, incremental, parts } = op.asked
  const { brokers } = op.context.state.counts
  const { topicCounts, tenantConnections } = op.context.services
  const { tenantId } = op.context.session
  // of the tenant that asks, at the broker of the part before: mostly the same
  let usedAt = 0
  let use: Float64Array | undefined
  const responses: (TopicAnswer & { partitions: PartAnswer[] })[] = []
  let last: (TopicAnswer & { partitions: PartAnswer[] }) | null = null
  const named: NamedLeader[] = []
  for (const part of parts) {
    if (session !== null && !hasNews(part, incremental)) continue
    if (last === null || last.topicId !== part.topicId || last.topic !== part.topicName) {
      last = { topic: part.topicName, topicId: part.topicId, partitions: [] }
      responses.push(last)
    }
    last.partitions.push(partAnswer(op, part, named))
    const brokerId = part.brokerId === 0 ? (part.proxy?.brokerId ?? 0) : part.brokerId
    count(brokers[brokerId], part)
    if (brokerId !== usedAt) {
      usedAt = brokerId
      use = brokerId === 0 ? undefined : tenantConnections.useAt(tenantId, brokerId)
    }
    countUse(use, part)
    if (part.topic !== undefined) {
      const counted = topicCounts.of(part.topic)
      counted.items++
      counted.bytes += part.recordsBytes
    }
    // Those that were served go behind the others, so that all get their share of maxBytes in turn.
    if (incremental && part.recordsBytes > 0) session?.moveToEnd(part)
  }
  const answer = {
    throttleTimeMs: 0,
    errorCode: ErrorCode.NONE,
    sessionId: session?.id ?? 0,
    responses,
  }
  if (named.length === 0 || op.context.version < ENDPOINTS_FROM) return answer
  return { ...answer, nodeEndpoints: endpointsOf(op.context, named) }
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

function countUse(use: Float64Array | undefined, { recordsBytes }: FetchPart): void {
  if (use === undefined) return
  use[UseKind.REQUESTS]!++
  use[UseKind.BYTES_OUT]! += recordsBytes
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

/** Adds to `named` whom it names as leader. */
function partAnswer(op: FetchOp, part: FetchPart, named: NamedLeader[]): PartAnswer {
  const isRead = part.error === ErrorCode.NONE
  // An error is told alone, as Kafka does.
  const highWatermark = isRead ? part.highWatermark : -1
  const hasAborted = op.asked.isolationLevel === READ_COMMITTED || isUnseen(part.error)
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
  if (op.context.version < LEADERS_FROM || !namesLeader(part.error)) return answer
  const leader = part.topic === undefined ? null : leaderToName(op.context, part.partition)
  if (leader === null) return answer
  named.push(leader)
  return { ...answer, currentLeader: leader }
}

const isUnseen = (error: number): boolean =>
  error === ErrorCode.UNKNOWN_TOPIC_OR_PARTITION ||
  error === ErrorCode.UNKNOWN_TOPIC_ID ||
  error === ErrorCode.TOPIC_AUTHORIZATION_FAILED

const namesLeader = (error: number): boolean =>
  error === ErrorCode.NOT_LEADER_OR_FOLLOWER || error === ErrorCode.FENCED_LEADER_EPOCH
