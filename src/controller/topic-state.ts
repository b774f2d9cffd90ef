/** Of the controller's state: a topic. */
import type { BrokerId, CellId, PartitionNumber, TenantId, TopicId } from '../base/ids.ts'
import type { ReplicaMove } from '../image/replica-moves.ts'
import type { ConfigValues } from '../image/topic-config.ts'

export interface AddedPartitions {
  readonly index: number
  readonly firstPartition: PartitionNumber
}

/** A value: a change makes another one. */
export interface TopicState {
  readonly tenantId: TenantId
  readonly topicId: TopicId
  readonly name: string
  readonly internal: boolean
  readonly cellId: CellId
  readonly partitionCount: number
  readonly firstPartition: PartitionNumber
  /** Partitions that were added later: where they begin, by index, and the number of the first; most topics have none. */
  readonly added: readonly AddedPartitions[]
  /** Overrides by Kafka's names. */
  readonly configs: ConfigValues
  /** Of each partition, the preferred leader first; equal lists are one object. */
  readonly replicas: readonly (readonly BrokerId[])[]
  /** Of the partitions whose replicas have moved or are about to, by index. */
  readonly moves: ReadonlyMap<number, ReplicaMove>
}

/** Of a topic that has just been made. */
type Begun = Omit<TopicState, 'added' | 'moves' | 'partitionCount'>

const NO_CONFIGS: ConfigValues = Object.freeze({})
const NO_MOVES: ReadonlyMap<number, ReplicaMove> = new Map()
const NONE_ADDED: readonly AddedPartitions[] = []

/** A topic of which nothing was changed since it was made, without configs of its own, as most are: what all of these have in common takes no memory. */
class PlainTopic implements TopicState {
  readonly tenantId: TenantId
  readonly topicId: TopicId
  readonly name: string
  readonly cellId: CellId
  readonly firstPartition: PartitionNumber
  readonly replicas: readonly (readonly BrokerId[])[]

  constructor({ tenantId, topicId, name, cellId, firstPartition, replicas }: Begun) {
    this.tenantId = tenantId
    this.topicId = topicId
    this.name = name
    this.cellId = cellId
    this.firstPartition = firstPartition
    this.replicas = replicas
  }

  get internal(): boolean {
    return false
  }

  get partitionCount(): number {
    return this.replicas.length
  }

  get added(): readonly AddedPartitions[] {
    return NONE_ADDED
  }

  get configs(): ConfigValues {
    return NO_CONFIGS
  }

  get moves(): ReadonlyMap<number, ReplicaMove> {
    return NO_MOVES
  }
}

/** Equal topics are of one kind, however they came to be. */
function stateOf(topic: Omit<TopicState, 'partitionCount'>): TopicState {
  const { added, moves, internal, configs } = topic
  const hasConfigs = Object.keys(configs).length > 0
  if (!internal && !hasConfigs && added.length === 0 && moves.size === 0) {
    return new PlainTopic(topic)
  }
  return {
    ...{ tenantId: topic.tenantId, topicId: topic.topicId, name: topic.name, internal },
    ...{ cellId: topic.cellId, partitionCount: topic.replicas.length },
    ...{ firstPartition: topic.firstPartition, added, moves, replicas: topic.replicas },
    configs: hasConfigs ? configs : NO_CONFIGS,
  }
}

export const newTopic = (begun: Begun): TopicState =>
  stateOf({ ...begun, added: NONE_ADDED, moves: NO_MOVES })

type TopicChange = Partial<Pick<TopicState, 'added' | 'configs' | 'moves' | 'replicas'>>

export const changedTopic = (topic: TopicState, change: TopicChange): TopicState => {
  const { tenantId, topicId, name, internal, cellId, firstPartition } = topic
  const { added, configs, moves, replicas } = topic
  const begun = { tenantId, topicId, name, internal, cellId, firstPartition }
  return stateOf({ ...begun, added, configs, moves, replicas, ...change })
}
