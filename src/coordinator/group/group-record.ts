import { groupMetadataKey, groupMetadataValue } from '../../protocol/consumer-offsets-records.ts'
import { decodeVersioned, encodeVersioned } from '../../protocol/versioned-message.ts'

/** The version of group values that Kafka 4.3.1 writes. */
const VALUE_VERSION = 3
const KEY_TYPE = 2

export interface MemberRecord {
  readonly memberId: string
  readonly groupInstanceId: string | null
  readonly clientId: string
  readonly clientHost: string
  readonly rebalanceTimeoutMs: number
  readonly sessionTimeoutMs: number
  /** Metadata for the protocol that was selected. */
  readonly subscription: Uint8Array
  readonly assignment: Uint8Array
}

/** A group as the log knows it: its last generation that was settled. */
export interface GroupRecord {
  /** Null: nobody ever joined, so it only commits offsets ("simple"). */
  readonly protocolType: string | null
  readonly generationId: number
  readonly protocolName: string | null
  readonly leaderId: string | null
  /** Wall clock, since when the group is in its state; −1: not known. */
  readonly currentStateTimestampMs: number
  readonly members: readonly MemberRecord[]
}

/** A group that came to be by a commit. */
export const SIMPLE_GROUP: GroupRecord = {
  protocolType: null,
  generationId: 0,
  protocolName: null,
  leaderId: null,
  currentStateTimestampMs: -1,
  members: [],
}

export const encodeGroupKey = (group: string): Uint8Array =>
  encodeVersioned(groupMetadataKey, KEY_TYPE, { group })

export const encodeGroupRecord = (record: GroupRecord): Uint8Array =>
  encodeVersioned(groupMetadataValue, VALUE_VERSION, {
    protocolType: record.protocolType ?? '',
    generation: record.generationId,
    protocol: record.protocolName,
    leader: record.leaderId,
    currentStateTimestamp: record.currentStateTimestampMs,
    members: record.members.map((member) => ({
      memberId: member.memberId,
      groupInstanceId: member.groupInstanceId,
      clientId: member.clientId,
      clientHost: member.clientHost,
      rebalanceTimeout: member.rebalanceTimeoutMs,
      sessionTimeout: member.sessionTimeoutMs,
      subscription: member.subscription,
      assignment: member.assignment,
    })),
  })

/** Copies what it keeps. Throws WireFormatError. */
export function decodeGroupRecord(bytes: Uint8Array): GroupRecord {
  const { value } = decodeVersioned(groupMetadataValue, bytes)
  return {
    protocolType: value.protocolType === '' ? null : value.protocolType,
    generationId: value.generation,
    protocolName: value.protocol,
    leaderId: value.leader,
    currentStateTimestampMs: value.currentStateTimestamp,
    members: value.members.map((member) => ({
      memberId: member.memberId,
      groupInstanceId: member.groupInstanceId,
      clientId: member.clientId,
      clientHost: member.clientHost,
      // before version 1 the session timeout counted for both
      rebalanceTimeoutMs:
        member.rebalanceTimeout === -1 ? member.sessionTimeout : member.rebalanceTimeout,
      sessionTimeoutMs: member.sessionTimeout,
      subscription: Uint8Array.from(member.subscription),
      assignment: Uint8Array.from(member.assignment),
    })),
  }
}
