import { ErrorCode } from '../base/error-code.ts'
import {
  type OffsetFetchRequest,
  type OffsetFetchResponseInput,
  offsetFetch,
} from '../protocol/09-offset-fetch.ts'
import { handler } from './context.ts'
import { answerGroups } from './coordinator-call.ts'

/** From this version on a request may ask for several groups. */
const GROUPS_FROM = 8
/** Before, the answer has no place for an error but at each partition. */
const GROUP_ERROR_FROM = 2

const NO_OFFSET = { committedOffset: -1, committedLeaderEpoch: -1, metadata: '' }

export const offsetFetchHandler = handler({
  api: offsetFetch,
  scopes: ['groupId', 'memberId', 'topicName', 'topicId'],
  handle(request, context, frame) {
    const { version } = context
    const definition = {
      api: offsetFetch,
      scopes: [],
      groupsOf: () =>
        version < GROUPS_FROM ? [request.groupId] : request.groups.map(({ groupId }) => groupId),
      only: (_: OffsetFetchRequest, groups: ReadonlySet<string>) => ({
        ...request,
        groups: request.groups.filter(({ groupId }) => groups.has(groupId)),
      }),
      refuse: (groups: readonly string[], error: number) =>
        version < GROUPS_FROM ? refuseOne(request, version, error) : refuseGroups(groups, error),
      merge,
    }
    answerGroups(definition, request, context, frame)
  },
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
