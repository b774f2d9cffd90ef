import { describe, expect, it } from 'vitest'
import { DELETED } from '../../src/log/disk.ts'
import type { PartitionLog } from '../../src/log/partition-log.ts'
import { isSegment, type SlowFlusher, slowWorld } from './slow-flusher.ts'
import { append, batchOf } from './support.ts'

const CONFIG = { segmentBytes: 250, retentionMs: -1, retentionBytes: 500 }

function world() {
  const { disk, flusher, broker } = slowWorld()
  const log = broker.open(CONFIG)
  append(log, batchOf(['first']))
  log.requestFlush()
  flusher.settle()
  return { disk, flusher, broker, log }
}

const grow = (log: PartitionLog, flusher: SlowFlusher, count: number) => {
  for (let i = 0; i < count; i++) {
    append(log, batchOf(['x'.repeat(40)]))
    flusher.settle()
    log.onTimer(log.environment.clock.monotonicMs())
  }
}

describe('retention of a log that is written faster than the disk takes it in', () => {
  it('keeps to retention.bytes: what goes need not be flushed first', () => {
    const { disk, flusher, log } = world()
    flusher.slow = isSegment
    grow(log, flusher, 40)
    expect(log.durableOffset).toBeLessThan(10)
    expect(log.logStartOffset).toBeGreaterThan(30)
    expect(log.sizeBytes).toBeLessThan(500 + 2 * 250)
    flusher.settle()
    const names = disk.list(log.directory)
    expect(names.filter((name) => name.endsWith('.log')).length).toBe(log.segments.length)
    expect(names.filter((name) => name.endsWith(DELETED))).toEqual([])
    flusher.slow = () => false
    flusher.settle()
    log.requestFlush()
    flusher.settle()
    expect(log.durableOffset).toBe(log.logEndOffset)
  })

  it('waits for the name of what follows', () => {
    const { flusher, log } = world()
    flusher.slow = (path) => !isSegment(path)
    grow(log, flusher, 40)
    log.applyRetention()
    expect(log.logStartOffset).toBe(0)
    flusher.slow = () => false
    flusher.settle()
    log.onTimer(log.environment.clock.monotonicMs())
    expect(log.logStartOffset).toBeGreaterThan(30)
  })

  it('after a power cut is a log that takes appends, with nothing lost that was durable, whatever has come back', () => {
    for (let seed = 1; seed <= 200; seed++) {
      const { disk, flusher, broker, log } = world()
      log.updateConfig({ ...log.config, retentionBytes: -1 })
      flusher.slow = isSegment
      grow(log, flusher, 8 + (seed % 7))
      // names are durable, a round is under way; now removals are not, and then the round's data are
      flusher.slow = () => true
      log.updateConfig({ ...log.config, retentionBytes: 500 })
      log.applyRetention()
      expect(log.logStartOffset).toBeGreaterThan(0)
      flusher.slow = (path) => !isSegment(path)
      flusher.settle()
      if (seed % 2 === 0) grow(log, flusher, seed % 5)
      const durable = log.durableOffset
      disk.powerCut(seed * 104_729)
      flusher.inner.forget()
      broker.start()
      const again = broker.open(CONFIG)
      expect([seed, again.failure]).toEqual([seed, null])
      expect(again.logEndOffset).toBeGreaterThanOrEqual(durable)
      expect(append(again, batchOf(['next'])).baseOffset).toBe(again.logEndOffset - 1)
    }
  })

  it('leaves files to be removed by a later opening when the process dies', () => {
    const { disk, flusher, broker, log } = world()
    flusher.slow = isSegment
    for (let i = 0; i < 20; i++) append(log, batchOf(['x'.repeat(40)]))
    // names are durable, and what retention removes is still with the flusher
    flusher.inner.doWork()
    log.onTimer(broker.clock.monotonicMs())
    const left = () => disk.list(log.directory).filter((name) => name.endsWith(DELETED))
    expect(left().length).toBeGreaterThan(2)
    disk.kill()
    flusher.inner.forget()
    broker.start()
    const again = broker.open(CONFIG)
    expect([again.logStartOffset, again.logEndOffset]).toEqual([
      log.logStartOffset,
      log.logEndOffset,
    ])
    expect(left()).toEqual([])
  })
})
