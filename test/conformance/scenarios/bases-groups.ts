/** Good requests of the group APIs. */
import { offsetCommit } from '../../../src/protocol/08-offset-commit.ts'
import type { Side } from '../side.ts'
import type { Base } from './base.ts'
import { joinRequest, Member } from './groups.ts'

/** The member of `base-group` on each side. */
const members = new WeakMap<Side, Member>()

/** A group of one, in version 3, on a connection of its own. */
async function prepareMember(side: Side): Promise<void> {
  const member = new Member(side, 'base-group', 3, 'base-member')
  // It would expire between two scenarios if it did not beat.
  await member.join('a member', { sessionTimeoutMs: 300_000 })
  await member.sync('its assignment', { [member.memberId]: 'all' })
  members.set(side, member)
}

const identity = (side: Side) => {
  const { groupId, memberId, generationId } = members.get(side)!
  return { groupId, memberId, generationId }
}

const partitions = [{ partitionIndex: 0, committedOffset: 5, committedMetadata: 'm' }]

async function prepareOffsets(side: Side): Promise<void> {
  await side.createTopic('base-committed', 2)
  const request = { groupId: 'base-offsets', generationIdOrMemberEpoch: -1, memberId: '' }
  const topics = [{ name: 'base-committed', partitions }]
  await side.quietly(offsetCommit, 7, { ...request, topics })
}

/** By API key. */
export const groupBases: Readonly<Record<number, Base>> = {
  8: {
    prepare: prepareOffsets,
    request: (side, version) => ({
      groupId: 'base-offsets',
      topics: [{ name: 'base-committed', topicId: side.topicId('base-committed'), partitions }].map(
        (one) => (version < 10 ? one : { ...one, name: '' }),
      ),
    }),
  },
  9: {
    prepare: (side) => side.createTopic('base-fetched', 2),
    request(side, version) {
      const topic = { name: 'base-committed', partitionIndexes: [0] }
      if (version < 8) return { groupId: 'base-offsets', topics: [topic] }
      const topicId = side.topicId('base-committed')
      return { groups: [{ groupId: 'base-offsets', topics: [{ ...topic, topicId }] }] }
    },
  },
  11: {
    // Of a member that nobody knows: whoever is taken in waits for the first rebalance.
    request: () => joinRequest('base-join', 'nobody'),
    skip: (step) => step === 'memberId = empty',
  },
  12: { prepare: prepareMember, request: (side) => identity(side) },
  13: {
    request: (_side, version) =>
      version < 3
        ? { groupId: 'base-leave', memberId: 'nobody' }
        : { groupId: 'base-leave', members: [{ memberId: 'nobody' }] },
  },
  14: {
    prepare: prepareMember,
    request: (side, version) => ({
      ...identity(side),
      ...(version < 5 ? {} : { protocolType: 'consumer', protocolName: 'range' }),
      assignments: [{ memberId: identity(side).memberId, assignment: Buffer.from('all') }],
    }),
  },
  15: { request: () => ({ groups: ['base-offsets'] }) },
  16: {
    request: () => ({}),
    keep: (path) => path !== 'groups' && !/^groups\[(?!base-offsets)/.test(path),
  },
  42: { request: () => ({ groupsNames: ['base-unknown'] }) },
  47: {
    request: () => ({
      groupId: 'base-offsets',
      topics: [{ name: 'base-committed', partitions: [{ partitionIndex: 1 }] }],
    }),
  },
}
