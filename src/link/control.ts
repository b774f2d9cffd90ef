/**
 * Control messages: rare, structured-cloneable, over one MessagePort per pair of threads. A thread that posts to a
 * broker thread rings its doorbell afterwards, because that thread runs no event loop.
 */

import type { MessagePort } from 'node:worker_threads'
import type { ChaosAnswer, ChaosRequest, DiskFaultCode } from '../base/chaos.ts'
import type { PartitionNumber, TenantId, TopicId } from '../base/ids.ts'
import type { LogFields, LogLevel } from '../base/log.ts'
import type { Region } from '../base/region.ts'
import type { ControllerRequest, ControllerResponse, MetadataMessage } from '../image/request.ts'
import type { TenantHoldingsMessage } from './tenant-holdings.ts'

export type {
  ConfigResource,
  ControllerRequest,
  ControllerResponse,
  MetadataMessage,
  MorePartitions,
  NewTopic,
  Outcome,
  TopicRef,
  TopicResult,
} from '../image/request.ts'

/** A producer of which a partition keeps state. */
export interface DescribedProducer {
  readonly producerId: number
  readonly epoch: number
  /** −1 for none. */
  readonly lastSequence: number
  /** Of its newest batch; −1 for none. */
  readonly lastTimestampMs: number
  readonly coordinatorEpoch: number
  /** −1 for no transaction under way. */
  readonly txnFirstOffset: number
}

/** One replica's log; NaN for what is not known without opening it. */
export interface DescribedLog {
  /** NaN where the disk does not tell. */
  readonly sizeBytes: number
  readonly logEndOffset: number
  /** As this replica knows it. */
  readonly highWatermark: number
}

/**
 * HTTP front → broker or Kafka front: what it has counted for `topics`, and how large `partitions` (those that the broker leads)
 * are. A few dozen of each at a time: the answer is made in one turn.
 */
export interface TopicStatsRequest {
  readonly kind: 'topic-stats-request'
  readonly correlation: number
  readonly topics: readonly TopicId[]
  readonly partitions: Uint32Array
}

/** Numbers per answer in `coordinated`. */
export const COORDINATED_HEAD_FIELDS = 4

/** Per partition in the answer; NaN for what is not known. The end is the high watermark. */
export const PARTITION_STATS = ['logStartOffset', 'endOffset', 'sizeBytes'] as const

export interface TopicStatsAnswer {
  readonly kind: 'topic-stats'
  readonly correlation: number
  /** Of `TopicCount`: items and bytes of each topic. */
  readonly topics: Float64Array
  /** {@link PARTITION_STATS} of each partition. */
  readonly partitions: Float64Array
}

/** Options that change while the engine runs, as far as agents go by them. */
export interface LiveSettings {
  readonly autoCreateTopics: boolean
  readonly defaultPartitions: number
  readonly connectionsMaxIdleMs: number
  /** Free space below which produce is refused, of each broker's file system: the smaller of what is given. */
  readonly diskReserve: { readonly bytes: number | null; readonly fraction: number | null }
  /** Of each listener; null: the local address of each connection. */
  readonly advertised: readonly ({ readonly host: string; readonly port: number | null } | null)[]
  /** Static broker configs by Kafka's names. */
  readonly brokerConfigs: Readonly<Record<string, string>>
}

/**
 * Server → fronts, other brokers and flusher, after `broker-gone`: another thread is that broker now, and shares other memory with the receiver. What was
 * said to its predecessor is lost.
 */
export interface BrokerBack {
  readonly kind: 'broker-back'
  readonly cellId: number
  readonly brokerId: number
  /** Ring that the receiver writes. */
  readonly writes: Region
  /** Ring that the receiver reads. */
  readonly reads: Region
  /** Of its ring logs; for fronts. */
  readonly arena: SharedArrayBuffer | null
  /** The receiver's end of their control channel; null for the flusher, which has none. */
  readonly port: MessagePort | null
}

/**
 * Broker → fronts: of replicated partitions, who leads them now. Posted by the broker that leads or led, in order; a front that has been told of a
 * later epoch ignores it. To a front that has begun anew, or was told that this broker is back, everything that this broker leads.
 */
export interface LeadersMessage {
  readonly kind: 'leaders'
  readonly cellId: number
  readonly leaders: readonly LeaderChange[]
}

export interface LeaderChange {
  readonly partition: PartitionNumber
  /** 0: the broker that led this epoch leads no more, and nobody is known to have followed it. */
  readonly leader: number
  readonly leaderEpoch: number
  /** Voters that keep up, as brokers, the leader first; as the leader sees it. */
  readonly isr: readonly number[]
  /** With `leader` 0, from a broker that has a replica: most voters were in directories that are no more, so that nobody can lead. `isr`: those that are left. */
  readonly isLost?: boolean
}

/** What a broker knows of the brokers that keep the metadata log. */
export interface QuorumView {
  /** Of its own copy; where it keeps none, of its image. */
  readonly endOffset: number
  /** Committed, as far as it knows. */
  readonly highWatermark: number
  /** Of the group, or of the controller that it has heard of last. */
  readonly term: number
  /** Who leads the group: 0 where it knows of nobody, or keeps no copy. */
  readonly leader: number
  /** Brokers; none where it keeps no copy. */
  readonly voters: readonly number[]
}

/** Faults on demand, of an engine that was started with them allowed. Death is none of them: the server ends the thread where it stands. */
export type ChaosFault =
  /** Every change to the broker's files fails with this code from now on; null: its disk is well again. */
  | { readonly fault: 'fail-disk'; readonly code: DiskFaultCode | null }
  /** Every disk operation takes so much longer; 0: none does. */
  | { readonly fault: 'slow-disk'; readonly byMs: number }
  /** Nothing that this broker and that one say to each other arrives. */
  | { readonly fault: 'partition'; readonly brokerId: number; readonly isCut: boolean }

/** What became of a question of the operator. */
export interface OperatorAnswer {
  readonly error: number
  readonly message: string | null
  /** Of `open-tenant`. */
  readonly opened: {
    readonly tenantId: TenantId
    readonly clusterId: string
    readonly ports: readonly number[]
  } | null
}

/** Everything that may arrive at an agent's thread. */
export type ControlMessage =
  | {
      readonly kind: 'controller-request'
      readonly correlation: number
      readonly tenantId: TenantId
      readonly request: ControllerRequest
    }
  /** null: it does not lead, and nothing was done. */
  | {
      readonly kind: 'controller-response'
      readonly correlation: number
      readonly response: ControllerResponse | null
    }
  | MetadataMessage
  /** Front → broker: the producers of a partition. Rare, and too many for a reply in the ring. */
  | {
      readonly kind: 'describe-producers'
      readonly correlation: number
      readonly partition: PartitionNumber
    }
  | {
      readonly kind: 'producers'
      readonly correlation: number
      readonly error: number
      readonly producers: readonly DescribedProducer[]
    }
  | TopicStatsRequest
  | TopicStatsAnswer
  /** Front → broker: how large its logs of some partitions are, and how far; those that it follows as well. */
  | {
      readonly kind: 'describe-log-sizes'
      readonly correlation: number
      readonly partitions: readonly PartitionNumber[]
    }
  | {
      readonly kind: 'log-sizes'
      readonly correlation: number
      /** In the order asked for. */
      readonly logs: readonly DescribedLog[]
    }
  /** Front → broker: up to where it has the metadata log, and who keeps that as far as it knows. */
  | { readonly kind: 'describe-metadata'; readonly correlation: number }
  | { readonly kind: 'quorum'; readonly correlation: number; readonly quorum: QuorumView }
  /**
   * A batch, a coordinator's request, or, between brokers, the producers of a snapshot: too large for the ring, and named by `bufferId` in the
   * record that follows.
   */
  | { readonly kind: 'batch-buffer'; readonly bufferId: number; readonly sab: SharedArrayBuffer }
  /**
   * Broker → front: what its coordinators have answered in one turn. `heads` holds correlation, error, byte length of each
   * answer, and 1 where a coordinator has looked at the request, so that a refusal does not mean that nothing was done; `bytes` their response frames (size, header, body) one behind the other: none where the error is not 0.
   */
  | {
      readonly kind: 'coordinated'
      readonly cellId: number
      readonly brokerId: number
      readonly heads: Int32Array
      readonly bytes: Uint8Array
    }
  | {
      readonly kind: 'log'
      readonly level: LogLevel
      readonly message: string
      readonly fields: LogFields
    }
  | { readonly kind: 'ready'; readonly detail: Readonly<Record<string, string | number>> }
  | { readonly kind: 'failed'; readonly message: string }
  /** Server → agent: stop within `deadlineMs`; the agent answers `stopped` and its thread ends. */
  | { readonly kind: 'stop'; readonly deadlineMs: number }
  | { readonly kind: 'stopped' }
  /** Server → broker: the thread stands still for so long, as one that hangs would. For tests and drills. */
  | { readonly kind: 'pause'; readonly forMs: number }
  /** Server → broker `brokerId` and, of its disk, the flusher. A thread that takes its place is told again. */
  | { readonly kind: 'chaos'; readonly brokerId: number; readonly chaos: ChaosFault }
  /** HTTP front → server: a fault that is asked for; answered by `chaos-answer`. */
  | {
      readonly kind: 'chaos-request'
      readonly correlation: number
      readonly request: ChaosRequest
    }
  | ({ readonly kind: 'chaos-answer'; readonly correlation: number } & ChaosAnswer)
  | LeadersMessage
  | TenantHoldingsMessage
  /** Broker → others that hold these partitions: its replicas of them lack what they had, so somebody is to lead, and to see to that. */
  | { readonly kind: 'wake-groups'; readonly partitions: readonly PartitionNumber[] }
  /** Broker → others that hold the partition: its replica has failed, and is opened again after a while. */
  | {
      readonly kind: 'replica-failed'
      readonly brokerId: number
      readonly partition: PartitionNumber
    }
  /**
   * Broker → server: how many of its replicas are not filled anew yet, its directory being another than before, and of how many of these nobody was found to lead the partition:
   * none, until it says so.
   */
  | {
      readonly kind: 'filling'
      readonly brokerId: number
      readonly left: number
      readonly leaderless: number
      /** Partitions whose one replica was in the directory before: nobody else has what they had. */
      readonly emptied: number
    }
  /** Broker → server: nobody leads the controllers, and so nothing begins or can be changed; null: somebody does. */
  | { readonly kind: 'metadata-waits'; readonly reason: string | null }
  /** Front → the broker that leads `partition`: hands it over to the replica of `to`, if that can be now. Answered by `leadership-moved`. */
  | {
      readonly kind: 'move-leadership'
      readonly correlation: number
      readonly partition: PartitionNumber
      readonly to: number
    }
  | { readonly kind: 'leadership-moved'; readonly correlation: number; readonly error: number }
  /** Server → HTTP front: what /health says. */
  | {
      readonly kind: 'engine-state'
      readonly state: 'starting' | 'serving' | 'degraded' | 'failed' | 'stopping'
      readonly reason: string
    }
  /** Server → HTTP front: the ports of each Kafka listener, in the order of `--kafka-listen`. */
  | { readonly kind: 'listening'; readonly ports: readonly (readonly number[])[] }
  /** Server → fronts and brokers: options that have changed while they run. */
  | { readonly kind: 'settings'; readonly settings: LiveSettings }
  /** Server → HTTP front: what HTTP beyond loopback asks for. Never logged. */
  | { readonly kind: 'operator-token'; readonly token: string }
  /** A broker's directory can or cannot take appends (disk full); sent to the server, which tells the HTTP front. */
  | {
      readonly kind: 'disk-state'
      readonly writable: boolean
      readonly directory: string
      readonly reason: string
    }
  /** Kafka front → server: why not all is well with the files of TLS; null: it is. */
  | { readonly kind: 'tls-state'; readonly reason: string | null }
  /**
   * Kafka front → server, and to its own agent: a broker's thread stands still though it was asked to turn, or turns again (or is gone, which
   * `broker-gone` says). What it was asked for it may still do: nobody may take it for dead.
   */
  | {
      readonly kind: 'broker-hung'
      readonly cellId: number
      readonly brokerId: number
      readonly isHung: boolean
    }
  /** Server → Kafka front: to be asked of the controller, as the operator asks it; answered by `operator-answer`. */
  | {
      readonly kind: 'operator-request'
      readonly correlation: number
      readonly tenantId: TenantId
      readonly request: ControllerRequest
    }
  /** Server → Kafka front: listen for the clients of one tenant, on free ports of this address; answered by `operator-answer`. */
  | {
      readonly kind: 'open-tenant'
      readonly correlation: number
      readonly name: string
      readonly host: string
    }
  | ({ readonly kind: 'operator-answer'; readonly correlation: number } & OperatorAnswer)
  /** The server tells fronts and the other brokers that a broker's thread has died. */
  | { readonly kind: 'broker-gone'; readonly cellId: number; readonly brokerId: number }
  /** Flusher → server: of a broker that is gone nothing is being flushed or removed any more. */
  | { readonly kind: 'broker-dropped'; readonly brokerId: number }
  | BrokerBack
