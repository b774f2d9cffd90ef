/** Classic groups: joining, syncing, beating, leaving, static members, and what is refused. */
import { offsetCommit } from '../../../src/protocol/08-offset-commit.ts'
import { joinGroup } from '../../../src/protocol/11-join-group.ts'
import { heartbeat } from '../../../src/protocol/12-heartbeat.ts'
import { leaveGroup } from '../../../src/protocol/13-leave-group.ts'
import { syncGroup } from '../../../src/protocol/14-sync-group.ts'
import { describeGroups } from '../../../src/protocol/15-describe-groups.ts'
import { deleteGroups } from '../../../src/protocol/42-delete-groups.ts'
import type { Api } from '../../../src/protocol/api.ts'
import { encodeSubscription } from '../../../src/protocol/consumer-protocol.ts'
import type { LooseRequest } from '../loose.ts'
import { type Scenario, type Side, versionsOf } from '../side.ts'

/** The keys that a group needs. */
export const GROUP_KEYS = [8, 9, 11, 12, 13, 14, 15, 16, 42] as const

/** A rebalance waits for others, at most as long as its members say. */
const WAIT_MS = 15_000

const atMost = (api: Api, version: number): number =>
  Math.max(api.validVersions.min, Math.min(api.validVersions.max, version))

export type Join = LooseRequest<typeof joinGroup>

// What is no subscription Kafka does not answer: its group never completes.
const subscription = encodeSubscription(1, { topics: ['groups'], ownedPartitions: [] })

export const joinRequest = (groupId: string, memberId: string, more: Join = {}): Join => ({
  groupId,
  memberId,
  sessionTimeoutMs: 10_000,
  rebalanceTimeoutMs: 10_000,
  protocolType: 'consumer',
  protocols: [{ name: 'range', metadata: subscription }],
  ...more,
})

/** One member of a group, on a connection of its own, speaking everything in the versions that go with `version`. */
export class Member {
  readonly side: Side
  readonly groupId: string
  readonly version: number
  readonly on: string
  memberId = ''
  generationId = -1

  constructor(side: Side, groupId: string, version: number, on: string) {
    Object.assign(this, { side, groupId, version, on })
    this.side = side
    this.groupId = groupId
    this.version = version
    this.on = on
  }

  /** Joins; where the broker wants the member to come back with the id that it gives, does so. */
  async join(step: string, more: Join = {}): Promise<number> {
    const ask = () =>
      this.side.ask(step, joinGroup, this.version, joinRequest(this.groupId, this.memberId, more), {
        on: this.on,
        timeoutMs: WAIT_MS,
      })
    let answer = await ask()
    if (answer?.errorCode === 79) {
      this.memberId = answer.memberId
      answer = await ask()
    }
    if (answer?.errorCode === 0) {
      this.memberId = answer.memberId
      this.generationId = answer.generationId
    }
    return answer?.errorCode ?? -1
  }

  sync(
    step: string,
    assignments: Readonly<Record<string, string>> = {},
    more: LooseRequest<typeof syncGroup> = {},
  ) {
    const version = atMost(syncGroup, this.version)
    const request = {
      ...this.#identity,
      ...(version < 5 ? {} : { protocolType: 'consumer', protocolName: 'range' }),
      assignments: Object.entries(assignments).map(([memberId, text]) => ({
        memberId,
        assignment: Buffer.from(text),
      })),
      ...more,
    }
    return this.side.ask(step, syncGroup, version, request, { on: this.on, timeoutMs: WAIT_MS })
  }

  beat(step: string, more: LooseRequest<typeof heartbeat> = {}) {
    const request = { ...this.#identity, ...more }
    return this.side.ask(step, heartbeat, atMost(heartbeat, this.version), request, { on: this.on })
  }

  leave(step: string, more: LooseRequest<typeof leaveGroup> = {}) {
    const version = atMost(leaveGroup, this.version)
    const { groupId, memberId } = this
    const request =
      version < 3 ? { groupId, memberId } : { groupId, members: [{ memberId, reason: 'leaves' }] }
    return this.side.ask(step, leaveGroup, version, { ...request, ...more }, { on: this.on })
  }

  commit(step: string, topic: string, more: LooseRequest<typeof offsetCommit> = {}) {
    const { groupId, memberId, generationId } = this
    const request = {
      ...{ groupId, memberId, generationIdOrMemberEpoch: generationId },
      topics: [
        {
          name: topic,
          topicId: this.side.topicId(topic),
          partitions: [{ partitionIndex: 0, committedOffset: 5, committedMetadata: 'here' }],
        },
      ],
      ...more,
    }
    const version = atMost(offsetCommit, this.version + 1)
    return this.side.ask(step, offsetCommit, version, request, { on: this.on })
  }

  describe(step: string) {
    const request = { groups: [this.groupId] }
    const version = atMost(describeGroups, this.version)
    return this.side.ask(step, describeGroups, version, request, { on: this.on })
  }

  get #identity() {
    const { groupId, memberId, generationId } = this
    return { groupId, memberId, generationId }
  }
}

/** Two members from the first join to the group's end, with a mistake of each kind on the way. */
async function life(side: Side, version: number): Promise<void> {
  const groupId = `life-${version}`
  const one = new Member(side, groupId, version, 'one')
  await one.describe('before anything')
  await one.join('one joins')
  await one.beat('beats before it has synced')
  await one.commit('commits before it has synced', 'groups')
  await one.describe('waits for sync')
  await one.sync('syncs', { [one.memberId]: 'all' })
  await one.sync('syncs again', { [one.memberId]: 'other' })
  await one.describe('stable')
  await one.beat('beats')
  await one.beat('beats, old generation', { generationId: one.generationId - 1 })
  await one.beat('beats, future generation', { generationId: 99 })
  await one.beat('beats, generation -1', { generationId: -1 })
  await one.beat('beats, unknown member', { memberId: 'nobody' })
  await one.beat('beats, no member', { memberId: '' })
  await one.beat('beats, unknown group', { groupId: 'life-unknown' })
  await one.beat('beats, empty group', { groupId: '' })
  await one.sync('syncs, old generation', {}, { generationId: 0 })
  await one.sync('syncs, unknown member', {}, { memberId: 'nobody' })
  await one.sync('syncs, unknown group', {}, { groupId: 'life-unknown' })
  await one.sync('syncs, empty group', {}, { groupId: '' })
  if (version >= 5) {
    await one.sync('syncs, other type', {}, { protocolType: 'connect' })
    await one.sync('syncs, other protocol', {}, { protocolName: 'roundrobin' })
  }
  await one.commit('commits', 'groups')
  await one.commit('commits, old generation', 'groups', { generationIdOrMemberEpoch: 0 })
  await one.commit('commits, unknown member', 'groups', { memberId: 'nobody' })
  const simple = { generationIdOrMemberEpoch: -1, memberId: '' }
  await one.commit('commits as nobody', 'groups', simple)
  await side.ask('deleted while in use', deleteGroups, 2, { groupsNames: [groupId] })
  const two = new Member(side, groupId, version, 'two')
  await two.join('two, another type', { protocolType: 'connect' })
  const other = [{ name: 'roundrobin', metadata: Buffer.from('x') }]
  await two.join('two, no common protocol', { protocols: other })
  await two.join('two, no protocol', { protocols: [] })
  await twoMembers(one, two)
}

async function twoMembers(one: Member, two: Member): Promise<void> {
  const { side, groupId, version } = one
  two.memberId = ''
  const joins = two.join('two joins')
  // The broker tells the first at its next beat.
  for (let tries = 0; tries < 50; tries++) {
    const { groupId, memberId, generationId } = one
    const request = { groupId, memberId, generationId }
    const { errorCode } = await side.quietly(heartbeat, 0, request, { on: 'one' })
    if (errorCode !== 0) break
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  await one.beat('beats while two joins')
  await one.commit('commits while two joins', 'groups')
  await one.sync('syncs while two joins')
  await one.describe('while two joins')
  await Promise.all([joins, one.join('one joins again')])
  const follower = two.sync('two syncs')
  await new Promise((resolve) => setTimeout(resolve, 50))
  const assignments = { [one.memberId]: 'half', [two.memberId]: 'other half' }
  await Promise.all([follower, one.sync('one syncs for both', assignments)])
  await one.describe('two members')
  await two.beat('two beats')
  await two.join('two joins again, nothing new')
  await one.beat('one beats')
  await two.leave(
    'leaves as nobody',
    version < 3 ? { memberId: 'nobody' } : { members: [{ memberId: 'nobody' }] },
  )
  await two.leave('leaves an unknown group', { groupId: 'life-unknown' })
  await two.leave('leaves an empty group', { groupId: '' })
  if (version >= 3) await two.leave('nobody leaves', { members: [] })
  await two.leave('two leaves')
  await two.beat('two beats, gone')
  await one.beat('one beats, two has left')
  await one.leave('one leaves')
  await one.describe('empty')
  await one.commit('commits with the old generation', 'groups')
  await one.commit('commits as nobody, empty', 'groups', {
    ...{ generationIdOrMemberEpoch: -1, memberId: '' },
  })
  await side.ask('deleted', deleteGroups, 2, {
    groupsNames: [groupId, groupId, 'life-unknown', ''],
  })
  await one.describe('after that')
}

const refusedJoins: Readonly<Record<string, Join>> = {
  'empty group': { groupId: '' },
  'unknown member': { memberId: 'nobody' },
  'session 5999': { sessionTimeoutMs: 5_999 },
  'session 1800001': { sessionTimeoutMs: 1_800_001 },
  'session 0': { sessionTimeoutMs: 0 },
  'session -1': { sessionTimeoutMs: -1 },
  'no protocol': { protocols: [] },
  'no type': { protocolType: '' },
  'no type, no protocol': { protocolType: '', protocols: [] },
}

/** Static members (KIP-345), from version 5 on. */
async function staticMember(side: Side, version: number): Promise<void> {
  const groupId = `static-${version}`
  const groupInstanceId = 'instance'
  const first = new Member(side, groupId, version, 'first')
  await first.join('joins', { groupInstanceId })
  await first.sync('syncs', { [first.memberId]: 'all' }, { groupInstanceId })
  await first.describe('stable')
  const second = new Member(side, groupId, version, 'second')
  await second.join('comes back', { groupInstanceId })
  await second.describe('came back')
  await first.beat('the former beats', { groupInstanceId })
  await first.beat('the former beats, no instance')
  await first.sync('the former syncs', {}, { groupInstanceId })
  await first.commit('the former commits', 'groups', { groupInstanceId })
  await first.join('the former joins', { groupInstanceId })
  await second.beat('beats', { groupInstanceId })
  await second.beat('beats, unknown instance', { groupInstanceId: 'other' })
  await second.commit('commits', 'groups', { groupInstanceId })
  await second.sync('syncs', {}, { groupInstanceId })
  const leaving = (members: LooseRequest<typeof leaveGroup>['members']) => ({ members })
  await second.leave(
    'unknown instance leaves',
    leaving([{ memberId: '', groupInstanceId: 'other' }]),
  )
  await second.leave('the former leaves', leaving([{ memberId: first.memberId, groupInstanceId }]))
  await second.leave('leaves by its instance', leaving([{ memberId: '', groupInstanceId }]))
  await second.leave('leaves twice', leaving([{ memberId: '', groupInstanceId }]))
  await second.describe('left')
}

export const groupScenarios: readonly Scenario[] = [
  {
    name: 'group-life',
    needs: GROUP_KEYS,
    async run(side) {
      await side.createTopic('groups', 3)
      await side.together(versionsOf(joinGroup).map((version) => (own) => life(own, version)))
    },
  },
  {
    name: 'group-refused-joins',
    needs: GROUP_KEYS,
    async run(side) {
      for (const version of versionsOf(joinGroup)) {
        for (const [step, more] of Object.entries(refusedJoins)) {
          await side.ask(step, joinGroup, version, joinRequest('refused', '', more), {
            timeoutMs: WAIT_MS,
          })
        }
      }
    },
  },
  {
    name: 'group-static-members',
    needs: GROUP_KEYS,
    async run(side) {
      const versions = versionsOf(joinGroup).filter((version) => version >= 5)
      await side.together(versions.map((version) => (own) => staticMember(own, version)))
    },
  },
]
