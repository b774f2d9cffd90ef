/** OffsetCommit: who may commit, and what is written. */
import { ErrorCode } from '../../base/error-code.ts'
import { type TopicId, ZERO_TOPIC_ID } from '../../base/ids.ts'
import type { OffsetCommitRequest } from '../../protocol/08-offset-commit.ts'
import type { PartitionVerdict } from './answers.ts'
import { GROUP_ID_LENGTH_MAX } from './config.ts'
import type { GroupContext } from './context.ts'
import { encodeOffsetKey } from './offset-keys.ts'
import { encodeOffsetValue } from './offset-value.ts'
import { armSession } from './rebalance.ts'
import { toGroupError } from './step-errors.ts'
import type { GroupCall } from './types.ts'

type Topic = OffsetCommitRequest['topics'][number]

/** From this version on topics are named by id. */
export const TOPIC_IDS_FROM = 10
/** From this version on clients know GROUP_ID_NOT_FOUND. */
const GROUP_ID_NOT_FOUND_FROM = 9

interface KnownTopic {
  readonly topic: Topic
  readonly name: string
  readonly topicId: TopicId
  readonly partitions: number
}

export function handleCommit<T>(ctx: GroupContext<T>, call: GroupCall<T>): void {
  const request = call.request as OffsetCommitRequest
  // One without partitions is left out of the answer, as in Kafka.
  const asked = request.topics.filter(({ partitions }) => partitions.length > 0)
  const topics = asked.map((topic) => resolve(ctx, call.version, topic))
  // As in Kafka, where the broker looks before the coordinator does: a commit of unknown partitions alone is not checked further.
  const hasKnown = topics.some(
    (one) =>
      typeof one !== 'number' &&
      one.topic.partitions.some(({ partitionIndex }) => isPartition(one, partitionIndex)),
  )
  const fault = hasKnown ? validate(ctx, call.version, request) : ErrorCode.NONE
  const expireTimestampMs = request.retentionTimeMs < 0 ? -1 : ctx.wallMs + request.retentionTimeMs
  const verdicts = topics.map((one, i) =>
    asked[i]!.partitions.map((partition): PartitionVerdict => {
      const { partitionIndex } = partition
      if (typeof one === 'number') return { partitionIndex, errorCode: one }
      if (!isPartition(one, partitionIndex)) {
        return { partitionIndex, errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION }
      }
      if (fault !== ErrorCode.NONE) return { partitionIndex, errorCode: fault }
      const metadata = partition.committedMetadata ?? ''
      if (metadata.length > ctx.config.offsetMetadataMaxBytes) {
        return { partitionIndex, errorCode: ErrorCode.OFFSET_METADATA_TOO_LARGE }
      }
      const known = ctx.state.keys.find(request.groupId, one.name, partitionIndex)
      ctx.step.write({
        key: known?.bytes ?? encodeOffsetKey(request.groupId, one.name, partitionIndex),
        value: encodeOffsetValue({
          offset: partition.committedOffset,
          leaderEpoch: partition.committedLeaderEpoch,
          metadata,
          commitTimestampMs: ctx.wallMs,
          expireTimestampMs,
          topicId: one.topicId,
        }),
      })
      return { partitionIndex, errorCode: ErrorCode.NONE }
    }),
  )
  const answer = (refused: ErrorCode) => ({
    throttleTimeMs: 0,
    topics: asked.map(({ name, topicId }, i) => ({
      name,
      topicId,
      partitions: verdicts[i]!.map(({ partitionIndex, errorCode }) => ({
        partitionIndex,
        errorCode: errorCode === ErrorCode.NONE ? refused : errorCode,
      })),
    })),
  })
  ctx.step.answerWritten(call.token, answer(ErrorCode.NONE), (error) => answer(toGroupError(error)))
}

/** The topic as it is, or the error of all its partitions. */
function resolve<T>(ctx: GroupContext<T>, version: number, topic: Topic): KnownTopic | ErrorCode {
  const byId = version >= TOPIC_IDS_FROM
  const name = byId ? ctx.topics.nameOf(topic.topicId as TopicId) : topic.name
  if (name === undefined) return ErrorCode.UNKNOWN_TOPIC_ID
  const topicId = byId ? (topic.topicId as TopicId) : ctx.topics.idOf(name)
  if (topicId === undefined || topicId === ZERO_TOPIC_ID) {
    return ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
  }
  return { topic, name, topicId, partitions: ctx.topics.partitionsOf(name) }
}

const isPartition = (topic: KnownTopic, index: number): boolean =>
  index >= 0 && index < topic.partitions

/** NONE, and then the member's session begins anew: to commit is a sign of life too. */
function validate<T>(
  ctx: GroupContext<T>,
  version: number,
  request: OffsetCommitRequest,
): ErrorCode {
  const { groupId, memberId, groupInstanceId, generationIdOrMemberEpoch: generation } = request
  const isOutside = generation < 0 && memberId === '' && groupInstanceId === null
  const group = ctx.live.get(groupId)
  if (group === undefined && !ctx.state.groups.has(groupId)) {
    if (generation < 0) return createSimple(ctx, groupId)
    return version >= GROUP_ID_NOT_FOUND_FROM
      ? ErrorCode.GROUP_ID_NOT_FOUND
      : ErrorCode.ILLEGAL_GENERATION
  }
  // Consumers without group management, and administrators, while nobody is in the group.
  const isEmpty = group === undefined || group.state === 'Empty'
  if (isEmpty) return generation < 0 ? ErrorCode.NONE : ErrorCode.UNKNOWN_MEMBER_ID
  if (isOutside) return ErrorCode.UNKNOWN_MEMBER_ID
  const fault = group.validateMember(memberId, groupInstanceId)
  if (fault !== ErrorCode.NONE) return fault
  if (generation !== group.generationId) return ErrorCode.ILLEGAL_GENERATION
  if (group.state === 'CompletingRebalance') return ErrorCode.REBALANCE_IN_PROGRESS
  armSession(ctx, group, group.members.get(memberId)!)
  return ErrorCode.NONE
}

/** The group comes to be when the commit is replayed. */
function createSimple<T>(ctx: GroupContext<T>, groupId: string): ErrorCode {
  if (groupId.length > GROUP_ID_LENGTH_MAX) {
    ctx.logger.log('warn', 'a commit is refused: characters of the group id', {
      groupId: groupId.slice(0, 256),
      is: groupId.length,
      limit: GROUP_ID_LENGTH_MAX,
    })
    return ErrorCode.INVALID_GROUP_ID
  }
  if (ctx.isFull(groupId)) return ErrorCode.POLICY_VIOLATION
  ctx.logger.log('info', 'a simple group comes to be by a commit', { groupId })
  return ErrorCode.NONE
}
