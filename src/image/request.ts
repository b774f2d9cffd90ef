/** What a front asks of the controller on behalf of one tenant, and the answers. They travel as control messages (`link/`). */
import type { MetadataEntry } from './entry.ts'

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

/** Committed entries; `offset` is the position after the last of them. `first` = 0 starts an image anew. */
export interface MetadataMessage {
  readonly kind: 'metadata'
  readonly first: number
  readonly offset: number
  readonly entries: readonly MetadataEntry[]
  /** More messages of the same snapshot follow: the image is not whole yet. */
  readonly more?: boolean
}
