/** Messages between replicas, read out of a ring; their layouts are drawn in `raft-messages.ts`. */
import { InvariantError, invariant } from '../base/assert.ts'
import { copyBytes } from '../base/copy.ts'
import { asPartitionNumber, type PartitionNumber } from '../base/ids.ts'
import type { Configuration, ControlEntry, Message, TermLine } from '../raft/types.ts'
import {
  APPEND_BYTES,
  type AppendPlace,
  CONTROL_BYTES,
  ControlKind,
  HEAD_BYTES,
  LINE_BYTES,
  RAFT_VERSION,
  RaftType,
  SNAPSHOT_BYTES,
} from './raft-messages.ts'

/** What came with a snapshot. */
export interface ReceivedBase {
  readonly offset: number
  readonly controlsBefore: number
  /** null: they are in the buffer `bufferId`, which came by control message. */
  readonly producers: Uint8Array | null
  readonly bufferId: number
}

/** A message as {@link RaftMessageReader.read} hands it out. */
export interface ReceivedMessage {
  readonly partition: PartitionNumber
  /** An append, a snapshot and what they hold may be kept; any other message is overwritten by the next read. */
  readonly message: Message
  /** Of an append; overwritten by the next read. */
  readonly place: AppendPlace
  /** Of a snapshot; otherwise null. */
  readonly base: ReceivedBase | null
}

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] }

const NO_CONTROLS: readonly ControlEntry[] = []

/** Reads one ring's messages. Allocates nothing for an append-reply, and for an append the message and its lines. */
export class RaftMessageReader {
  readonly #place: Mutable<AppendPlace> = {
    segmentBaseOffset: -1,
    filePosition: -1,
    batchBaseOffset: -1,
    gapsTo: 0,
  }
  readonly #reply: Mutable<Extract<Message, { type: 'append-reply' }>> = {
    ...{ type: 'append-reply', from: 0, to: 0, term: 0 },
    ...{ end: 0, isRefused: false, lastTerm: 0, commit: 0 },
  }
  readonly #received: Mutable<ReceivedMessage> = {
    partition: asPartitionNumber(0),
    message: this.#reply,
    place: this.#place,
    base: null,
  }

  /** The record of `length` bytes at `at`. Throws InvariantError for a version or a type that this build does not know. */
  read(
    type: number,
    bytes: Uint8Array,
    view: DataView,
    at: number,
    length: number,
  ): ReceivedMessage {
    const version = view.getUint8(at)
    if (version !== RAFT_VERSION) {
      throw new InvariantError(
        `raft message: layout version ${version}, this build reads version ${RAFT_VERSION}`,
      )
    }
    const received = this.#received
    received.partition = asPartitionNumber(view.getUint32(at + 4, true))
    received.base = null
    if (type === RaftType.APPEND) received.message = this.#append(bytes, view, at, length)
    else if (type === RaftType.APPEND_REPLY) received.message = this.#appendReply(view, at)
    else if (type === RaftType.SNAPSHOT) received.message = this.#snapshot(bytes, view, at)
    else received.message = rare(type, view, at)
    return received
  }

  #append(bytes: Uint8Array, view: DataView, at: number, length: number): Message {
    const fixed = at + HEAD_BYTES
    const place = this.#place
    place.segmentBaseOffset = view.getFloat64(fixed + 32, true)
    place.filePosition = view.getFloat64(fixed + 40, true)
    place.batchBaseOffset = view.getFloat64(fixed + 48, true)
    place.gapsTo = view.getFloat64(fixed + 56, true)
    const lineCount = view.getUint32(fixed + 64, true)
    const controlCount = view.getUint32(fixed + 68, true)
    const linesAt = at + APPEND_BYTES
    const controlsAt = linesAt + lineCount * LINE_BYTES
    invariant(controlsAt <= at + length, 'an append ends with its record')
    return {
      type: 'append',
      from: view.getFloat64(at + 8, true),
      to: view.getFloat64(at + 16, true),
      term: view.getFloat64(at + 24, true),
      start: view.getFloat64(fixed, true),
      previousTerm: view.getFloat64(fixed + 8, true),
      end: view.getFloat64(fixed + 16, true),
      lines: readLines(view, linesAt, lineCount),
      controls:
        controlCount === 0 ? NO_CONTROLS : readControls(bytes, view, controlsAt, controlCount),
      commit: view.getFloat64(fixed + 24, true),
    }
  }

  #appendReply(view: DataView, at: number): Message {
    const reply = this.#reply
    reply.from = view.getFloat64(at + 8, true)
    reply.to = view.getFloat64(at + 16, true)
    reply.term = view.getFloat64(at + 24, true)
    reply.isRefused = view.getUint8(at + 1) === 1
    reply.end = view.getFloat64(at + HEAD_BYTES, true)
    reply.lastTerm = view.getFloat64(at + HEAD_BYTES + 8, true)
    reply.commit = view.getFloat64(at + HEAD_BYTES + 16, true)
    return reply
  }

  #snapshot(bytes: Uint8Array, view: DataView, at: number): Message {
    const fixed = at + HEAD_BYTES
    const lineCount = view.getUint32(fixed + 24, true)
    const voters = view.getUint32(fixed + 28, true)
    const learners = view.getUint32(fixed + 32, true)
    const bufferId = view.getUint32(fixed + 36, true)
    const producerBytes = view.getUint32(fixed + 40, true)
    const membersAt = at + SNAPSHOT_BYTES + lineCount * LINE_BYTES
    const producersAt = membersAt + 8 * (voters + learners)
    this.#received.base = {
      offset: view.getFloat64(fixed + 8, true),
      controlsBefore: view.getFloat64(fixed + 16, true),
      producers: bufferId === 0 ? copyOf(bytes, producersAt, producerBytes) : null,
      bufferId,
    }
    return {
      type: 'snapshot',
      ...readBetween(view, at),
      start: view.getFloat64(fixed, true),
      lines: readLines(view, at + SNAPSHOT_BYTES, lineCount),
      configuration: readMembers(view, membersAt, voters, learners),
    }
  }
}

function rare(type: number, view: DataView, at: number): Message {
  const between = readBetween(view, at)
  const flag = view.getUint8(at + 1) === 1
  switch (type) {
    case RaftType.PRE_VOTE:
    case RaftType.VOTE:
      return {
        type: type === RaftType.VOTE ? 'vote' : 'pre-vote',
        ...between,
        lastTerm: view.getFloat64(at + HEAD_BYTES, true),
        end: view.getFloat64(at + HEAD_BYTES + 8, true),
        isTransfer: flag,
      }
    case RaftType.PRE_VOTE_REPLY:
    case RaftType.VOTE_REPLY: {
      const replyType = type === RaftType.VOTE_REPLY ? 'vote-reply' : 'pre-vote-reply'
      return { type: replyType, ...between, isGranted: flag }
    }
    case RaftType.RESIGN:
      return { type: 'resign', ...between }
    case RaftType.TIMEOUT_NOW:
      return { type: 'timeout-now', ...between }
    default:
      throw new InvariantError(`raft message of unknown type ${type}`)
  }
}

const readBetween = (view: DataView, at: number) => ({
  from: view.getFloat64(at + 8, true),
  to: view.getFloat64(at + 16, true),
  term: view.getFloat64(at + 24, true),
})

const readLine = (view: DataView, at: number): TermLine => ({
  term: view.getFloat64(at, true),
  start: view.getFloat64(at + 8, true),
})

function readLines(view: DataView, at: number, count: number): TermLine[] {
  if (count === 1) return [readLine(view, at)]
  const lines: TermLine[] = []
  for (let i = 0; i < count; i++) lines.push(readLine(view, at + i * LINE_BYTES))
  return lines
}

function readMembers(view: DataView, at: number, voters: number, learners: number): Configuration {
  const read = (from: number, count: number) =>
    Array.from({ length: count }, (_, i) => view.getFloat64(from + 8 * i, true))
  return { voters: read(at, voters), learners: read(at + 8 * voters, learners) }
}

function readControls(
  bytes: Uint8Array,
  view: DataView,
  from: number,
  count: number,
): ControlEntry[] {
  const entries: ControlEntry[] = []
  let at = from
  for (let i = 0; i < count; i++) {
    entries.push(readControl(bytes, view, at))
    at += CONTROL_BYTES + ((view.getUint32(at + 4, true) + 7) & ~7)
  }
  return entries
}

function readControl(bytes: Uint8Array, view: DataView, from: number): ControlEntry {
  const kind = view.getUint8(from)
  const byteLength = view.getUint32(from + 4, true)
  const at = view.getFloat64(from + 8, true)
  const term = view.getFloat64(from + 16, true)
  const rest = from + CONTROL_BYTES
  switch (kind) {
    case ControlKind.TERM_START:
      return { kind: 'term-start', at, term }
    case ControlKind.MEMBERSHIP: {
      const voters = view.getUint16(from + 2, true)
      const configuration = readMembers(view, rest, voters, byteLength / 8 - voters)
      return { kind: 'membership', at, term, configuration }
    }
    case ControlKind.HOST:
      return { kind: 'host', at, term, payload: copyOf(bytes, rest, byteLength) }
    default:
      throw new InvariantError(`control entry of unknown kind ${kind} in a raft message`)
  }
}

/** In memory of its own: the ring's is written over. */
function copyOf(bytes: Uint8Array, at: number, length: number): Uint8Array {
  const copy = new Uint8Array(length)
  copyBytes(copy, 0, bytes.subarray(at, at + length))
  return copy
}
