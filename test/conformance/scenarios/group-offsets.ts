/** Committed offsets without members, and what is told about groups. */
import { offsetCommit } from '../../../src/protocol/08-offset-commit.ts'
import { offsetFetch } from '../../../src/protocol/09-offset-fetch.ts'
import { describeGroups } from '../../../src/protocol/15-describe-groups.ts'
import { listGroups } from '../../../src/protocol/16-list-groups.ts'
import { deleteGroups } from '../../../src/protocol/42-delete-groups.ts'
import { offsetDelete } from '../../../src/protocol/47-offset-delete.ts'
import type { LooseRequest } from '../loose.ts'
import { type Scenario, type Side, versionsOf } from '../side.ts'
import { GROUP_KEYS } from './groups.ts'

type Commit = LooseRequest<typeof offsetCommit>

const simple = { generationIdOrMemberEpoch: -1, memberId: '' }

const partition = (partitionIndex: number, committedOffset: number, more: object = {}) => ({
  ...{ partitionIndex, committedOffset, committedMetadata: '' },
  ...more,
})

async function commits(side: Side, version: number): Promise<void> {
  const groupId = `commits-${version}`
  const topic = (name: string, partitions: readonly object[]) => ({
    ...{ name, topicId: side.topicId(name) },
    partitions,
  })
  const ask = (step: string, topics: readonly object[], more: Commit = {}) =>
    side.ask(step, offsetCommit, version, { groupId, ...simple, topics, ...more } as Commit)
  await ask('plain', [topic('committed', [partition(0, 5), partition(1, 7)])])
  await ask('with metadata', [topic('committed', [partition(0, 6, { committedMetadata: 'é' })])])
  await ask('null metadata', [topic('committed', [partition(0, 6, { committedMetadata: null })])])
  const long = 'm'.repeat(4097)
  await ask('4097 letters', [topic('committed', [partition(0, 8, { committedMetadata: long })])])
  const most = 'm'.repeat(4096)
  await ask('4096 letters', [topic('committed', [partition(2, 8, { committedMetadata: most })])])
  await ask('with an epoch', [topic('committed', [partition(0, 9, { committedLeaderEpoch: 3 })])])
  await ask('offset -1', [topic('committed', [partition(0, -1)])])
  await ask('offset -2', [topic('committed', [partition(0, -2)])])
  await ask('unknown partition', [topic('committed', [partition(9, 1), partition(0, 10)])])
  await ask('partition -1', [topic('committed', [partition(-1, 1)])])
  await ask('unknown topic', [topic('committed-unknown', [partition(0, 1)])])
  await ask('the same twice', [topic('committed', [partition(0, 11), partition(0, 12)])])
  await ask('no topic', [])
  await ask('no partition', [topic('committed', [])])
  await ask('empty group', [topic('committed', [partition(0, 1)])], { groupId: '' })
  await ask('a generation without a member', [topic('committed', [partition(0, 1)])], {
    generationIdOrMemberEpoch: 3,
  })
  await ask('a member without a generation', [topic('committed', [partition(0, 1)])], {
    memberId: 'nobody',
  })
  await ask('a member and a generation', [topic('committed', [partition(0, 1)])], {
    ...{ memberId: 'nobody', generationIdOrMemberEpoch: 3 },
  })
  if (version >= 7) {
    const groupInstanceId = 'instance'
    await ask('an instance', [topic('committed', [partition(0, 1)])], { groupInstanceId })
  }
  if (version < 5) {
    const retentionTimeMs = 1
    await ask('a retention time', [topic('committed', [partition(1, 13)])], { retentionTimeMs })
  }
  await ask('a new group, unknown topic', [topic('committed-unknown', [partition(0, 1)])], {
    groupId: `commits-none-${version}`,
  })
}

async function fetches(side: Side, version: number): Promise<void> {
  const named = (groupId: string, topics: readonly (readonly [string, number[]])[] | null) =>
    version < 8
      ? {
          groupId,
          topics: topics?.map(([name, partitionIndexes]) => ({ name, partitionIndexes })) ?? null,
        }
      : {
          groups: [
            {
              groupId,
              topics:
                topics?.map(([name, partitionIndexes]) => ({
                  ...{ name, topicId: side.topicId(name), partitionIndexes },
                })) ?? null,
            },
          ],
        }
  const ask = (step: string, request: LooseRequest<typeof offsetFetch>) =>
    side.ask(step, offsetFetch, version, request)
  await ask('two partitions', named('fetched', [['committed', [0, 1]]]))
  await ask('not committed', named('fetched', [['committed', [2]]]))
  await ask('unknown partition', named('fetched', [['committed', [77, -1]]]))
  await ask('unknown topic', named('fetched', [['committed-unknown', [0]]]))
  await ask('the same twice', named('fetched', [['committed', [0, 0]]]))
  await ask('no topics', named('fetched', []))
  await ask('unknown group', named('fetched-unknown', [['committed', [0]]]))
  await ask('empty group', named('', [['committed', [0]]]))
  if (version >= 2) await ask('all', named('fetched', null))
  if (version >= 2) await ask('all of an unknown group', named('fetched-unknown', null))
  if (version >= 7)
    await ask('stable ones', { ...named('fetched', [['committed', [0]]]), requireStable: true })
  if (version < 8) return
  const one = { groupId: 'fetched', topics: null }
  await ask('two groups', { groups: [one, { groupId: 'fetched-unknown', topics: null }] })
  await ask('no group', { groups: [] })
  await ask('the same group twice', { groups: [one, one] })
  if (version < 9) return
  for (const memberEpoch of [-1, 0, 5]) {
    const as = { memberId: 'nobody', memberEpoch }
    await ask(`as a member at ${memberEpoch}`, { groups: [{ ...one, ...as }] })
  }
  await ask('as nobody at 5', { groups: [{ ...one, memberId: null, memberEpoch: 5 }] })
}

async function listings(side: Side): Promise<void> {
  const keep = (path: string) => !path.startsWith('groups[') || path.startsWith('groups[fetched')
  const own = { keep: (path: string) => path !== 'groups' && keep(path) }
  for (const version of versionsOf(listGroups)) {
    await side.ask('all', listGroups, version, {}, own)
    if (version >= 4) {
      for (const states of [
        ['Empty'],
        ['empty'],
        ['Stable'],
        ['Dead', 'Empty'],
        ['Nonsense'],
        [''],
      ]) {
        await side.ask(`states ${states}`, listGroups, version, { statesFilter: states }, own)
      }
    }
    if (version >= 5) {
      for (const types of [['classic'], ['Classic'], ['consumer'], ['share'], ['Nonsense'], ['']]) {
        await side.ask(`types ${types}`, listGroups, version, { typesFilter: types }, own)
      }
    }
  }
  for (const version of versionsOf(describeGroups)) {
    const flags = version < 3 ? [false] : [false, true]
    for (const includeAuthorizedOperations of flags) {
      const step = includeAuthorizedOperations ? ', operations' : ''
      for (const groups of [['fetched'], ['fetched-unknown'], [''], ['fetched', 'fetched'], []]) {
        const request = { groups, includeAuthorizedOperations }
        await side.ask(`groups ${JSON.stringify(groups)}${step}`, describeGroups, version, request)
      }
    }
  }
}

async function deletions(side: Side): Promise<void> {
  const ask = (step: string, groupId: string, names: readonly (readonly [string, number[]])[]) =>
    side.ask(step, offsetDelete, 0, {
      groupId,
      topics: names.map(([name, indexes]) => ({
        name,
        partitions: indexes.map((partitionIndex) => ({ partitionIndex })),
      })),
    })
  await ask('one', 'fetched', [['committed', [0]]])
  await ask('again', 'fetched', [['committed', [0]]])
  await ask('unknown partition', 'fetched', [['committed', [77, -1]]])
  await ask('unknown topic', 'fetched', [['committed-unknown', [0]]])
  await ask('no topic', 'fetched', [])
  await ask('no partition', 'fetched', [['committed', []]])
  await ask('unknown group', 'fetched-unknown', [['committed', [0]]])
  await ask('empty group', '', [['committed', [0]]])
  for (const version of versionsOf(deleteGroups)) {
    const group = `deleted-${version}`
    const partitions = [partition(0, 5)]
    const topics = [{ name: 'committed', partitions }]
    await side.quietly(offsetCommit, 7, { groupId: group, ...simple, topics })
    for (const groupsNames of [[group], [group], ['deleted-unknown'], [''], []]) {
      await side.ask(
        `groups [${groupsNames.map((one) => one.replace(/\d/, 'N'))}]`,
        deleteGroups,
        version,
        { groupsNames },
      )
    }
  }
}

export const groupOffsetScenarios: readonly Scenario[] = [
  {
    name: 'group-offsets',
    needs: GROUP_KEYS,
    async run(side) {
      await side.createTopic('committed', 3)
      for (const version of versionsOf(offsetCommit)) await commits(side, version)
      for (const version of versionsOf(offsetCommit)) {
        const groups = [{ groupId: `commits-${version}`, topics: null }]
        await side.ask('what was committed', offsetFetch, 8, { groups })
      }
      const topics = [{ name: 'committed', partitions: [partition(0, 5), partition(1, 6)] }]
      await side.quietly(offsetCommit, 7, { groupId: 'fetched', ...simple, topics })
      for (const version of versionsOf(offsetFetch)) await fetches(side, version)
      await listings(side)
      await deletions(side)
    },
  },
]
