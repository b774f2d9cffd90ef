/**
 * Control messages: rare, structured-cloneable, over one MessagePort per pair of threads. A thread that posts to a
 * broker thread rings its doorbell afterwards, because that thread runs no event loop.
 */

import type { TenantId } from '../base/ids.ts'
import type { LogFields, LogLevel } from '../base/log.ts'
import type { MetadataEntry } from '../image/entry.ts'

/** What a front asks of the controller on behalf of one tenant. */
export type ControllerRequest =
  | {
      readonly kind: 'create-topics'
      readonly validateOnly: boolean
      readonly topics: readonly NewTopic[]
    }
  | { readonly kind: 'delete-topics'; readonly topics: readonly TopicRef[] }
  | { readonly kind: 'allocate-producer-ids'; readonly count: number }

export interface NewTopic {
  readonly name: string
  /** −1: the broker's default. */
  readonly partitions: number
  /** −1: the broker's default. */
  readonly replicationFactor: number
  /** Node ids per partition, empty when the controller may choose. */
  readonly assignments: readonly { readonly partition: number; readonly nodes: readonly number[] }[]
  readonly configs: readonly { readonly name: string; readonly value: string | null }[]
}

export type TopicRef = { readonly name: string } | { readonly topicId: string }

export interface TopicResult {
  readonly name: string | null
  readonly topicId: string
  readonly error: number
  readonly message: string | null
  readonly partitions: number
  readonly replicationFactor: number
  /** Effective configs of a created (or validated) topic: overrides only. */
  readonly configs: Readonly<Record<string, string>>
}

export type ControllerResponse =
  | { readonly kind: 'create-topics'; readonly results: readonly TopicResult[] }
  | { readonly kind: 'delete-topics'; readonly results: readonly TopicResult[] }
  | {
      readonly kind: 'allocate-producer-ids'
      readonly error: number
      readonly first: number
      readonly count: number
    }

/** Everything that may arrive at an agent's thread. */
export type ControlMessage =
  | {
      readonly kind: 'controller-request'
      readonly correlation: number
      readonly tenantId: TenantId
      readonly request: ControllerRequest
    }
  | {
      readonly kind: 'controller-response'
      readonly correlation: number
      readonly response: ControllerResponse
    }
  /** Committed entries; `offset` is the position after the last of them. `first` = 0 starts an image anew. */
  | {
      readonly kind: 'metadata'
      readonly first: number
      readonly offset: number
      readonly entries: readonly MetadataEntry[]
    }
  /** A batch too large for the ring, named by `bufferId` in a PRODUCE that follows. */
  | { readonly kind: 'batch-buffer'; readonly bufferId: number; readonly sab: SharedArrayBuffer }
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
  /** Server → HTTP front: what /health says. */
  | {
      readonly kind: 'engine-state'
      readonly state: 'starting' | 'serving' | 'degraded' | 'stopping'
      readonly reason: string
    }
  /** A broker's directory can or cannot take appends (disk full); sent to the server, which tells the HTTP front. */
  | {
      readonly kind: 'disk-state'
      readonly writable: boolean
      readonly directory: string
      readonly reason: string
    }
  /** The server tells the fronts that a broker's thread has died. */
  | { readonly kind: 'broker-gone'; readonly cellId: number; readonly brokerId: number }
