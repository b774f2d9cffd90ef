/** The same of the group APIs. */
import type { ApiBase, BaseRequest } from './bases.ts'
import type { Facts, GroupFacts } from './facts.ts'
import { assignmentOf, subscriptionOf } from './tenant-life.ts'

const groupsOf = ({ group, sharedGroup }: Facts): readonly GroupFacts[] => [group, sharedGroup]

const memberOf = ({ groupId, memberId, instanceId, generation }: GroupFacts) => ({
  ...{ groupId, memberId, groupInstanceId: instanceId, generationId: generation },
})

/** Group, member and instance of a group, and what an API wants beside. */
const identities = (facts: Facts, more: object): BaseRequest[] =>
  groupsOf(facts).map((group) => ({ ...memberOf(group), ...more }))

const topicsOf = ({ own, shared }: Facts, of: object) =>
  [own, shared].map(({ name, topicId }) => ({ name, topicId, ...of }))

function commits(facts: Facts): BaseRequest[] {
  const committed = { committedOffset: 1, committedMetadata: 'another' }
  const topics = topicsOf(facts, { partitions: [{ partitionIndex: 0, ...committed }] })
  const members = groupsOf(facts).map((group) => ({
    ...memberOf(group),
    ...{ generationIdOrMemberEpoch: group.generation, topics },
  }))
  return [...members, { groupId: facts.offsetsGroup, memberId: '', topics }]
}

function fetches(facts: Facts): BaseRequest[] {
  const { group, offsetsGroup } = facts
  const topics = topicsOf(facts, { partitionIndexes: [0] })
  const { memberId, generation } = group
  return [
    {
      ...{ groupId: offsetsGroup, topics },
      groups: [
        { groupId: offsetsGroup, topics },
        { groupId: group.groupId, memberId, memberEpoch: generation, topics },
      ],
    },
    { groupId: group.groupId, topics: null, groups: [{ groupId: offsetsGroup, topics: null }] },
  ]
}

/** By API key. */
export const groupBases: Readonly<Record<number, ApiBase>> = {
  8: { changes: true, requests: commits },
  9: {
    requests: (facts, version) =>
      fetches(facts).map((request) =>
        // all topics can be asked for from then on
        version < 2 && request.topics === null ? { ...request, topics: [] } : request,
      ),
  },
  11: {
    changes: true,
    requests(facts) {
      const common = {
        ...{ protocolType: 'consumer', sessionTimeoutMs: 600_000, rebalanceTimeoutMs: 100 },
        protocols: [{ name: 'range', metadata: subscriptionOf(facts.own.name) }],
      }
      const asNew = { memberId: '', groupInstanceId: null }
      return [...identities(facts, common), ...identities(facts, { ...common, ...asNew })]
    },
  },
  12: { requests: (facts) => identities(facts, {}) },
  13: {
    changes: true,
    requests: (facts) =>
      groupsOf(facts).map((group) => ({
        ...memberOf(group),
        members: [{ memberId: group.memberId, groupInstanceId: group.instanceId }],
      })),
  },
  14: {
    changes: true,
    requests: (facts) =>
      groupsOf(facts).map((group) => ({
        ...memberOf(group),
        ...{ protocolType: 'consumer', protocolName: 'range' },
        assignments: [{ memberId: group.memberId, assignment: assignmentOf(facts.own.name) }],
      })),
  },
  15: {
    requests: ({ group, sharedGroup, offsetsGroup }) => [
      { groups: [group.groupId, sharedGroup.groupId, offsetsGroup] },
    ],
  },
  16: {
    requests: () => [{}, { statesFilter: ['Stable', 'Empty'], typesFilter: ['classic'] }],
  },
  42: {
    changes: true,
    requests: ({ group, sharedGroup, offsetsGroup }) => [
      { groupsNames: [group.groupId, sharedGroup.groupId, offsetsGroup] },
    ],
  },
  47: {
    changes: true,
    requests: (facts) =>
      [facts.offsetsGroup, facts.group.groupId].map((groupId) => ({
        ...{ groupId, topics: topicsOf(facts, { partitions: [{ partitionIndex: 0 }] }) },
      })),
  },
}
