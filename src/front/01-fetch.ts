import { ErrorCode } from '../base/error-code.ts'
import type { PartitionIndex } from '../base/ids.ts'
import { type FetchRequest, fetch } from '../protocol/01-fetch.ts'
import { handler, type RequestContext } from './context.ts'
import type { FetchAsked } from './fetch-asked.ts'
import { FetchOp } from './fetch-op.ts'
import { FetchPart } from './fetch-part.ts'
import type { FetchSession } from './fetch-sessions.ts'

type Context = RequestContext<typeof fetch>

const TOPIC_IDS_FROM = 13

// Epochs of KIP-227 that are no place in a session.
const FULL_WITH_SESSION = 0
const FULL_WITHOUT_SESSION = -1

export const fetchHandler = handler({
  api: fetch,
  // Cluster, node and directory ids are for brokers' own fetches, which this is not.
  scopes: ['topicName', 'topicId', 'fetchSessionId', 'clusterId', 'brokerId', 'directoryId'],
  handle(request, context) {
    const resolved = resolveSession(request, context)
    if (typeof resolved === 'number') {
      context.reply({ throttleTimeMs: 0, errorCode: resolved, sessionId: 0, responses: [] })
      return
    }
    // Spelled out: on Node 20 each property behind a spread costs a microsecond.
    new FetchOp(context, {
      parts: resolved.parts,
      session: resolved.session,
      incremental: resolved.incremental,
      maxBytes: request.maxBytes,
      minBytes: request.minBytes,
      maxWaitMs: request.maxWaitMs,
      isolationLevel: request.isolationLevel,
      isFromFollower: isFromFollower(request, context),
      rackId: request.rackId,
    }).gather()
  },
})

/** From this version on the replica's id is in a struct of its own. */
const REPLICA_STATE_FROM = 15

const isFromFollower = ({ replicaId, replicaState }: FetchRequest, { version }: Context): boolean =>
  (version < REPLICA_STATE_FROM ? replicaId : replicaState.replicaId) >= 0

type Resolved = Pick<FetchAsked, 'parts' | 'session' | 'incremental'>

/** Which partitions are meant (KIP-227), or the error of the whole request. */
function resolveSession(request: FetchRequest, context: Context): Resolved | number {
  const { fetchSessions, clock } = context.services
  const { tenantId } = context.session
  const { sessionId, sessionEpoch } = request
  const usesTopicIds = context.version >= TOPIC_IDS_FROM
  const nowMs = clock.monotonicMs()
  if (sessionEpoch === FULL_WITHOUT_SESSION || sessionEpoch === FULL_WITH_SESSION) {
    if (sessionId !== 0) fetchSessions.remove(tenantId, sessionId)
    let session: FetchSession | null = null
    if (sessionEpoch === FULL_WITH_SESSION && request.topics.length > 0) {
      session = fetchSessions.create(tenantId, request.topics, usesTopicIds, nowMs)
    }
    const parts = session === null ? partsOf(request) : [...session.parts.values()]
    return { parts, session, incremental: false }
  }
  const session = fetchSessions.get(tenantId, sessionId, nowMs)
  if (session === undefined) return ErrorCode.FETCH_SESSION_ID_NOT_FOUND
  if (session.epoch !== sessionEpoch || session.busy) return ErrorCode.INVALID_FETCH_SESSION_EPOCH
  if (session.usesTopicIds !== usesTopicIds) return ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR
  const partitionsBefore = session.parts.size
  session.update(request.topics)
  session.forget(request.forgottenTopicsData)
  const hasGrown = session.parts.size > partitionsBefore
  if (fetchSessions.isTooLarge(tenantId, session, hasGrown)) {
    // The client begins anew, and is given no session then.
    fetchSessions.remove(tenantId, sessionId)
    return ErrorCode.FETCH_SESSION_ID_NOT_FOUND
  }
  if (session.parts.size === 0) {
    fetchSessions.remove(tenantId, sessionId)
    return { parts: [], session: null, incremental: false }
  }
  session.epoch = sessionEpoch === 0x7fff_ffff ? 1 : sessionEpoch + 1
  const parts = [...session.parts.values()]
  // The offset of a partition that is not named is the same as before, what was found there is not.
  for (const part of parts) part.dirty = true
  return { parts, session, incremental: true }
}

/** One part per partition: of one that is named twice, what was said last, as Kafka does it. */
function partsOf(request: FetchRequest): FetchPart[] {
  const parts: FetchPart[] = []
  const { topics } = request
  // One topic with rising partitions cannot repeat any: no map for the most frequent request.
  const known = topics.length > 1 || !isRising(topics[0]) ? new Map<string, FetchPart>() : null
  for (const { topic, topicId, partitions } of topics) {
    for (const asked of partitions) {
      const key = known === null ? '' : `${asked.partition}/${topicId}/${topic}`
      let part = known?.get(key)
      if (part === undefined) {
        part = new FetchPart(topic, topicId, asked.partition as PartitionIndex)
        known?.set(key, part)
        parts.push(part)
      }
      part.ask(asked.fetchOffset, asked.partitionMaxBytes, asked.currentLeaderEpoch)
    }
  }
  return parts
}

function isRising(topic: FetchRequest['topics'][number] | undefined): boolean {
  let last = -1
  for (const { partition } of topic?.partitions ?? []) {
    if (partition <= last) return false
    last = partition
  }
  return true
}
