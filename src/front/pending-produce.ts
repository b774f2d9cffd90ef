import { ErrorCode, errorName } from '../base/error-code.ts'
import type { PartitionIndex, TopicId } from '../base/ids.ts'
import type { ProduceSink } from '../cell/broker-proxy.ts'
import { tenantLimit } from '../image/tenant-limits.ts'
import type { TopicConfig } from '../image/topic-config.ts'
import type { TopicView } from '../image/view.ts'
import type { ProducedReply } from '../link/replies.ts'
import type { ProduceRequest, produce } from '../protocol/00-produce.ts'
import type { BatchFault } from '../record/fault.ts'
import type { RequestContext } from './context.ts'
import { Deadline } from './deadlines.ts'
import { endpointsOf, leaderToName, type NamedLeader } from './nodes.ts'
import { type RefusalName, type RefusedBatch, refusalText, withPlace } from './produce-refusals.ts'
import { configOf } from './slow-produce.ts'

interface RecordError {
  readonly batchIndex: number
  readonly batchIndexErrorMessage: string | null
}

/** One partition's part of the answer, filled as it comes. */
export interface PartitionAnswer {
  index: number
  errorCode: number
  baseOffset: number
  logAppendTimeMs: number
  logStartOffset: number
  recordErrors: readonly RecordError[]
  errorMessage: string | null
  /** Named where this is told to lead no more. */
  currentLeader?: NamedLeader
}

export interface TopicAnswer {
  readonly name: string
  readonly topicId: TopicId
  readonly partitionResponses: PartitionAnswer[]
}

const UNANSWERED = -1000
const NO_ERRORS: readonly RecordError[] = []
/** A timeout of 0 or less asks for no wait beyond the append itself, which takes a hop to another thread. */
const APPEND_MS = 1000
/** No topic has a longer name. */
const NAME_CHARS_MAX = 249
/** Refusals of one request that get a sentence: nobody reads more, and a client must not make us say as much as it likes. */
const SENTENCES_MAX = 1000
const NOTHING = new Uint8Array(0)
/** From this version on topics are named by id. */
export const TOPIC_IDS_FROM = 13
/** From this version on an answer may name the leader, and tell where it is. */
const LEADERS_FROM = 10

/** The tenant's topic that a request names. */
export function topicOf(
  context: RequestContext<typeof produce>,
  topicData: ProduceRequest['topicData'][number],
): TopicView | undefined {
  const { image } = context.services
  const { tenantId } = context.session
  return context.version >= TOPIC_IDS_FROM
    ? image.topicById(tenantId, topicData.topicId)
    : image.topicByName(tenantId, topicData.name)
}

/** Produce requests that brokers have accepted and not answered: a front that stops waits for them. */
export class PendingProduces {
  size = 0
}

const newPartitionAnswer = (index: number): PartitionAnswer => ({
  index,
  errorCode: UNANSWERED,
  baseOffset: -1,
  logAppendTimeMs: -1,
  logStartOffset: -1,
  recordErrors: NO_ERRORS,
  errorMessage: null,
})

/** One produce request until every partition of it is answered, or its time is up. Belongs to the front's thread. */
export class PendingProduce extends Deadline implements ProduceSink {
  readonly context: RequestContext<typeof produce>
  readonly acks: number
  // null until there is one: most requests have one topic and one partition, for which a push would make room for seventeen
  /** All partitions' answers in a row: the token of a batch is its place here. */
  #answers: PartitionAnswer[] | null = null
  #responses: TopicAnswer[] | null = null
  readonly #request: ProduceRequest
  #sentences = 0
  #firstTokens: number[] | null = null
  #waiting = 0
  /** Counted in flight although the answer has gone: batches that are not answered may lie in memory. */
  #lingeringBytes = 0
  /** Nothing is answered before every partition has been dispatched. */
  #dispatched = false
  #done = false
  /** Batches that a broker may look at though they are answered, and whether the frame could be given back but for them. */
  #retained = 0
  #isFrameDone = false

  constructor(context: RequestContext<typeof produce>, request: ProduceRequest) {
    super()
    this.context = context
    this.acks = request.acks
    this.#request = request
  }

  /** Another topic of the request, whose first partition is `index`; returns that one's token. */
  addTopic({ name, topicId }: ProduceRequest['topicData'][number], index: number): number {
    const partition = newPartitionAnswer(index)
    const topic = { name, topicId, partitionResponses: [partition] }
    if (this.#responses === null) this.#responses = [topic]
    else this.#responses.push(topic)
    return this.#addAnswer(partition)
  }

  /** Another partition of that topic; returns its token. */
  addPartition(index: number): number {
    const partition = newPartitionAnswer(index)
    this.#responses!.at(-1)!.partitionResponses.push(partition)
    return this.#addAnswer(partition)
  }

  #addAnswer(partition: PartitionAnswer): number {
    if (this.#answers !== null) return this.#answers.push(partition) - 1
    this.#answers = [partition]
    return 0
  }

  /** A batch has been dispatched, or is about to be. */
  expect(): void {
    this.#waiting++
    this.context.slot.holdFrame()
  }

  /** It has been answered, or there is nobody to answer. */
  get isOver(): boolean {
    return this.#done || this.context.connection.closed
  }

  /** A broker may yet look at a batch that is answered: the frame is not given back before it cannot. */
  retainBatch(): void {
    this.#retained++
  }

  releaseBatch(): void {
    this.#retained--
    if (this.#retained === 0 && this.#isFrameDone) this.context.slot.frameDone()
  }

  refuse(token: number, error: number, message: string | null = null): void {
    const answer = this.#answers![token]!
    answer.errorCode = error
    answer.errorMessage = message
  }

  /** Refuses a batch and says why, in the words of `produce-refusals.ts`; `batch`: as it is now, if not as it was sent. */
  refuseFor(
    token: number,
    error: number,
    reason: RefusalName | number,
    batch: Uint8Array | null = null,
  ): void {
    if (++this.#sentences > SENTENCES_MAX) {
      this.refuse(token, error)
      return
    }
    const refused = this.#refused(token)
    this.refuse(token, error, refusalText(reason, batch === null ? refused : { ...refused, batch }))
  }

  /** Refuses a batch because of its records; which, if one is to blame. */
  refuseBatch(token: number, fault: BatchFault): void {
    this.refuse(token, fault.errorCode, withPlace(fault.message, this.#refused(token)))
    if (fault.recordIndex === undefined) return
    this.#answers![token]!.recordErrors = [
      { batchIndex: fault.recordIndex, batchIndexErrorMessage: fault.message },
    ]
  }

  onProduced(token: number, reply: Readonly<ProducedReply>): void {
    const answer = this.#answers![token]!
    if (!this.#done) {
      answer.errorCode = reply.error
      answer.baseOffset = reply.baseOffset
      answer.logAppendTimeMs = reply.logAppendTimeMs
      answer.logStartOffset = reply.logStartOffset
      // the frame is held until every batch of it is answered
      if (reply.error !== ErrorCode.NONE) this.refuseFor(token, reply.error, reply.reason)
    }
    this.settle()
  }

  /** One expected batch has its answer. */
  settle(): void {
    this.#waiting--
    this.#finishIfAnswered()
  }

  /** Every partition has been dispatched or refused. */
  dispatched(timeoutMs: number): void {
    this.#dispatched = true
    const { services } = this.context
    if (this.#waiting === 0) {
      this.#finishIfAnswered()
      return
    }
    services.produces.size++
    this.context.slot.lingers = true
    const nowMs = services.clock.monotonicMs()
    services.deadlines.add(this, nowMs + (timeoutMs > 0 ? timeoutMs : APPEND_MS), nowMs)
  }

  onDeadline(): void {
    if (this.#done) return
    this.#answers?.forEach(({ errorCode }, token) => {
      if (errorCode === UNANSWERED) this.refuseFor(token, ErrorCode.REQUEST_TIMED_OUT, 'timedOut')
    })
    const { connection, services, slot } = this.context
    if (!connection.closed) {
      this.#lingeringBytes = slot.requestBytes
      services.requests.add(slot.requestBytes, connection.owner)
    }
    this.#finish()
  }

  #finishIfAnswered(): void {
    if (this.#waiting > 0 || !this.#dispatched) return
    const { services } = this.context
    if (this.bucket >= 0) {
      services.deadlines.remove(this)
      services.produces.size--
    } else if (this.#done) services.produces.size--
    if (!this.#done) this.#finish()
    const { slot } = this.context
    slot.abandon()
    this.#isFrameDone = true
    if (this.#retained === 0) slot.frameDone()
    services.requests.remove(this.#lingeringBytes, slot.connection.owner)
  }

  #configOf(topic: TopicView | undefined, index: number): TopicConfig | null {
    if (topic === undefined) return null
    const isThere = index >= 0 && index < topic.partitionCount
    if (!isThere) return topic.effective
    return configOf(this.context.services, topic, topic.numberOf(index as PartitionIndex))
  }

  #placeOf(token: number) {
    const { topicData } = this.#request
    this.#firstTokens ??= firstTokensOf(topicData)
    const place = lastNotAbove(this.#firstTokens, token)
    const inTopic = topicData[place]!
    const part = inTopic.partitionData[token - this.#firstTokens[place]!]!
    return { inTopic, part, index: part.index, topic: topicOf(this.context, inTopic) }
  }

  /** Looked for only when it is refused. */
  #refused(token: number): RefusedBatch {
    const { inTopic, part, topic } = this.#placeOf(token)
    const { services, session } = this.context
    return {
      topic: topic?.name ?? (inTopic.name.slice(0, NAME_CHARS_MAX) || inTopic.topicId),
      index: part.index,
      config: this.#configOf(topic, part.index),
      limitOf: (name) => tenantLimit(services.image, session.tenantId, name),
      storageBytes: services.holdings.storageBytes(session.tenantId),
      batch: part.records ?? NOTHING,
    }
  }

  /** Where it was refused for want of leadership (KIP-951); returns whom it has named. */
  #nameLeaders(): NamedLeader[] {
    const leaders: NamedLeader[] = []
    this.#answers?.forEach((answer, token) => {
      if (answer.errorCode !== ErrorCode.NOT_LEADER_OR_FOLLOWER) return
      const { topic, index } = this.#placeOf(token)
      const isThere = topic !== undefined && index >= 0 && index < topic.partitionCount
      const number = isThere ? topic.numberOf(index as PartitionIndex) : null
      const leader = number === null ? null : leaderToName(this.context, number)
      if (leader === null) return
      answer.currentLeader = leader
      leaders.push(leader)
    })
    return leaders
  }

  #finish(): void {
    this.#done = true
    const { context } = this
    if (context.connection.closed) return
    if (this.acks !== 0) {
      const leaders = context.version < LEADERS_FROM ? [] : this.#nameLeaders()
      const answer = { responses: this.#responses ?? [], throttleTimeMs: 0 }
      if (leaders.length === 0) context.reply(answer)
      else context.reply({ ...answer, nodeEndpoints: endpointsOf(context, leaders) })
      return
    }
    // Nothing can be answered, so a refusal shows as a closed connection, as Kafka does it.
    const refused = this.#answers?.find((answer) => answer.errorCode !== ErrorCode.NONE)
    if (refused === undefined) context.replyNothing()
    else {
      const reason = `produce with acks=0 was refused: ${errorName(refused.errorCode)}`
      context.fail(refused.errorCode, reason)
    }
  }
}

/** Of each topic, the token of its first partition. */
function firstTokensOf(topicData: ProduceRequest['topicData']): number[] {
  let next = 0
  return topicData.map(({ partitionData }) => {
    const first = next
    next += partitionData.length
    return first
  })
}

/** The last of rising numbers that is not above `value`. */
function lastNotAbove(numbers: readonly number[], value: number): number {
  let low = 0
  let high = numbers.length
  while (high - low > 1) {
    const middle = (low + high) >>> 1
    if (numbers[middle]! <= value) low = middle
    else high = middle
  }
  return low
}
