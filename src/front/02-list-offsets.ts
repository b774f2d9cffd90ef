import { ErrorCode } from '../base/error-code.ts'
import type { PartitionIndex } from '../base/ids.ts'
import type { BrokerProxy, OffsetsSink } from '../cell/broker-proxy.ts'
import type { TopicView } from '../image/view.ts'
import { OffsetSource } from '../link/commands.ts'
import type { OffsetsReply } from '../link/replies.ts'
import { type ListOffsetsRequest, listOffsets } from '../protocol/02-list-offsets.ts'
import { requiredAcls } from '../tenant/required-acls.ts'
import { handler, type RequestContext } from './context.ts'
import { findByTimestamp } from './timestamp-lookup.ts'

type Context = RequestContext<typeof listOffsets>
type Asked = ListOffsetsRequest['topics'][number]['partitions'][number]

const { acls } = requiredAcls.listOffsets

interface Answer {
  partitionIndex: number
  errorCode: number
  timestamp: number
  offset: number
  leaderEpoch: number
}

/** The version from which on each of Kafka's special timestamps may be asked for. */
const SPECIAL_FROM: Readonly<Record<string, number>> = {
  '-1': 1,
  '-2': 1,
  '-3': 7,
  '-4': 8,
  '-5': 9,
  '-6': 11,
}

export const listOffsetsHandler = handler({
  api: listOffsets,
  scopes: ['topicName', 'brokerId'],
  handle(request, context) {
    new ListOffsetsOp(request, context).start()
  },
})

/** One request until every partition of it is answered. */
class ListOffsetsOp implements OffsetsSink {
  readonly #request: ListOffsetsRequest
  readonly #context: Context
  readonly #answers: Answer[] = []
  /** What was asked, about which topic, and whom, beside each answer. */
  readonly #asked: Asked[] = []
  readonly #views: (TopicView | null)[] = []
  readonly #leaders: (BrokerProxy | null)[] = []
  readonly #topics: { name: string; partitions: Answer[] }[] = []
  #waiting = 1

  constructor(request: ListOffsetsRequest, context: Context) {
    this.#request = request
    this.#context = context
  }

  start(): void {
    const repeated = repeatedPartitions(this.#request)
    const rows = new Map<string, { name: string; partitions: Answer[] }>()
    const { image } = this.#context.services
    for (const { name, partitions } of this.#request.topics) {
      if (partitions.length === 0) continue
      const row = rows.get(name) ?? { name, partitions: [] }
      if (row.partitions.length === 0) {
        rows.set(name, row)
        this.#topics.push(row)
      }
      const isDenied = !this.#context.may(acls.topic, name)
      const topic = image.topicByName(this.#context.session.tenantId, name) ?? null
      const refused = repeated.get(name)
      for (const asked of partitions) {
        const index = asked.partitionIndex
        const isTold = refused?.get(index)
        if (isTold === true) continue
        if (isTold === false) refused!.set(index, true)
        const answer = newAnswer(index)
        row.partitions.push(answer)
        const token = this.#answers.push(answer) - 1
        this.#asked.push(asked)
        this.#views.push(topic)
        this.#leaders.push(null)
        // As Kafka does it: which of them is meant?
        if (isDenied) answer.errorCode = ErrorCode.TOPIC_AUTHORIZATION_FAILED
        else if (isTold === false) answer.errorCode = ErrorCode.INVALID_REQUEST
        else answer.errorCode = this.#ask(topic, asked, token)
      }
    }
    this.#settle()
  }

  onOffsets(token: number, reply: Readonly<OffsetsReply>): void {
    const answer = this.#answers[token]!
    if (reply.error === ErrorCode.NONE && reply.source === OffsetSource.BATCH) {
      this.#find(answer, token, reply)
      return
    }
    fill(answer, reply.error, reply.offset, reply.timestamp, reply.leaderEpoch)
    this.#settle()
  }

  #find(answer: Answer, token: number, reply: Readonly<OffsetsReply>): void {
    const { services } = this.#context
    const topic = this.#views[token]!
    // whose files the reply names, whoever leads by now
    const leader = this.#leaders[token]!
    const { partitionIndex, timestamp, currentLeaderEpoch } = this.#asked[token]!
    const index = partitionIndex as PartitionIndex
    const partition = topic.numberOf(index)
    const question = { topic, index, partition, leader, timestamp, currentLeaderEpoch }
    const { leaderEpoch } = reply
    findByTimestamp(this.#context, question, reply, (error, offset, at) => {
      fill(answer, error, offset, at, leaderEpoch)
      this.#settle()
      services.afterCallback()
    })
  }

  /** Asks the leader; or returns the error of the partition. */
  #ask(topic: TopicView | null, asked: Asked, token: number): number {
    const { services, version } = this.#context
    const { partitionIndex, timestamp, currentLeaderEpoch } = asked
    if (topic === null) return ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    if (partitionIndex < 0 || partitionIndex >= topic.partitionCount) {
      return ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    }
    if (timestamp < 0 && !(version >= (SPECIAL_FROM[String(timestamp)] ?? Number.MAX_VALUE))) {
      return ErrorCode.UNSUPPORTED_VERSION
    }
    // −1 alone stands for any.
    if (currentLeaderEpoch < -1) return ErrorCode.FENCED_LEADER_EPOCH
    const partition = topic.numberOf(partitionIndex as PartitionIndex)
    const leader = services.dispatcher.leaderOf(topic.cellId, partition)
    if (!leader?.alive) return ErrorCode.NOT_LEADER_OR_FOLLOWER
    this.#leaders[token] = leader
    this.#waiting++
    leader.listOffsets(partition, timestamp, currentLeaderEpoch, this, token)
    return ErrorCode.NONE
  }

  #settle(): void {
    if (--this.#waiting > 0) return
    // older clients are not told of epochs
    if (this.#context.version < 4) for (const answer of this.#answers) answer.leaderEpoch = -1
    this.#context.reply({ throttleTimeMs: 0, topics: this.#topics })
  }
}

/** By topic, the partitions that are asked for more than once, each with whether that has been told. */
function repeatedPartitions(
  request: ListOffsetsRequest,
): ReadonlyMap<string, Map<number, boolean>> {
  const seenByName = new Map<string, Set<number>>()
  const repeated = new Map<string, Map<number, boolean>>()
  for (const { name, partitions } of request.topics) {
    const seen = seenByName.get(name) ?? new Set()
    seenByName.set(name, seen)
    for (const { partitionIndex } of partitions) {
      if (!seen.has(partitionIndex)) {
        seen.add(partitionIndex)
        continue
      }
      const ofTopic = repeated.get(name) ?? new Map<number, boolean>()
      repeated.set(name, ofTopic.set(partitionIndex, false))
    }
  }
  return repeated
}

const newAnswer = (partitionIndex: number): Answer => ({
  partitionIndex,
  errorCode: ErrorCode.NONE,
  timestamp: -1,
  offset: -1,
  leaderEpoch: -1,
})

function fill(
  answer: Answer,
  error: number,
  offset: number,
  timestamp: number,
  leaderEpoch: number,
): void {
  answer.errorCode = error
  answer.offset = error === ErrorCode.NONE ? offset : -1
  answer.timestamp = error === ErrorCode.NONE ? timestamp : -1
  // An answer without an offset has no epoch either.
  answer.leaderEpoch = answer.offset >= 0 ? leaderEpoch : -1
}
