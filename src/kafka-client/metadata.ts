/** Metadata answers in the shape that the rest of the client works with. */
import type { MetadataResponse } from '../protocol/03-metadata.ts'

export interface BrokerInfo {
  readonly nodeId: number
  readonly host: string
  readonly port: number
  readonly rack: string | null
}

export interface PartitionMetadata {
  readonly partition: number
  readonly errorCode: number
  /** −1 where there is none. */
  readonly leader: number
  readonly leaderEpoch: number
  readonly replicas: readonly number[]
  readonly isr: readonly number[]
  readonly offlineReplicas: readonly number[]
}

export interface TopicMetadata {
  readonly name: string
  readonly topicId: string
  readonly errorCode: number
  readonly isInternal: boolean
  /** By partition, rising. */
  readonly partitions: readonly PartitionMetadata[]
}

export interface ClusterMetadata {
  readonly clusterId: string | null
  readonly controllerId: number
  readonly brokers: readonly BrokerInfo[]
  readonly topics: readonly TopicMetadata[]
}

/** Topics of an answer, those without a name left out. */
export function topicsOf(answer: MetadataResponse): TopicMetadata[] {
  return answer.topics
    .filter((topic) => topic.name !== null)
    .map((topic) => ({
      name: topic.name!,
      topicId: topic.topicId,
      errorCode: topic.errorCode,
      isInternal: topic.isInternal,
      partitions: topic.partitions
        .map((p) => ({
          partition: p.partitionIndex,
          errorCode: p.errorCode,
          leader: p.leaderId,
          leaderEpoch: p.leaderEpoch,
          replicas: p.replicaNodes,
          isr: p.isrNodes,
          offlineReplicas: p.offlineReplicas,
        }))
        .sort((a, b) => a.partition - b.partition),
    }))
}
