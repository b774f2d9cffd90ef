/** Which replicas clients are told of as in sync, while brokers die. */
import { expect, test } from 'vitest'
import { frontPeer } from '../../src/link/ports.ts'
import { metadata } from '../../src/protocol/03-metadata.ts'
import { call } from './call.ts'
import { Harness } from './harness.ts'

test('the dead are not in sync while somebody leads, and stay so when nobody does', () => {
  const world = new Harness({ brokers: 3, isReplicated: true })
  world.createTopic('t')
  const partition = world.partition('t')
  const [leader, follower, behind] = world.image.replicasOf(partition)
  const leaders = [{ partition, leader: leader!, leaderEpoch: 3, isr: [leader!, follower!] }]
  const peer = frontPeer(0 as never)
  world.portOf(leader!).post(peer, { kind: 'leaders', cellId: 1, leaders })
  world.run()
  const inSync = () => {
    const topics = [{ topicId: '0'.repeat(32) as never, name: 't' }]
    return call(world, world.connect(), metadata, 12, { topics }).topics[0]!.partitions[0]!.isrNodes
  }
  expect(inSync()).toEqual([leader, follower])
  world.tellGone(follower!)
  world.run()
  expect(inSync()).toEqual([leader])
  world.tellGone(leader!)
  world.run()
  expect(inSync()).toEqual([leader, follower])
  expect(inSync()).not.toContain(behind)
})

test('one that hangs is not in sync with whoever leads, and leads nothing', () => {
  const world = new Harness({ brokers: 3, isReplicated: true })
  world.createTopic('t')
  const replicas = world.image.replicasOf(world.partition('t'))
  const [first, second, third] = replicas
  const topics = [{ topicId: '0'.repeat(32) as never, name: 't' }]
  const told = () => {
    const row = call(world, world.connect(), metadata, 12, { topics }).topics[0]!.partitions[0]!
    const { leaderId, isrNodes, offlineReplicas } = row
    return { leaderId, isrNodes, offlineReplicas }
  }
  const hang = (brokerId: number, isHung: boolean) => {
    world.tellHung(brokerId, isHung)
    world.run()
  }
  // nobody has used it since the start
  hang(third!, true)
  expect(told()).toEqual({ leaderId: first, isrNodes: [first, second], offlineReplicas: [third] })
  hang(first!, true)
  // one of three cannot lead, and nobody has left it since
  expect(told()).toEqual({ leaderId: -1, isrNodes: replicas, offlineReplicas: [first, third] })
  hang(third!, false)
  expect(told()).toEqual({ leaderId: second, isrNodes: [second, third], offlineReplicas: [first] })
  hang(first!, false)
  expect(told()).toEqual({ leaderId: first, isrNodes: replicas, offlineReplicas: [] })
})
