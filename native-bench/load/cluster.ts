/** What a run asks of a cluster beside its load: topics made and removed, leaders, offsets, producer ids. */
import { setTimeout as sleep } from 'node:timers/promises'
import { ErrorCode } from '../../src/base/error-code.ts'
import { ZERO_TOPIC_ID } from '../../src/base/ids.ts'
import {
  type ClientSecurity,
  KafkaConnection,
  NO_SECURITY,
} from '../../src/kafka-client/connection.ts'
import { isRetriableCode, KafkaError, throwOnError } from '../../src/kafka-client/errors.ts'
import { listOffsets } from '../../src/protocol/02-list-offsets.ts'
import { metadata } from '../../src/protocol/03-metadata.ts'
import { createTopics } from '../../src/protocol/19-create-topics.ts'
import { deleteTopics } from '../../src/protocol/20-delete-topics.ts'
import { initProducerId } from '../../src/protocol/22-init-producer-id.ts'
import type { Api } from '../../src/protocol/api.ts'
import { keyOf, type Leader, type TopicPartition } from './messages.ts'
import { CLIENT_ID } from './produce-batches.ts'
import type { TopicSet } from './workload.ts'

export const CONNECTION_OPTIONS = {
  ...{ clientId: CLIENT_ID, connectTimeoutMs: 10_000 },
  ...{ requestTimeoutMs: 60_000, responseBytesMax: 512 << 20 },
}
const TOPICS_AT_A_TIME = 200
const USABLE_WITHIN_MS = 120_000
const RETRY_AFTER_MS = 20

export const EARLIEST = -2
export const LATEST = -1

export function parseBootstrap(text: string): Leader[] {
  return text.split(',').map((part) => {
    const found = /^\[?([^[\]\s]+?)\]?:(\d{1,5})$/.exec(part.trim())
    const port = Number(found?.[2])
    if (found === null || port < 1 || port > 65_535) {
      throw new Error(`bootstrap ${JSON.stringify(part)} is no HOST:PORT`)
    }
    return { host: found[1]!, port }
  })
}

export interface ClusterOptions {
  readonly signal?: AbortSignal | undefined
  readonly security?: ClientSecurity | undefined
}

export class Cluster {
  readonly #first: KafkaConnection
  readonly #byAddress = new Map<string, KafkaConnection>()
  readonly #leaders = new Map<string, Leader>()
  #replicas = Number.POSITIVE_INFINITY
  #brokers: string

  readonly #signal: AbortSignal | undefined
  readonly #security: ClientSecurity

  private constructor(
    first: KafkaConnection,
    bootstrap: string,
    { signal, security = NO_SECURITY }: ClusterOptions,
  ) {
    this.#first = first
    this.#brokers = bootstrap
    this.#signal = signal
    this.#security = security
  }

  /** Throws when none of them answers. Whatever waits or goes on for long ends with the signal's reason; remove() does not. */
  static async open(bootstrap: string, options: ClusterOptions = {}): Promise<Cluster> {
    const { security = NO_SECURITY } = options
    let failure: unknown
    for (const address of parseBootstrap(bootstrap)) {
      try {
        const first = await KafkaConnection.open(address, { ...CONNECTION_OPTIONS, security })
        return new Cluster(first, bootstrap, options)
      } catch (error) {
        failure = error
      }
    }
    throw failure
  }

  close(): void {
    this.#first.close()
    for (const connection of this.#byAddress.values()) connection.close()
  }

  /** The newest version that both sides know, at most `versionMax`. Throws when there is none. */
  version(api: Api, versionMax: number): number {
    return this.#first.versionOf(api, versionMax)
  }

  leaderOf(at: TopicPartition): Leader {
    const leader = this.#leaders.get(keyOf(at))
    if (leader === undefined) throw new Error(`${at.topic}-${at.partition} has no leader`)
    return leader
  }

  /** `HOST:PORT` of all that were named last, with commas. */
  get brokers(): string {
    return this.#brokers
  }

  /** Of the partition that has the fewest, of all whose leaders were looked up. */
  get replicas(): number {
    return this.#replicas
  }

  /** Makes the topics of a set; returns once they were answered for. */
  async create(set: TopicSet, names: readonly string[]): Promise<void> {
    const configs = Object.entries(set.configs).map(([name, value]) => ({ name, value }))
    for (let from = 0; from < names.length; from += TOPICS_AT_A_TIME) {
      this.#signal?.throwIfAborted()
      const part = names.slice(from, from + TOPICS_AT_A_TIME)
      const answer = await this.#first.request(createTopics, {
        topics: part.map((name) => ({
          ...{ name, numPartitions: set.partitions, replicationFactor: set.replicationFactor },
          ...{ assignments: [], configs },
        })),
        timeoutMs: 60_000,
      })
      for (const { name, errorCode, errorMessage } of answer.topics) {
        throwOnError(errorCode, `CreateTopics ${name}`, errorMessage)
      }
    }
  }

  /** Topics that are not there are no error. */
  async remove(names: readonly string[]): Promise<void> {
    for (let from = 0; from < names.length; from += TOPICS_AT_A_TIME) {
      const part = names.slice(from, from + TOPICS_AT_A_TIME)
      const answer = await this.#first.request(deleteTopics, (version) => ({
        topics: version >= 6 ? part.map((name) => ({ name, topicId: ZERO_TOPIC_ID })) : [],
        topicNames: version >= 6 ? [] : part,
        timeoutMs: 60_000,
      }))
      for (const { name, errorCode } of answer.responses) {
        if (errorCode === ErrorCode.UNKNOWN_TOPIC_OR_PARTITION) continue
        throwOnError(errorCode, `DeleteTopics ${name}`)
      }
    }
  }

  /** Their leaders, of all partitions that there are. */
  async waitForLeaders(topics: readonly string[]): Promise<void> {
    await this.#retried(() => this.#lookUp(topics, 1))
  }

  /** Waits until all replicas of every partition keep up, and it has a leader that answers for it. Throws naming one that has none. */
  async waitUntilUsable(topics: readonly string[], partitions: number): Promise<void> {
    await this.#retried(() => this.#lookUp(topics, partitions, true))
    await this.offsets(
      topics.flatMap((topic) =>
        Array.from({ length: partitions }, (_, partition) => ({ topic, partition })),
      ),
      LATEST,
    )
  }

  /** By `topic/partition`, as {@link keyOf} has it. */
  async offsets(all: readonly TopicPartition[], timestamp: number): Promise<Map<string, number>> {
    const found = new Map<string, number>()
    // twice in one request is an error to Kafka
    const once = [...new Map(all.map((at) => [keyOf(at), at])).values()]
    for (const [key, list] of groups(once, (at) => address(this.leaderOf(at)))) {
      const connection = await this.#connection(key, this.leaderOf(list[0]!))
      await this.#retried(() => askOffsets(connection, list, timestamp, found))
    }
    return found
  }

  async producerId(): Promise<{ readonly id: bigint; readonly epoch: number }> {
    return await this.#retried(async () => {
      const answer = await this.#first.request(initProducerId, {
        transactionalId: null,
        transactionTimeoutMs: 60_000,
      })
      throwOnError(answer.errorCode, 'InitProducerId')
      return { id: BigInt(answer.producerId), epoch: answer.producerEpoch }
    })
  }

  #options() {
    return { ...CONNECTION_OPTIONS, security: this.#security }
  }

  async #connection(key: string, leader: Leader): Promise<KafkaConnection> {
    const connection =
      this.#byAddress.get(key) ?? (await KafkaConnection.open(leader, this.#options(), true))
    this.#byAddress.set(key, connection)
    return connection
  }

  async #lookUp(topics: readonly string[], partitions: number, inSync = false): Promise<void> {
    for (let from = 0; from < topics.length; from += TOPICS_AT_A_TIME) {
      this.#signal?.throwIfAborted()
      const answer = await this.#first.request(metadata, {
        topics: topics
          .slice(from, from + TOPICS_AT_A_TIME)
          .map((name) => ({ topicId: ZERO_TOPIC_ID, name })),
        allowAutoTopicCreation: false,
        includeClusterAuthorizedOperations: false,
        includeTopicAuthorizedOperations: false,
      })
      if (answer.brokers.length > 0) this.#brokers = answer.brokers.map(address).join(',')
      const nodes = new Map(answer.brokers.map((broker) => [broker.nodeId, broker]))
      for (const { name, errorCode, partitions: found } of answer.topics) {
        throwOnError(errorCode, `Metadata of ${name}`)
        if (found.length < partitions) {
          const what = `${name} has ${found.length} of ${partitions} partitions`
          throw new KafkaError(ErrorCode.LEADER_NOT_AVAILABLE, what)
        }
        for (const { partitionIndex: partition, leaderId, replicaNodes, isrNodes } of found) {
          const at = { topic: name!, partition }
          this.#note(at, nodes.get(leaderId), replicaNodes.length)
          if (!inSync || isrNodes.length >= replicaNodes.length) continue
          const what = `${keyOf(at)} has ${isrNodes.length} of ${replicaNodes.length} replicas in sync`
          throw new KafkaError(ErrorCode.REPLICA_NOT_AVAILABLE, what)
        }
      }
    }
  }

  #note(at: TopicPartition, leader: Leader | undefined, replicas: number): void {
    if (leader === undefined) {
      throw new KafkaError(ErrorCode.LEADER_NOT_AVAILABLE, `Metadata of ${keyOf(at)}`)
    }
    this.#leaders.set(keyOf(at), { host: leader.host, port: leader.port })
    this.#replicas = Math.min(this.#replicas, replicas)
  }

  /** Again and again where the answer is of the kind that passes. */
  async #retried<T>(ask: () => Promise<T>): Promise<T> {
    const until = performance.now() + USABLE_WITHIN_MS
    for (;;) {
      this.#signal?.throwIfAborted()
      try {
        return await ask()
      } catch (error) {
        const passes = error instanceof KafkaError && isRetriableCode(error.code)
        if (!passes || performance.now() > until) throw error
        await sleep(RETRY_AFTER_MS)
      }
    }
  }
}

const address = ({ host, port }: Leader): string =>
  host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`

function groups<T>(all: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const found = new Map<string, T[]>()
  for (const item of all) {
    const list = found.get(keyOf(item))
    if (list === undefined) found.set(keyOf(item), [item])
    else list.push(item)
  }
  return found
}

async function askOffsets(
  connection: KafkaConnection,
  list: readonly TopicPartition[],
  timestamp: number,
  into: Map<string, number>,
): Promise<void> {
  const answer = await connection.request(listOffsets, {
    replicaId: -1,
    isolationLevel: 0,
    topics: [...groups(list, ({ topic }) => topic)].map(([name, all]) => ({
      name,
      partitions: all.map(({ partition }) => ({ partitionIndex: partition, timestamp })),
    })),
    timeoutMs: 30_000,
  })
  for (const { name, partitions } of answer.topics) {
    for (const { partitionIndex: partition, errorCode, offset } of partitions) {
      throwOnError(errorCode, `ListOffsets of ${name}-${partition}`)
      into.set(keyOf({ topic: name, partition }), offset)
    }
  }
}
