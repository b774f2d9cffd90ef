import { ErrorCode } from '../base/error-code.ts'
import { createPartitions } from '../protocol/37-create-partitions.ts'
import { handler } from './context.ts'
import { refuseExcess } from './limits.ts'

export const createPartitionsHandler = handler({
  api: createPartitions,
  scopes: ['topicName', 'brokerId'],
  handle(request, context) {
    const excess = refuseExcess('topics', request.topics)
    if (excess !== null) {
      const results = request.topics.map(({ name }) => ({
        name,
        errorCode: ErrorCode.POLICY_VIOLATION,
        errorMessage: excess,
      }))
      context.reply({ throttleTimeMs: 0, results })
      return
    }
    const topics = request.topics.map(({ name, count, assignments }) => ({
      name,
      count,
      assignments: assignments === null ? null : assignments.map(({ brokerIds }) => brokerIds),
    }))
    const { validateOnly } = request
    const command = { kind: 'create-partitions', validateOnly, topics } as const
    context.services.controller.request(
      context.session.tenantId,
      command,
      (response) => {
        const results = response.results.map(({ name, error, message }) => ({
          name,
          errorCode: error,
          errorMessage: message,
        }))
        context.reply({ throttleTimeMs: 0, results })
      },
      { timeoutMs: request.timeoutMs },
    )
  },
})
