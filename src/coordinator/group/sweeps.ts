/**
 * What is deleted without anybody asking: offsets that expired (KIP-211), groups that nobody needs, offsets of topics that
 * are gone. A sweep looks at everything, so it runs in slices, each a step of its own.
 */
import { ZERO_TOPIC_ID } from '../../base/ids.ts'
import type { ClassicGroup } from './classic-group.ts'
import type { GroupContext } from './context.ts'
import { encodeGroupKey, type GroupRecord } from './group-record.ts'
import type { OffsetValue } from './offset-value.ts'
import { subscribedTopics } from './subscriptions.ts'
import type { CoordinatorRecord, DeletedTopic } from './types.ts'

/** Tombstones that one step holds at most. */
export const SWEEP_RECORDS_MAX = 1_000
/** Of their keys: far below what a batch may be, since one that is refused would be refused each time. */
const SWEEP_BYTES_MAX = 128 * 1024
/** Offsets and groups that one step looks at, at most. */
const SWEEP_LOOKS_MAX = 20_000

/** Something was looked at that stays. */
const KEPT = 'kept'
/** The slice must end here: what follows depends on its records. */
const BARRIER = 'barrier'

/** Yields a record to write, or says how it goes. */
export type Sweep = Iterator<CoordinatorRecord | typeof KEPT | typeof BARRIER>

/** Goes on with a sweep until a slice is full, and asks for the next slice; `done` when there is nothing left. */
export function runSweep<T>(ctx: GroupContext<T>, sweep: Sweep, done: () => void = () => {}): void {
  const end = ctx.step.records.length + SWEEP_RECORDS_MAX
  let bytes = 0
  for (let looks = 0; looks < SWEEP_LOOKS_MAX; looks++) {
    const next = sweep.next()
    if (next.done === true) {
      done()
      return
    }
    if (next.value === KEPT) continue
    if (next.value === BARRIER) break
    ctx.step.write(next.value)
    bytes += next.value.key.length
    if (ctx.step.records.length >= end || bytes >= SWEEP_BYTES_MAX) break
  }
  ctx.schedule(0, () => runSweep(ctx, sweep, done))
}

/** Offsets of topics that are no more, or are others under the same name. */
export function* sweepGoneTopics<T>(ctx: GroupContext<T>): Generator<CoordinatorRecord | 'kept'> {
  for (const topics of ctx.state.keys.groups.values()) {
    for (const [topic, keys] of topics) {
      const topicId = ctx.topics.idOf(topic)
      for (const key of keys.values()) {
        const value = ctx.state.offsets.get(key)
        const isKept =
          value === undefined ||
          (topicId !== undefined && (value.topicId === ZERO_TOPIC_ID || value.topicId === topicId))
        yield isKept ? KEPT : { key: key.bytes, value: null }
      }
    }
  }
}

export function* sweepDeletedTopics<T>(
  ctx: GroupContext<T>,
  deleted: readonly DeletedTopic[],
): Generator<CoordinatorRecord | 'kept'> {
  for (const topics of ctx.state.keys.groups.values()) {
    for (const { name, topicId } of deleted) {
      for (const key of topics.get(name)?.values() ?? []) {
        const value = ctx.state.offsets.get(key)
        const isKept =
          value === undefined || (value.topicId !== ZERO_TOPIC_ID && value.topicId !== topicId)
        yield isKept ? KEPT : { key: key.bytes, value: null }
      }
    }
    yield KEPT
  }
}

/** Expired offsets of all groups, and groups that are empty and have none left. */
export function* sweepExpired<T>(
  ctx: GroupContext<T>,
): Generator<CoordinatorRecord | 'kept' | 'barrier'> {
  for (const groupId of ctx.state.groups.keys()) {
    const rule = ruleOf(ctx, groupId)
    let hasWritten = false
    for (const [topic, keys] of ctx.state.keys.groups.get(groupId) ?? []) {
      for (const key of keys.values()) {
        const value = ctx.state.offsets.get(key)
        if (value === undefined || rule === null || !rule(topic, value)) {
          yield KEPT
          continue
        }
        hasWritten = true
        yield { key: key.bytes, value: null }
      }
    }
    if (hasWritten) yield BARRIER
    if (isNeeded(ctx, groupId)) yield KEPT
    else {
      ctx.logger.log('info', 'group is removed: it is empty and has no offsets', { groupId })
      yield { key: encodeGroupKey(groupId), value: null }
    }
  }
}

function isNeeded<T>(ctx: GroupContext<T>, groupId: string): boolean {
  if (ctx.live.has(groupId) || !ctx.state.groups.has(groupId)) return true
  for (const keys of ctx.state.keys.groups.get(groupId)?.values() ?? []) {
    for (const key of keys.values()) if (ctx.state.offsets.has(key)) return true
  }
  return false
}

type ExpiryRule = (topic: string, value: OffsetValue) => boolean

/** When the group's offsets expire; null: not in the state it is in. */
function ruleOf<T>(ctx: GroupContext<T>, groupId: string): ExpiryRule | null {
  const retentionMs = ctx.config.offsetsRetentionMs
  const isOver = (value: OffsetValue, sinceMs: number): boolean =>
    value.expireTimestampMs !== -1
      ? ctx.wallMs >= value.expireTimestampMs
      : ctx.wallMs - sinceMs >= retentionMs
  const byCommit: ExpiryRule = (_, value) => isOver(value, value.commitTimestampMs)
  const group = ctx.live.get(groupId)
  const { protocolType, sinceMs, isEmpty, topics } = factsOf(group, ctx.state.groups.get(groupId))
  // Consumers that only keep their offsets here.
  if (protocolType === null) return byCommit
  // All that an empty group has expires together, from when it became empty.
  if (isEmpty) {
    return (_, value) => isOver(value, sinceMs === -1 ? value.commitTimestampMs : sinceMs)
  }
  // What a stable group of consumers does not read any more; of others nobody knows what they read.
  if (group?.state === 'Stable' && group.isConsumerGroup && topics !== null) {
    return (topic, value) => !topics.has(topic) && byCommit(topic, value)
  }
  return null
}

function factsOf<T>(group: ClassicGroup<T> | undefined, record: GroupRecord | undefined) {
  if (group !== undefined) {
    return {
      protocolType: group.protocolType,
      sinceMs: group.currentStateTimestampMs,
      isEmpty: group.state === 'Empty',
      topics: group.subscribedTopics,
    }
  }
  return {
    protocolType: record?.protocolType ?? null,
    sinceMs: record?.currentStateTimestampMs ?? -1,
    isEmpty: true,
    topics: record === undefined ? null : subscribedTopics(record),
  }
}
