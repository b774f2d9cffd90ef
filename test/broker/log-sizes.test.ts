import { expect, test } from 'vitest'
import type { PartitionNumber } from '../../src/base/ids.ts'
import { asPartitionNumber } from '../../src/base/ids.ts'
import { DiskError } from '../../src/log/disk.ts'
import { plainBatch } from './batches.ts'
import { World } from './world.ts'

/** As a front asks and is answered. */
function sizes(world: World, ...partitions: PartitionNumber[]): readonly number[] {
  const front = world.ports.port('front-9')
  front.post('broker-1-1', { kind: 'describe-log-sizes', correlation: 4, partitions })
  world.run()
  const answer = front.poll()?.message
  if (answer?.kind !== 'log-sizes') throw new Error(`answered ${answer?.kind}`)
  expect(answer.correlation).toBe(4)
  return answer.sizes
}

test('sizes of logs that are open, closed, of an earlier life, empty, or not there', () => {
  const world = new World()
  const [first, second, never] = world.createTopic({ partitions: 3 }) as [
    PartitionNumber,
    PartitionNumber,
    PartitionNumber,
  ]
  world.run()
  for (const partition of [first, second, second]) {
    world.front.produce(partition, plainBatch())
    world.run()
  }
  const onDisk = (index: number) =>
    world.disk.size(`${world.directory(1, index)}/00000000000000000000.log`)
  const nowhere = asPartitionNumber(99)
  const expected = [onDisk(0), onDisk(1), 0, 0]
  expect(expected[0]).toBeGreaterThan(60)
  expect(sizes(world, first, second, never, nowhere)).toEqual(expected)

  world.stop()
  const next = world.restart()
  // nothing of it is open, and nothing is opened for it
  expect(sizes(next, first, second, never, nowhere)).toEqual(expected)
  expect(next.agent.openLogs).toBe(0)
})

test('a disk that does not tell says so for that partition', () => {
  const world = new World()
  const [bad, good] = world.createTopic({ partitions: 2 }) as [PartitionNumber, PartitionNumber]
  world.run()
  world.front.produce(good, plainBatch())
  world.front.produce(bad, plainBatch())
  world.run()
  world.stop()
  const next = world.restart()
  const list = next.disk.list.bind(next.disk)
  next.disk.list = (directory) => {
    if (directory === next.directory(1, 0)) throw new DiskError('EIO', directory, 'list')
    return list(directory)
  }
  const [ofBad, ofGood] = sizes(next, bad, good)
  expect(ofBad).toBeNaN()
  expect(ofGood).toBeGreaterThan(60)
})
