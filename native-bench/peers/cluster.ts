/** What rows ask of a cluster beside the load: topics made and gone, the first acknowledged record, partitions that serve. */
import { setTimeout as sleep } from 'node:timers/promises'
import { ZERO_TOPIC_ID } from '../../src/base/ids.ts'
import { createNewTopics, deleteTopicsByName } from '../../src/kafka-client/admin.ts'
import { KafkaClient } from '../../src/kafka-client/client.ts'
import { produce } from '../../src/protocol/00-produce.ts'
import { listOffsets } from '../../src/protocol/02-list-offsets.ts'
import { buildBatch } from '../../src/record/builder.ts'
import { parseBootstrap } from '../load/cluster.ts'

const TRY_EVERY_MS = 2
const FIRST_RECORD_TIMEOUT_MS = 120_000
const USABLE_TIMEOUT_MS = 300_000
const ASKED_AT_ONCE = 50
const ASK_AGAIN_MS = 10
const EARLIEST = -2
/** From this version on, topics go by id. */
const PRODUCE_BY_NAME_MAX = 12

export function connectTo(bootstrap: string, retryTimeoutMs = 30_000): KafkaClient {
  return new KafkaClient({
    bootstrap: parseBootstrap(bootstrap),
    clientId: 'griot-peers',
    retryTimeoutMs,
  })
}

export async function withClient<T>(
  bootstrap: string,
  use: (client: KafkaClient) => Promise<T>,
): Promise<T> {
  const client = connectTo(bootstrap)
  try {
    return await use(client)
  } finally {
    client.close()
  }
}

/** Makes `names` in one request, replication factor 1. Throws the error of the first that was refused. */
export async function makeTopics(
  client: KafkaClient,
  names: readonly string[],
  partitions: number,
): Promise<void> {
  const made = await createNewTopics(
    client,
    names.map((name) => ({ name, partitions, replicationFactor: 1, configs: [] })),
  )
  const refused = made.find(({ error }) => error !== null)
  if (refused !== undefined) throw refused.error
}

/** Removes every topic that is no internal one. */
export async function removeAllTopics(bootstrap: string): Promise<void> {
  await withClient(bootstrap, async (client) => {
    const { topics } = await client.metadata(null)
    const names = topics.map(({ name }) => name).filter((name) => !name.startsWith('__'))
    if (names.length > 0) await deleteTopicsByName(client, names)
  })
}

/** One record to `topic`-0, acks=all; true once acknowledged. */
async function produceOne(client: KafkaClient, topic: string): Promise<boolean> {
  const leader = await client.leaderOf(topic, 0)
  const records = buildBatch([{ timestampMs: Date.now(), key: null, value: Buffer.from('griot') }])
  const connection = await client.connectionTo(leader)
  const answer = await connection.request(
    produce,
    {
      transactionalId: null,
      acks: -1,
      timeoutMs: 10_000,
      topicData: [{ name: topic, topicId: ZERO_TOPIC_ID, partitionData: [{ index: 0, records }] }],
    },
    { versionMax: PRODUCE_BY_NAME_MAX },
  )
  return answer.responses[0]?.partitionResponses[0]?.errorCode === 0
}

/**
 * Tries from now on, again and again, until a record in `topic` (made with one partition where it is missing) is acknowledged
 * by all that acks=all asks for. Throws with the last failure after two minutes.
 */
export async function firstAcknowledged(bootstrap: string, topic: string): Promise<void> {
  const deadline = performance.now() + FIRST_RECORD_TIMEOUT_MS
  let isMade = false
  let last: unknown = null
  let client = connectTo(bootstrap, 0)
  try {
    while (performance.now() < deadline) {
      try {
        const { topics } = await client.metadata([topic])
        const isThere = topics[0]?.errorCode === 0
        if (!isThere && !isMade) {
          await makeTopics(client, [topic], 1)
          isMade = true
          continue
        }
        if (isThere && (await produceOne(client, topic))) return
      } catch (error) {
        last = error
        client.close()
        client = connectTo(bootstrap, 0)
      }
      await sleep(TRY_EVERY_MS)
    }
  } finally {
    client.close()
  }
  throw new Error(`no record was acknowledged within ${FIRST_RECORD_TIMEOUT_MS} ms`, {
    cause: last,
  })
}

/**
 * Resolves once the leader of every partition of `names` answers for it. Asks for a few topics at a time and goes on once these
 * serve, so that the asking is no load of its own. Throws after five minutes with how many are left.
 */
export async function allServe(client: KafkaClient, names: readonly string[]): Promise<void> {
  const deadline = performance.now() + USABLE_TIMEOUT_MS
  for (let at = 0; at < names.length; at += ASKED_AT_ONCE) {
    let open = new Set(names.slice(at, at + ASKED_AT_ONCE))
    while ((open = await notServing(client, open)).size > 0) {
      if (performance.now() > deadline)
        throw new Error(
          `${names.length - at} of ${names.length} topics do not serve after ${USABLE_TIMEOUT_MS} ms`,
        )
      await sleep(ASK_AGAIN_MS)
    }
  }
}

/** Those of `names` with a partition that has no leader, or one whose leader does not answer for it yet. */
async function notServing(client: KafkaClient, names: ReadonlySet<string>): Promise<Set<string>> {
  const { topics } = await client.metadata([...names])
  const open = new Set<string>()
  const asked = new Map<number, Map<string, number[]>>()
  for (const { name, errorCode, partitions } of topics) {
    if (errorCode !== 0 || partitions.length === 0) open.add(name)
    for (const { partition, leader } of partitions) {
      if (leader < 0) open.add(name)
      const byTopic = asked.get(leader) ?? new Map<string, number[]>()
      asked.set(leader, byTopic)
      byTopic.set(name, [...(byTopic.get(name) ?? []), partition])
    }
  }
  asked.delete(-1)
  for (const [leader, byTopic] of asked) {
    const answer = await client.requestNode(leader, listOffsets, {
      replicaId: -1,
      isolationLevel: 0,
      topics: [...byTopic].map(([name, partitions]) => ({
        name,
        partitions: partitions.map((partitionIndex) => ({ partitionIndex, timestamp: EARLIEST })),
      })),
      timeoutMs: 10_000,
    })
    for (const { name, partitions } of answer.topics)
      if (partitions.some(({ errorCode }) => errorCode !== 0)) open.add(name)
  }
  return open
}

/** A record in every partition of `names`, each acknowledged. */
export async function writeEverywhere(
  client: KafkaClient,
  names: readonly string[],
): Promise<void> {
  const records = buildBatch([{ timestampMs: Date.now(), key: null, value: Buffer.from('griot') }])
  const byLeader = new Map<number, Map<string, number[]>>()
  for (const name of names) {
    const { partitions } = await client.topic(name)
    for (const { partition, leader } of partitions) {
      const byTopic = byLeader.get(leader) ?? new Map<string, number[]>()
      byLeader.set(leader, byTopic)
      byTopic.set(name, [...(byTopic.get(name) ?? []), partition])
    }
  }
  for (const [leader, byTopic] of byLeader) {
    const answer = await client.requestNode(
      leader,
      produce,
      {
        transactionalId: null,
        acks: -1,
        timeoutMs: 30_000,
        topicData: [...byTopic].map(([name, partitions]) => ({
          name,
          topicId: ZERO_TOPIC_ID,
          partitionData: partitions.map((index) => ({ index, records })),
        })),
      },
      { versionMax: PRODUCE_BY_NAME_MAX },
    )
    const failed = answer.responses
      .flatMap(({ partitionResponses }) => partitionResponses)
      .find(({ errorCode }) => errorCode !== 0)
    if (failed !== undefined) throw new Error(`produce was answered with ${failed.errorCode}`)
  }
}
