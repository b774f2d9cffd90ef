import { listPartitionReassignments } from '../protocol/46-list-partition-reassignments.ts'
import { requiredAcls } from '../tenant/required-acls.ts'
import { handler } from './context.ts'
import { clusterDenied } from './denials.ts'

const { acls } = requiredAcls.listPartitionReassignments

export const listPartitionReassignmentsHandler = handler({
  api: listPartitionReassignments,
  scopes: ['topicName'],
  handle(request, context) {
    if (!context.may(acls.cluster)) {
      context.reply({ throttleTimeMs: 0, ...clusterDenied, topics: [] })
      return
    }
    const topics =
      request.topics === null
        ? null
        : Array.from(onceEach(request.topics), ([name, indexes]) => ({
            name,
            indexes: [...indexes],
          }))
    const command = { kind: 'list-reassignments', topics } as const
    context.services.controller.request(
      context.session.tenantId,
      command,
      (response) => {
        context.reply({
          throttleTimeMs: 0,
          errorCode: response.error,
          errorMessage: response.message,
          topics: response.topics.map(({ name, partitions }) => ({
            name,
            partitions: partitions.map(({ index, replicas, adding, removing }) => ({
              partitionIndex: index,
              replicas,
              addingReplicas: adding,
              removingReplicas: removing,
            })),
          })),
        })
      },
      { timeoutMs: request.timeoutMs },
    )
  },
})

/** A partition that is named twice is told once. */
function onceEach(
  topics: readonly { readonly name: string; readonly partitionIndexes: readonly number[] }[],
): Map<string, Set<number>> {
  const asked = new Map<string, Set<number>>()
  for (const { name, partitionIndexes } of topics) {
    const known = asked.get(name) ?? new Set()
    asked.set(name, known)
    for (const index of partitionIndexes) known.add(index)
  }
  return asked
}
