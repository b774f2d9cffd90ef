/** Requests in a few words. */

import type { TopicId } from '../../../src/base/ids.ts'
import { ZERO_TOPIC_ID } from '../../../src/base/ids.ts'
import { produce } from '../../../src/protocol/00-produce.ts'
import type { Side } from '../side.ts'

/** Records stay, however old they say they are. */
export const FOREVER = { 'retention.ms': '-1' }

export interface ProduceInput {
  readonly topic: string
  readonly index?: number
  readonly acks?: number
  readonly records: Uint8Array | null
  readonly transactionalId?: string
}

/** A produce request for every version: by name and by id at once, each version takes its own. */
export const produceRequest = (side: Side, input: ProduceInput) => ({
  transactionalId: input.transactionalId ?? null,
  acks: input.acks ?? -1,
  timeoutMs: 5_000,
  topicData: [
    {
      name: input.topic,
      topicId: side.topicId(input.topic) as TopicId,
      partitionData: [{ index: input.index ?? 0, records: input.records }],
    },
  ],
})

/** Appends as preparation. */
export async function append(side: Side, topic: string, records: Uint8Array, index = 0) {
  const answer = await side.quietly(produce, 8, produceRequest(side, { topic, index, records }))
  const { errorCode, errorMessage } = answer.responses[0]!.partitionResponses[0]!
  if (errorCode !== 0) throw new Error(`${side.name}: ${topic}: ${errorCode} ${errorMessage}`)
}

export interface FetchInput {
  readonly topic: string
  readonly partition?: number
  readonly offset?: number
  readonly epoch?: number
  readonly lastFetchedEpoch?: number
  readonly partitionMaxBytes?: number
}

export interface FetchOptions {
  readonly maxWaitMs?: number
  readonly minBytes?: number
  readonly maxBytes?: number
  readonly isolationLevel?: number
  readonly sessionId?: number
  readonly sessionEpoch?: number
  readonly replicaId?: number
  readonly forgotten?: readonly { readonly topic: string; readonly partitions: readonly number[] }[]
}

export const fetchRequest = (
  side: Side,
  wanted: readonly FetchInput[],
  options: FetchOptions = {},
) => {
  const { replicaId, forgotten, ...rest } = options
  return {
    ...{ maxWaitMs: 0, minBytes: 1, maxBytes: 50 << 20, isolationLevel: 0 },
    ...{ sessionId: 0, sessionEpoch: -1 },
    ...rest,
    ...(replicaId === undefined ? {} : { replicaId }),
    topics: wanted.map((one) => ({
      topic: one.topic,
      topicId: side.topicId(one.topic) as TopicId,
      partitions: [
        {
          partition: one.partition ?? 0,
          currentLeaderEpoch: one.epoch ?? -1,
          fetchOffset: one.offset ?? 0,
          lastFetchedEpoch: one.lastFetchedEpoch ?? -1,
          partitionMaxBytes: one.partitionMaxBytes ?? 1 << 20,
        },
      ],
    })),
    forgottenTopicsData: (forgotten ?? []).map(({ topic, partitions }) => ({
      topic,
      topicId: side.topicId(topic) as TopicId,
      partitions: [...partitions],
    })),
  }
}

export interface NewTopicInput {
  readonly name: string
  readonly partitions?: number
  readonly replicationFactor?: number
  readonly assignments?: readonly (readonly [number, readonly number[]])[]
  readonly configs?: Readonly<Record<string, string | null>>
}

export const newTopic = (input: NewTopicInput) => ({
  name: input.name,
  numPartitions: input.partitions ?? 1,
  replicationFactor: input.replicationFactor ?? 1,
  assignments: (input.assignments ?? []).map(([partitionIndex, brokerIds]) => ({
    partitionIndex,
    brokerIds: [...brokerIds],
  })),
  configs: Object.entries(input.configs ?? {}).map(([name, value]) => ({ name, value })),
})

export const byName = (name: string) => ({ name, topicId: ZERO_TOPIC_ID })
export const byId = (topicId: string) => ({ name: null, topicId: topicId as TopicId })
