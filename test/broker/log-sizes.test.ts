import { expect, test } from 'vitest'
import type { PartitionNumber } from '../../src/base/ids.ts'
import { asPartitionNumber } from '../../src/base/ids.ts'
import type { DescribedLog } from '../../src/link/control.ts'
import { brokerPeer } from '../../src/link/ports.ts'
import { DiskError } from '../../src/log/disk.ts'
import { plainBatch } from './batches.ts'
import { Agents } from './replication/agents.ts'
import { Producers } from './replication/producer.ts'
import { CELL, World } from './world.ts'

/** As a front asks and is answered. */
function logs(world: World, ...partitions: PartitionNumber[]): readonly DescribedLog[] {
  const front = world.ports.port(`front-${9 + asked++}`)
  front.post('broker-1-1', { kind: 'describe-log-sizes', correlation: 4, partitions })
  world.run()
  const answer = front.poll()?.message
  if (answer?.kind !== 'log-sizes') throw new Error(`answered ${answer?.kind}`)
  expect(answer.correlation).toBe(4)
  return answer.logs
}

let asked = 0

const sizes = (world: World, ...partitions: PartitionNumber[]) =>
  logs(world, ...partitions).map(({ sizeBytes }) => sizeBytes)

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
  const ends = (of: World) =>
    logs(of, first, second, never, nowhere).map((one) => [one.logEndOffset, one.highWatermark])
  const unknown = [Number.NaN, Number.NaN]
  expect(ends(world)).toEqual([[1, 1], [2, 2], unknown, unknown])

  world.stop()
  const next = world.restart()
  // nothing of it is open, and nothing is opened for it
  expect(sizes(next, first, second, never, nowhere)).toEqual(expected)
  expect(ends(next)).toEqual([unknown, unknown, unknown, unknown])
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

test('what is followed is told of as well: an end beyond what is known to be on most replicas', () => {
  const agents = new Agents()
  const [number] = agents.createTopic({ replicas: [1, 2, 3] })
  agents.run(30)
  const producers = new Producers(agents)
  producers.add(number!, 7)
  for (let i = 0; i < 100; i++) {
    producers.turn()
    agents.run(1)
  }
  for (const node of agents.nodes) {
    const log = agents.logOf(node, number!)!
    expect(log.logEndOffset).toBeGreaterThan(3)
    agents.frontControl.post(brokerPeer(CELL, node.id), {
      ...{ kind: 'describe-log-sizes', correlation: 4, partitions: [number!] },
    })
    // as it is now: what has arrived meanwhile is looked at later in the turn
    const { logEndOffset, highWatermark, sizeBytes } = log
    node.agent.doWork(agents.clock.monotonicMs())
    const found = agents.frontControl.poll()?.message
    expect(found).toMatchObject({
      ...{ kind: 'log-sizes', correlation: 4 },
      logs: [{ sizeBytes, logEndOffset, highWatermark }],
    })
  }
})

test('up to where a broker has the metadata log', () => {
  const world = new World()
  const front = world.ports.port('front-9')
  const ask = () => {
    front.post('broker-1-1', { kind: 'describe-metadata', correlation: 5 })
    world.run()
    return front.poll()?.message
  }
  const before = ask()
  expect(before).toMatchObject({
    kind: 'quorum',
    correlation: 5,
    quorum: { leader: 0, voters: [] },
  })
  world.createTopic({ partitions: 2 })
  const after = ask()
  if (before?.kind !== 'quorum' || after?.kind !== 'quorum') throw new Error('no answer')
  expect(after.quorum.endOffset).toBe(before.quorum.endOffset + 1)
})
