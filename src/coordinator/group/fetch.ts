/** OffsetFetch: what groups have committed. */
import { ErrorCode } from '../../base/error-code.ts'
import { type TopicId, ZERO_TOPIC_ID } from '../../base/ids.ts'
import type { ReadonlyTimelineMap } from '../../machine/timeline.ts'
import type { OffsetFetchRequest } from '../../protocol/09-offset-fetch.ts'
import {
  type AskedGroup,
  askedGroups,
  type FetchedGroup,
  type FetchedPartition,
  type FetchedTopic,
  fetchAnswer,
  noOffset,
} from './answers.ts'
import { TOPIC_IDS_FROM } from './commit.ts'
import type { GroupContext } from './context.ts'
import type { OffsetKey, TopicOffsetKeys } from './offset-keys.ts'
import type { OffsetValue } from './offset-value.ts'
import type { GroupCall } from './types.ts'

type Offsets = ReadonlyTimelineMap<OffsetKey, OffsetValue>

/**
 * Answers what is committed in the log. Who asks for stable offsets gets the latest, and its answer waits with the
 * others until that is committed.
 */
export function handleFetch<T>(ctx: GroupContext<T>, call: GroupCall<T>): void {
  const request = call.request as OffsetFetchRequest
  const offsets = request.requireStable ? ctx.state.offsets : ctx.state.offsets.committed
  const told = new Set<OffsetKey>()
  const seen = new Set<string>()
  const groups = askedGroups(call.version, request).flatMap((asked) => {
    const group =
      asked.topics === null
        ? fetchAll(ctx, call.version, offsets, asked.groupId, told)
        : fetchSome(ctx, call.version, offsets, asked, told)
    // named again, with nothing new: a second answer without offsets would look as if there were none
    const isNew = isFirst(seen, asked.groupId)
    return isNew || group.topics.length > 0 ? group : []
  })
  ctx.step.answer(call.token, fetchAnswer(call.version, groups))
}

/** A group that is not there has committed nothing: no error. What was told is not told again: its metadata may be a thousand times its name. */
function fetchSome<T>(
  ctx: GroupContext<T>,
  version: number,
  offsets: Offsets,
  asked: AskedGroup,
  told: Set<OffsetKey>,
): FetchedGroup {
  const own = ctx.exists(asked.groupId) ? ctx.state.keys.groups.get(asked.groupId) : undefined
  const byId = version >= TOPIC_IDS_FROM
  const topics = asked.topics!.flatMap((topic): FetchedTopic | FetchedTopic[] => {
    const topicId = topic.topicId ?? ZERO_TOPIC_ID
    const name = byId ? ctx.topics.nameOf(topicId as TopicId) : topic.name
    if (name === undefined) {
      const unknown = (index: number) => noOffset(index, ErrorCode.UNKNOWN_TOPIC_ID)
      return { name: '', topicId, partitions: topic.partitionIndexes.map(unknown) }
    }
    const keys = own?.get(name)
    const partitions = topic.partitionIndexes.flatMap((index) => {
      const key = keys?.get(index)
      const value = key === undefined ? undefined : offsets.get(key)
      if (value !== undefined && !isFirst(told, key!)) return []
      // of a topic that had this name before
      const isOther = value !== undefined && byId && differs(value.topicId, topicId)
      return value === undefined || isOther ? noOffset(index) : found(index, value)
    })
    const isAgain = partitions.length === 0 && topic.partitionIndexes.length > 0
    return isAgain ? [] : { name, topicId, partitions }
  })
  return { groupId: asked.groupId, topics, errorCode: ErrorCode.NONE }
}

function isFirst<T>(told: Set<T>, one: T): boolean {
  const before = told.size
  return told.add(one).size > before
}

const differs = (own: string, asked: string): boolean =>
  own !== ZERO_TOPIC_ID && asked !== ZERO_TOPIC_ID && own !== asked

function fetchAll<T>(
  ctx: GroupContext<T>,
  version: number,
  offsets: Offsets,
  groupId: string,
  told: Set<OffsetKey>,
): FetchedGroup {
  const own = ctx.exists(groupId) ? ctx.state.keys.groups.get(groupId) : undefined
  const topics: FetchedTopic[] = []
  for (const [name, keys] of own ?? []) {
    const topicId = version >= TOPIC_IDS_FROM ? ctx.topics.idOf(name) : ZERO_TOPIC_ID
    // which version 10 could not name
    if (topicId === undefined) continue
    const partitions = fetchTopic(keys, offsets, told)
    if (partitions.length > 0) topics.push({ name, topicId, partitions })
  }
  return { groupId, topics, errorCode: ErrorCode.NONE }
}

function fetchTopic(
  keys: TopicOffsetKeys,
  offsets: Offsets,
  told: Set<OffsetKey>,
): FetchedPartition[] {
  const partitions: FetchedPartition[] = []
  for (const [index, key] of keys) {
    const value = offsets.get(key)
    if (value !== undefined && isFirst(told, key)) partitions.push(found(index, value))
  }
  return partitions
}

const found = (partitionIndex: number, value: OffsetValue): FetchedPartition => ({
  partitionIndex,
  committedOffset: value.offset,
  committedLeaderEpoch: value.leaderEpoch,
  metadata: value.metadata,
  errorCode: ErrorCode.NONE,
})
