/**
 * Keys and values of the records in `__consumer_offsets`, as Kafka's group coordinator writes them for classic groups.
 * The version before a key is the type of the record: 0 and 1 a committed offset, 2 a group. A record whose value is
 * null says that what its key names is gone.
 *
 * A committed offset, versions 0–4; flexible from 4:
 * - 1: when it expires, in this version only; 3: leader epoch; 4: id of the topic, tagged
 *
 * A group, versions 0–4; flexible from 4:
 * - 1: rebalance timeouts; 2: since when it is in its state, for expiry; 3: group instance ids
 *
 * All are read; which one is written is the caller's choice. Kafka 4.3 writes offsets as 3, or as 4 with a topic id,
 * and groups as 3. Timestamps and timeouts are in milliseconds.
 */
import { array, bytes, int32, int64, string, uuid } from './schema.ts'
import { always, between, since } from './version-range.ts'
import {
  decodeVersioned,
  type MessageInputOf,
  type MessageOf,
  versionBefore,
  versionedMessage,
} from './versioned-message.ts'

export const offsetCommitKey = versionedMessage({
  name: 'OffsetCommitKey',
  versions: between(0, 1),
  flexibleFrom: undefined,
  fields: {
    group: string({ entity: 'groupId' }),
    topic: string({ entity: 'topicName' }),
    partition: int32(),
  },
})

export const offsetCommitValue = versionedMessage({
  name: 'OffsetCommitValue',
  versions: between(0, 4),
  flexibleFrom: 4,
  fields: {
    offset: int64(),
    leaderEpoch: int32({ versions: since(3), default: -1, ignorable: true }),
    metadata: string(),
    commitTimestamp: int64(),
    expireTimestamp: int64({ versions: between(1, 1), default: -1, ignorable: true }),
    topicId: uuid({ versions: since(4), tagged: 0, ignorable: true, entity: 'topicId' }),
  },
})

export const groupMetadataKey = versionedMessage({
  name: 'GroupMetadataKey',
  versions: between(2, 2),
  flexibleFrom: undefined,
  fields: { group: string({ entity: 'groupId' }) },
})

export const groupMetadataValue = versionedMessage({
  name: 'GroupMetadataValue',
  versions: between(0, 4),
  flexibleFrom: 4,
  fields: {
    protocolType: string(),
    generation: int32(),
    protocol: string({ nullable: always, entity: 'protocolName' }),
    leader: string({ nullable: always, entity: 'memberId' }),
    currentStateTimestamp: int64({ versions: since(2), default: -1, ignorable: true }),
    members: array({
      memberId: string({ entity: 'memberId' }),
      groupInstanceId: string({
        versions: since(3),
        nullable: always,
        default: null,
        ignorable: true,
        entity: 'groupInstanceId',
      }),
      clientId: string({ entity: 'clientId' }),
      clientHost: string({ entity: 'clientHost' }),
      rebalanceTimeout: int32({ versions: since(1), default: -1, ignorable: true }),
      sessionTimeout: int32(),
      subscription: bytes(),
      assignment: bytes(),
    }),
  },
})

export type OffsetCommitKey = MessageOf<typeof offsetCommitKey>
export type OffsetCommitValue = MessageOf<typeof offsetCommitValue>
export type OffsetCommitValueInput = MessageInputOf<typeof offsetCommitValue>
export type GroupMetadataKey = MessageOf<typeof groupMetadataKey>
export type GroupMetadataValue = MessageOf<typeof groupMetadataValue>
export type GroupMetadataValueInput = MessageInputOf<typeof groupMetadataValue>

export type ConsumerOffsetsKey =
  | { readonly kind: 'offsetCommit'; readonly key: OffsetCommitKey }
  | { readonly kind: 'groupMetadata'; readonly key: GroupMetadataKey }
  /** Of a type that we do not know, such as those of newer coordinators: Kafka passes over such records. */
  | { readonly kind: 'unknown'; readonly type: number }

/** What a record is about, by its key. Throws WireFormatError for a key of a known type that is malformed. */
export function decodeConsumerOffsetsKey(bytes: Uint8Array): ConsumerOffsetsKey {
  const type = versionBefore('key of a record in __consumer_offsets', bytes)
  switch (type) {
    case 0:
    case 1:
      return { kind: 'offsetCommit', key: decodeVersioned(offsetCommitKey, bytes).value }
    case 2:
      return { kind: 'groupMetadata', key: decodeVersioned(groupMetadataKey, bytes).value }
    default:
      return { kind: 'unknown', type }
  }
}
