/** Who reads and writes what: a workload's groups, shared out over connections and processes. */
import type { Job, Share, TopicPartition } from './messages.ts'
import {
  type ConsumeGroup,
  isStamped,
  type ProduceGroup,
  sourceOf,
  type TopicSet,
  type Workload,
} from './workload.ts'

/** With the prefix of a run, so that runs do not meet. */
export const topicNames = (prefix: string, set: TopicSet): string[] =>
  Array.from({ length: set.count }, (_, at) => `${prefix}-${set.name}-${at}`)

function partitionsOf(prefix: string, set: TopicSet): TopicPartition[] {
  return topicNames(prefix, set).flatMap((topic) =>
    Array.from({ length: set.partitions }, (_, partition) => ({ topic, partition })),
  )
}

/** Every partition has a connection, and every connection a partition. */
function share(
  group: ProduceGroup | ConsumeGroup,
  all: readonly TopicPartition[],
  index: number,
): TopicPartition[] {
  if (group.kind === 'consume' && group.assign === 'all') return [...all]
  if (all.length < group.connections) return [all[index % all.length]!]
  return all.filter((_, at) => at % group.connections === index)
}

export function jobsOf(workload: Workload, bootstrap: string, prefix: string): Job[] {
  return [...workload.produce, ...workload.consume].flatMap((group) => {
    const set = workload.topics.find(({ name }) => name === group.topic)!
    const hasProducers = workload.produce.some(({ topic }) => topic === group.topic)
    return jobsOfGroup(group, partitionsOf(prefix, set), {
      bootstrap,
      isStamped: isStamped(workload, group.topic),
      recordBytes: sourceOf(workload, set).recordBytes,
      drains: group.kind === 'consume' && hasProducers && !group.rewind,
      batchesMax: null,
    })
  })
}

function jobsOfGroup(
  group: ProduceGroup | ConsumeGroup,
  partitions: readonly TopicPartition[],
  rest: Omit<Job, 'group' | 'shares'>,
): Job[] {
  return Array.from({ length: group.processes }, (_, process) => {
    const shares: Share[] = []
    for (let index = process; index < group.connections; index += group.processes) {
      shares.push({ index, partitions: share(group, partitions, index) })
    }
    return { ...rest, group, shares }
  })
}

/** What fills a set before anything is measured. */
export function preloadJob(
  workload: Workload,
  set: TopicSet,
  bootstrap: string,
  prefix: string,
): Job {
  const source = sourceOf(workload, set)
  const group: ProduceGroup = {
    ...source,
    ...{ name: `preload of ${set.name}`, topic: set.name, processes: 1, connections: 1 },
    ...{ rate: null, inFlight: 5, acks: -1, idempotence: false, retries: false },
  }
  return {
    ...{ bootstrap, group, isStamped: false, recordBytes: source.recordBytes, drains: false },
    shares: [{ index: 0, partitions: partitionsOf(prefix, set) }],
    batchesMax: Math.ceil(set.preloadBytes / (source.recordBytes * source.recordsPerBatch)),
  }
}
