/** CreatePartitions: the checks and refusals of Kafka's ReplicationControlManager, in its order. Looks at the state and returns entries. */
import { ErrorCode } from '../base/error-code.ts'
import type { BrokerId, PartitionNumber, TenantId } from '../base/ids.ts'
import type { MetadataEntry, PartitionPlacement } from '../image/entry.ts'
import type { ControllerRequest, MorePartitions, Outcome } from '../image/request.ts'
import { accepted, type Refusal, refuse, refusedOne } from '../image/results.ts'
import { isInternalTopic } from '../image/topic-name.ts'
import {
  type CreateTopicsSettings,
  PARTITIONS_PER_REQUEST_MAX,
  refuseAllPartitions,
  refuseNodes,
} from './create-topics.ts'
import { type CellLoads, placed, placePartitions } from './placement.ts'
import type { ControllerState } from './state.ts'
import { TenantLimits } from './tenant-use.ts'
import type { TopicState } from './topic-state.ts'

type CreatePartitions = Extract<ControllerRequest, { kind: 'create-partitions' }>
type PartitionsAdded = Extract<MetadataEntry, { kind: 'partitions-added' }>

export interface CreatePartitionsPlan {
  readonly entries: readonly PartitionsAdded[]
  readonly results: readonly Outcome[]
}

export function planCreatePartitions(
  state: ControllerState,
  settings: Pick<CreateTopicsSettings, 'brokersPerCell' | 'partitionsMax'>,
  tenantId: TenantId,
  request: CreatePartitions,
): CreatePartitionsPlan {
  const times = new Map<string, number>()
  for (const { name } of request.topics) times.set(name, (times.get(name) ?? 0) + 1)
  const results: Outcome[] = []
  const entries: PartitionsAdded[] = []
  for (const [name, count] of times) {
    if (count === 1) continue
    results.push(refusedOne(name, refuse(ErrorCode.INVALID_REQUEST, 'Duplicate topic name.')))
  }
  const counts = {
    next: state.nextPartition.value as number,
    all: state.partitionCount.value,
    asked: 0,
    loads: loadsOf(state, settings.brokersPerCell, tenantId),
    limits: new TenantLimits(state, tenantId),
  }
  for (const topic of request.topics) {
    if (times.get(topic.name)! > 1) continue
    const existing = state.topicByName(tenantId, topic.name)
    if (request.isRepeat && existing?.partitionCount === topic.count) {
      results.push(accepted(topic.name))
      continue
    }
    const placements = place(state, settings, existing, topic, counts)
    if ('error' in placements) {
      results.push(refusedOne(topic.name, placements))
      continue
    }
    const { topicId } = existing!
    const firstPartition = counts.next as PartitionNumber
    entries.push({ kind: 'partitions-added', tenantId, topicId, firstPartition, placements })
    for (const one of placements) counts.loads.add(one.replicas)
    counts.limits.take(topic.name, 0, placements.length)
    counts.next += placements.length
    counts.all += placements.length
    counts.asked += placements.length
    results.push(accepted(topic.name))
  }
  return { entries, results }
}

/** Partitions as of the topics planned before: the next number, all that exist, those of this request. */
interface Counts {
  readonly next: number
  readonly all: number
  readonly asked: number
  readonly loads: CellLoads
  readonly limits: TenantLimits
}

const loadsOf = (state: ControllerState, brokers: number, tenantId: TenantId): CellLoads =>
  state.loadsOf(state.tenants.byId.get(tenantId)!.cellId, brokers)

function place(
  state: ControllerState,
  settings: Pick<CreateTopicsSettings, 'brokersPerCell' | 'partitionsMax'>,
  topic: TopicState | undefined,
  { name, count, assignments }: MorePartitions,
  counts: Counts,
): readonly PartitionPlacement[] | Refusal {
  if (topic === undefined) {
    return refuse(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, null)
  }
  if (isInternalTopic(name)) {
    return refuse(
      ErrorCode.INVALID_TOPIC_EXCEPTION,
      `The number of partitions of the internal topic ${name} cannot be changed: what lives in each depends on it.`,
    )
  }
  const now = topic.partitionCount
  if (count === now) {
    return refuse(ErrorCode.INVALID_PARTITIONS, `Topic already has ${now} partition(s).`)
  }
  if (count < now) {
    return refuse(
      ErrorCode.INVALID_PARTITIONS,
      `The topic ${name} currently has ${now} partition(s); ${count} would not be an increase.`,
    )
  }
  const more = count - now
  if (assignments !== null && assignments.length !== more) {
    return refuse(
      ErrorCode.INVALID_REPLICA_ASSIGNMENT,
      `Attempted to add ${more} additional partition(s), but only ${assignments.length} assignment(s) were specified.`,
    )
  }
  const tooMany =
    counts.limits.refuse(name, 0, more) ?? refuseCount(settings.partitionsMax, more, counts)
  if (tooMany !== null) return tooMany
  // as many as its first has, as in Kafka
  const replicas = topic.replicas[0]!.length
  const { brokersPerCell } = settings
  if (assignments !== null) return placeAsAssigned(assignments, brokersPerCell, replicas)
  return placePartitions({
    count: more,
    replicas,
    start: counts.next - 1,
    loads: counts.loads,
    existing: topic.replicas,
    racks: state.racksOf(topic.cellId, brokersPerCell),
  })
}

function refuseCount(partitionsMax: number, more: number, counts: Counts): Refusal | null {
  const asked = counts.asked + more
  if (asked > PARTITIONS_PER_REQUEST_MAX) {
    return refuse(
      ErrorCode.POLICY_VIOLATION,
      `Excessively large number of partitions per request: ${asked}, the limit is ${PARTITIONS_PER_REQUEST_MAX}.`,
    )
  }
  return refuseAllPartitions(partitionsMax, counts.all, more)
}

function placeAsAssigned(
  assignments: readonly (readonly number[])[],
  brokers: number,
  replicas: number,
): readonly PartitionPlacement[] | Refusal {
  for (const nodes of assignments) {
    const reason = refuseNodes(nodes, brokers, replicas)
    if (reason !== null) return refuse(ErrorCode.INVALID_REPLICA_ASSIGNMENT, reason)
  }
  return assignments.map((nodes) => placed(nodes as readonly BrokerId[]))
}
