import { expect, test } from 'vitest'
import { offsetCommit } from '../../src/protocol/08-offset-commit.ts'
import { offsetFetch } from '../../src/protocol/09-offset-fetch.ts'
import { Harness } from './harness.ts'

const SEGMENT_BYTES = 2 ** 20
const PARTITIONS = 500
const COMMITS = 80

test('offsets that groups commit fill no disk: the broker cleans __consumer_offsets, and all are known after it', () => {
  const world = new Harness({
    brokerConfigs: { 'offsets.topic.segment.bytes': `${SEGMENT_BYTES}` },
  })
  world.createTopic('t', PARTITIONS)
  const client = world.connect()
  const bytes = () =>
    world.disk
      .list(world.directoryOf('__consumer_offsets'))
      .filter((name) => name.endsWith('.log'))
      .reduce((sum, name) => {
        return sum + world.disk.size(`${world.directoryOf('__consumer_offsets')}/${name}`)
      }, 0)
  let mostBytes = 0
  for (let commit = 0; commit < COMMITS; commit++) {
    const correlation = client.send(offsetCommit, 8, {
      groupId: 'g',
      generationIdOrMemberEpoch: -1,
      memberId: '',
      groupInstanceId: null,
      topics: [
        {
          name: 't',
          partitions: Array.from({ length: PARTITIONS }, (_, partitionIndex) => ({
            partitionIndex,
            committedOffset: commit * 1_000 + partitionIndex,
            committedLeaderEpoch: 0,
            committedMetadata: 'm',
          })),
        },
      ],
    })
    world.run()
    const answer = client.answer(offsetCommit, correlation)
    expect(answer?.topics[0]?.partitions.every(({ errorCode }) => errorCode === 0)).toBe(true)
    mostBytes = Math.max(mostBytes, bytes())
  }
  const cleaned = world.lines.filter(({ message }) => message.startsWith('Log cleaned'))
  expect(cleaned.length).toBeGreaterThan(1)
  expect(mostBytes).toBeLessThan(2.2 * SEGMENT_BYTES)
  // as one that has just come: its coordinator has to read what is left
  world.pass(700_000, 60_000)
  const late = world.connect()
  const correlation = late.send(offsetFetch, 8, {
    groups: [{ groupId: 'g', topics: null }],
    requireStable: false,
  })
  world.run()
  const fetched = late.answer(offsetFetch, correlation)?.groups[0]?.topics[0]?.partitions ?? []
  const offsets = new Map(fetched.map((one) => [one.partitionIndex, one.committedOffset]))
  expect(offsets.size).toBe(PARTITIONS)
  for (const [index, offset] of offsets) expect(offset).toBe((COMMITS - 1) * 1_000 + index)
})
