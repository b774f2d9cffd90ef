import { ErrorCode } from '../base/error-code.ts'
import type { PartitionIndex } from '../base/ids.ts'
import { type ListGroupsResponseInput, listGroups } from '../protocol/16-list-groups.ts'
import { requiredAcls } from '../tenant/required-acls.ts'
import { handler } from './context.ts'
import { askPartition } from './coordinator-call.ts'

const { acls } = requiredAcls.listGroups

/** Lists what the node of this port coordinates: admin clients ask every node and put the answers together. */
export const listGroupsHandler = handler({
  api: listGroups,
  scopes: [],
  handle(_request, context, frame) {
    const { internalTopics, dispatcher } = context.services
    const topic = internalTopics.findOffsets(context.session.tenantId)
    const { nodeId } = context.connection.listener
    const here: PartitionIndex[] = []
    for (let index = 0; index < (topic?.partitionCount ?? 0); index++) {
      const at = index as PartitionIndex
      if (dispatcher.nodeOf(topic!.cellId, topic!.numberOf(at)) === nodeId) here.push(at)
    }
    const answers: ListGroupsResponseInput[] = []
    if (topic === undefined || here.length === 0) {
      context.reply(merge(answers))
      return
    }
    for (const index of here) {
      askPartition(context, topic, index, frame, (errorCode, response) => {
        answers.push(response ?? { throttleTimeMs: 0, errorCode, groups: [] })
        if (answers.length < here.length) return
        const all = merge(answers)
        const groups = all.groups.filter(({ groupId }) => context.may(acls.group, groupId))
        context.reply({ ...all, groups })
      })
    }
  },
})

const merge = (answers: readonly ListGroupsResponseInput[]): ListGroupsResponseInput => ({
  throttleTimeMs: 0,
  errorCode: answers.find(({ errorCode }) => errorCode !== 0)?.errorCode ?? ErrorCode.NONE,
  groups: answers.flatMap(({ groups }) => groups),
})
