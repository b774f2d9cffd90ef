/** AlterPartitionReassignments and its like (KIP-455): the checks and words of Kafka's ReplicationControlManager. Looks at the state and returns entries. */
import { ErrorCode } from '../base/error-code.ts'
import type { BrokerId, TenantId, TopicId } from '../base/ids.ts'
import { brokerKey } from '../image/broker-directories.ts'
import type { MetadataEntry } from '../image/entry.ts'
import {
  holdersOf,
  isPending,
  joinedOf,
  moveOf,
  type ReplicaMove,
  reassignmentOf,
  toldReplicas,
  without,
} from '../image/replica-moves.ts'
import type {
  ControllerRequest,
  ControllerResponse,
  OngoingReassignment,
} from '../image/request.ts'
import { type Refusal, refuse } from '../image/results.ts'
import { refuseNodes } from './create-topics.ts'
import type { ControllerState } from './state.ts'
import type { TopicState } from './topic-state.ts'

type Request<Kind extends ControllerRequest['kind']> = Extract<ControllerRequest, { kind: Kind }>
type Response<Kind extends ControllerResponse['kind']> = Extract<ControllerResponse, { kind: Kind }>
type ReassignedEntry = Extract<MetadataEntry, { kind: 'partition-reassigned' }>

export interface ReassignmentsPlan {
  readonly entries: readonly ReassignedEntry[]
  readonly results: Response<'alter-reassignments'>['topics']
}

interface Asked {
  readonly name: string
  readonly index: number
  readonly replicas: readonly number[] | null
  readonly leftOn: readonly number[] | undefined
}

export function planReassignments(
  state: ControllerState,
  tenantId: TenantId,
  request: Request<'alter-reassignments'>,
): ReassignmentsPlan {
  const plan = new Planning(state, tenantId, request)
  const results = request.topics.map(({ name, partitions }) => ({
    name,
    partitions: partitions.map(({ index, replicas, leftOn }) => {
      const { error, message } = plan.alter({ name, index, replicas, leftOn })
      return { index, error, message }
    }),
  }))
  return { entries: plan.entries, results }
}

const DONE: Refusal = refuse(ErrorCode.NONE, null)

class Planning {
  readonly entries: ReassignedEntry[] = []
  readonly #state: ControllerState
  readonly #tenantId: TenantId
  readonly #allowsFactorChange: boolean
  readonly #isRepeat: boolean
  /** Of partitions that the request has named before. */
  readonly #planned = new Map<string, ReplicaMove>()

  constructor(
    state: ControllerState,
    tenantId: TenantId,
    { allowReplicationFactorChange, isRepeat = false }: Request<'alter-reassignments'>,
  ) {
    this.#state = state
    this.#tenantId = tenantId
    this.#allowsFactorChange = allowReplicationFactorChange
    this.#isRepeat = isRepeat
  }

  alter({ name, index, replicas, leftOn }: Asked): Refusal {
    const topic = this.#state.topicByName(this.#tenantId, name)
    if (topic === undefined) {
      const message = `Unable to find a topic named ${name}.`
      return refuse(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, message)
    }
    if (index < 0 || index >= topic.partitionCount) {
      const message = `Unable to find partition ${name}:${index}.`
      return refuse(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, message)
    }
    const now = this.#planned.get(`${topic.topicId}/${index}`) ?? standOf(this.#state, topic, index)
    if (this.#isRepeat && replicas === null && now.target === null) return DONE
    if (replicas !== null && leftOn !== undefined) return refuseLost(name, index, leftOn)
    const next = replicas === null ? undone(now) : this.#changed(now, replicas)
    if ('error' in next) return next
    if (next === now) return DONE
    const entry = entryOf(topic, index, now, next)
    this.#planned.set(`${topic.topicId}/${index}`, moveOf(entry))
    this.entries.push(entry)
    return DONE
  }

  #changed(now: ReplicaMove, nodes: readonly number[]): ReplicaMove | Refusal {
    const reason = refuseNodes(nodes, this.#state.cluster.value!.brokersPerCell, -1)
    if (reason !== null) return refuse(ErrorCode.INVALID_REPLICA_ASSIGNMENT, reason)
    const wanted = now.target ?? now.replicas
    if (!this.#allowsFactorChange && nodes.length !== wanted.length) {
      return refuse(
        ErrorCode.INVALID_REPLICATION_FACTOR,
        `The replication factor is changed from ${wanted.length} to ${nodes.length}`,
      )
    }
    const target = nodes as readonly BrokerId[]
    if (target.join() === wanted.join()) return now
    // another order alone: nobody has anything to copy
    if (!isPending(now) && isSameSet(target, now.replicas)) return { ...now, replicas: target }
    const leaving = without([...now.leaving, ...(now.target ?? [])], [...now.replicas, ...target])
    return { ...now, target, leaving }
  }
}

/**
 * Whoever is left is no majority, and may lack what was acknowledged: that it goes on as if it were all there is would have to be decided by somebody, and a move that waits for
 * ever would hide that nobody leads.
 */
function refuseLost(name: string, index: number, leftOn: readonly number[]): Refusal {
  const left = leftOn.length === 0 ? 'nowhere' : `on broker ${leftOn.join(' and broker ')}`
  const message = `Nobody can lead ${name}-${index}, so its replicas cannot be moved: the directories of most of them were emptied or exchanged, and what is left (${left}) may lack records that were acknowledged. Delete the topic and make it anew; before that, kafka-dump-log reads what is left.`
  return refuse(ErrorCode.ELIGIBLE_LEADERS_NOT_AVAILABLE, message)
}

function undone(now: ReplicaMove): ReplicaMove | Refusal {
  if (now.target === null) return refuse(ErrorCode.NO_REASSIGNMENT_IN_PROGRESS, null)
  const leaving = without([...now.leaving, ...now.target], now.replicas)
  return { ...now, target: null, leaving }
}

/** A leader's word that its group has these voters and nobody who learns; null where that ends nothing. */
export function planSettled(
  state: ControllerState,
  tenantId: TenantId,
  { topicId, index, generation, replicas }: Request<'replicas-settled'>,
): ReassignedEntry | null {
  const topic = state.topicById(tenantId, topicId as TopicId)
  const now = topic?.moves.get(index)
  if (topic === undefined || now === undefined || !isPending(now)) return null
  if (generation !== now.generation) return null
  const wanted = now.target ?? now.replicas
  if (!isSameSet(wanted, replicas)) return null
  const isFirst = now.isFirst && isSameSet(wanted, now.replicas)
  return entryOf(topic, index, now, {
    ...now,
    replicas: wanted,
    target: null,
    leaving: [],
    isFirst,
  })
}

export function listReassignments(
  state: ControllerState,
  tenantId: TenantId,
  request: Request<'list-reassignments'>,
): Response<'list-reassignments'>['topics'] {
  const topics =
    request.topics?.flatMap(({ name, indexes }) => {
      const topic = state.topicByName(tenantId, name)
      return topic === undefined ? [] : [{ topic, indexes }]
    }) ??
    state.movingTopics(tenantId).map((topic) => ({
      topic,
      indexes: [...topic.moves.keys()].sort((a, b) => a - b),
    }))
  return topics.flatMap(({ topic, indexes }) => {
    const partitions = indexes.flatMap((index) => ongoing(topic, index) ?? [])
    return partitions.length === 0 ? [] : [{ name: topic.name, partitions }]
  })
}

function ongoing(topic: TopicState, index: number): OngoingReassignment | null {
  const move = topic.moves.get(index)
  const reassignment = move === undefined ? undefined : reassignmentOf(move)
  if (move === undefined || reassignment === undefined) return null
  const { adding, removing } = reassignment
  return { index, replicas: toldReplicas(move), adding, removing }
}

function standOf(state: ControllerState, topic: TopicState, index: number): ReplicaMove {
  const known = topic.moves.get(index)
  if (known !== undefined) return known
  const replicas = topic.replicas[index]!
  const firstLife = state.brokers.get(brokerKey(topic.cellId, replicas[0]!))?.life ?? 0
  return {
    replicas,
    target: null,
    leaving: [],
    isFirst: true,
    generation: 0,
    firstLife,
    joined: [],
  }
}

/** Whoever may hold no replica `now` is given another one than it may have had before. */
const entryOf = (
  topic: TopicState,
  index: number,
  now: ReplicaMove,
  next: ReplicaMove,
): ReassignedEntry => {
  const { tenantId, topicId } = topic
  const generation = now.generation + 1
  const before = holdersOf(now)
  const joined = holdersOf(next)
    .map(
      (broker) => [broker, before.includes(broker) ? joinedOf(now, broker) : generation] as const,
    )
    .filter(([, since]) => since > 0)
  return { kind: 'partition-reassigned', tenantId, topicId, index, ...next, generation, joined }
}

const isSameSet = (one: readonly number[], other: readonly number[]): boolean =>
  one.length === other.length && one.every((broker) => other.includes(broker))
