/**
 * What consumers of classic groups (protocol type "consumer") tell each other through the coordinator: the
 * subscription is the metadata of a protocol in JoinGroup, the assignment travels in SyncGroup. Versions 0–3; never
 * flexible.
 *
 * - 1: the partitions that the member still owns (KIP-429); 2: as of which generation (KIP-792)
 * - 3: rack id (KIP-881)
 *
 * The broker need not understand them, but for what a group subscribes to: other protocol types put other bytes in
 * the same places, and any client may send nonsense. So bytes that are no such message are null, never an error.
 * A newer version is read as version 3, as Kafka does.
 */
import { array, bytes, int32, string } from './schema.ts'
import { always, between, since } from './version-range.ts'
import {
  decodeVersioned,
  encodeVersioned,
  type MessageInputOf,
  type MessageOf,
  type VersionedMessage,
  versionedMessage,
} from './versioned-message.ts'
import { WireFormatError } from './wire-format-error.ts'

/** The protocol type of groups whose bytes these are. */
export const CONSUMER_PROTOCOL_TYPE = 'consumer'

export const consumerProtocolSubscription = versionedMessage({
  name: 'ConsumerProtocolSubscription',
  versions: between(0, 3),
  flexibleFrom: undefined,
  newerOnlyAppend: true,
  fields: {
    topics: array(string({ entity: 'topicName' })),
    userData: bytes({ nullable: always, default: null }),
    ownedPartitions: array(
      { topic: string({ entity: 'topicName' }), partitions: array(int32()) },
      { versions: since(1), ignorable: true },
    ),
    generationId: int32({ versions: since(2), default: -1, ignorable: true }),
    rackId: string({ versions: since(3), nullable: always, default: null, ignorable: true }),
  },
})

export const consumerProtocolAssignment = versionedMessage({
  name: 'ConsumerProtocolAssignment',
  versions: between(0, 3),
  flexibleFrom: undefined,
  newerOnlyAppend: true,
  fields: {
    assignedPartitions: array({
      topic: string({ entity: 'topicName' }),
      partitions: array(int32()),
    }),
    userData: bytes({ nullable: always, default: null }),
  },
})

export type ConsumerProtocolSubscription = MessageOf<typeof consumerProtocolSubscription>
export type ConsumerProtocolAssignment = MessageOf<typeof consumerProtocolAssignment>
export type ConsumerProtocolSubscriptionInput = MessageInputOf<typeof consumerProtocolSubscription>
export type ConsumerProtocolAssignmentInput = MessageInputOf<typeof consumerProtocolAssignment>

/** Null for bytes that are no subscription. User data is a view of `bytes`. */
export const decodeSubscription = (bytes: Uint8Array): ConsumerProtocolSubscription | null =>
  decodeSoftly(consumerProtocolSubscription, bytes)

/** Null for bytes that are no assignment, as the empty ones that a member without partitions may get. */
export const decodeAssignment = (bytes: Uint8Array): ConsumerProtocolAssignment | null =>
  decodeSoftly(consumerProtocolAssignment, bytes)

export const encodeSubscription = (
  version: number,
  subscription: ConsumerProtocolSubscriptionInput,
): Uint8Array => encodeVersioned(consumerProtocolSubscription, version, subscription)

export const encodeAssignment = (
  version: number,
  assignment: ConsumerProtocolAssignmentInput,
): Uint8Array => encodeVersioned(consumerProtocolAssignment, version, assignment)

function decodeSoftly<M extends VersionedMessage>(
  message: M,
  bytes: Uint8Array,
): MessageOf<M> | null {
  try {
    return decodeVersioned(message, bytes).value
  } catch (error) {
    if (error instanceof WireFormatError) return null
    throw error
  }
}
