import { ErrorCode } from '../base/error-code.ts'
import type { EpochEndSink } from '../cell/broker-proxy.ts'
import type { EpochEndedReply } from '../link/replies.ts'
import {
  type OffsetForLeaderEpochRequest,
  offsetForLeaderEpoch,
} from '../protocol/23-offset-for-leader-epoch.ts'
import { requiredAcls } from '../tenant/required-acls.ts'
import { handler, type RequestContext } from './context.ts'
import { findLeader } from './leaders.ts'

type Context = RequestContext<typeof offsetForLeaderEpoch>
type Asked = OffsetForLeaderEpochRequest['topics'][number]['partitions'][number]

const { acls } = requiredAcls.offsetForLeaderEpoch

interface Answer {
  readonly partition: number
  errorCode: number
  leaderEpoch: number
  endOffset: number
}

export const offsetForLeaderEpochHandler = handler({
  api: offsetForLeaderEpoch,
  scopes: ['topicName', 'brokerId'],
  handle(request, context) {
    new EpochEndOp(request, context).start()
  },
})

/** One request until every partition of it is answered. */
class EpochEndOp implements EpochEndSink {
  readonly #request: OffsetForLeaderEpochRequest
  readonly #context: Context
  readonly #answers: Answer[] = []
  readonly #topics: { readonly topic: string; readonly partitions: Answer[] }[] = []
  #waiting = 1

  constructor(request: OffsetForLeaderEpochRequest, context: Context) {
    this.#request = request
    this.#context = context
  }

  start(): void {
    for (const { topic, partitions } of this.#request.topics) {
      const row = { topic, partitions: [] as Answer[] }
      this.#topics.push(row)
      const isDenied = !this.#context.may(acls.topic, topic)
      for (const asked of partitions) {
        const { partition } = asked
        const answer = { partition, errorCode: 0, leaderEpoch: -1, endOffset: -1 }
        row.partitions.push(answer)
        const token = this.#answers.push(answer) - 1
        if (isDenied) answer.errorCode = ErrorCode.TOPIC_AUTHORIZATION_FAILED
        else answer.errorCode = this.#ask(topic, asked, token)
      }
    }
    this.#settle()
  }

  onEpochEnd(token: number, reply: Readonly<EpochEndedReply>): void {
    const answer = this.#answers[token]!
    answer.errorCode = reply.error
    answer.leaderEpoch = reply.leaderEpoch
    answer.endOffset = reply.endOffset
    this.#settle()
  }

  /** Asks the leader; or returns the error of the partition. */
  #ask(topic: string, asked: Asked, token: number): number {
    const found = findLeader(this.#context, topic, asked.partition)
    if ('error' in found) return found.error
    const { currentLeaderEpoch, leaderEpoch } = asked
    // −1 alone stands for any.
    if (currentLeaderEpoch < -1) return ErrorCode.FENCED_LEADER_EPOCH
    this.#waiting++
    found.leader.epochEnd(found.partition, leaderEpoch, currentLeaderEpoch, this, token)
    return this.#answers[token]?.errorCode ?? ErrorCode.NONE
  }

  #settle(): void {
    if (--this.#waiting > 0) return
    this.#context.reply({ throttleTimeMs: 0, topics: this.#topics })
  }
}
