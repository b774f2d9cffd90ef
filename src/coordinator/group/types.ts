/** What a host and the group coordinator hand to each other. */
import type { TopicId } from '../../base/ids.ts'
import type { Api } from '../../protocol/api.ts'

/** A request on its way to its answer; `T` is the host's and opaque here. */
export interface GroupCall<T> {
  readonly token: T
  /**
   * One of joinGroup, syncGroup, heartbeat, leaveGroup, offsetCommit, offsetFetch, describeGroups, listGroups,
   * deleteGroups, offsetDelete.
   */
  readonly api: Api
  readonly version: number
  /** The decoded request (`RequestOf<api>`). Its memory may be reused after the call: what is kept is copied. */
  readonly request: unknown
  readonly clientId: string
  /** As Kafka shows it: "/127.0.0.1". */
  readonly clientHost: string
}

export interface GroupAnswer<T> {
  readonly token: T
  /** `ResponseInputOf<api>`, complete for the call's version. */
  readonly response: unknown
}

/** A record of `__consumer_offsets`; value null is a tombstone. */
export interface CoordinatorRecord {
  readonly key: Uint8Array
  readonly value: Uint8Array | null
}

/**
 * What one call, timer or event led to: records to append atomically, and answers that go out once they (and all before)
 * are committed.
 */
export interface GroupStep<T> {
  readonly records: readonly CoordinatorRecord[]
  readonly answers: readonly GroupAnswer<T>[]
}

/** The tenant's topics, looked up when needed: in the image of the broker's thread. */
export interface GroupTopics {
  idOf(name: string): TopicId | undefined
  nameOf(id: TopicId): string | undefined
  /** 0 when unknown. */
  partitionsOf(name: string): number
}

export interface DeletedTopic {
  readonly name: string
  readonly topicId: TopicId
}
