/** Topics and configs, by the admin calls of the protocol. Outcomes of single topics are values: one may fail of many. */

import { ZERO_TOPIC_ID } from '../base/ids.ts'
import { createTopics } from '../protocol/19-create-topics.ts'
import { deleteTopics } from '../protocol/20-delete-topics.ts'
import { describeConfigs } from '../protocol/32-describe-configs.ts'
import { createPartitions } from '../protocol/37-create-partitions.ts'
import { incrementalAlterConfigs } from '../protocol/44-incremental-alter-configs.ts'
import type { Api, ResponseOf } from '../protocol/api.ts'
import type { KafkaClient } from './client.ts'
import type { RequestFor } from './connection.ts'
import { KafkaError } from './errors.ts'
import { retry } from './retry.ts'

const ADMIN_TIMEOUT_MS = 30_000

export interface Outcome {
  readonly name: string
  readonly error: KafkaError | null
}

export interface NewTopic {
  readonly name: string
  /** −1: what the broker has by default. */
  readonly partitions: number
  readonly replicationFactor: number
  readonly configs: readonly { readonly name: string; readonly value: string | null }[]
}

export interface CreatedTopic extends Outcome {
  /** As the broker has made it; −1 where the version does not tell. */
  readonly partitions: number
  readonly replicationFactor: number
}

export async function createNewTopics(
  client: KafkaClient,
  topics: readonly NewTopic[],
  validateOnly = false,
): Promise<CreatedTopic[]> {
  const answer = await askController(client, createTopics, {
    topics: topics.map(({ name, partitions, replicationFactor, configs }) => ({
      name,
      numPartitions: partitions,
      replicationFactor,
      assignments: [],
      configs,
    })),
    timeoutMs: ADMIN_TIMEOUT_MS,
    validateOnly,
  })
  return answer.topics.map((topic) => ({
    name: topic.name,
    error: errorOf(topic, `topic "${topic.name}"`),
    partitions: topic.numPartitions,
    replicationFactor: topic.replicationFactor,
  }))
}

export async function deleteTopicsByName(
  client: KafkaClient,
  names: readonly string[],
): Promise<Outcome[]> {
  const answer = await askController(client, deleteTopics, (version) => ({
    topics: version < 6 ? [] : names.map((name) => ({ name, topicId: ZERO_TOPIC_ID })),
    topicNames: version < 6 ? names : [],
    timeoutMs: ADMIN_TIMEOUT_MS,
  }))
  return answer.responses.map((response) => ({
    name: response.name ?? '',
    error: errorOf(response, `topic "${response.name}"`),
  }))
}

/** Raises the number of partitions of each topic to `count`. */
export async function addPartitions(
  client: KafkaClient,
  topics: readonly { readonly name: string; readonly count: number }[],
  validateOnly = false,
): Promise<Outcome[]> {
  const answer = await askController(client, createPartitions, {
    topics: topics.map(({ name, count }) => ({ name, count, assignments: null })),
    timeoutMs: ADMIN_TIMEOUT_MS,
    validateOnly,
  })
  return answer.results.map((result) => ({
    name: result.name,
    error: errorOf(result, `topic "${result.name}"`),
  }))
}

/** Kafka's ConfigResource.Type. */
export const ResourceType = { TOPIC: 2, BROKER: 4, GROUP: 32 } as const

const CONFIG_SOURCES: readonly string[] = [
  'unknown',
  'dynamic topic config',
  'dynamic broker config',
  'dynamic default broker config',
  'static broker config',
  'default',
  'dynamic broker logger config',
  'client metrics config',
  'group config',
]
const DEFAULT_SOURCE = 5

export interface ConfigEntry {
  readonly name: string
  readonly value: string | null
  readonly source: string
  readonly isDefault: boolean
  /** Set on the resource itself, not inherited from the broker. */
  readonly isOverride: boolean
  readonly isReadOnly: boolean
  readonly isSensitive: boolean
}

export interface ResourceConfigs extends Outcome {
  readonly configs: readonly ConfigEntry[]
}

/** Configs of resources of one type; `keys` null for all. */
export async function describeResourceConfigs(
  client: KafkaClient,
  type: (typeof ResourceType)[keyof typeof ResourceType],
  names: readonly string[],
  keys: readonly string[] | null = null,
): Promise<ResourceConfigs[]> {
  const request = {
    resources: names.map((resourceName) => ({
      resourceType: type,
      resourceName,
      configurationKeys: keys,
    })),
    includeSynonyms: false,
    includeDocumentation: false,
  }
  const answer = await retry(() => client.requestAny(describeConfigs, request), {
    timeoutMs: client.retryTimeoutMs,
  })
  return answer.results.map((result) => ({
    name: result.resourceName,
    error: errorOf(result, `configs of "${result.resourceName}"`),
    configs: result.configs.map((config) => ({
      name: config.name,
      value: config.value,
      source: CONFIG_SOURCES[config.configSource] ?? `source ${config.configSource}`,
      isDefault: config.configSource === DEFAULT_SOURCE,
      isOverride: [1, 2, 8].includes(config.configSource),
      isReadOnly: config.readOnly,
      isSensitive: config.isSensitive,
    })),
  }))
}

export interface ConfigChange {
  readonly name: string
  readonly operation: 'set' | 'delete' | 'append' | 'subtract'
  readonly value: string | null
}

const OPERATIONS = { set: 0, delete: 1, append: 2, subtract: 3 } as const

/** IncrementalAlterConfigs: only what is named changes. */
export async function alterConfigs(
  client: KafkaClient,
  type: (typeof ResourceType)[keyof typeof ResourceType],
  names: readonly string[],
  changes: readonly ConfigChange[],
  validateOnly = false,
): Promise<Outcome[]> {
  const configs = changes.map(({ name, operation, value }) => ({
    name,
    configOperation: OPERATIONS[operation],
    value,
  }))
  const answer = await askController(client, incrementalAlterConfigs, {
    resources: names.map((resourceName) => ({ resourceType: type, resourceName, configs })),
    validateOnly,
  })
  return answer.responses.map((response) => ({
    name: response.resourceName,
    error: errorOf(response, `configs of "${response.resourceName}"`),
  }))
}

/** Any broker passes admin requests on to the controller; only a lost connection is worth another try. */
function askController<A extends Api>(
  client: KafkaClient,
  api: A,
  request: RequestFor<A>,
): Promise<ResponseOf<A>> {
  return client.requestAny(api, request, { waitMs: ADMIN_TIMEOUT_MS })
}

function errorOf(
  { errorCode, errorMessage }: { errorCode: number; errorMessage: string | null },
  what: string,
): KafkaError | null {
  return errorCode === 0 ? null : new KafkaError(errorCode, what, errorMessage)
}
