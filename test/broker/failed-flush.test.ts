/** A disk that, as Linux does, takes for written what a failed flush was to write. */
import { expect, it } from 'vitest'
import { ErrorCode } from '../../src/base/error-code.ts'
import { SimulatedDisk } from '../../src/log/simulated-disk.ts'
import { idempotentBatch } from './batches.ts'
import { openMetadataLog } from './metadata-world.ts'
import { World } from './world.ts'

function failOneFlush(disk: SimulatedDisk): void {
  let failed = false
  disk.onOperation = ({ operation, path }) => {
    if (failed || operation !== 'flush' || !path.endsWith('.log')) return null
    failed = true
    return { kind: 'error', code: 'EIO' }
  }
}

it('what a partition has acknowledged after it was opened again survives a power cut', () => {
  for (let seed = 1; seed <= 10; seed++) {
    const disk = new SimulatedDisk({ failedFlushForgets: true })
    disk.mkdirs('/data')
    disk.flush('/')
    const world = new World({ disk, settings: { failedRetryMs: 3_000 } })
    const [partition] = world.createTopic({ configs: { 'flush.messages': '1' } })
    const produce = (on: World, sequence: number) => {
      on.front.produce(partition!, idempotentBatch(1, sequence))
      on.run()
      return on.front.takeOne('produced')
    }
    expect(produce(world, 0)).toMatchObject({ error: 0, baseOffset: 0 })
    failOneFlush(disk)
    expect(produce(world, 1).error).toBe(ErrorCode.KAFKA_STORAGE_ERROR)
    world.pass(4_000)
    for (let i = 1; i < 6; i++) expect(produce(world, i)).toMatchObject({ error: 0, baseOffset: i })

    disk.powerCut(seed)
    const next = world.restart()
    // each one is known as what it was acknowledged as
    for (let i = 1; i < 6; i++) {
      expect([seed, produce(next, i)]).toMatchObject([seed, { error: 0, baseOffset: i }])
    }
    expect(produce(next, 6)).toMatchObject({ error: 0, baseOffset: 6 })
  }
})

it('the metadata log commits nothing before it was opened again, and then only what a flush has written since', () => {
  for (let seed = 1; seed <= 10; seed++) {
    const disk = new SimulatedDisk({ failedFlushForgets: true })
    disk.mkdirs('/data')
    disk.flush('/')
    const entries = [1, 2].map((n) => new TextEncoder().encode(`entry ${n}`))
    const { log, flush, turn, settle } = openMetadataLog(disk)
    log.append(entries)
    settle()
    const { term } = log
    expect(log.committedOffset).toBe(2)
    log.append(entries)
    failOneFlush(disk)
    flush.doWork()
    turn()
    expect([log.term, log.failure === null, log.giveUp()]).toEqual([0, false, false])

    // it is opened again after a second
    while (log.term === 0) settle()
    expect([log.term > term, log.failure, log.endOffset]).toEqual([true, null, 4])
    settle()
    expect(log.committedOffset).toBe(4)
    disk.powerCut(seed)
    const after = openMetadataLog(disk).log
    expect([seed, after.failure, after.endOffset]).toEqual([seed, null, 4])
  }
})
