/**
 * What the replicas of one partition say to each other through the rings between their brokers: the messages of `raft/types.ts` in fixed
 * little-endian layouts, written in place. Version 1. A ring record's type is one of {@link RaftType}; every record begins with the head.
 * Ids, terms, positions and offsets are float64: exact up to 2^53, −1 where there is none.
 *
 *   head           u8 version · u8 flags · u16 0 · u32 partition · f64 from · f64 to · f64 term
 *   PRE_VOTE, VOTE                head · f64 lastTerm · f64 end                    flag 1: it was asked for by the leader
 *   PRE_VOTE_REPLY, VOTE_REPLY    head                                             flag 1: granted
 *   APPEND         head · f64 start · f64 previousTerm · f64 end · f64 commit
 *                  · f64 segmentBaseOffset · f64 filePosition · f64 batchBaseOffset · f64 gapsTo · u32 lines · u32 controls
 *                  · each line: f64 term · f64 start · each control entry
 *   APPEND_REPLY   head · f64 end · f64 lastTerm · f64 commit                      flag 1: refused
 *   SNAPSHOT       head · f64 start · f64 offset · f64 controlsBefore · u32 lines · u32 voters · u32 learners
 *                  · u32 bufferId (0: the bytes are here) · u32 producerBytes · u32 0
 *                  · each line · each voter f64 · each learner f64 · producer snapshot, padded to 8
 *   RESIGN, TIMEOUT_NOW           head
 *
 *   control entry  u8 kind (ControlKind) · u8 0 · u16 voters · u32 byteLength of what follows these 24 bytes · f64 at · f64 term
 *                  · membership: voters, then learners, f64 each · host: the payload, padded to 8
 *
 * An append that is too long for its ring is split by its sender (`split-append.ts`): every piece is an append of its own. All else has a bound, beyond
 * which writing throws InvariantError: members of a configuration, lines of a snapshot, payload of a control entry.
 */
import { invariant } from '../base/assert.ts'
import { copyBytes } from '../base/copy.ts'
import type { PartitionNumber } from '../base/ids.ts'
import type { Configuration, ControlEntry, Message, TermLine } from '../raft/types.ts'

export const RAFT_VERSION = 1

export const RaftType = {
  PRE_VOTE: 193,
  VOTE: 194,
  PRE_VOTE_REPLY: 195,
  VOTE_REPLY: 196,
  APPEND: 197,
  APPEND_REPLY: 198,
  SNAPSHOT: 199,
  RESIGN: 200,
  TIMEOUT_NOW: 201,
} as const

export const ControlKind = { TERM_START: 1, MEMBERSHIP: 2, HOST: 3 } as const

/** Of a configuration, voters and learners together. */
export const MEMBERS_MAX = 64
/** Of one control entry of the host's. */
export const HOST_PAYLOAD_BYTES_MAX = 1_024
/** A snapshot tells the lines that cover one entry. */
export const SNAPSHOT_LINES_MAX = 16
/** A record of so many bytes holds every message, split where it is an append, but for a producer snapshot. */
export const RAFT_RECORD_BYTES_MIN = 2_048

export const HEAD_BYTES = 32
export const APPEND_BYTES = HEAD_BYTES + 72
export const SNAPSHOT_BYTES = HEAD_BYTES + 48
export const LINE_BYTES = 16
export const CONTROL_BYTES = 24

export type Append = Extract<Message, { type: 'append' }>
export type Snapshot = Extract<Message, { type: 'snapshot' }>
/** Messages of a fixed length. */
export type PlainMessage = Exclude<Message, { type: 'append' | 'snapshot' }>

/** Where in the sender's files the range of an append begins; every field −1 where it holds no batch. */
export interface AppendPlace {
  /** Names the segment file. */
  readonly segmentBaseOffset: number
  /** Bytes into it. */
  readonly filePosition: number
  /** Of the batch there, by which the reader knows that it has read the file that was meant. */
  readonly batchBaseOffset: number
  /** Below this offset batches need not follow one another: the sender's log was cleaned. 0 for nowhere. */
  readonly gapsTo: number
}

export const NO_PLACE: AppendPlace = {
  segmentBaseOffset: -1,
  filePosition: -1,
  batchBaseOffset: -1,
  gapsTo: 0,
}

/** What a log that begins with a snapshot has to know besides. */
export interface SnapshotBase {
  /** Kafka's offset of the snapshot's start. */
  readonly offset: number
  /** Control entries before it. */
  readonly controlsBefore: number
  /** In the format of `.snapshot` files; the link does not look into it. */
  readonly producers: Uint8Array
}

const PLAIN = {
  'pre-vote': { type: RaftType.PRE_VOTE, bytes: HEAD_BYTES + 16 },
  vote: { type: RaftType.VOTE, bytes: HEAD_BYTES + 16 },
  'pre-vote-reply': { type: RaftType.PRE_VOTE_REPLY, bytes: HEAD_BYTES },
  'vote-reply': { type: RaftType.VOTE_REPLY, bytes: HEAD_BYTES },
  'append-reply': { type: RaftType.APPEND_REPLY, bytes: HEAD_BYTES + 24 },
  resign: { type: RaftType.RESIGN, bytes: HEAD_BYTES },
  'timeout-now': { type: RaftType.TIMEOUT_NOW, bytes: HEAD_BYTES },
} as const satisfies Record<PlainMessage['type'], { type: number; bytes: number }>

/** Record type and payload bytes of a message of fixed length. */
export const plainShape = (
  message: PlainMessage,
): { readonly type: number; readonly bytes: number } => PLAIN[message.type]

export function writePlain(
  view: DataView,
  at: number,
  partition: PartitionNumber,
  message: PlainMessage,
): void {
  writeHead(view, at, partition, message, flagOf(message))
  if (message.type === 'append-reply') {
    view.setFloat64(at + HEAD_BYTES, message.end, true)
    view.setFloat64(at + HEAD_BYTES + 8, message.lastTerm, true)
    view.setFloat64(at + HEAD_BYTES + 16, message.commit, true)
  } else if (message.type === 'pre-vote' || message.type === 'vote') {
    view.setFloat64(at + HEAD_BYTES, message.lastTerm, true)
    view.setFloat64(at + HEAD_BYTES + 8, message.end, true)
  }
}

function flagOf(message: PlainMessage): boolean {
  switch (message.type) {
    case 'append-reply':
      return message.isRefused
    case 'pre-vote':
    case 'vote':
      return message.isTransfer
    case 'pre-vote-reply':
    case 'vote-reply':
      return message.isGranted
    case 'resign':
    case 'timeout-now':
      return false
  }
}

/** Payload bytes of an append. Throws InvariantError for a control entry beyond its bound. */
export function appendBytes({ lines, controls }: Append): number {
  let bytes = APPEND_BYTES + lines.length * LINE_BYTES
  for (const entry of controls) bytes += controlBytes(entry)
  return bytes
}

/** Bytes of a control entry in an append. Throws InvariantError for one beyond its bound. */
export function controlBytes(entry: ControlEntry): number {
  switch (entry.kind) {
    case 'term-start':
      return CONTROL_BYTES
    case 'membership':
      return CONTROL_BYTES + 8 * memberCount(entry.configuration)
    case 'host':
      return CONTROL_BYTES + padded(payloadOf(entry).length)
  }
}

/** Into a record of {@link appendBytes}. */
export function writeAppend(
  bytes: Uint8Array,
  view: DataView,
  at: number,
  partition: PartitionNumber,
  message: Append,
  place: AppendPlace,
): void {
  writeHead(view, at, partition, message, false)
  let to = at + HEAD_BYTES
  view.setFloat64(to, message.start, true)
  view.setFloat64(to + 8, message.previousTerm, true)
  view.setFloat64(to + 16, message.end, true)
  view.setFloat64(to + 24, message.commit, true)
  view.setFloat64(to + 32, place.segmentBaseOffset, true)
  view.setFloat64(to + 40, place.filePosition, true)
  view.setFloat64(to + 48, place.batchBaseOffset, true)
  view.setFloat64(to + 56, place.gapsTo, true)
  view.setUint32(to + 64, message.lines.length, true)
  view.setUint32(to + 68, message.controls.length, true)
  to = writeLines(view, at + APPEND_BYTES, message.lines)
  for (const entry of message.controls) to = writeControl(bytes, view, to, entry)
}

/** Payload bytes of a snapshot; `producerBytes` 0 where they travel in a buffer of their own. */
export function snapshotBytes({ lines, configuration }: Snapshot, producerBytes: number): number {
  invariant(lines.length <= SNAPSHOT_LINES_MAX, 'a snapshot tells the lines of one entry')
  const members = memberCount(configuration)
  return SNAPSHOT_BYTES + lines.length * LINE_BYTES + members * 8 + padded(producerBytes)
}

/** Into a record of {@link snapshotBytes}. `bufferId` names the buffer that holds the producers; 0: they are written here. */
export function writeSnapshot(
  bytes: Uint8Array,
  view: DataView,
  at: number,
  partition: PartitionNumber,
  message: Snapshot,
  base: SnapshotBase,
  bufferId: number,
): void {
  const { voters, learners } = message.configuration
  writeHead(view, at, partition, message, false)
  const fixed = at + HEAD_BYTES
  view.setFloat64(fixed, message.start, true)
  view.setFloat64(fixed + 8, base.offset, true)
  view.setFloat64(fixed + 16, base.controlsBefore, true)
  view.setUint32(fixed + 24, message.lines.length, true)
  view.setUint32(fixed + 28, voters.length, true)
  view.setUint32(fixed + 32, learners.length, true)
  view.setUint32(fixed + 36, bufferId, true)
  view.setUint32(fixed + 40, base.producers.length, true)
  view.setUint32(fixed + 44, 0, true)
  let to = writeLines(view, at + SNAPSHOT_BYTES, message.lines)
  to = writeMembers(view, to, message.configuration)
  if (bufferId === 0) copyBytes(bytes, to, base.producers)
}

function writeHead(
  view: DataView,
  at: number,
  partition: PartitionNumber,
  { from, to, term }: Message,
  flag: boolean,
): void {
  view.setUint8(at, RAFT_VERSION)
  view.setUint8(at + 1, flag ? 1 : 0)
  view.setUint16(at + 2, 0, true)
  view.setUint32(at + 4, partition, true)
  view.setFloat64(at + 8, from, true)
  view.setFloat64(at + 16, to, true)
  view.setFloat64(at + 24, term, true)
}

function writeLines(view: DataView, at: number, lines: readonly TermLine[]): number {
  let to = at
  for (const { term, start } of lines) {
    view.setFloat64(to, term, true)
    view.setFloat64(to + 8, start, true)
    to += LINE_BYTES
  }
  return to
}

function writeMembers(view: DataView, at: number, { voters, learners }: Configuration): number {
  let to = at
  for (const members of [voters, learners]) {
    for (const member of members) {
      view.setFloat64(to, member, true)
      to += 8
    }
  }
  return to
}

function writeControl(bytes: Uint8Array, view: DataView, at: number, entry: ControlEntry): number {
  const rest = at + CONTROL_BYTES
  view.setUint8(at + 1, 0)
  view.setFloat64(at + 8, entry.at, true)
  view.setFloat64(at + 16, entry.term, true)
  switch (entry.kind) {
    case 'term-start':
      view.setUint8(at, ControlKind.TERM_START)
      view.setUint16(at + 2, 0, true)
      view.setUint32(at + 4, 0, true)
      return rest
    case 'membership':
      view.setUint8(at, ControlKind.MEMBERSHIP)
      view.setUint16(at + 2, entry.configuration.voters.length, true)
      view.setUint32(at + 4, 8 * memberCount(entry.configuration), true)
      return writeMembers(view, rest, entry.configuration)
    case 'host': {
      const payload = payloadOf(entry)
      view.setUint8(at, ControlKind.HOST)
      view.setUint16(at + 2, 0, true)
      view.setUint32(at + 4, payload.length, true)
      copyBytes(bytes, rest, payload)
      return rest + padded(payload.length)
    }
  }
}

function memberCount({ voters, learners }: Configuration): number {
  const count = voters.length + learners.length
  invariant(count <= MEMBERS_MAX, 'a configuration has 64 members at most')
  return count
}

function payloadOf({ payload }: Extract<ControlEntry, { kind: 'host' }>): Uint8Array {
  invariant(payload instanceof Uint8Array, 'a host entry is bytes where it leaves its broker')
  invariant(payload.length <= HOST_PAYLOAD_BYTES_MAX, 'a host entry has 1,024 bytes at most')
  return payload
}

const padded = (bytes: number): number => (bytes + 7) & ~7
