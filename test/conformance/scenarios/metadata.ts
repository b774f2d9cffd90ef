/** Metadata, DescribeTopicPartitions, DescribeCluster. */
import { metadata } from '../../../src/protocol/03-metadata.ts'
import { describeCluster } from '../../../src/protocol/60-describe-cluster.ts'
import { describeTopicPartitions } from '../../../src/protocol/75-describe-topic-partitions.ts'
import type { LooseRequest } from '../loose.ts'
import { type Scenario, type Side, versionsOf } from '../side.ts'
import { byId, byName } from './requests.ts'

/** Topics of other scenarios may be there on one side and on their way on the other. */
const own = (prefix: string) => (path: string) =>
  path !== 'topics' && (!path.startsWith('topics[') || path.startsWith(`topics[${prefix}`))

async function metadataVersions(side: Side): Promise<void> {
  await side.createTopic('meta-a', 3)
  await side.createTopic('meta-b', 1)
  const flags = { allowAutoTopicCreation: false }
  for (const version of versionsOf(metadata)) {
    const ask = (step: string, request: LooseRequest<typeof metadata>) =>
      side.ask(step, metadata, version, request)
    // Before version 4 a name that is not there would be made.
    const auto = version < 4 ? {} : flags
    await side.ask(
      'all topics',
      metadata,
      version,
      { topics: version === 0 ? [] : null, ...auto },
      {
        keep: own('meta-'),
      },
    )
    await ask('no topic', { topics: version === 0 ? [byName('meta-a')] : [], ...auto })
    await ask('two', { topics: [byName('meta-b'), byName('meta-a')], ...auto })
    await ask('the same twice', { topics: [byName('meta-a'), byName('meta-a')], ...auto })
    await ask('a bad name', { topics: [byName('a bad/name')], ...auto })
    await ask('an empty name', { topics: [byName('')], ...auto })
    await ask('too long a name', { topics: [byName('x'.repeat(250))], ...auto })
    if (version >= 4) {
      await ask('unknown', { topics: [byName('meta-unknown'), byName('meta-a')], ...auto })
    }
    if (version >= 10) {
      await ask('by id', { topics: [byId(side.topicId('meta-a'))], ...auto })
      await ask('unknown id', { topics: [byId('e'.repeat(32))], ...auto })
      await ask('name and id', {
        topics: [{ ...byId(side.topicId('meta-a')), name: 'meta-b' }],
        ...auto,
      })
      await ask('neither', { topics: [byId('0'.repeat(32))], ...auto })
    }
    if (version >= 8) {
      const operations = {
        includeTopicAuthorizedOperations: true,
        ...(version <= 10 ? { includeClusterAuthorizedOperations: true } : {}),
      }
      await ask('with operations', { topics: [byName('meta-a')], ...auto, ...operations })
    }
  }
}

export const metadataScenarios: readonly Scenario[] = [
  { name: 'metadata', run: metadataVersions },
  {
    name: 'metadata-auto-create',
    async run(side) {
      for (const version of [1, 4, 9, 12, 13]) {
        const name = `auto-${version}`
        const request = { topics: [byName(name)], allowAutoTopicCreation: true }
        await side.ask('first asked', metadata, version, request)
        await new Promise((resolve) => setTimeout(resolve, 300))
        await side.ask('asked again', metadata, version, request)
        for (const [what, bad] of [
          ['a bad name', 'a bad/name'],
          ['an empty name', ''],
          ['an internal name', '__consumer_offsets'],
        ] as const) {
          // The group scenarios make this one.
          if (bad === '__consumer_offsets') continue
          await side.ask(what, metadata, version, {
            topics: [byName(bad)],
            allowAutoTopicCreation: true,
          })
        }
      }
      // Names that would be the same in metrics.
      await side.createTopic('auto.same')
      await side.ask('a name that collides', metadata, 9, {
        topics: [byName('auto_same')],
        allowAutoTopicCreation: true,
      })
    },
  },
  {
    name: 'describe-cluster',
    async run(side) {
      for (const version of versionsOf(describeCluster)) {
        for (const endpointType of version === 0 ? [1] : [0, 1, 2, 3, -1]) {
          for (const operations of [false, true]) {
            for (const fenced of version < 2 ? [false] : [false, true]) {
              const step = `type ${endpointType}${operations ? ', operations' : ''}${fenced ? ', fenced' : ''}`
              await side.ask(step, describeCluster, version, {
                includeClusterAuthorizedOperations: operations,
                endpointType,
                includeFencedBrokers: fenced,
              })
            }
          }
        }
      }
    },
  },
  {
    name: 'describe-topic-partitions',
    async run(side) {
      await side.createTopic('parts-a', 5)
      await side.createTopic('parts-b', 2)
      await side.createTopic('parts-c', 1)
      const all = ['parts-c', 'parts-a', 'parts-b']
      const cursors = [
        null,
        ...[-5, -1, 0, 2, 4, 5, 99].map((partitionIndex) => ({
          topicName: 'parts-a',
          partitionIndex,
        })),
        { topicName: 'parts-aa', partitionIndex: 3 },
        { topicName: 'parts-b', partitionIndex: 1 },
        { topicName: 'a', partitionIndex: 0 },
        { topicName: 'zzz', partitionIndex: 0 },
        { topicName: '', partitionIndex: 0 },
        { topicName: 'parts-unknown', partitionIndex: 0 },
      ]
      const lists = {
        three: all,
        unknown: ['parts-unknown', 'parts-a'],
        twice: ['parts-a', 'parts-a'],
        bad: ['a bad/name', '', 'parts-a'],
      }
      for (const [list, names] of Object.entries(lists)) {
        for (const cursor of cursors) {
          const at = cursor === null ? 'no cursor' : `${cursor.topicName}/${cursor.partitionIndex}`
          // Every limit with one list, one small limit with the others.
          for (const limit of list === 'three' ? [2000, 2, 5, 6, 1, 0, -1] : [2000, 2]) {
            await side.ask(`${list}, ${at}, limit ${limit}`, describeTopicPartitions, 0, {
              topics: names.map((name) => ({ name })),
              responsePartitionLimit: limit,
              cursor,
            })
          }
        }
      }
      await side.ask(
        'all',
        describeTopicPartitions,
        0,
        { topics: [], responsePartitionLimit: 2000 },
        { keep: own('parts-') },
      )
    },
  },
]
