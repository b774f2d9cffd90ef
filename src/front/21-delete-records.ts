import { ErrorCode } from '../base/error-code.ts'
import type { DeleteSink } from '../cell/broker-proxy.ts'
import type { DeletedReply } from '../link/replies.ts'
import { type DeleteRecordsRequest, deleteRecords } from '../protocol/21-delete-records.ts'
import { requiredAcls } from '../tenant/required-acls.ts'
import { handler, type RequestContext } from './context.ts'
import { findLeader } from './leaders.ts'

type Context = RequestContext<typeof deleteRecords>
type Asked = DeleteRecordsRequest['topics'][number]['partitions'][number]

const { acls } = requiredAcls.deleteRecords

interface Answer {
  readonly partitionIndex: number
  lowWatermark: number
  errorCode: number
}

export const deleteRecordsHandler = handler({
  api: deleteRecords,
  scopes: ['topicName'],
  handle(request, context) {
    new DeleteRecordsOp(request, context).start()
  },
})

/** One request until every partition of it is answered. */
class DeleteRecordsOp implements DeleteSink {
  readonly #request: DeleteRecordsRequest
  readonly #context: Context
  readonly #answers: Answer[] = []
  readonly #topics: { readonly name: string; readonly partitions: Answer[] }[] = []
  #waiting = 1

  constructor(request: DeleteRecordsRequest, context: Context) {
    this.#request = request
    this.#context = context
  }

  start(): void {
    // of a partition that is named twice the last counts, as in Kafka
    for (const [name, partitions] of lastOfEach(this.#request)) {
      if (partitions.size === 0) continue
      const row = { name, partitions: [] as Answer[] }
      this.#topics.push(row)
      const isDenied = !this.#context.may(acls.topic, name)
      for (const asked of partitions.values()) {
        const answer: Answer = {
          partitionIndex: asked.partitionIndex,
          lowWatermark: -1,
          errorCode: ErrorCode.NONE,
        }
        row.partitions.push(answer)
        const token = this.#answers.push(answer) - 1
        if (isDenied) answer.errorCode = ErrorCode.TOPIC_AUTHORIZATION_FAILED
        else answer.errorCode = this.#ask(name, asked, token)
      }
    }
    this.#settle()
  }

  onDeleted(token: number, reply: Readonly<DeletedReply>): void {
    const answer = this.#answers[token]!
    answer.errorCode = reply.error
    answer.lowWatermark = reply.lowWatermark
    this.#settle()
  }

  /** Asks the leader; or returns the error of the partition. */
  #ask(name: string, { partitionIndex, offset }: Asked, token: number): number {
    const found = findLeader(this.#context, name, partitionIndex)
    if ('error' in found) return found.error
    if (found.topic.internal) return ErrorCode.INVALID_TOPIC_EXCEPTION
    this.#waiting++
    found.leader.deleteRecords(found.partition, offset, this, token)
    // a leader that is gone has answered by now
    return this.#answers[token]!.errorCode
  }

  #settle(): void {
    if (--this.#waiting > 0) return
    this.#context.reply({ throttleTimeMs: 0, topics: this.#topics })
  }
}

function lastOfEach(request: DeleteRecordsRequest): Map<string, Map<number, Asked>> {
  const topics = new Map<string, Map<number, Asked>>()
  for (const { name, partitions } of request.topics) {
    const known = topics.get(name) ?? new Map<number, Asked>()
    topics.set(name, known)
    for (const asked of partitions) known.set(asked.partitionIndex, asked)
  }
  return topics
}
