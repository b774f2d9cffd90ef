/** What a tenant holds at a broker: found again after a restart, told, and counted with what others hold. */
import { expect, test, vi } from 'vitest'
import { asPartitionNumber, type PartitionNumber } from '../../src/base/ids.ts'
import { defaultSettings, settingsOf } from '../../src/image/tenant-settings.ts'
import { ToldHoldings } from '../../src/link/tenant-holdings.ts'
import { plainBatch } from './batches.ts'
import { TENANT, World } from './world.ts'

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
function told(world: World): number {
  const holdings = new ToldHoldings()
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
