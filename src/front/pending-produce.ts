import { ErrorCode, errorName } from '../base/error-code.ts'
import type { TopicId } from '../base/ids.ts'
import type { ProduceSink } from '../cell/broker-proxy.ts'
import type { ProducedReply } from '../link/replies.ts'
import type { produce } from '../protocol/00-produce.ts'
import type { BatchFault } from '../record/fault.ts'
import type { RequestContext } from './context.ts'
import { Deadline } from './deadlines.ts'

/** One partition's part of the answer, filled as it comes. */
export interface PartitionAnswer {
  index: number
  errorCode: number
  baseOffset: number
  logAppendTimeMs: number
  logStartOffset: number
  recordErrors: { batchIndex: number; batchIndexErrorMessage: string | null }[]
  errorMessage: string | null
}

export interface TopicAnswer {
  name: string
  topicId: TopicId
  partitionResponses: PartitionAnswer[]
}

const UNANSWERED = -1000

/** Produce requests that brokers have accepted and not answered: a front that stops waits for them. */
export class PendingProduces {
  size = 0
}

export const newPartitionAnswer = (index: number): PartitionAnswer => ({
  index,
  errorCode: UNANSWERED,
  baseOffset: -1,
  logAppendTimeMs: -1,
  logStartOffset: -1,
  recordErrors: [],
  errorMessage: null,
})

/** One produce request until every partition of it is answered, or its time is up. Belongs to the front's thread. */
export class PendingProduce extends Deadline implements ProduceSink {
  readonly context: RequestContext<typeof produce>
  readonly acks: number
  /** All partitions' answers in a row: the token of a batch is its place here. */
  readonly answers: PartitionAnswer[] = []
  readonly #responses: readonly TopicAnswer[]
  #waiting = 0
  /** Counted in flight although the answer has gone: batches that are not answered may lie in memory. */
  #lingeringBytes = 0
  /** Nothing is answered before every partition has been dispatched. */
  #dispatched = false
  #done = false

  constructor(
    context: RequestContext<typeof produce>,
    acks: number,
    responses: readonly TopicAnswer[],
  ) {
    super()
    this.context = context
    this.acks = acks
    this.#responses = responses
  }

  /** A batch has been dispatched, or is about to be. */
  expect(): void {
    this.#waiting++
  }

  refuse(token: number, error: number, message: string | null = null): void {
    const answer = this.answers[token]!
    answer.errorCode = error
    answer.errorMessage = message
  }

  /** Refuses a batch because of its records; which, if one is to blame. */
  refuseBatch(token: number, fault: BatchFault): void {
    this.refuse(token, fault.errorCode, fault.message)
    if (fault.recordIndex === undefined) return
    this.answers[token]!.recordErrors = [
      { batchIndex: fault.recordIndex, batchIndexErrorMessage: fault.message },
    ]
  }

  onProduced(token: number, reply: Readonly<ProducedReply>): void {
    const answer = this.answers[token]!
    if (!this.#done) {
      answer.errorCode = reply.error
      answer.baseOffset = reply.baseOffset
      answer.logAppendTimeMs = reply.logAppendTimeMs
      answer.logStartOffset = reply.logStartOffset
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
    services.deadlines.add(this, nowMs + Math.max(0, timeoutMs), nowMs)
  }

  onDeadline(): void {
    if (this.#done) return
    for (const answer of this.answers) {
      if (answer.errorCode === UNANSWERED) answer.errorCode = ErrorCode.REQUEST_TIMED_OUT
    }
    const { connection, services, slot } = this.context
    if (!connection.closed) {
      this.#lingeringBytes = slot.requestBytes
      services.requests.add(slot.requestBytes)
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
    slot.frameDone()
    services.requests.remove(this.#lingeringBytes)
  }

  #finish(): void {
    this.#done = true
    const { context } = this
    if (context.connection.closed) return
    if (this.acks !== 0) {
      context.reply({ responses: this.#responses, throttleTimeMs: 0 })
      return
    }
    // Nothing can be answered, so a refusal shows as a closed connection, as Kafka does it.
    const refused = this.answers.find((answer) => answer.errorCode !== ErrorCode.NONE)
    if (refused === undefined) context.replyNothing()
    else {
      const reason = `produce with acks=0 was refused: ${errorName(refused.errorCode)}`
      context.fail(refused.errorCode, reason)
    }
  }
}
