/** What a start finds that did not end well. */
import { describe, expect, it } from 'vitest'
import { SimulatedDisk } from '../../src/log/simulated-disk.ts'
import { SimulatedFlusher } from '../../src/log/simulated-flusher.ts'
import { idempotentBatch, plainBatch } from './batches.ts'
import { World } from './world.ts'

/** A flusher that waits for the test. */
class HeldFlusher extends SimulatedFlusher {
  held = true
  override doWork(): number {
    return this.held ? 0 : super.doWork()
  }
}

describe('a duplicate of what no flush has covered', () => {
  it('is acknowledged with flush.messages=1 once its original is durable, not before', () => {
    const disk = new SimulatedDisk()
    const world = new World({ disk, flush: new HeldFlusher(disk) })
    const [partition] = world.createTopic({ configs: { 'flush.messages': '1' } })
    world.run()
    const batch = idempotentBatch(7, 0)
    world.front.produce(partition!, batch)
    // Written, and the process dies before the flusher has it.
    world.run()
    expect(world.front.take()).toEqual([])
    disk.kill()
    const flush = new HeldFlusher(disk)
    const next = world.restart({ flush })
    next.front.produce(partition!, batch)
    next.run()
    expect(next.front.take()).toEqual([])
    flush.held = false
    next.run()
    expect(next.front.takeOne('produced')).toMatchObject({ error: 0, baseOffset: 0 })
    disk.powerCut(3)
    const last = next.restart()
    last.front.listOffsets(partition!, -1)
    last.run()
    expect(last.front.takeOne('offsets').offset).toBe(1)
  })
})

describe('a start on a full disk', () => {
  it('serves what is there, and empties itself by retention, out of the reserve', () => {
    const diskReserveBytes = 256 * 1024
    const world = new World({ diskReserveBytes })
    const configs = { 'retention.ms': '100000', 'segment.bytes': '1048576' }
    const [partition] = world.createTopic({ configs })
    const old = plainBatch(1, 20_000, world.clock.wallMs())
    for (let i = 0; i < 80; i++) {
      world.front.produce(partition!, old)
      world.run()
      world.front.take()
    }
    const disk = world.simulated
    disk.kill()
    disk.occupiedBytes += disk.freeBytes('/').free
    const next = world.restart({ diskReserveBytes, settings: { dehydrateAfterMs: 5_000 } })
    next.front.locate(partition!, 0)
    next.run()
    expect(next.front.takeOne('located')).toMatchObject({ error: 0, logEndOffset: 80 })
    next.pass(700_000, 1_000)
    next.front.listOffsets(partition!, -2)
    next.run()
    expect(next.front.takeOne('offsets').offset).toBe(80)
    next.front.produce(partition!, plainBatch())
    next.run()
    expect(next.front.takeOne('produced')).toMatchObject({ error: 0, baseOffset: 80 })
  })
})
