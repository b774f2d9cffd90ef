import { ErrorCode } from '../base/error-code.ts'
import { type TopicId, ZERO_TOPIC_ID } from '../base/ids.ts'
import { ResourceType } from '../image/acl-binding.ts'
import type { NewTopic, TopicResult } from '../image/request.ts'
import { refuseTopicName } from '../image/topic-name.ts'
import type { TopicView } from '../image/view.ts'
import {
  type MetadataRequest,
  type MetadataResponseInput,
  metadata,
} from '../protocol/03-metadata.ts'
import { requiredAcls } from '../tenant/required-acls.ts'
import { handler, type RequestContext } from './context.ts'
import { TOPICS_PER_REQUEST_MAX } from './limits.ts'
import { CONTROLLER_NODE, clusterOperations, nodesOf, OPERATIONS_UNKNOWN } from './nodes.ts'
import { partitionRows } from './topic-partitions.ts'

type Context = RequestContext<typeof metadata>
type Topic = MetadataResponseInput['topics'][number]
type Asked = NonNullable<MetadataRequest['topics']>

const { acls } = requiredAcls.metadata

/** From this version on ids in requests count; versions 10 and 11 have the field, but it was never served. */
const BY_ID_FROM = 12

/** Clients wait for all else that they have asked for, too, and much longer than an election takes. */
const CREATE_WAIT_MS = 5_000

export const metadataHandler = handler({
  api: metadata,
  scopes: ['topicName', 'topicId'],
  handle(request, context) {
    const { topics } = request
    if (topics !== null && context.version < BY_ID_FROM && topics.some(isById)) {
      refuseAll(context, topics)
      return
    }
    const all = topics === null || (context.version === 0 && topics.length === 0)
    if (all) {
      const { image } = context.services
      const every = [...image.topics(context.session.tenantId)].filter(({ name }) =>
        context.may(acls.shownTopics, name),
      )
      respond(
        context,
        request,
        every.map((topic) => topicAnswer(context, topic, request)),
      )
      return
    }
    const asked = onceEach(topics)
    const denied = new Map<string, number>()
    const missing = request.allowAutoTopicCreation ? namesToCreate(context, asked, denied) : []
    if (missing.length === 0 || missing.length > TOPICS_PER_REQUEST_MAX) {
      answer(context, request, asked, denied)
      return
    }
    createTopics(context, missing, (refused) =>
      answer(context, request, asked, new Map([...refused, ...denied])),
    )
  },
})

/** Each topic once, as Kafka answers it, or a few bytes would ask for gigabytes; where one is asked for by id, names do not count. */
function onceEach(topics: Asked): Asked {
  const byId = topics.some(({ topicId }) => topicId !== ZERO_TOPIC_ID)
  const found = new Map<string, Asked[number]>()
  for (const { name, topicId } of topics) {
    if (!byId) found.set(name ?? ' null', { name, topicId })
    else if (topicId !== ZERO_TOPIC_ID) found.set(topicId, { name: null, topicId })
  }
  return [...found.values()]
}

/** Topics that are asked for by name and do not exist, where they may be made; those that the client may see and not make come to `denied`. */
function namesToCreate(context: Context, topics: Asked, denied: Map<string, number>): string[] {
  const { settings, image } = context.services
  if (!settings.autoCreateTopics) return []
  const names = new Set<string>()
  for (const { name } of topics) {
    if (name === null || !context.may(acls.topic, name)) continue
    if (image.topicByName(context.session.tenantId, name) !== undefined) continue
    if (context.may(acls.create, name)) names.add(name)
    else denied.set(name, ErrorCode.TOPIC_AUTHORIZATION_FAILED)
  }
  return [...names]
}

type Refused = ReadonlyMap<string, number>

function createTopics(
  context: Context,
  names: readonly string[],
  done: (refused: Refused) => void,
): void {
  const { internalTopics } = context.services
  const topics = names.map((name): NewTopic => {
    // by the defaults of other topics, what groups keep there would be deleted with age
    const internal = internalTopics.newTopic(name)
    if (internal !== null) return internal
    return { name, partitions: -1, replicationFactor: -1, assignments: [], configs: [] }
  })
  const request = { kind: 'create-topics', validateOnly: false, topics } as const
  context.services.controller.request(
    context.session.tenantId,
    request,
    ({ results }) => done(refusals(context, results)),
    { timeoutMs: CREATE_WAIT_MS },
  )
}

/**
 * Whatever the reason, a topic that could not be made is one that is not there, as in Kafka (AutoTopicCreationManager), where it is in the broker's log alone: nobody has asked for
 * a new topic in so many words, and clients that are told another error (kafkajs) never give up that topic, nor send to their others.
 */
function refusals({ connection }: Context, results: readonly TopicResult[]): Map<string, number> {
  const refused = new Map<string, number>()
  for (const { name, error, message } of results) {
    // Somebody else was quicker: it is there now.
    if (error === ErrorCode.NONE || error === ErrorCode.TOPIC_ALREADY_EXISTS) continue
    if (name === null) continue
    // it may be on its way, as Kafka says: clients ask again
    const isOpen = error === ErrorCode.REQUEST_TIMED_OUT
    refused.set(name, isOpen ? ErrorCode.LEADER_NOT_AVAILABLE : errorOfMissing(name))
    const reason = message ?? `error ${error}`
    connection.logRefused('a topic could not be made at its first use', { topic: name, reason })
  }
  return refused
}

function answer(context: Context, request: MetadataRequest, topics: Asked, refused: Refused): void {
  const { image } = context.services
  const { tenantId } = context.session
  respond(
    context,
    request,
    topics.map(({ name, topicId }) => {
      const byId = context.version >= BY_ID_FROM && name === null
      const topic = byId
        ? image.topicById(tenantId, topicId)
        : image.topicByName(tenantId, name ?? '')
      if (byId && topic === undefined) return missing(ErrorCode.UNKNOWN_TOPIC_ID, null, topicId)
      if (!context.may(acls.topic, topic?.name ?? name ?? '')) return deniedTopic(name, topicId)
      if (topic !== undefined) return topicAnswer(context, topic, request)
      const error = refused.get(name ?? '') ?? errorOfMissing(name ?? '')
      if (error === ErrorCode.TOPIC_AUTHORIZATION_FAILED) return deniedTopic(name, ZERO_TOPIC_ID)
      return missing(error, name, ZERO_TOPIC_ID, topicOperations(context, request, name ?? ''))
    }),
  )
}

const isById = ({ name, topicId }: Asked[number]): boolean =>
  name === null || topicId !== ZERO_TOPIC_ID

const errorOfMissing = (name: string): number =>
  refuseTopicName(name) === null
    ? ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    : ErrorCode.INVALID_TOPIC_EXCEPTION

const topicOperations = (
  { rights }: Context,
  { includeTopicAuthorizedOperations }: MetadataRequest,
  name: string,
): number =>
  includeTopicAuthorizedOperations
    ? rights.operationsOn(ResourceType.TOPIC, name)
    : OPERATIONS_UNKNOWN

/** Of what the request has of it, name or id, no more is told. */
const deniedTopic = (name: string | null, topicId: TopicId): Topic =>
  missing(ErrorCode.TOPIC_AUTHORIZATION_FAILED, name, name === null ? topicId : ZERO_TOPIC_ID)

/** Ids in a version that has the field and does not serve it: the answer tells nothing else, as in Kafka. */
function refuseAll(context: Context, topics: Asked): void {
  context.reply({
    throttleTimeMs: 0,
    brokers: [],
    clusterId: null,
    controllerId: -1,
    topics: topics.map(({ name, topicId }) =>
      missing(ErrorCode.INVALID_REQUEST, name ?? '', topicId),
    ),
    clusterAuthorizedOperations: OPERATIONS_UNKNOWN,
    errorCode: ErrorCode.NONE,
  })
}

const missing = (
  errorCode: number,
  name: string | null,
  topicId: TopicId,
  topicAuthorizedOperations: number = OPERATIONS_UNKNOWN,
): Topic => ({
  errorCode,
  name,
  topicId,
  isInternal: false,
  partitions: [],
  topicAuthorizedOperations,
})

const topicAnswer = (context: Context, topic: TopicView, request: MetadataRequest): Topic => ({
  errorCode: ErrorCode.NONE,
  name: topic.name,
  topicId: topic.topicId,
  isInternal: topic.internal,
  partitions: partitionRows(context.services, topic, 0, topic.partitionCount),
  topicAuthorizedOperations: topicOperations(context, request, topic.name),
})

function respond(context: Context, request: MetadataRequest, topics: readonly Topic[]): void {
  const tenant = context.services.image.tenant(context.session.tenantId)
  context.reply({
    throttleTimeMs: 0,
    brokers: nodesOf(context),
    clusterId: tenant?.clusterId ?? null,
    controllerId: CONTROLLER_NODE,
    topics,
    clusterAuthorizedOperations: request.includeClusterAuthorizedOperations
      ? clusterOperations(context, acls.clusterOperations)
      : OPERATIONS_UNKNOWN,
    errorCode: ErrorCode.NONE,
  })
}
