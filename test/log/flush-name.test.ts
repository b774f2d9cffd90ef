import { describe, expect, it } from 'vitest'
import { isSegment, slowWorld } from './slow-flusher.ts'
import { append, batchOf, simulated } from './support.ts'

const CONFIG = { segmentBytes: 250, retentionMs: -1, retentionBytes: 500 }

describe('the name of a new segment', () => {
  it('is nothing before the directory itself has a durable name', () => {
    const { flusher, broker } = slowWorld()
    const log = broker.open(CONFIG)
    // everything but the log's own directory hangs: the name of that one is not durable
    flusher.slow = (path) => path !== log.directory
    for (let i = 0; i < 20; i++) {
      append(log, batchOf(['x'.repeat(40)]))
      flusher.settle()
      log.onTimer(broker.clock.monotonicMs())
    }
    log.applyRetention()
    expect(log.logStartOffset).toBe(0)
    expect(log.segments.length).toBeGreaterThan(5)
  })

  it('does not count as durable when an earlier flush has failed', () => {
    const { disk, flusher, broker } = slowWorld()
    const log = broker.open(CONFIG)
    append(log, batchOf(['first']))
    log.requestFlush()
    flusher.settle()
    flusher.slow = () => true
    for (let i = 0; i < 20; i++) {
      append(log, batchOf(['x'.repeat(40)]))
      if (log.segments.length > 1) log.requestFlush()
    }
    // the data are refused, and then the directory is not
    flusher.slow = (path) => !isSegment(path)
    disk.onOperation = ({ operation, path }) =>
      operation === 'flush' && path.endsWith('.log') ? { kind: 'error', code: 'EIO' } : null
    flusher.settle()
    disk.onOperation = null
    flusher.slow = () => false
    flusher.settle()
    expect(log.failure).not.toBe(null)
    log.applyRetention()
    // the first name was durable before that was known
    expect(log.logStartOffset).toBe(2)
    expect(log.segments.map(({ named }) => named)).toEqual(
      log.segments.map(({ baseOffset }) => baseOffset === 2),
    )
    expect(log.segments.length).toBeGreaterThan(5)
  })
})

describe('a log that nobody asks to flush', () => {
  it('is flushed once so many bytes of it are not durable, and not before', () => {
    const { disk, flusher, broker } = simulated(false)
    broker.flushEveryBytes = 2_000
    broker.start()
    const log = broker.open({ retentionMs: -1 })
    const bytes = () => disk.readFile(log.active!.log.path).length
    let flushedAt = 0
    for (let i = 0; i < 60 && flushedAt === 0; i++) {
      append(log, batchOf(['x'.repeat(40)]))
      while (flusher.doWork() > 0);
      if (log.durableOffset > 0) flushedAt = bytes()
    }
    expect(flushedAt).toBeGreaterThanOrEqual(2_000)
    expect(flushedAt).toBeLessThan(2_400)
    expect(log.durableOffset).toBe(log.logEndOffset)
  })
})
