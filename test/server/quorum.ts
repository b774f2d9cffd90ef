/** Who keeps the metadata of a running engine, and a stream of changes to it by a real client, told apart from what became of them. */
import { type Admin, Kafka, logLevel } from 'kafkajs'
import { expect, vi } from 'vitest'
import { KafkaClient } from '../../src/kafka-client/client.ts'
import { describeQuorum } from '../../src/protocol/55-describe-quorum.ts'

export interface Quorum {
  readonly leader: number
  readonly epoch: number
  readonly voters: readonly number[]
  readonly observers: readonly number[]
  /** Of the voters that have less than is committed, or do not say. */
  readonly lagging: readonly number[]
}

/** By DescribeQuorum, on a connection of its own. */
export async function quorumOf(bootstrap: readonly string[]): Promise<Quorum> {
  const addresses = bootstrap.map((one) => {
    const at = one.lastIndexOf(':')
    return { host: one.slice(0, at), port: Number(one.slice(at + 1)) }
  })
  const client = new KafkaClient({ bootstrap: addresses })
  try {
    const answer = await client.requestAny(describeQuorum, {
      topics: [{ topicName: '__cluster_metadata', partitions: [{ partitionIndex: 0 }] }],
    })
    const partition = answer.topics[0]!.partitions[0]!
    const { highWatermark } = partition
    const ids = (of: typeof partition.currentVoters) => of.map(({ replicaId }) => replicaId)
    return {
      leader: partition.leaderId,
      epoch: partition.leaderEpoch,
      voters: ids(partition.currentVoters),
      observers: ids(partition.observers),
      lagging: ids(partition.currentVoters.filter((one) => one.logEndOffset < highWatermark)),
    }
  } finally {
    client.close()
  }
}

/** All three vote, have everything, and broker 1 leads. */
export const isWhole = (brokers: readonly string[], leader = 1) =>
  vi.waitFor(
    async () => {
      const { leader: found, voters, lagging } = await quorumOf(brokers)
      expect({ found, voters, lagging }).toEqual({ found: leader, voters: [1, 2, 3], lagging: [] })
    },
    { timeout: 25_000, interval: 50 },
  )

/** Connected, with as many tries as kafkajs has by default. */
export const adminAt = async (brokers: readonly string[]): Promise<Admin> => {
  const made = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING }).admin()
  await made.connect()
  return made
}

export interface Changes {
  /** Topics whose making was acknowledged, with their number of partitions. */
  readonly made: ReadonlyMap<string, number>
  /** Retention of a topic, as acknowledged last. */
  readonly retention: ReadonlyMap<string, string>
  readonly errors: readonly unknown[]
  /** The longest that one request took, ms. */
  readonly gapMs: number
}

/** Makes topics and changes their configs, one request after the other, until `isOver`. */
export async function changeMetadata(
  admin: Admin,
  prefix: string,
  isOver: () => boolean,
): Promise<Changes> {
  const made = new Map<string, number>()
  const retention = new Map<string, string>()
  const errors: unknown[] = []
  let gapMs = 0
  const timed = async (work: () => Promise<unknown>) => {
    const startedMs = performance.now()
    try {
      // what kafkajs makes of TOPIC_ALREADY_EXISTS: nobody else makes these topics, and the engine knows its own earlier try
      if ((await work()) === false) throw new Error('kafkajs was told that it is there already')
      return true
    } catch (error) {
      errors.push(error)
      return false
    } finally {
      gapMs = Math.max(gapMs, performance.now() - startedMs)
    }
  }
  for (let n = 0; !isOver(); n++) {
    const topic = `${prefix}-${n}`
    const numPartitions = 1 + (n % 3)
    if (await timed(() => admin.createTopics({ topics: [{ topic, numPartitions }] }))) {
      made.set(topic, numPartitions)
    }
    const value = String(100_000 + n)
    const resources = [{ type: 2, name: topic, configEntries: [{ name: 'retention.ms', value }] }]
    if (
      n % 2 === 0 &&
      (await timed(() => admin.alterConfigs({ validateOnly: false, resources })))
    ) {
      retention.set(topic, value)
    }
  }
  return { made, retention, errors, gapMs }
}

/** What was acknowledged and is not there, or not as it was acknowledged. */
export async function missingOf(admin: Admin, { made, retention }: Changes): Promise<string[]> {
  const missing: string[] = []
  const { topics } = await admin.fetchTopicMetadata()
  const found = new Map(topics.map(({ name, partitions }) => [name, partitions.length]))
  for (const [name, count] of made) {
    if (found.get(name) !== count)
      missing.push(`${name}: ${found.get(name)} of ${count} partitions`)
  }
  const resources = [...retention.keys()].map((name) => ({
    ...{ type: 2, name, configNames: ['retention.ms'] },
  }))
  if (resources.length === 0) return missing
  const described = await admin.describeConfigs({ includeSynonyms: false, resources })
  for (const { resourceName, configEntries } of described.resources) {
    const value = configEntries[0]?.configValue
    if (value !== retention.get(resourceName)) missing.push(`${resourceName}: retention ${value}`)
  }
  return missing
}
