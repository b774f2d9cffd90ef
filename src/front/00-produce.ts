import { ErrorCode } from '../base/error-code.ts'
import type { PartitionIndex } from '../base/ids.ts'
import type { TopicView } from '../image/view.ts'
import { type ProduceRequest, produce } from '../protocol/00-produce.ts'
import { Codec, codecOf } from '../record/batch.ts'
import { soleBatch } from '../record/validate.ts'
import { requiredAcls } from '../tenant/required-acls.ts'
import { handler, type RequestContext } from './context.ts'
import { TRANSACTIONAL_ID_DENIED } from './denials.ts'
import { PendingProduce, TOPIC_IDS_FROM, topicOf } from './pending-produce.ts'
import { configOf, dispatchSlowly, needsRecords, refusalOfSize } from './slow-produce.ts'
import { produceMs } from './work-elsewhere.ts'

type Context = RequestContext<typeof produce>

const { acls } = requiredAcls.produce

/** Producers of earlier versions do not know it (KIP-110). */
const ZSTD_FROM = 7

export const produceHandler = handler({
  api: produce,
  scopes: ['topicName', 'topicId', 'transactionalId'],
  handle(request, context) {
    if (context.version < 3) {
      const reason = `Produce v${context.version}: its message format is gone`
      context.fail(ErrorCode.UNSUPPORTED_VERSION, reason)
      return
    }
    const pending = new PendingProduce(context, request)
    const transactional = refusalOfTransaction(request, context)
    const refusal = transactional ?? refusalOfAcks(request)
    for (const topicData of request.topicData) {
      if (topicData.partitionData.length === 0) continue
      const topic = topicOf(context, topicData)
      // an id that is not there has no name that ACLs could be about
      const isNamed = context.version < TOPIC_IDS_FROM || topic !== undefined
      const isDenied =
        transactional === null && isNamed && !context.may(acls.topic, topic?.name ?? topicData.name)
      let isFirst = true
      for (const { index, records } of topicData.partitionData) {
        const token = isFirst ? pending.addTopic(topicData, index) : pending.addPartition(index)
        isFirst = false
        if (isDenied) pending.refuse(token, ErrorCode.TOPIC_AUTHORIZATION_FAILED)
        else if (refusal !== null) pending.refuse(token, refusal.error, refusal.message)
        else dispatch(pending, token, topic, index, records)
      }
    }
    pending.dispatched(request.timeoutMs)
  },
})

interface RefusalOfAll {
  readonly error: number
  readonly message: string
}

function refusalOfAcks({ acks }: ProduceRequest): RefusalOfAll | null {
  if (acks === 0 || acks === 1 || acks === -1) return null
  return {
    error: ErrorCode.INVALID_REQUIRED_ACKS,
    message: `acks must be 0, 1 or -1, not ${acks}`,
  }
}

function refusalOfTransaction(
  { transactionalId }: ProduceRequest,
  context: Context,
): RefusalOfAll | null {
  if (transactionalId === null) return null
  return {
    error: ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    message: context.may(acls.transaction, transactionalId)
      ? 'Transactions are not available yet'
      : TRANSACTIONAL_ID_DENIED,
  }
}

/** Sends one batch to its leader, or says in its answer why not. */
function dispatch(
  pending: PendingProduce,
  token: number,
  topic: TopicView | undefined,
  index: number,
  records: Uint8Array | null,
): void {
  const { context } = pending
  if (topic === undefined) {
    const byId = context.version >= TOPIC_IDS_FROM
    if (byId) pending.refuseFor(token, ErrorCode.UNKNOWN_TOPIC_ID, 'unknownTopicId')
    else pending.refuseFor(token, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, 'unknownTopic')
    return
  }
  if (index < 0 || index >= topic.partitionCount) {
    pending.refuseFor(token, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, 'unknownPartition')
    return
  }
  if (topic.internal) {
    pending.refuseFor(token, ErrorCode.INVALID_TOPIC_EXCEPTION, 'internalTopic')
    return
  }
  if (records === null) {
    pending.refuseFor(token, ErrorCode.INVALID_RECORD, 'noBatch')
    return
  }
  const fault = soleBatch(records)
  if (fault !== null) {
    pending.refuseBatch(token, fault)
    return
  }
  const partition = topic.numberOf(index as PartitionIndex)
  const config = configOf(context.services, topic, partition)
  const tooLarge = refusalOfSize(context.services, topic, config, records.length)
  if (tooLarge !== null) {
    pending.refuseFor(token, ErrorCode.MESSAGE_TOO_LARGE, tooLarge)
    return
  }
  const codec = codecOf(records, 0)
  if (codec === Codec.zstd && context.version < ZSTD_FROM) {
    pending.refuseFor(token, ErrorCode.UNSUPPORTED_COMPRESSION_TYPE, 'zstdTooEarly')
    return
  }
  const slow = needsRecords(config, codec)
  if (slow || context.state.slowLanes?.busy(partition)) {
    dispatchSlowly(pending, token, topic, partition, records, slow)
    return
  }
  const leader = context.services.dispatcher.leaderOf(topic.cellId, partition)
  if (leader === undefined) {
    pending.refuseFor(token, ErrorCode.LEADER_NOT_AVAILABLE, 'noLeader')
    return
  }
  pending.expect()
  context.services.elsewhere(context.connection, produceMs(records.length))
  leader.produce(partition, pending.acks, records, pending, token)
}
