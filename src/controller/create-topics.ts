/**
 * CreateTopics: the checks and refusals of Kafka's ReplicationControlManager, in its order: name, existence, configs,
 * assignment or counts. Looks at the state and returns entries; changes nothing.
 */
import { ErrorCode } from '../base/error-code.ts'
import type { BrokerId, CellId, PartitionNumber, TenantId, TopicId } from '../base/ids.ts'
import type { Random } from '../base/random.ts'
import type { MetadataEntry, PartitionPlacement } from '../image/entry.ts'
import type { ControllerRequest, NewTopic, TopicResult } from '../image/request.ts'
import { type Refusal, refuse, refusedTopic } from '../image/results.ts'
import { type ConfigValues, validateTopicConfigs } from '../image/topic-config.ts'
import {
  collisionName,
  hasCollisionChars,
  isInternalTopic,
  refuseTopicName,
} from '../image/topic-name.ts'
import { charsOf, refuseSize, refuseTotal } from './config-sizes.ts'
import { newTopicId } from './new-ids.ts'
import { type CellLoads, placed, placePartitions, replicasMade } from './placement.ts'
import type { ControllerState } from './state.ts'
import { TenantLimits } from './tenant-use.ts'
import type { TopicState } from './topic-state.ts'

/** Kafka's limit on partitions in one request. */
export const PARTITIONS_PER_REQUEST_MAX = 10_000
const REPLICATION_FACTOR_MAX = 32_767

export interface CreateTopicsSettings {
  readonly brokersPerCell: number
  readonly defaultPartitions: number
  readonly defaultReplicationFactor: number
  /** Else every partition gets one replica. */
  readonly isReplicated: boolean
  readonly brokerConfigs: ConfigValues
  /** Partitions of all tenants together. */
  readonly partitionsMax: number
}

/** What lives in an internal topic is the last value of each key: whoever makes it, it must not be deleted by age. */
const INTERNAL_CONFIGS = { 'cleanup.policy': 'compact' }

type CreateTopics = Extract<ControllerRequest, { kind: 'create-topics' }>
type TopicCreated = Extract<MetadataEntry, { kind: 'topic-created' }>

export interface CreateTopicsPlan {
  readonly entries: readonly TopicCreated[]
  readonly results: readonly TopicResult[]
}

export function planCreateTopics(
  state: ControllerState,
  settings: CreateTopicsSettings,
  random: Random,
  tenantId: TenantId,
  request: CreateTopics,
): CreateTopicsPlan {
  const asked = partitionsAsked(request, settings)
  if (asked > PARTITIONS_PER_REQUEST_MAX) {
    const refusal = refuse(
      ErrorCode.POLICY_VIOLATION,
      `Excessively large number of partitions per request: ${asked}, the limit is ${PARTITIONS_PER_REQUEST_MAX}.`,
    )
    return { entries: [], results: request.topics.map((one) => refusedTopic(one.name, refusal)) }
  }
  const planner = new Planner(state, settings, random, tenantId, request)
  return { results: request.topics.map((topic) => planner.plan(topic)), entries: planner.entries }
}

function partitionsAsked(request: CreateTopics, settings: CreateTopicsSettings): number {
  let sum = 0
  for (const topic of request.topics) {
    if (topic.assignments.length > 0) sum += topic.assignments.length
    else if (topic.partitions === -1) sum += settings.defaultPartitions
    else if (topic.partitions > 0) sum += topic.partitions
  }
  return sum
}

/** One request being planned: later topics see what earlier ones will take. */
class Planner {
  readonly entries: TopicCreated[] = []
  readonly #state: ControllerState
  readonly #settings: CreateTopicsSettings
  readonly #random: Random
  readonly #tenantId: TenantId
  readonly #cellId: CellId
  readonly #repeated: ReadonlySet<string>
  readonly #collisionNames = new Map<string, string>()
  readonly #loads: CellLoads
  #nextPartition: number
  #partitionCount: number
  #configChars: number
  readonly #limits: TenantLimits

  constructor(
    state: ControllerState,
    settings: CreateTopicsSettings,
    random: Random,
    tenantId: TenantId,
    request: CreateTopics,
  ) {
    this.#state = state
    this.#settings = settings
    this.#random = random
    this.#tenantId = tenantId
    this.#cellId = state.tenants.byId.get(tenantId)!.cellId
    this.#loads = state.loadsOf(this.#cellId, settings.brokersPerCell)
    this.#repeated = repeated(request.topics.map((topic) => topic.name))
    this.#nextPartition = state.nextPartition.value
    this.#partitionCount = state.partitionCount.value
    this.#configChars = state.configChars(tenantId)
    this.#limits = new TenantLimits(state, tenantId)
  }

  plan(topic: NewTopic): TopicResult {
    const { name, topicId } = topic
    const there = this.#state.topicByName(this.#tenantId, name)
    // by this very request, whose answer was lost with the controller that was asked
    if (there !== undefined && there.topicId === topicId) return madeTopic(there)
    const refusal = this.#refuseName(name) ?? this.#refuseConfigs(topic.configs)
    if (refusal !== null) return refusedTopic(name, refusal)
    const placements = this.#place(topic)
    if ('error' in placements) return refusedTopic(name, placements)
    const given = Object.fromEntries(topic.configs.map((one) => [one.name, one.value ?? '']))
    const configs = isInternalTopic(name) ? { ...INTERNAL_CONFIGS, ...given } : given
    const chars = charsOf(configs)
    // the engine's own are made for whoever needs them, whatever else there is
    const total = isInternalTopic(name) ? null : refuseTotal(this.#configChars, chars)
    const tooLarge = refuseSize(`topic '${name}'`, configs) ?? total
    if (tooLarge !== null) return refusedTopic(name, tooLarge)
    this.#configChars += chars
    return this.#take(topic, placements, configs)
  }

  #refuseName(name: string): Refusal | null {
    if (this.#repeated.has(name)) {
      return refuse(ErrorCode.INVALID_REQUEST, `Duplicate topic name: ${name}`)
    }
    const reason = refuseTopicName(name)
    if (reason !== null) return refuse(ErrorCode.INVALID_TOPIC_EXCEPTION, reason)
    if (name === '__cluster_metadata') {
      return refuse(ErrorCode.INVALID_REQUEST, `Creation of internal topic ${name} is prohibited.`)
    }
    if (this.#state.topicByName(this.#tenantId, name) !== undefined) {
      return refuse(ErrorCode.TOPIC_ALREADY_EXISTS, `Topic '${name}' already exists.`)
    }
    if (!hasCollisionChars(name)) return null
    const other =
      this.#state.collisionsOf(this.#tenantId, name)[0] ??
      this.#collisionNames.get(collisionName(name))
    if (other === undefined) return null
    return refuse(
      ErrorCode.INVALID_TOPIC_EXCEPTION,
      `Topic '${name}' collides with existing topic: ${other}`,
    )
  }

  #refuseConfigs(configs: NewTopic['configs']): Refusal | null {
    const reason = validateTopicConfigs(
      Object.fromEntries(configs.map((one) => [one.name, one.value])),
      this.#settings.brokerConfigs,
    )
    return reason === null ? null : refuse(ErrorCode.INVALID_CONFIG, reason)
  }

  #place(topic: NewTopic): readonly PartitionPlacement[] | Refusal {
    if (topic.assignments.length > 0) {
      return placeAsAssigned(topic, this.#settings)
    }
    const { replicationFactor } = topic
    if (replicationFactor < -1 || replicationFactor === 0) {
      return refuse(
        ErrorCode.INVALID_REPLICATION_FACTOR,
        'Replication factor must be larger than 0, or -1 to use the default value.',
      )
    }
    if (replicationFactor > REPLICATION_FACTOR_MAX) {
      return refuse(
        ErrorCode.INVALID_REPLICATION_FACTOR,
        `Replication factor ${replicationFactor} is above ${REPLICATION_FACTOR_MAX}.`,
      )
    }
    if (topic.partitions < -1 || topic.partitions === 0) {
      return refuse(
        ErrorCode.INVALID_PARTITIONS,
        'Number of partitions was set to an invalid non-positive value.',
      )
    }
    const count = topic.partitions === -1 ? this.#settings.defaultPartitions : topic.partitions
    const { brokersPerCell, defaultReplicationFactor, isReplicated } = this.#settings
    const asked = replicationFactor === -1 ? defaultReplicationFactor : replicationFactor
    const replicas = replicasMade(asked, isReplicated)
    if (replicas > brokersPerCell) return refuseReplicas(replicas, brokersPerCell)
    return placePartitions({
      count,
      replicas,
      start: this.#nextPartition - 1,
      loads: this.#loads,
      racks: this.#state.racksOf(this.#cellId, brokersPerCell),
    })
  }

  #take(
    { name, topicId: given }: NewTopic,
    placements: readonly PartitionPlacement[],
    configs: Record<string, string>,
  ): TopicResult {
    const asked = placements.length
    const refusal =
      this.#limits.refuse(name, 1, asked) ??
      refuseAllPartitions(this.#settings.partitionsMax, this.#partitionCount, asked)
    if (refusal !== null) return refusedTopic(name, refusal)
    this.#limits.take(name, 1, asked)
    const isTaken = (id: TopicId) => this.#state.topicIds.has(id)
    const isFree = given !== undefined && !isTaken(given as TopicId)
    const topicId = isFree ? (given as TopicId) : newTopicId(this.#random, isTaken)
    this.entries.push({
      kind: 'topic-created',
      tenantId: this.#tenantId,
      topicId,
      name,
      internal: isInternalTopic(name),
      cellId: this.#cellId,
      firstPartition: this.#nextPartition as PartitionNumber,
      placements,
      configs,
    })
    this.#nextPartition += placements.length
    this.#partitionCount += placements.length
    for (const { replicas } of placements) this.#loads.add(replicas)
    if (hasCollisionChars(name)) this.#collisionNames.set(collisionName(name), name)
    return {
      name,
      topicId,
      error: ErrorCode.NONE,
      message: null,
      partitions: placements.length,
      replicationFactor: placements[0]?.replicas.length ?? 0,
      configs,
    }
  }
}

/** The bound of all tenants together: how much of it others have is told to nobody. */
export const refuseAllPartitions = (max: number, used: number, asked: number): Refusal | null =>
  used + asked <= max
    ? null
    : refuse(
        ErrorCode.POLICY_VIOLATION,
        `Cannot create ${asked} partitions: the brokers have no room for as many.`,
      )

/** Of a topic that is there, as its creation was answered. */
export const madeTopic = (topic: TopicState): TopicResult => ({
  ...{ name: topic.name, topicId: topic.topicId, error: ErrorCode.NONE, message: null },
  partitions: topic.partitionCount,
  replicationFactor: topic.replicas[0]?.length ?? 0,
  configs: topic.configs,
})

/** Kafka's words, which its tools print. */
const refuseReplicas = (replicas: number, brokers: number): Refusal =>
  refuse(
    ErrorCode.INVALID_REPLICATION_FACTOR,
    `Unable to replicate the partition ${replicas} time(s): The target replication factor of ${replicas} cannot be reached because only ${brokers} broker(s) are registered.`,
  )

/** The placements of a manual assignment; without replication, only the first of each partition's nodes is kept. */
function placeAsAssigned(
  topic: NewTopic,
  { brokersPerCell, isReplicated }: CreateTopicsSettings,
): readonly PartitionPlacement[] | Refusal {
  if (topic.replicationFactor !== -1) {
    return refuse(
      ErrorCode.INVALID_REQUEST,
      'A manual partition assignment was specified, but replication factor was not set to -1.',
    )
  }
  if (topic.partitions !== -1) {
    return refuse(
      ErrorCode.INVALID_REQUEST,
      'A manual partition assignment was specified, but numPartitions was not set to -1.',
    )
  }
  const byPartition = new Map<number, readonly number[]>()
  let replicas = -1
  for (const { partition, nodes } of topic.assignments) {
    const reason = byPartition.has(partition)
      ? `Found multiple manual partition assignments for partition ${partition}`
      : refuseNodes(nodes, brokersPerCell, replicas)
    if (reason !== null) return refuse(ErrorCode.INVALID_REPLICA_ASSIGNMENT, reason)
    replicas = nodes.length
    byPartition.set(partition, nodes)
  }
  const placements: PartitionPlacement[] = []
  for (let partition = 0; partition < byPartition.size; partition++) {
    const nodes = byPartition.get(partition)
    if (nodes === undefined) {
      return refuse(
        ErrorCode.INVALID_REPLICA_ASSIGNMENT,
        'partitions should be a consecutive 0-based integer sequence',
      )
    }
    const made = replicasMade(nodes.length, isReplicated)
    placements.push(placed(nodes.slice(0, made) as BrokerId[]))
  }
  return placements
}

/** Why a partition cannot be put on `nodes`, or null; `replicas`: how many the topic's others have, −1 for none yet. */
export function refuseNodes(
  nodes: readonly number[],
  brokers: number,
  replicas: number,
): string | null {
  if (nodes.length === 0) {
    return 'The manual partition assignment includes an empty replica list.'
  }
  for (const node of nodes) {
    if (!Number.isInteger(node) || node < 1 || node > brokers) {
      return `The manual partition assignment includes broker ${node}, but no such broker is registered.`
    }
  }
  const twice = repeated(nodes)
  for (const node of twice) {
    return `The manual partition assignment includes the broker ${node} more than once.`
  }
  if (replicas !== -1 && nodes.length !== replicas) {
    return `The manual partition assignment includes a partition with ${nodes.length} replica(s), but this is not consistent with previous partitions, which have ${replicas} replica(s).`
  }
  return null
}

function repeated<T>(values: readonly T[]): Set<T> {
  const seen = new Set<T>()
  return new Set(values.filter((value) => seen.size === seen.add(value).size))
}
