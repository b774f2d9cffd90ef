import { ErrorCode } from '../base/error-code.ts'
import { ZERO_TOPIC_ID } from '../base/ids.ts'
import {
  type OffsetFetchRequest,
  type OffsetFetchResponseInput,
  offsetFetch,
} from '../protocol/09-offset-fetch.ts'
import { requiredAcls } from '../tenant/required-acls.ts'
import { handler, type RequestContext } from './context.ts'
import { askGroups } from './coordinator-call.ts'
import { mayName, splitTopics } from './denied-topics.ts'

type Context = RequestContext<typeof offsetFetch>
type Answer = OffsetFetchResponseInput
type GroupAsked = OffsetFetchRequest['groups'][number]
type GroupAnswer = Answer['groups'][number]
type TopicAnswer = GroupAnswer['topics'][number]

const { acls } = requiredAcls.offsetFetch

/** From this version on a request may ask for several groups. */
const GROUPS_FROM = 8
/** From this version on topics are named by id. */
const TOPIC_IDS_FROM = 10
/** Before, the answer has no place for an error but at each partition. */
const GROUP_ERROR_FROM = 2

const NO_OFFSET = { committedOffset: -1, committedLeaderEpoch: -1, metadata: '' }

export const offsetFetchHandler = handler({
  api: offsetFetch,
  scopes: ['groupId', 'memberId', 'topicName', 'topicId'],
  handle(request, context, frame) {
    if (context.version < GROUPS_FROM) answerOne(request, context, frame)
    else answerSeveral(request, context, frame)
  },
})

function answerOne(request: OffsetFetchRequest, context: Context, frame: Uint8Array): void {
  const { version } = context
  const refuse = (error: number) => refuseOne(request, version, error)
  if (!context.may(acls.group, request.groupId)) {
    context.reply(refuse(ErrorCode.GROUP_AUTHORIZATION_FAILED))
    return
  }
  const named = request.topics?.map((topic) => ({ ...topic, topicId: ZERO_TOPIC_ID }))
  const split = named === undefined ? null : splitTopics(context, acls.topic, named, false)
  const definition = {
    groupsOf: () => [request.groupId],
    only: () => (split === null ? request : { ...request, topics: split.allowed }),
    refuse: (_groups: readonly string[], error: number) => refuse(error),
    merge,
  }
  askGroups(definition, request, context, split === null ? frame : null, (answer) => {
    const { errorCode = ErrorCode.NONE } = answer
    if (errorCode !== ErrorCode.NONE) context.reply(answer)
    else if (request.topics !== null) {
      const topics = [...answer.topics, ...(split?.denied ?? []).map(deniedTopic)]
      context.reply(split === null ? answer : { ...answer, topics })
    } else {
      // clients are told of topics that they may see
      const topics = answer.topics.filter(({ name }) => context.may(acls.shownTopics, name))
      context.reply({ ...answer, topics })
    }
  })
}

function answerSeveral(request: OffsetFetchRequest, context: Context, frame: Uint8Array): void {
  const byId = context.version >= TOPIC_IDS_FROM
  const allowed: GroupAsked[] = []
  const denied: string[] = []
  for (const group of request.groups) {
    if (context.may(acls.group, group.groupId)) allowed.push(group)
    else denied.push(group.groupId)
  }
  const refused = refuseGroups(denied, ErrorCode.GROUP_AUTHORIZATION_FAILED)
  if (allowed.length === 0 && denied.length > 0) {
    context.reply(refused)
    return
  }
  const hidden = new Map<string, TopicAnswer[]>()
  const seen = allowed.map((group) => withoutDenied(group, context, byId, hidden))
  const all = new Set(allowed.filter(({ topics }) => topics === null).map(({ groupId }) => groupId))
  const definition = {
    groupsOf: () => seen.map(({ groupId }) => groupId),
    only: (_: OffsetFetchRequest, groups: ReadonlySet<string>) => ({
      ...request,
      groups: seen.filter(({ groupId }) => groups.has(groupId)),
    }),
    refuse: refuseGroups,
    merge,
  }
  const isWhole = denied.length === 0 && hidden.size === 0
  const show = (topic: TopicAnswer) => mayName(context, acls.shownTopics, named(topic), byId)
  const complete = (group: GroupAnswer): GroupAnswer => {
    if (group.errorCode !== undefined && group.errorCode !== ErrorCode.NONE) return group
    if (all.has(group.groupId)) return { ...group, topics: group.topics.filter(show) }
    const more = hidden.get(group.groupId)
    return more === undefined ? group : { ...group, topics: [...group.topics, ...more] }
  }
  askGroups(definition, request, context, isWhole ? frame : null, (answer) =>
    context.reply({ ...answer, groups: [...refused.groups, ...answer.groups.map(complete)] }),
  )
}

/** The group with the topics that the client may see; what it is told of the others comes to `hidden`. */
function withoutDenied(
  group: GroupAsked,
  context: Context,
  byId: boolean,
  hidden: Map<string, TopicAnswer[]>,
): GroupAsked {
  const { groupId, topics } = group
  const split = topics === null ? null : splitTopics(context, acls.topic, topics, byId)
  if (split === null) return group
  const topicsOf = hidden.get(groupId) ?? []
  hidden.set(groupId, topicsOf)
  for (const topic of split.denied) topicsOf.push(deniedTopic(topic))
  return { ...group, topics: split.allowed }
}

const named = ({ name = '', topicId = ZERO_TOPIC_ID }: TopicAnswer) => ({ name, topicId })

const deniedTopic = ({
  name,
  topicId,
  partitionIndexes,
}: NonNullable<GroupAsked['topics']>[number]) => ({
  name,
  topicId,
  partitions: partitionIndexes.map((partitionIndex) => ({
    ...{ partitionIndex, ...NO_OFFSET, errorCode: ErrorCode.TOPIC_AUTHORIZATION_FAILED },
  })),
})

function refuseOne(
  { topics }: OffsetFetchRequest,
  version: number,
  errorCode: number,
): OffsetFetchResponseInput {
  const answers =
    version >= GROUP_ERROR_FROM
      ? []
      : (topics ?? []).map(({ name, partitionIndexes }) => ({
          name,
          partitions: partitionIndexes.map((partitionIndex) => ({
            partitionIndex,
            ...NO_OFFSET,
            errorCode,
          })),
        }))
  return { throttleTimeMs: 0, topics: answers, errorCode, groups: [] }
}

const refuseGroups = (groups: readonly string[], errorCode: number): OffsetFetchResponseInput => ({
  throttleTimeMs: 0,
  topics: [],
  errorCode: ErrorCode.NONE,
  groups: groups.map((groupId) => ({ groupId, topics: [], errorCode })),
})

function merge(answers: readonly OffsetFetchResponseInput[]): OffsetFetchResponseInput {
  const [first] = answers
  if (first === undefined) return refuseGroups([], ErrorCode.NONE)
  return answers.length === 1 ? first : { ...first, groups: answers.flatMap((one) => one.groups) }
}
