/** `griot group reset-offsets`: moves what an empty group has committed. */
import type { KafkaClient } from '../kafka-client/client.ts'
import type { KafkaError } from '../kafka-client/errors.ts'
import { commitEach, committedOffsets, describeGroup } from '../kafka-client/groups.ts'
import { findOffsets, keyOf, OffsetAt, type TopicPartition } from '../kafka-client/offsets.ts'
import { countOf } from './client-properties.ts'
import { type ClusterOptions, parsed, printJsonValue, runOnCluster, spanOf } from './cluster.ts'
import { ExitCode } from './exit-code.ts'
import { explainFailure, FailedError, UsageError } from './failure.ts'
import { jsonOfError } from './outcomes.ts'
import { printable, renderTable } from './table.ts'
import { parseTimeMs } from './time-text.ts'
import { findTopics } from './topic-names.ts'

export interface ResetOptions extends ClusterOptions {
  readonly to?: string
  readonly shiftBy?: string
  readonly byDuration?: string
  /** `TOPIC`, `TOPIC:P,P`, as given. */
  readonly topic?: readonly string[]
  readonly topics?: readonly string[]
  readonly dryRun?: boolean
}

/** Where offsets are to go. */
export type ResetTarget =
  | { readonly kind: 'start' }
  | { readonly kind: 'end' }
  | { readonly kind: 'offset'; readonly offset: number }
  | { readonly kind: 'time'; readonly timeMs: number }
  | { readonly kind: 'shift'; readonly by: number }

/** Throws a {@link UsageError} unless exactly one way is given. */
export function parseTarget(
  { to, shiftBy, byDuration }: Pick<ResetOptions, 'to' | 'shiftBy' | 'byDuration'>,
  nowMs: number,
): ResetTarget {
  if ([to, shiftBy, byDuration].filter((way) => way !== undefined).length !== 1) {
    throw new UsageError('exactly one of --to, --shift-by and --by-duration is wanted')
  }
  if (shiftBy !== undefined) {
    return { kind: 'shift', by: countOf('--shift-by', shiftBy.replace(/^\+/, ''), -Infinity) }
  }
  if (byDuration !== undefined) {
    return { kind: 'time', timeMs: nowMs - spanOf('--by-duration', byDuration) }
  }
  if (['start', 'earliest', 'beginning'].includes(to!)) return { kind: 'start' }
  if (['end', 'latest'].includes(to!)) return { kind: 'end' }
  if (/^\d+$/.test(to!)) return { kind: 'offset', offset: Number(to) }
  const time = to!.startsWith('@') ? to!.slice(1) : to!
  return { kind: 'time', timeMs: parsed('--to', () => parseTimeMs(time, nowMs)) }
}

interface ResetRow extends TopicPartition {
  readonly before: number | null
  /** null where nothing was committed and the reset failed. */
  readonly after: number | null
  /** Why `after` is not what was asked for. */
  readonly note: string | null
  /** The partition was not reset. */
  readonly error: KafkaError | null
}

type Planned = ResetRow & { readonly after: number }

export async function runGroupReset(groupId: string, options: ResetOptions): Promise<void> {
  await runOnCluster(options, async ({ client, json }) => {
    const target = parseTarget(options, Date.now())
    await requireEmpty(client, groupId)
    const committed = await committedOffsets(client, groupId, null)
    const before = new Map(committed.map((offset) => [keyOf(offset), offset.offset]))
    const partitions = await partitionsOf(
      client,
      [...(options.topic ?? []), ...(options.topics ?? [])],
      committed,
    )
    if (partitions.length === 0) {
      throw new FailedError(
        `group "${groupId}" has committed nothing: say which topics with --topic`,
      )
    }
    const plan = await planOf(client, partitions, before, target)
    const rows = options.dryRun ? plan : await move(client, groupId, plan)
    if (json) {
      const offsets = rows.map((row) => ({ ...row, error: jsonOfError(row.error) }))
      printJsonValue({ group: groupId, dryRun: options.dryRun ?? false, offsets })
    } else {
      const head = ['TOPIC', 'PARTITION', 'BEFORE', 'AFTER', 'NOTE']
      const cells = rows.map((row) => [
        ...[row.topic, row.partition, row.before, row.after, row.note ?? ''],
      ])
      process.stdout.write(renderTable(head, cells))
      if (options.dryRun) console.error('nothing was changed (--dry-run)')
    }
    tellFailures(groupId, rows)
  })
}

/** Commits; each partition by itself may be refused. */
async function move(
  client: KafkaClient,
  groupId: string,
  plan: readonly Planned[],
): Promise<ResetRow[]> {
  const offsets = plan.map(({ topic, partition, after }) => ({ topic, partition, offset: after }))
  const failed = await commitEach(client, groupId, offsets)
  return plan.map((row) => {
    const error = failed.get(keyOf(row)) ?? null
    return error === null
      ? row
      : { ...row, after: row.before, note: `not reset: ${error.codeName}`, error }
  })
}

/** On standard error, with the exit code of a failure. */
function tellFailures(groupId: string, rows: readonly ResetRow[]): void {
  const failed = rows.filter(({ error }) => error !== null)
  if (failed.length === 0) return
  for (const { error } of failed) console.error(`griot: ${explainFailure(error)}`)
  const done = rows.length - failed.length
  console.error(
    printable(
      `griot: group "${groupId}": ${done} of ${rows.length} partitions reset, the others are where they were`,
    ),
  )
  process.exitCode = ExitCode.FAILED
}

async function requireEmpty(client: KafkaClient, groupId: string): Promise<void> {
  // the first question also finds out whether anybody is there to ask
  await client.metadata([])
  const { state, members } = await describeGroup(client, groupId)
  if (state === 'Empty' || state === 'Dead') return
  const who = members.map(({ clientId, host }) => `${clientId} at ${host}`).join(', ')
  throw new FailedError(
    `group "${groupId}" is ${state}: offsets move only while it is empty; stop its members first (${who})`,
  )
}

/** What is named, or all that the group has committed. */
async function partitionsOf(
  client: KafkaClient,
  texts: readonly string[],
  committed: readonly TopicPartition[],
): Promise<TopicPartition[]> {
  if (texts.length === 0) {
    return committed.map(({ topic, partition }) => ({ topic, partition }))
  }
  // names have no colon; one list may hold several: a,b:0,1,c
  const named = new Map<string, Set<number>>()
  let last: string | null = null
  for (const part of texts.flatMap((text) => text.split(',')).filter(Boolean)) {
    const match = /^([^:]+)(?::(\d+))?$/.exec(part)
    if (match === null) throw new UsageError(`--topic ${part}: wants TOPIC or TOPIC:P,P`)
    if (/^\d+$/.test(part) && last !== null && named.get(last)!.size > 0) {
      named.get(last)!.add(Number(part))
      continue
    }
    last = match[1]!
    if (!named.has(last)) named.set(last, new Set())
    if (match[2] !== undefined) named.get(last)!.add(Number(match[2]))
  }
  const topics = await findTopics(client, [...named.keys()], false)
  return topics.flatMap(({ name: topic, partitions }) => {
    const wanted = named.get(topic)!
    for (const partition of wanted) {
      if (partition >= partitions.length) {
        throw new FailedError(`topic "${topic}" has partitions 0 to ${partitions.length - 1}`)
      }
    }
    return partitions
      .filter(({ partition }) => wanted.size === 0 || wanted.has(partition))
      .map(({ partition }) => ({ topic, partition }))
  })
}

async function planOf(
  client: KafkaClient,
  partitions: readonly TopicPartition[],
  before: ReadonlyMap<string, number>,
  target: ResetTarget,
): Promise<Planned[]> {
  const at = (timestampMs: number) =>
    findOffsets(
      client,
      partitions.map((partition) => ({ ...partition, timestampMs })),
    )
  const [starts, ends] = await Promise.all([at(OffsetAt.EARLIEST), at(OffsetAt.LATEST)])
  const times = target.kind === 'time' ? await at(target.timeMs) : []
  return partitions.map((partition, i) => {
    const [start, end] = [starts[i]!.offset, ends[i]!.offset]
    const had = before.get(keyOf(partition)) ?? null
    const wanted = wantedOffset(target, { start, end, had, atTime: times[i]?.offset ?? -1 })
    const after = Math.min(end, Math.max(start, wanted))
    const note =
      after === wanted
        ? null
        : `${wanted} is ${wanted < start ? 'before the start' : 'behind the end'}`
    return { ...partition, before: had, after, note, error: null }
  })
}

function wantedOffset(
  target: ResetTarget,
  { start, end, had, atTime }: { start: number; end: number; had: number | null; atTime: number },
): number {
  switch (target.kind) {
    case 'start':
      return start
    case 'end':
      return end
    case 'offset':
      return target.offset
    case 'time':
      // no record is that new
      return atTime < 0 ? end : atTime
    case 'shift':
      // without an offset a consumer would begin at the start
      return (had ?? start) + target.by
    default:
      target satisfies never
      throw new RangeError('no such target')
  }
}
