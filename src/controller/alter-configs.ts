/**
 * AlterConfigs and IncrementalAlterConfigs: the checks and refusals of Kafka's ConfigAdminManager and ConfigurationControlManager, in
 * their order. Looks at the state and returns entries; changes nothing.
 */
import { ErrorCode } from '../base/error-code.ts'
import type { BrokerId, TenantId } from '../base/ids.ts'
import { brokerConfigDefinition, validateDynamicBrokerConfigs } from '../image/broker-config.ts'
import type { ConfigDefinition } from '../image/config-def.ts'
import { valuesInForce } from '../image/config-layers.ts'
import type { MetadataEntry } from '../image/entry.ts'
import { groupConfigDefinition, validateGroupConfigs } from '../image/group-config.ts'
import type { ConfigResource, ControllerRequest, Outcome } from '../image/request.ts'
import { accepted, type Refusal, refuse, refusedOne } from '../image/results.ts'
import {
  type ConfigValues,
  topicConfigDefinition,
  validateTopicConfigs,
} from '../image/topic-config.ts'
import { refuseTopicName } from '../image/topic-name.ts'
import {
  type Changed,
  ConfigOperation,
  changedBrokerConfigs,
  changedConfigs,
} from './config-changes.ts'
import { charsOf, groupChars, refuseSize, refuseTotal } from './config-sizes.ts'
import type { ControllerState } from './state.ts'

/** Kafka's ConfigResource.Type. */
export const ResourceType = {
  TOPIC: 2,
  BROKER: 4,
  BROKER_LOGGER: 8,
  CLIENT_METRICS: 16,
  GROUP: 32,
} as const

/** Groups of one tenant that may have configs of their own. */
export const GROUPS_WITH_CONFIGS_MAX = 10_000

/** Coordinators take none that is longer; nor do maps get on well with long keys, whose hashes are their lengths. */
const GROUP_ID_LENGTH_MAX = 1_024

type AlterConfigs = Extract<ControllerRequest, { kind: 'alter-configs' }>

export interface AlterConfigsPlan {
  readonly entries: readonly MetadataEntry[]
  readonly results: readonly Outcome[]
}

export function planAlterConfigs(
  state: ControllerState,
  brokerConfigs: ConfigValues,
  tenantId: TenantId,
  request: AlterConfigs,
): AlterConfigsPlan {
  const planner = new Planner(state, brokerConfigs, tenantId, request)
  const times = new Map<string, number>()
  const keyOf = ({ type, name }: ConfigResource) => `${type}/${name}`
  for (const one of request.resources) times.set(keyOf(one), (times.get(keyOf(one)) ?? 0) + 1)
  const results = request.resources.map((resource) => {
    const refusal =
      times.get(keyOf(resource))! > 1
        ? refuse(ErrorCode.INVALID_REQUEST, 'Each resource must appear at most once.')
        : planner.plan(resource)
    return refusal === null ? accepted(resource.name) : refusedOne(resource.name, refusal)
  })
  return { entries: planner.entries, results }
}

/** One request being planned; resources do not depend on each other, but for how much there is of them. */
class Planner {
  readonly entries: MetadataEntry[] = []
  readonly #state: ControllerState
  readonly #fixed: ConfigValues
  readonly #tenantId: TenantId
  readonly #request: AlterConfigs
  #groups: number
  /** Characters of all configs of the tenant, as far as they are planned. */
  #chars: number
  /** What topics take their defaults from; made when the first one asks. */
  #topicDefaults: ConfigValues | null = null

  constructor(
    state: ControllerState,
    brokerConfigs: ConfigValues,
    tenantId: TenantId,
    request: AlterConfigs,
  ) {
    this.#state = state
    this.#fixed = brokerConfigs
    this.#tenantId = tenantId
    this.#request = request
    this.#groups = state.groupsWithConfigs(tenantId)
    this.#chars = state.configChars(tenantId)
  }

  plan(resource: ConfigResource): Refusal | null {
    const refusal = refuseChanges(resource)
    if (refusal !== null) return refusal
    switch (resource.type) {
      case ResourceType.TOPIC:
        return this.#planTopic(resource)
      case ResourceType.BROKER:
        return this.#planBroker(resource)
      case ResourceType.GROUP:
        return this.#planGroup(resource)
      case ResourceType.BROKER_LOGGER:
        if (this.#request.incremental) return this.#refuseLogger(resource)
    }
    return refuse(ErrorCode.INVALID_REQUEST, `Unknown resource type ${resource.type}`)
  }

  #planTopic({ name, changes }: ConfigResource): Refusal | null {
    const tenantId = this.#tenantId
    const topic = this.#state.topicByName(tenantId, name)
    const before = topic?.configs ?? {}
    const changed = this.#changed(before, changes, topicConfigDefinition)
    if ('error' in changed) return changed
    if (name === '') {
      return refuse(ErrorCode.INVALID_REQUEST, 'Default topic resources are not allowed.')
    }
    const badName = refuseTopicName(name)
    if (badName !== null) return refuse(ErrorCode.INVALID_TOPIC_EXCEPTION, badName)
    const { configs } = changed
    this.#topicDefaults ??= this.#brokerConfigs(0)
    const reason = validateTopicConfigs(configs, this.#topicDefaults)
    if (reason !== null) return refuse(ErrorCode.INVALID_CONFIG, reason)
    if (topic === undefined) {
      const message = `The topic '${name}' does not exist.`
      return refuse(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, message)
    }
    const more = charsOf(configs) - charsOf(before)
    const tooLarge = refuseSize(`topic '${name}'`, configs) ?? this.#take(more)
    if (tooLarge !== null) return tooLarge
    const { topicId } = topic
    if (!same(before, configs)) {
      this.entries.push({ kind: 'topic-configs', tenantId, topicId, configs })
    }
    return null
  }

  #planBroker({ name, changes }: ConfigResource): Refusal | null {
    const tenantId = this.#tenantId
    const { nodeId, incremental } = this.#request
    const refusal = name === '' ? null : refuseNode(name, nodeId)
    if (refusal !== null) return refusal
    const brokerId = (name === '' ? 0 : nodeId) as BrokerId | 0
    const before = this.#state.brokerConfigs(tenantId, brokerId)
    const changed = incremental
      ? changedBrokerConfigs(before, changes, brokerConfigDefinition)
      : replaced(changes)
    if ('error' in changed) return changed
    const { configs } = changed
    const reason = validateDynamicBrokerConfigs(
      configs,
      this.#brokerConfigs(nodeId as BrokerId),
      this.#brokerConfigs(nodeId as BrokerId, brokerId, configs),
    )
    if (reason !== null) return refuse(ErrorCode.INVALID_REQUEST, reason)
    const more = charsOf(configs) - charsOf(before)
    const tooLarge = refuseSize(`broker '${name}'`, configs) ?? this.#take(more)
    if (tooLarge !== null) return tooLarge
    if (!same(before, configs)) {
      this.entries.push({ kind: 'broker-configs', tenantId, brokerId, configs })
    }
    return null
  }

  #planGroup({ name, changes }: ConfigResource): Refusal | null {
    if (name.length > GROUP_ID_LENGTH_MAX) {
      const message = `A group id of ${name.length} characters cannot have configs, the limit is ${GROUP_ID_LENGTH_MAX}.`
      return refuse(ErrorCode.POLICY_VIOLATION, message)
    }
    const tenantId = this.#tenantId
    const before = this.#state.groupConfigs(tenantId, name)
    const changed = this.#changed(before, changes, groupConfigDefinition)
    if ('error' in changed) return changed
    if (name === '') {
      return refuse(ErrorCode.INVALID_REQUEST, 'Default group resources are not allowed.')
    }
    const { configs } = changed
    const reason = validateGroupConfigs(configs)
    if (reason !== null) return refuse(ErrorCode.INVALID_CONFIG, reason)
    const tooLarge = refuseSize(`a group`, { ...configs, [name]: '' })
    if (tooLarge !== null) return tooLarge
    const more = Math.sign(Object.keys(configs).length) - Math.sign(Object.keys(before).length)
    if (more > 0 && this.#groups >= GROUPS_WITH_CONFIGS_MAX) {
      return refuse(
        ErrorCode.POLICY_VIOLATION,
        `Configs of another group cannot be kept: ${this.#groups} groups have some, the limit is ${GROUPS_WITH_CONFIGS_MAX}.`,
      )
    }
    const noRoom = this.#take(groupChars(name, configs) - groupChars(name, before))
    if (noRoom !== null) return noRoom
    this.#groups += more
    if (!same(before, configs)) {
      this.entries.push({ kind: 'group-configs', tenantId, groupId: name, configs })
    }
    return null
  }

  /** `more` characters than before, if there is room. */
  #take(more: number): Refusal | null {
    const refusal = refuseTotal(this.#chars, more)
    if (refusal === null) this.#chars += more
    return refusal
  }

  /** There are no loggers that could be set one by one. */
  #refuseLogger({ name, changes }: ConfigResource): Refusal | null {
    const { nodeId } = this.#request
    const id = javaInteger(name)
    if (id === null) return notAnInteger(name)
    if (id !== nodeId) {
      const message = `Unexpected node id. Expected ${nodeId}, but received ${id}`
      return refuse(ErrorCode.INVALID_REQUEST, message)
    }
    const first = changes[0]
    if (first === undefined) return null
    if (first.operation === ConfigOperation.SET || first.operation === ConfigOperation.DELETE) {
      return refuse(ErrorCode.INVALID_CONFIG, `Logger ${first.name} does not exist!`)
    }
    const word = first.operation === ConfigOperation.APPEND ? 'APPEND' : 'SUBTRACT'
    const message = `${word} operation is not allowed for the BROKER_LOGGER resource`
    return refuse(ErrorCode.INVALID_REQUEST, message)
  }

  #changed(
    before: ConfigValues,
    changes: ConfigResource['changes'],
    definitionOf: (name: string) => ConfigDefinition | undefined,
  ): Changed | Refusal {
    return this.#request.incremental
      ? changedConfigs(before, changes, definitionOf)
      : replaced(changes)
  }

  /** What is in force on a broker, with `configs` in the place of what was set for `changedBroker`. */
  #brokerConfigs(
    brokerId: BrokerId | 0,
    changedBroker: BrokerId | 0 | null = null,
    configs: ConfigValues = {},
  ): ConfigValues {
    const of = (id: BrokerId | 0) =>
      id === changedBroker ? configs : this.#state.brokerConfigs(this.#tenantId, id)
    const broker = brokerId === 0 ? {} : of(brokerId)
    return valuesInForce({ broker, defaults: of(0), fixed: this.#fixed })
  }
}

function refuseChanges({ changes }: ConfigResource): Refusal | null {
  const names = new Set(changes.map(({ name }) => name))
  if (names.size < changes.length) {
    return refuse(ErrorCode.INVALID_REQUEST, 'Error due to duplicate config keys')
  }
  const missing = changes.filter(
    ({ operation, value }) => value === null && operation !== ConfigOperation.DELETE,
  )
  if (missing.length > 0) {
    const list = missing.map(({ name }) => name).join(', ')
    return refuse(ErrorCode.INVALID_REQUEST, `Null value not supported for : ${list}`)
  }
  const unknown = changes.find(({ operation }) => operation < 0 || operation > 3)
  if (unknown === undefined) return null
  return refuse(ErrorCode.INVALID_REQUEST, `Unknown operations type ${unknown.operation}`)
}

function refuseNode(name: string, nodeId: number): Refusal | null {
  const id = javaInteger(name)
  if (id === null) return notAnInteger(name)
  if (id === nodeId) return null
  const message = `Unexpected broker id, expected ${nodeId}, but received ${name}`
  return refuse(ErrorCode.INVALID_REQUEST, message)
}

const notAnInteger = (name: string): Refusal =>
  refuse(ErrorCode.INVALID_REQUEST, `Node id must be an integer, but it is: ${name}`)

const javaInteger = (text: string): number | null =>
  /^[+-]?\d{1,10}$/.test(text) && Math.abs(Number(text)) < 2 ** 31 ? Number(text) : null

const replaced = (changes: ConfigResource['changes']): Changed => ({
  configs: Object.fromEntries(changes.map(({ name, value }) => [name, value ?? ''])),
})

const same = (a: ConfigValues, b: ConfigValues): boolean => {
  const names = Object.keys(a)
  return names.length === Object.keys(b).length && names.every((name) => a[name] === b[name])
}
