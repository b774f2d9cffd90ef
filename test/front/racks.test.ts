import { expect, test } from 'vitest'
import { asTenantId } from '../../src/base/ids.ts'
import { metadata } from '../../src/protocol/03-metadata.ts'
import { describeConfigs } from '../../src/protocol/32-describe-configs.ts'
import { describeCluster } from '../../src/protocol/60-describe-cluster.ts'
import { call } from './call.ts'
import { Harness } from './harness.ts'

test('racks of brokers are told as their brokers have said them', () => {
  const world = new Harness({ brokers: 2 })
  const directoryId = 'a'.repeat(32)
  const request = {
    kind: 'register-broker',
    cellId: 1,
    brokerId: 2,
    directoryId,
    rack: 'east',
  } as const
  world.controller.onRequest('server', asTenantId(''), 0, request)
  world.run()
  const client = world.connectTo(2)
  const { brokers } = call(world, client, describeCluster, 1, {})
  expect(brokers.map(({ brokerId, rack }) => [brokerId, rack])).toEqual([
    [1, null],
    [2, 'east'],
  ])
  const told = call(world, client, metadata, 12, { topics: [] })
  expect(told.brokers.map(({ rack }) => rack)).toEqual([null, 'east'])
  const resources = [{ resourceType: 4, resourceName: '2', configurationKeys: ['broker.rack'] }]
  const { results } = call(world, client, describeConfigs, 4, { resources })
  expect(results[0]!.configs).toMatchObject([{ name: 'broker.rack', value: 'east' }])
})
