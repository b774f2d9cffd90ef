/** Partitions that nobody uses: what a broker does about them, and that it sleeps meanwhile. */
import { describe, expect, it } from 'vitest'
import { ErrorCode } from '../../src/base/error-code.ts'
import { plainBatch } from './batches.ts'
import { World } from './world.ts'

describe('an idle partition that cannot be closed yet', () => {
  it('does not keep the thread busy while its flush is under way', () => {
    const stuck = { pending: 1, doWork: () => 0, request: () => {}, remove: () => {} }
    const world = new World({ flush: stuck, settings: { dehydrateAfterMs: 5_000 } })
    for (const partition of world.createTopic({ partitions: 40 })) {
      world.front.produce(partition, plainBatch())
    }
    world.run()
    world.clock.advance(10_000)
    // Sixteen per tick are asked for; then there is nothing to do but to wait.
    world.run(20)
    expect(world.agent.nextTimerAtMs).toBeGreaterThan(world.clock.monotonicMs())
  })

  it('does not keep the thread busy while the disk is full', () => {
    const world = new World({ settings: { dehydrateAfterMs: 5_000 } })
    for (const partition of world.createTopic({ partitions: 40 })) {
      world.front.produce(partition, plainBatch())
    }
    world.run()
    world.simulated.onOperation = ({ operation }) =>
      operation === 'write' ? { kind: 'error', code: 'ENOSPC' } : null
    let turns = 0
    for (let i = 0; i < 20; i++) {
      world.clock.advance(500)
      turns += world.run()
    }
    expect(turns).toBeLessThan(200)
    world.simulated.onOperation = null
    world.pass(180_000, 1_000)
    expect(world.agent.openLogs).toBe(0)
    expect(world.environment.recoveryPoints.dirtyPartitions()).toEqual([])
  })
})

describe('retention', () => {
  it('takes the last of a closed partition, too, and leaves it clean', () => {
    const world = new World({ settings: { dehydrateAfterMs: 5_000, retentionSweepMs: 60_000 } })
    const [partition] = world.createTopic({ configs: { 'retention.ms': '100000' } })
    for (let i = 0; i < 3; i++)
      world.front.produce(partition!, plainBatch(1, 500, world.clock.wallMs()))
    world.run()
    world.pass(20_000)
    expect(world.agent.openLogs).toBe(0)
    world.pass(400_000, 1_000)
    world.front.take()
    const bytes = world.disk
      .list(world.directory(1))
      .filter((name) => name.endsWith('.log'))
      .reduce((sum, name) => sum + world.disk.size(`${world.directory(1)}/${name}`), 0)
    expect(bytes).toBe(0)
    expect(world.agent.openLogs).toBe(0)
    expect(world.environment.recoveryPoints.dirtyPartitions()).toEqual([])
    world.front.locate(partition!, 0)
    world.run()
    expect(world.front.takeOne('located')).toMatchObject({
      error: ErrorCode.OFFSET_OUT_OF_RANGE,
      logStartOffset: 3,
      logEndOffset: 3,
    })
  })

  it('keeps nothing in memory of partitions that were never written', () => {
    const world = new World({ settings: { retentionSweepMs: 60_000 } })
    const [idle] = world.createTopic()
    const { image } = world.agent
    world.pass(200_000, 1_000)
    expect(world.agent.replica(idle!)).toBeUndefined()
    // its row is made for whoever looks, and goes again
    expect(image.glance(idle!)!.topic).not.toBe(image.glance(idle!)!.topic)
  })

  it('of what tenants hold is looked for after a start, and keeps nothing in memory either', () => {
    const before = new World()
    const idle = before.createTopic({ partitions: 3 })
    const world = before.restart()
    world.pass(20_000, 100)
    const { image } = world.agent
    for (const number of idle) {
      expect(image.glance(number)!.topic).not.toBe(image.glance(number)!.topic)
    }
  })

  it('comes again for what is written to one that it has emptied', () => {
    const world = new World({ settings: { dehydrateAfterMs: 5_000, retentionSweepMs: 60_000 } })
    const [partition] = world.createTopic({ configs: { 'retention.ms': '100000' } })
    for (let life = 0; life < 3; life++) {
      world.front.produce(partition!, plainBatch(1, 500, world.clock.wallMs()))
      world.run()
      world.pass(500_000, 1_000)
      world.front.take()
      const bytes = world.disk
        .list(world.directory(1))
        .filter((name) => name.endsWith('.log'))
        .reduce((sum, name) => sum + world.disk.size(`${world.directory(1)}/${name}`), 0)
      expect(bytes).toBe(0)
      expect(world.agent.openLogs).toBe(0)
    }
  })

  it('comes with each roll, as soon as the flush is done', () => {
    const world = new World()
    const configs = { 'retention.bytes': '3000000', 'segment.bytes': '1048576' }
    const [partition] = world.createTopic({ configs })
    for (let i = 0; i < 60; i++) {
      world.front.produce(partition!, plainBatch(1, 20_000))
      world.front.produce(partition!, plainBatch(4, 20_000))
      world.run()
    }
    world.front.take()
    world.pass(1_000, 100)
    world.front.listOffsets(partition!, -2)
    world.run()
    expect(world.front.takeOne('offsets').offset).toBeGreaterThan(0)
    const bytes = world.disk
      .list(world.directory(1))
      .filter((name) => name.endsWith('.log'))
      .reduce((sum, name) => sum + world.disk.size(`${world.directory(1)}/${name}`), 0)
    expect(bytes).toBeLessThan(5_000_000)
  })
})
