import { ErrorCode } from '../base/error-code.ts'
import { type CreatePartitionsRequest, createPartitions } from '../protocol/37-create-partitions.ts'
import { requiredAcls } from '../tenant/required-acls.ts'
import { handler, type RequestContext } from './context.ts'
import { refuseExcess } from './limits.ts'

const { acls } = requiredAcls.createPartitions

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
    const denied = deniedNames(request, context)
    const refused = Array.from(denied, (name) => ({
      ...{ name, errorCode: ErrorCode.TOPIC_AUTHORIZATION_FAILED, errorMessage: null },
    }))
    const asked = request.topics.filter(({ name }) => !denied.has(name))
    if (asked.length === 0 && denied.size > 0) {
      context.reply({ throttleTimeMs: 0, results: refused })
      return
    }
    const topics = asked.map(({ name, count, assignments }) => ({
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
        context.reply({ throttleTimeMs: 0, results: [...refused, ...results] })
      },
      { timeoutMs: request.timeoutMs },
    )
  },
})

/** What is named twice is refused for that, whoever asks. */
function deniedNames({ topics }: CreatePartitionsRequest, context: RequestContext): Set<string> {
  const seen = new Set<string>()
  const denied = new Set<string>()
  for (const { name } of topics) {
    if (seen.has(name)) denied.delete(name)
    else if (!context.may(acls.topic, name)) denied.add(name)
    seen.add(name)
  }
  return denied
}
