/** What a tenant holds at a broker: found again after a restart, told, and counted with what others hold. */
import { expect, test, vi } from 'vitest'
import {
  asBrokerId,
  asPartitionNumber,
  asTenantId,
  type BrokerId,
  type PartitionNumber,
} from '../../src/base/ids.ts'
import type { CoordinatorPartition } from '../../src/broker/coordinator-partition.ts'
import type { ReplicaTable } from '../../src/broker/replica-table.ts'
import { TenantHoldings } from '../../src/broker/tenant-holdings.ts'
import type { MetadataEntry } from '../../src/image/entry.ts'
import { MetadataImage } from '../../src/image/image.ts'
import { defaultSettings, settingsOf } from '../../src/image/tenant-settings.ts'
import { MemoryPorts } from '../../src/link/ports.ts'
import { ToldHoldings } from '../../src/link/tenant-holdings.ts'
import { SimulatedDisk } from '../../src/log/simulated-disk.ts'
import { plainBatch } from './batches.ts'
import { BROKER, CELL, CLUSTER, TENANT, topicId, World } from './world.ts'

const { length: BYTES } = plainBatch()

const limited = (world: World, storageBytes: number | null) =>
  world.publish({
    ...{ kind: 'tenant-settings', tenantId: TENANT },
    ...settingsOf({
      ...defaultSettings('t'),
      limits: storageBytes === null ? {} : { storageBytes },
    }),
  })

/** What fronts have been told. */
function told(world: World, holdings = new ToldHoldings(() => true)): number {
  const { control } = world.front
  for (let next = control.poll(); next !== undefined; next = control.poll()) {
    if (next.message.kind === 'tenant-holdings') holdings.onTold(next.message)
  }
  return holdings.storageBytes(TENANT)
}

function produced(world: World, partition: PartitionNumber): number {
  world.front.produce(partition, plainBatch())
  world.run()
  return world.front.takeOne('produced').error
}

test('is what its logs hold, internal ones aside, and of deleted ones nothing', () => {
  const world = new World()
  const [one, two] = world.createTopic({ partitions: 2 })
  world.run()
  for (const partition of [one!, two!, two!]) expect(produced(world, partition)).toBe(0)
  world.pass(3_000)
  expect(told(world)).toBe(3 * BYTES)
  world.createTopic()
  world.deleteTopic(1)
  world.pass(3_000)
  expect(told(world)).toBe(0)
})

test('is not looked for in directories of tenants that have none', () => {
  const before = new World()
  before.createTopic({ partitions: 20 })
  before.stop()
  const next = before.restart()
  const list = vi.spyOn(next.disk, 'list')
  next.pass(3_000, 5)
  const looked = list.mock.calls.filter(([directory]) => /-\d+$/.test(directory))
  expect(looked).toEqual([])
  list.mockRestore()
})

test('is looked for after a restart, and no more is taken than there may be', () => {
  const world = new World()
  const partitions = world.createTopic({ partitions: 9 })
  world.run()
  for (const partition of partitions) expect(produced(world, partition)).toBe(0)
  world.stop()
  const next = world.restart()
  limited(next, 10 * BYTES)
  next.pass(500, 5)
  expect(next.agent.openLogs).toBe(0)
  expect(told(next)).toBe(9 * BYTES)
  expect(produced(next, partitions[0]!)).toBe(0)
  expect(produced(next, partitions[1]!)).toBe(44)
  limited(next, null)
  expect(produced(next, partitions[1]!)).toBe(0)
})

test('counts with what other brokers have told', () => {
  const world = new World()
  const [partition] = world.createTopic()
  limited(world, 10 * BYTES)
  world.run()
  const tell = (bytes: number) =>
    world.controller.post('broker-1-1', {
      ...{ kind: 'tenant-holdings', brokerId: 2, groups: [] },
      storage: [[TENANT, bytes]],
    })
  tell(9 * BYTES)
  expect([produced(world, partition!), produced(world, partition!)]).toEqual([0, 44])
  tell(8 * BYTES)
  expect([produced(world, partition!), produced(world, partition!)]).toEqual([0, 44])
})

test('rests where nothing is to be told', () => {
  const world = new World()
  world.createTopic()
  world.run()
  expect(produced(world, asPartitionNumber(1))).toBe(0)
  world.pass(200_000)
  expect(world.agent.nextTimerAtMs - world.clock.monotonicMs()).toBeGreaterThan(1_000)
})

test('of a life before is forgotten, though there is nothing any more', () => {
  const world = new World()
  const [partition] = world.createTopic()
  world.run()
  expect(produced(world, partition!)).toBe(0)
  const front = new ToldHoldings(() => true)
  world.pass(3_000)
  expect(told(world, front)).toBe(BYTES)
  world.stop()
  world.deleteTopic(1)
  const next = world.restart()
  next.pass(3_000)
  expect(told(next, front)).toBe(0)
})

test('is told in time of those who are limited, however many others there are', () => {
  const world = new World()
  const other = asTenantId('00000000000000bb')
  world.publish({
    ...{ kind: 'tenant-created', tenantId: other, name: 'other', clusterId: 'o', cellId: CELL },
  })
  const [partition] = world.createTopic()
  world.run()
  expect(produced(world, partition!)).toBe(0)
  limited(world, 10 * BYTES)
  // never written: each is looked for on the disk
  for (let i = 0; i < 1_000; i++) world.createTopic({ tenantId: other, partitions: 4 })
  world.run()
  world.stop()
  const next = world.restart()
  next.pass(1_000, 5)
  expect(told(next)).toBe(BYTES)
})

/** Replicas of a topic that nobody has opened, and their broker without anything else. */
function closedWorld() {
  const image = new MetadataImage()
  const number = asPartitionNumber(1)
  const [here, there] = [BROKER, asBrokerId(2)]
  const apply = (...entries: MetadataEntry[]) => {
    for (const entry of entries) image.apply(entry)
  }
  const replicas = [there, here]
  apply(...CLUSTER, {
    ...{ kind: 'topic-created', tenantId: TENANT, topicId: topicId(1), name: 't', internal: false },
    ...{ cellId: CELL, firstPartition: number, configs: {} },
    placements: [{ replicas, leader: there, leaderEpoch: 0 }],
  })
  const table = {
    openReplicas: () => [],
    takeClosed: () => [],
    measuresOf: () => ({ logStartOffset: 0, endOffset: 1, sizeBytes: 7 }),
  } as unknown as ReplicaTable
  const holdings = new TenantHoldings({
    ...{ cellId: CELL, brokerId: here, image, table, root: '/r', fronts: [] },
    environment: { disk: new SimulatedDisk({ nowMs: () => 0 }) },
    control: new MemoryPorts().port('broker-1-1'),
  })
  let nowMs = 0
  const pass = (ms: number) => {
    for (const untilMs = nowMs + ms; nowMs < untilMs; nowMs += 50) {
      holdings.doWork(nowMs)
      holdings.look(nowMs)
    }
  }
  const reassign = (to: BrokerId[], generation: number) =>
    apply({
      ...{ kind: 'partition-reassigned', tenantId: TENANT, topicId: topicId(1), index: 0 },
      ...{ replicas: to, target: null, leaving: [], isFirst: false, generation, firstLife: 0 },
    })
  return { holdings, image, number, here, there, pass, reassign }
}

test('counts what is closed from when this broker is to lead it first, and until another is', () => {
  const { holdings, number, here, there, pass, reassign } = closedWorld()
  holdings.onImageWhole()
  pass(3_000)
  expect(holdings.storageBytes(TENANT)).toBe(0)
  reassign([here, there], 1)
  holdings.arrived(number)
  pass(3_000)
  expect(holdings.storageBytes(TENANT)).toBe(7)
  reassign([there, here], 2)
  pass(3_000)
  expect(holdings.storageBytes(TENANT)).toBe(0)
})

test('is limited also while the broker that counts it is gone', () => {
  const { holdings, image, number, there, pass } = closedWorld()
  const settings = settingsOf({ ...defaultSettings('t'), limits: { storageBytes: 100 } })
  image.apply({ kind: 'tenant-settings', tenantId: TENANT, ...settings })
  holdings.onImageWhole()
  pass(3_000)
  const { topic } = image.partition(number)!
  const tell = (bytes: number) =>
    holdings.onTold({
      ...{ kind: 'tenant-holdings', brokerId: there, groups: [] },
      storage: [[TENANT, bytes]],
    })
  tell(10)
  expect(holdings.roomOf(topic)).toBe(90)
  for (let i = 0; i < 3; i++) holdings.grew(number, topic, 30)
  expect(holdings.roomOf(topic)).toBe(0)
  // it is back, and has what the others have
  tell(100)
  expect(holdings.roomOf(topic)).toBe(0)
  tell(40)
  expect(holdings.roomOf(topic)).toBe(60)
})

test('asks for no row of topics that it passes over', () => {
  const { holdings, image, number, pass } = closedWorld()
  holdings.onImageWhole()
  pass(3_000)
  expect(image.glance(number)!.topic).not.toBe(image.glance(number)!.topic)
})

test('tells of groups again where another broker has told of them since', () => {
  const { holdings, number, pass } = closedWorld()
  const groups = [{ number, tenantId: TENANT, isLoaded: true, coordinator: { groupCount: 5 } }]
  holdings.coordinated = () => groups as unknown as CoordinatorPartition[]
  holdings.onImageWhole()
  pass(3_000)
  expect(holdings.told.groups(TENANT)).toBe(5)
  holdings.told.onTold({
    ...{ kind: 'tenant-holdings', brokerId: 2, storage: [], groups: [[TENANT, number, 6]] },
  })
  pass(3_000)
  expect(holdings.told.groups(TENANT)).toBe(5)
})

test('of a tenant that is gone nothing is kept, though somebody tells of it late', () => {
  const there = new Set([TENANT])
  const holdings = new ToldHoldings((tenantId) => there.has(tenantId))
  const tell = () =>
    holdings.onTold({
      ...{ kind: 'tenant-holdings', brokerId: 2, storage: [[TENANT, 5]] },
      groups: [[TENANT, asPartitionNumber(1), 3]],
    })
  tell()
  expect(holdings.tenants).toBe(1)
  there.clear()
  holdings.forget(TENANT)
  tell()
  const another = asTenantId('00000000000000cc')
  holdings.forget(another)
  expect(holdings.tenants).toBe(0)
})
