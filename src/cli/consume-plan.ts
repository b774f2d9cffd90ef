/** From `-o` and `-p` to the offsets at which each partition begins and stops. */
import type { KafkaClient } from '../kafka-client/client.ts'
import type { TopicMetadata } from '../kafka-client/metadata.ts'
import {
  findOffsets,
  type Isolation,
  keyOf,
  OffsetAt,
  type TopicPartition,
} from '../kafka-client/offsets.ts'
import { FailedError } from './failure.ts'
import type { OffsetRange, StartPoint, StopPoint } from './offset-range.ts'

export interface PlannedPartition extends TopicPartition {
  /** Where to fetch from. */
  readonly fetchFrom: number
  /** Records before it are passed over: an offset that was asked for and is not there yet. */
  readonly printFrom: number
  /** The first offset that is not read; null goes on for ever. */
  readonly stopBefore: number | null
}

/** Partitions of the topics, only those with one of `numbers` if there are any. */
export function partitionsOf(
  topics: readonly TopicMetadata[],
  numbers: readonly number[],
): TopicPartition[] {
  for (const number of numbers) {
    if (topics.some(({ partitions }) => partitions.some((p) => p.partition === number))) continue
    const names = topics.map(({ name, partitions }) => `${name} has ${partitions.length}`)
    throw new FailedError(`there is no partition ${number}: ${names.join(', ')}, counted from 0`)
  }
  return topics.flatMap(({ name: topic, partitions }) =>
    partitions
      .filter(({ partition }) => numbers.length === 0 || numbers.includes(partition))
      .map(({ partition }) => ({ topic, partition })),
  )
}

/** Asks the leaders for starts, ends and times, and works out each partition's share. */
export async function planPartitions(
  client: KafkaClient,
  partitions: readonly TopicPartition[],
  range: OffsetRange,
  stopsAtEnd: boolean,
  isolation: Isolation,
): Promise<PlannedPartition[]> {
  const at = async (timestampMs: number) =>
    new Map(
      (
        await findOffsets(
          client,
          partitions.map((partition) => ({ ...partition, timestampMs })),
          isolation,
        )
      ).map((found) => [keyOf(found), found.offset]),
    )
  const [starts, ends, fromTimes, untilTimes] = await Promise.all([
    at(OffsetAt.EARLIEST),
    at(OffsetAt.LATEST),
    range.from.kind === 'time' ? at(range.from.timeMs) : null,
    range.until?.kind === 'time' ? at(range.until.timeMs) : null,
  ])
  return partitions.map((partition) => {
    const key = keyOf(partition)
    const [start, end] = [starts.get(key)!, ends.get(key)!]
    const from = offsetOfStart(range.from, start, end, fromTimes?.get(key) ?? -1)
    const stop = offsetOfStop(range.until, end, untilTimes?.get(key) ?? -1)
    return {
      ...partition,
      fetchFrom: Math.min(Math.max(from, start), end),
      printFrom: from,
      stopBefore: stopsAtEnd ? Math.min(stop ?? end, end) : stop,
    }
  })
}

function offsetOfStart(point: StartPoint, start: number, end: number, atTime: number): number {
  switch (point.kind) {
    case 'start':
      return start + point.plus
    case 'stored':
      return start
    case 'end':
      return Math.max(start, end - point.minus)
    case 'offset':
      return point.offset
    case 'time':
      // no record is that new yet
      return atTime < 0 ? end : atTime
    default:
      point satisfies never
      throw new RangeError('no such start')
  }
}

/** A time that no record has reached yet stops at the end as it is now: what comes later is later. */
function offsetOfStop(point: StopPoint | null, end: number, atTime: number): number | null {
  if (point === null) return null
  switch (point.kind) {
    case 'end':
      return end
    case 'offset':
      return point.offset
    case 'time':
      return atTime < 0 ? end : atTime
    default:
      point satisfies never
      throw new RangeError('no such stop')
  }
}
