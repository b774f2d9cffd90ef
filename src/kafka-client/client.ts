/**
 * A cluster as a client sees it: bootstrap addresses, the brokers and topics that they tell of, a connection to each broker
 * that is needed, and the way to a partition's leader, a group's coordinator or the controller.
 */
import { ZERO_TOPIC_ID } from '../base/ids.ts'
import { metadata } from '../protocol/03-metadata.ts'
import { findCoordinator } from '../protocol/10-find-coordinator.ts'
import type { Api, ResponseOf } from '../protocol/api.ts'
import {
  type ClientSecurity,
  KafkaConnection,
  NO_SECURITY,
  type RequestFor,
  type RequestOptions,
} from './connection.ts'
import { ConnectionError, KafkaError, throwOnError } from './errors.ts'
import { type BrokerInfo, type ClusterMetadata, type TopicMetadata, topicsOf } from './metadata.ts'
import { retry } from './retry.ts'
import type { HostPort } from './sockets.ts'

export interface ClientOptions {
  /** Where to ask first; tried in order. */
  readonly bootstrap: readonly HostPort[]
  readonly clientId?: string
  readonly connectTimeoutMs?: number
  readonly requestTimeoutMs?: number
  /** How long errors that pass are ridden out. */
  readonly retryTimeoutMs?: number
  readonly responseBytesMax?: number
  /** Left out: plain TCP, without a login. */
  readonly security?: ClientSecurity
}

const GROUP_KEY = 0
const BOOTSTRAP = -1

export class KafkaClient {
  readonly retryTimeoutMs: number
  readonly requestTimeoutMs: number
  readonly #bootstrap: readonly HostPort[]
  readonly #connectionOptions
  /** By node id; {@link BOOTSTRAP} is the one that a bootstrap address gave. Promises, so that two callers share one. */
  readonly #connections = new Map<number, Promise<KafkaConnection>>()
  readonly #brokers = new Map<number, BrokerInfo>()
  readonly #topics = new Map<string, TopicMetadata>()
  readonly #coordinators = new Map<string, number>()
  #isClosed = false

  constructor(options: ClientOptions) {
    if (options.bootstrap.length === 0) throw new RangeError('no bootstrap address')
    this.#bootstrap = options.bootstrap
    this.retryTimeoutMs = options.retryTimeoutMs ?? 30_000
    this.requestTimeoutMs = options.requestTimeoutMs ?? 30_000
    this.#connectionOptions = {
      clientId: options.clientId ?? 'griot-cli',
      connectTimeoutMs: options.connectTimeoutMs ?? 10_000,
      requestTimeoutMs: this.requestTimeoutMs,
      responseBytesMax: options.responseBytesMax ?? 512 * 2 ** 20,
      security: options.security ?? NO_SECURITY,
    }
  }

  /** Brokers as the last metadata told. */
  get brokers(): ReadonlyMap<number, BrokerInfo> {
    return this.#brokers
  }

  /** What is known of `topic` without asking. */
  knownTopic(topic: string): TopicMetadata | undefined {
    return this.#topics.get(topic)
  }

  /**
   * Asks for the metadata of `topics`, null for all. Errors of single topics are left in their `errorCode`: whether one
   * matters is the caller's to say.
   */
  async metadata(
    topics: readonly string[] | null,
    allowAutoTopicCreation = false,
  ): Promise<ClusterMetadata> {
    const answer = await this.requestAny(metadata, {
      topics: topics?.map((name) => ({ name, topicId: ZERO_TOPIC_ID })) ?? null,
      allowAutoTopicCreation,
      includeClusterAuthorizedOperations: false,
      includeTopicAuthorizedOperations: false,
    })
    throwOnError(answer.errorCode, 'Metadata')
    this.#brokers.clear()
    for (const { nodeId, host, port, rack } of answer.brokers) {
      this.#brokers.set(nodeId, { nodeId, host, port, rack })
    }
    const found = topicsOf(answer)
    if (topics === null) this.#topics.clear()
    for (const topic of found) this.#topics.set(topic.name, topic)
    return {
      clusterId: answer.clusterId,
      controllerId: answer.controllerId,
      brokers: [...this.#brokers.values()],
      topics: found,
    }
  }

  /** Metadata of one topic that is there. Throws {@link KafkaError} where it is not, once errors that pass had their time. */
  async topic(name: string, options: { create?: boolean; fresh?: boolean } = {}) {
    const known = this.#topics.get(name)
    if (known?.errorCode === 0 && options.fresh !== true) return known
    return await retry(
      async () => {
        const { topics } = await this.metadata([name], options.create)
        const topic = topics.find((t) => t.name === name)
        throwOnError(topic?.errorCode ?? 3, `topic "${name}"`)
        return topic!
      },
      {
        timeoutMs: this.retryTimeoutMs,
        // a topic that nobody makes does not come by waiting
        isRetriable: (error) =>
          error instanceof KafkaError &&
          (error.codeName === 'LEADER_NOT_AVAILABLE' ||
            (options.create === true && error.codeName === 'UNKNOWN_TOPIC_OR_PARTITION')),
      },
    )
  }

  /** Asks a broker, whichever is connected or can be. */
  async requestAny<A extends Api>(
    api: A,
    request: RequestFor<A>,
    options?: RequestOptions,
  ): Promise<ResponseOf<A>> {
    const connection = await this.anyConnection()
    return await connection.request(api, request, options)
  }

  /** Asks one broker by its id. */
  async requestNode<A extends Api>(
    nodeId: number,
    api: A,
    request: RequestFor<A>,
    options?: RequestOptions,
  ): Promise<ResponseOf<A>> {
    return await (await this.connectionTo(nodeId)).request(api, request, options)
  }

  /** The node that leads the partition now. Throws {@link KafkaError} LEADER_NOT_AVAILABLE and the like. */
  async leaderOf(topic: string, partition: number): Promise<number> {
    const known = await this.topic(topic)
    const found = known.partitions.find((p) => p.partition === partition)
    if (found === undefined) throw new KafkaError(3, `partition ${partition} of topic "${topic}"`)
    if (found.leader < 0) throw new KafkaError(5, `partition ${partition} of topic "${topic}"`)
    return found.leader
  }

  /** Asks the coordinator of `groupId`, and looks it up again where it has moved. */
  async requestCoordinator<A extends Api>(
    groupId: string,
    api: A,
    request: RequestFor<A>,
    errorOf: (response: ResponseOf<A>) => number,
    options?: RequestOptions,
  ): Promise<ResponseOf<A>> {
    return await retry(
      async () => {
        const nodeId = await this.coordinatorOf(groupId)
        const response = await this.requestNode(nodeId, api, request, options)
        const code = errorOf(response)
        if (COORDINATOR_MOVED.has(code)) throw new KafkaError(code, `${api.name} of "${groupId}"`)
        return response
      },
      {
        timeoutMs: this.retryTimeoutMs,
        before: async () => this.forgetCoordinator(groupId),
      },
    )
  }

  async coordinatorOf(groupId: string): Promise<number> {
    const known = this.#coordinators.get(groupId)
    if (known !== undefined) return known
    const answer = await this.requestAny(findCoordinator, (version) => ({
      key: version < 4 ? groupId : '',
      keyType: GROUP_KEY,
      coordinatorKeys: version < 4 ? [] : [groupId],
    }))
    const found = answer.coordinators[0] ?? answer
    throwOnError(found.errorCode, `coordinator of group "${groupId}"`, found.errorMessage)
    const { nodeId, host, port } = found
    if (!this.#brokers.has(nodeId)) this.#brokers.set(nodeId, { nodeId, host, port, rack: null })
    this.#coordinators.set(groupId, nodeId)
    return nodeId
  }

  forgetCoordinator(groupId: string): void {
    this.#coordinators.delete(groupId)
  }

  /** A connection to any broker: an open one, else by the bootstrap addresses in order, else any broker known of. */
  async anyConnection(): Promise<KafkaConnection> {
    for (const opening of this.#connections.values()) {
      const connection = await opening.catch(() => null)
      if (connection?.isOpen) return connection
    }
    const failures: unknown[] = []
    const known = [...this.#brokers.values()]
    for (const [i, address] of [...this.#bootstrap, ...known].entries()) {
      try {
        return await this.#open(BOOTSTRAP, address, i >= this.#bootstrap.length)
      } catch (error) {
        if (!(error instanceof ConnectionError)) throw error
        failures.push(error)
      }
    }
    throw failures[0]
  }

  /** The connection to broker `nodeId`, opened where there is none. */
  async connectionTo(nodeId: number): Promise<KafkaConnection> {
    const opening = await this.#connections.get(nodeId)?.catch(() => null)
    if (opening?.isOpen) return opening
    const broker = this.#brokers.get(nodeId)
    if (broker === undefined) throw new KafkaError(8, `broker ${nodeId}`)
    return await this.#open(nodeId, broker, true)
  }

  close(): void {
    this.#isClosed = true
    for (const opening of this.#connections.values()) {
      void opening.then(
        (connection) => connection.close(),
        () => {},
      )
    }
    this.#connections.clear()
  }

  async #open(nodeId: number, address: HostPort, isAdvertised: boolean): Promise<KafkaConnection> {
    const running = this.#connections.get(nodeId)
    if (running !== undefined) {
      const connection = await running.catch(() => null)
      if (connection?.isOpen) return connection
      // somebody else may have begun another meanwhile
      const now = this.#connections.get(nodeId)
      if (now !== undefined && now !== running) return await now
    }
    if (this.#isClosed) throw new ConnectionError('', 'CLOSED', 'the client is closed')
    const opening = KafkaConnection.open(address, this.#connectionOptions, isAdvertised)
    this.#connections.set(nodeId, opening)
    try {
      const connection = await opening
      if (this.#isClosed) connection.close()
      return connection
    } catch (error) {
      if (this.#connections.get(nodeId) === opening) this.#connections.delete(nodeId)
      throw error
    }
  }
}

/** A coordinator that loads, has moved or is not there yet. */
const COORDINATOR_MOVED: ReadonlySet<number> = new Set([14, 15, 16])
