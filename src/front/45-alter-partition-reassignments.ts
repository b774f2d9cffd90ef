import { ErrorCode } from '../base/error-code.ts'
import type { ControllerResponse } from '../image/request.ts'
import {
  type AlterPartitionReassignmentsResponseInput,
  alterPartitionReassignments,
} from '../protocol/45-alter-partition-reassignments.ts'
import { handler } from './context.ts'
import { refuseExcess } from './limits.ts'

type Responses = AlterPartitionReassignmentsResponseInput['responses']
type Altered = Extract<ControllerResponse, { kind: 'alter-reassignments' }>

/** Begins and undoes moves of replicas; answered once the controller has noted what is to be, long before it is. */
export const alterPartitionReassignmentsHandler = handler({
  api: alterPartitionReassignments,
  scopes: ['topicName', 'brokerId'],
  handle(request, context) {
    const { allowReplicationFactorChange } = request
    const topics = request.topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map(({ partitionIndex: index, replicas }) => ({ index, replicas })),
    }))
    const reply = (errorCode: number, errorMessage: string | null, responses: Responses) =>
      context.reply({
        ...{ throttleTimeMs: 0, errorCode, errorMessage, responses },
        ...(context.version >= 1 ? { allowReplicationFactorChange } : {}),
      })
    if (topics.length === 0) {
      // Kafka's text where nobody has set one
      reply(ErrorCode.NONE, '', [])
      return
    }
    const excess = refuseExcess(
      'topics',
      topics.map(({ partitions }) => ({ assignments: partitions })),
    )
    if (excess !== null) {
      reply(ErrorCode.POLICY_VIOLATION, excess, [])
      return
    }
    if (request.timeoutMs <= 0) {
      // nothing is begun
      const error = ErrorCode.REQUEST_TIMED_OUT
      const refused = topics.map(({ name, partitions }) => ({
        name,
        partitions: partitions.map(({ index }) => ({ index, error, message: null })),
      }))
      reply(error, null, responsesOf(refused))
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

const responsesOf = (topics: Altered['topics']): Responses =>
  topics.map(({ name, partitions }) => ({
    name,
    partitions: partitions.map(({ index, error, message }) => ({
      partitionIndex: index,
      errorCode: error,
      errorMessage: message,
    })),
  }))
