import { ErrorCode } from '../base/error-code.ts'
import type { PartitionIndex } from '../base/ids.ts'
import type { ControllerResponse } from '../image/request.ts'
import {
  type AlterPartitionReassignmentsResponseInput,
  alterPartitionReassignments,
} from '../protocol/45-alter-partition-reassignments.ts'
import { requiredAcls } from '../tenant/required-acls.ts'
import { handler, type RequestContext } from './context.ts'
import { CLUSTER_DENIED } from './denials.ts'
import { refuseExcess } from './limits.ts'

type Responses = AlterPartitionReassignmentsResponseInput['responses']
const { acls } = requiredAcls.alterPartitionReassignments

type Altered = Extract<ControllerResponse, { kind: 'alter-reassignments' }>

/** Begins and undoes moves of replicas; answered once the controller has noted what is to be, long before it is. */
export const alterPartitionReassignmentsHandler = handler({
  api: alterPartitionReassignments,
  scopes: ['topicName', 'brokerId'],
  handle(request, context) {
    const { allowReplicationFactorChange } = request
    const topics = request.topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map(({ partitionIndex: index, replicas }) => {
        const leftOn = leftOf(context, name, index)
        return { index, replicas, ...(leftOn === null ? {} : { leftOn }) }
      }),
    }))
    const reply = (errorCode: number, errorMessage: string | null, responses: Responses) =>
      context.reply({
        ...{ throttleTimeMs: 0, errorCode, errorMessage, responses },
        ...(context.version >= 1 ? { allowReplicationFactorChange } : {}),
      })
    const excess = refuseExcess(
      'topics',
      topics.map(({ partitions }) => ({ assignments: partitions })),
    )
    if (!context.may(acls.cluster)) {
      const error = ErrorCode.CLUSTER_AUTHORIZATION_FAILED
      const told = excess === null ? refuseEach(topics, error, CLUSTER_DENIED) : []
      reply(error, CLUSTER_DENIED, told)
      return
    }
    if (topics.length === 0) {
      // Kafka's text where nobody has set one
      reply(ErrorCode.NONE, '', [])
      return
    }
    if (excess !== null) {
      reply(ErrorCode.POLICY_VIOLATION, excess, [])
      return
    }
    if (request.timeoutMs <= 0) {
      // nothing is begun
      const error = ErrorCode.REQUEST_TIMED_OUT
      reply(error, null, refuseEach(topics, error, null))
      return
    }
    const command = { kind: 'alter-reassignments', allowReplicationFactorChange, topics } as const
    context.services.controller.request(
      context.session.tenantId,
      command,
      (response) => reply(ErrorCode.NONE, null, responsesOf(response.topics)),
      { timeoutMs: request.timeoutMs },
    )
  },
})

/** Of a partition that nobody can lead: who has a replica yet. The controller hears of no leaders. */
function leftOf(
  { services: { image }, session }: RequestContext,
  name: string,
  index: number,
): readonly number[] | null {
  const topic = image.topicByName(session.tenantId, name)
  if (topic === undefined || index < 0 || index >= topic.partitionCount) return null
  const number = topic.numberOf(index as PartitionIndex)
  return image.isLost(number) ? image.isrOf(number) : null
}

const refuseEach = (
  topics: readonly {
    readonly name: string
    readonly partitions: readonly { readonly index: number }[]
  }[],
  error: number,
  message: string | null,
): Responses =>
  responsesOf(
    topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map(({ index }) => ({ index, error, message })),
    })),
  )

const responsesOf = (topics: Altered['topics']): Responses =>
  topics.map(({ name, partitions }) => ({
    name,
    partitions: partitions.map(({ index, error, message }) => ({
      partitionIndex: index,
      errorCode: error,
      errorMessage: message,
    })),
  }))
