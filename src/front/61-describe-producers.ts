import { ErrorCode } from '../base/error-code.ts'
import { refuseTopicName } from '../image/topic-name.ts'
import type { DescribedProducer } from '../link/control.ts'
import {
  type DescribeProducersRequest,
  type DescribeProducersResponseInput,
  describeProducers,
} from '../protocol/61-describe-producers.ts'
import { requiredAcls } from '../tenant/required-acls.ts'
import { handler, type RequestContext } from './context.ts'
import { TOPIC_DENIED } from './denials.ts'
import { findLeader } from './leaders.ts'

type Context = RequestContext<typeof describeProducers>
const { acls } = requiredAcls.describeProducers

type Row = DescribeProducersResponseInput['topics'][number]['partitions'][number]

export const describeProducersHandler = handler({
  api: describeProducers,
  scopes: ['topicName'],
  handle(request, context) {
    const topics = Array.from(onceEach(request), ([name, indexes]) => ({
      name,
      partitions: Array.from(indexes, (index) => refused(index, 0, null)),
    }))
    let waiting = 1
    const settle = () => {
      if (--waiting === 0) context.reply({ throttleTimeMs: 0, topics })
    }
    for (const { name, partitions } of topics) {
      const refusal = refuseTopic(name, context)
      for (const [at, { partitionIndex }] of partitions.entries()) {
        if (refusal !== null) {
          partitions[at] = refused(partitionIndex, refusal.error, refusal.message)
          continue
        }
        waiting++
        ask(name, partitionIndex, context, (row) => {
          partitions[at] = row
          settle()
        })
      }
    }
    settle()
  },
})

/** One that is named twice is told once, whichever way it is: its answer may be long. */
function onceEach({ topics }: DescribeProducersRequest): Map<string, Set<number>> {
  const asked = new Map<string, Set<number>>()
  for (const { name, partitionIndexes } of topics) {
    const known = asked.get(name) ?? new Set()
    asked.set(name, known)
    for (const index of partitionIndexes) known.add(index)
  }
  return asked
}

function refuseTopic(name: string, context: Context) {
  const badName = refuseTopicName(name)
  if (badName !== null) return { error: ErrorCode.INVALID_TOPIC_EXCEPTION, message: badName }
  if (!context.may(acls.topic, name)) {
    return { error: ErrorCode.TOPIC_AUTHORIZATION_FAILED, message: TOPIC_DENIED }
  }
  const { image } = context.services
  if (image.topicByName(context.session.tenantId, name) !== undefined) return null
  const message = 'This server does not host this topic-partition.'
  return { error: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, message }
}

function ask(name: string, index: number, context: Context, done: (row: Row) => void): void {
  const found = findLeader(context, name, index)
  if ('error' in found) {
    done(refused(index, found.error, null))
    return
  }
  const { producers } = context.services
  const { partition } = found
  producers.ask(
    found.broker,
    (correlation) => ({ kind: 'describe-producers', correlation, partition }),
    (answer) => {
      const error = answer?.error ?? ErrorCode.NOT_LEADER_OR_FOLLOWER
      done(error === ErrorCode.NONE ? rowOf(index, answer!.producers) : refused(index, error, null))
    },
  )
}

const rowOf = (partitionIndex: number, producers: readonly DescribedProducer[]): Row => ({
  partitionIndex,
  errorCode: ErrorCode.NONE,
  errorMessage: null,
  activeProducers: producers.map((producer) => ({
    producerId: producer.producerId,
    producerEpoch: producer.epoch,
    lastSequence: producer.lastSequence,
    lastTimestamp: producer.lastTimestampMs,
    coordinatorEpoch: producer.coordinatorEpoch,
    currentTxnStartOffset: producer.txnFirstOffset,
  })),
})

const refused = (partitionIndex: number, errorCode: number, errorMessage: string | null): Row => ({
  partitionIndex,
  errorCode,
  errorMessage,
  activeProducers: [],
})
