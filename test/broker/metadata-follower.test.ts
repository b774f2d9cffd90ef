/** What a broker's thread is told when metadata comes. */
import { expect, test } from 'vitest'
import { asBrokerId, asPartitionNumber, type BrokerId } from '../../src/base/ids.ts'
import { MetadataFollower } from '../../src/broker/metadata-follower.ts'
import type { MetadataEntry } from '../../src/image/entry.ts'
import { MetadataImage } from '../../src/image/image.ts'
import { BROKER, CELL, CLUSTER, TENANT, topicId } from './world.ts'

test('of partitions that this broker is to lead first from now on it is told, and of no others', () => {
  const preferred: number[] = []
  const image = new MetadataImage()
  const nothing = () => {}
  const follower = new MetadataFollower({
    ...{ image, cellId: CELL, brokerId: BROKER, root: '/r', onGone: nothing, onConfigs: nothing },
    ...{ onTopicsDeleted: nothing, onTenantDeleted: nothing, onWhole: nothing },
    onPreferred: (number) => preferred.push(number),
  })
  let first = 0
  const publish = (...entries: MetadataEntry[]) => {
    const message = { kind: 'metadata', epoch: 1, first, offset: first + entries.length, entries }
    follower.onMetadata(message as Parameters<typeof follower.onMetadata>[0], 'controller')
    first += entries.length
  }
  const [two, three] = [asBrokerId(2), asBrokerId(3)]
  const placement = { replicas: [two, BROKER], leader: two, leaderEpoch: 0 }
  publish(...CLUSTER)
  publish({
    ...{ kind: 'topic-created', tenantId: TENANT, topicId: topicId(1), name: 't', internal: false },
    ...{ cellId: CELL, firstPartition: asPartitionNumber(7), configs: {} },
    placements: [placement, placement],
  })
  const reassign = (index: number, replicas: BrokerId[], target: BrokerId[] | null) =>
    publish({
      ...{ kind: 'partition-reassigned', tenantId: TENANT, topicId: topicId(1), index },
      ...{ replicas, target, leaving: [], isFirst: false, generation: 1, firstLife: 0 },
    })
  reassign(1, [two, three], null)
  expect(preferred).toEqual([])
  reassign(1, [BROKER, two], null)
  expect(preferred).toEqual([8])
})
