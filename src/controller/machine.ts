/** The controller as a {@link ReplicatedMachine}: tenants, topics, configs and producer ids. No I/O, no clock of its own. */
import { ErrorCode } from '../base/error-code.ts'
import type { BrokerId, CellId, TenantId } from '../base/ids.ts'
import type { Random } from '../base/random.ts'
import { brokerConfigNumber } from '../image/broker-config.ts'
import { brokerKey } from '../image/broker-directories.ts'
import { METADATA_FORMAT, type MetadataEntry } from '../image/entry.ts'
import type { ControllerRequest, ControllerResponse, OnceAnswered } from '../image/request.ts'
import { type Refusal, refuse, refuseAll } from '../image/results.ts'
import { DEFAULT_TENANT_NAME } from '../image/tenant-name.ts'
import type { ConfigValues } from '../image/topic-config.ts'
import type { Decision, ReplicatedMachine } from '../machine/replicated-machine.ts'
import type { TimelineRegistry } from '../machine/timeline.ts'
import { planCreateAcls, planDeleteAcls } from './acls.ts'
import { planAlterConfigs } from './alter-configs.ts'
import { planCreatePartitions } from './create-partitions.ts'
import { type CreateTopicsSettings, planCreateTopics } from './create-topics.ts'
import { planDeleteTopics } from './delete-topics.ts'
import { type IdSources, newClusterId, newTenantId } from './new-ids.ts'
import { REPLICATION_IS_SERVED, replicasMade, usualReplicas } from './placement.ts'
import { isAboutPlans, type PlanRequest, planPlans } from './plans.ts'
import { listReassignments, planReassignments, planSettled } from './reassign.ts'
import { StartRefusedError } from './refused.ts'
import { planDirectoryFilled, planRegisterBroker } from './register-broker.ts'
import { restated } from './restate.ts'
import { planAlterUsers } from './scram-users.ts'
import { ControllerState } from './state.ts'
import { planDeletion, planTenants } from './tenants.ts'

/** The most producer ids that one request may take: a front asks for blocks of a thousand. */
export const PRODUCER_IDS_PER_REQUEST_MAX = 100_000

/** Partitions of all tenants together: a bound on what one mistake can do to the machine. */
export const PARTITIONS_MAX = 1_000_000

/** Of a tenant that is being deleted: topics, keys and the like that go with one append. */
const DELETED_PER_STEP = 500

export interface ControllerSettings {
  readonly cells: number
  readonly brokersPerCell: number
  /** Partitions of a topic that does not say how many. */
  readonly defaultPartitions: number
  /** Static broker configs by Kafka's names, which give topics their defaults. */
  readonly brokerConfigs?: ConfigValues
  readonly partitionsMax?: number
  /** Partitions get as many replicas as are asked for; default {@link REPLICATION_IS_SERVED}. */
  readonly isReplicated?: boolean
}

export interface ControllerCommand {
  readonly tenantId: TenantId
  readonly request: ControllerRequest
}

export class ControllerMachine
  implements ReplicatedMachine<ControllerCommand, MetadataEntry, ControllerResponse>
{
  readonly #state: ControllerState
  #settings: ControllerSettings
  readonly #random: Random
  readonly #randomFor: (tenantId: TenantId) => Random

  constructor(
    registry: TimelineRegistry,
    settings: ControllerSettings,
    { random, randomFor = () => random }: IdSources,
  ) {
    this.#state = new ControllerState(registry)
    this.#settings = settings
    this.#random = random
    this.#randomFor = randomFor
  }

  get state(): ControllerState {
    return this.#state
  }

  /** What is decided from now on; nothing that was decided changes. */
  changeSettings({
    defaultPartitions,
    brokerConfigs,
  }: Pick<ControllerSettings, 'defaultPartitions' | 'brokerConfigs'>): void {
    this.#settings = { ...this.#settings, defaultPartitions, brokerConfigs: brokerConfigs ?? {} }
  }

  /** What is committed now, as entries: see {@link restated}. */
  restate(): IterableIterator<MetadataEntry> {
    return restated(this.#state.committed())
  }

  replay(entry: MetadataEntry): void {
    this.#state.replay(entry)
  }

  decide(command: ControllerCommand): Decision<MetadataEntry, ControllerResponse> {
    const { tenantId, request } = command
    if (request.kind === 'register-broker') return this.#registerBroker(request)
    if (request.kind === 'directory-filled') {
      return decided(request.kind, planDirectoryFilled(this.#state, request))
    }
    if (request.kind === 'purge-metadata') return decided(request.kind, { kind: 'metadata-purge' })
    if (isAboutPlans(request) || isAboutTenants(request)) return this.#ofOperator(tenantId, request)
    const refusal = this.#refuseTenant(tenantId, request)
    if (refusal !== null) return { entries: [], response: refuseAll(request, refusal) }
    switch (request.kind) {
      case 'create-topics': {
        const settings = this.#topicSettings(tenantId)
        const random = this.#randomFor(tenantId)
        const plan = planCreateTopics(this.#state, settings, random, tenantId, request)
        const entries = request.validateOnly ? [] : plan.entries
        return { entries, response: { kind: request.kind, results: plan.results } }
      }
      case 'delete-topics': {
        const { entries, results } = planDeleteTopics(this.#state, tenantId, request)
        return { entries, response: { kind: request.kind, results } }
      }
      case 'create-partitions': {
        const settings = this.#topicSettings(tenantId)
        const plan = planCreatePartitions(this.#state, settings, tenantId, request)
        const entries = request.validateOnly ? [] : plan.entries
        return { entries, response: { kind: request.kind, results: plan.results } }
      }
      case 'alter-configs': {
        const brokerConfigs = this.#settings.brokerConfigs ?? {}
        const plan = planAlterConfigs(this.#state, brokerConfigs, tenantId, request)
        const entries = request.validateOnly ? [] : plan.entries
        return { entries, response: { kind: request.kind, results: plan.results } }
      }
      case 'alter-reassignments': {
        const { entries, results } = planReassignments(this.#state, tenantId, request)
        return { entries, response: { kind: request.kind, topics: results } }
      }
      case 'list-reassignments': {
        const topics = listReassignments(this.#state, tenantId, request)
        const { kind } = request
        return { entries: [], response: { kind, error: ErrorCode.NONE, message: null, topics } }
      }
      case 'create-acls': {
        const { entries, results } = planCreateAcls(this.#state, tenantId, request)
        return { entries, response: { kind: request.kind, results } }
      }
      case 'delete-acls': {
        const { entries, results } = planDeleteAcls(this.#state, tenantId, request)
        return { entries, response: { kind: request.kind, results } }
      }
      case 'alter-users': {
        const { entries, results } = planAlterUsers(this.#state, tenantId, request)
        return { entries, response: { kind: request.kind, results } }
      }
      case 'replicas-settled':
        return decided(request.kind, planSettled(this.#state, tenantId, request))
      case 'allocate-producer-ids':
        return this.#allocateProducerIds(tenantId, request.count)
      default:
        request satisfies never
        throw new TypeError('unreachable')
    }
  }

  /**
   * What must be appended before anything is served: at first start the cluster and the tenant `default`, later nothing. Throws
   * {@link StartRefusedError} when the log was formed with other numbers of brokers or cells.
   */
  form(): readonly MetadataEntry[] {
    const { cells, brokersPerCell } = this.#settings
    const formed = this.#state.cluster.value
    if (formed !== null) {
      if (formed.brokersPerCell !== brokersPerCell || formed.cells !== cells) {
        const was = describe(formed.brokersPerCell, formed.cells)
        const now = describe(brokersPerCell, cells)
        throw new StartRefusedError(
          `this data directory was formed with ${was}, but this start asks for ${now}: ` +
            `start with --brokers ${formed.brokersPerCell} --cells ${formed.cells}, or with another --data-dir`,
        )
      }
    }
    const entries: MetadataEntry[] = []
    if (formed === null) {
      const clusterId = newClusterId(this.#random)
      const format = METADATA_FORMAT
      entries.push({ kind: 'cluster-formed', format, clusterId, cells, brokersPerCell })
    }
    if (!this.#state.tenants.byName.has(DEFAULT_TENANT_NAME)) {
      entries.push({
        kind: 'tenant-created',
        tenantId: newTenantId(this.#random, (id) => this.#state.tenants.byId.has(id)),
        name: DEFAULT_TENANT_NAME,
        clusterId: newClusterId(this.#random),
        cellId: 1 as CellId,
      })
    }
    return entries
  }

  /** What goes next of tenants that are being deleted, by what is committed; empty where nothing does. */
  deleteMore(): readonly MetadataEntry[] {
    const { deleting } = this.#state.tenants
    for (const tenantId of deleting.keys()) {
      // once that is committed, so is all that was made for it before
      if (!deleting.committed.has(tenantId)) continue
      return planDeletion(this.#state, tenantId, DELETED_PER_STEP)
    }
    return []
  }

  /** Of a broker, 0 before it has come for the first time. */
  lifeOf({ cellId, brokerId }: { readonly cellId: CellId; readonly brokerId: BrokerId }): number {
    return this.#state.brokers.get(brokerKey(cellId, brokerId))?.life ?? 0
  }

  /** Topics with fewer replicas than one made now by default would get, of all tenants, and that number. */
  topicsBelowDefault(): { readonly topics: number; readonly replicas: number } {
    const replicas = replicasMade(this.#defaultReplicas(), this.#isReplicated)
    let topics = 0
    for (const topic of this.#state.topicIds.values()) {
      if (topic.replicas[0]!.length < replicas) topics++
    }
    return { topics, replicas }
  }

  /** About tenants, keys and plans. */
  #ofOperator(
    tenantId: TenantId,
    request: OfOperator,
  ): Decision<MetadataEntry, ControllerResponse> {
    const plan = isAboutPlans(request)
      ? planPlans(this.#state, request)
      : planTenants(this.#state, this.#randomFor(tenantId), tenantId, request)
    if ('error' in plan) return { entries: [], response: refuseAll(request, plan) }
    return decided(request.kind, ...plan)
  }

  /** Nothing begins any more for one that goes; what moves may come to its end. */
  #refuseTenant(tenantId: TenantId, { kind }: ControllerRequest): Refusal | null {
    if (!this.#state.tenants.byId.has(tenantId)) return NO_TENANT
    const isLeaving = this.#state.tenants.deleting.has(tenantId)
    return isLeaving && kind !== 'replicas-settled' ? NO_TENANT : null
  }

  #topicSettings(tenantId: TenantId): CreateTopicsSettings {
    const { brokersPerCell, defaultPartitions, partitionsMax } = this.#settings
    const fixed = this.#settings.brokerConfigs ?? {}
    const brokerConfigs = { ...fixed, ...this.#state.brokerConfigs(tenantId, 0) }
    return {
      brokersPerCell,
      defaultPartitions,
      defaultReplicationFactor: this.#defaultReplicas(),
      isReplicated: this.#isReplicated,
      brokerConfigs,
      partitionsMax: partitionsMax ?? PARTITIONS_MAX,
    }
  }

  get #isReplicated(): boolean {
    return this.#settings.isReplicated ?? REPLICATION_IS_SERVED
  }

  /** No tenant can change it. */
  #defaultReplicas(): number {
    const { brokersPerCell, brokerConfigs = {} } = this.#settings
    const name = 'default.replication.factor'
    const isGiven = brokerConfigs[name] !== undefined
    if (isGiven) return brokerConfigNumber(name, brokerConfigs)
    return usualReplicas(brokersPerCell, this.#isReplicated)
  }

  /** Brokers belong to all tenants, and none asks for this. */
  #registerBroker(
    request: Extract<ControllerRequest, { kind: 'register-broker' }>,
  ): Decision<MetadataEntry, ControllerResponse> {
    const plan = planRegisterBroker(this.#state, request)
    if (plan !== null && 'error' in plan) return { entries: [], response: refuseAll(request, plan) }
    return decided(request.kind, plan)
  }

  #allocateProducerIds(
    tenantId: TenantId,
    count: number,
  ): Decision<MetadataEntry, ControllerResponse> {
    const kind = 'allocate-producer-ids'
    if (!Number.isInteger(count) || count < 1 || count > PRODUCER_IDS_PER_REQUEST_MAX) {
      const error = ErrorCode.INVALID_REQUEST
      return { entries: [], response: { kind, error, first: -1, count: 0 } }
    }
    const first = this.#state.nextProducerId(tenantId)
    return {
      entries: [{ kind: 'producer-ids', tenantId, next: first + count }],
      response: { kind, error: ErrorCode.NONE, first, count },
    }
  }
}

const decided = (
  kind: OnceAnswered,
  ...entries: readonly (MetadataEntry | null)[]
): Decision<MetadataEntry, ControllerResponse> => ({
  entries: entries.filter((entry) => entry !== null),
  response: { kind, error: ErrorCode.NONE, message: null },
})

const NO_TENANT = refuse(ErrorCode.UNKNOWN_SERVER_ERROR, 'The tenant does not exist.')

const ABOUT_TENANTS = [
  'create-tenant',
  'alter-tenant',
  'delete-tenant',
  'create-key',
  'revoke-key',
] as const
type TenantRequest = Extract<ControllerRequest, { kind: (typeof ABOUT_TENANTS)[number] }>
type OfOperator = TenantRequest | PlanRequest

const isAboutTenants = (request: ControllerRequest): request is TenantRequest =>
  (ABOUT_TENANTS as readonly string[]).includes(request.kind)

const describe = (brokers: number, cells: number): string =>
  `${brokers} ${brokers === 1 ? 'broker' : 'brokers'} in ${cells === 1 ? 'one cell' : `each of ${cells} cells`}`
