import { describe, expect, it } from 'vitest'
import { DELETED } from '../../src/log/disk.ts'
import { isSegment, slowWorld } from './slow-flusher.ts'
import { append, batchOf, ROOT, simulated } from './support.ts'

const CONFIG = { segmentBytes: 250, retentionMs: -1, retentionBytes: 500 }

describe('what the flusher removes, against an opening', () => {
  it('a file that the flusher removes between the listing and the removal does not fail the opening', () => {
    const { disk, flusher, broker } = simulated()
    const settle = () => {
      while (flusher.doWork() > 0);
    }
    const log = broker.open({ ...CONFIG, retentionBytes: -1 })
    for (let i = 0; i < 12; i++) {
      append(log, batchOf(['x'.repeat(40)]))
      settle()
    }
    log.flushAll(() => {})
    settle()
    // as the sweep over closed logs does: opened for its retention, closed again
    log.updateConfig({ ...log.config, retentionBytes: 500 })
    log.applyRetention()
    log.close()
    expect(disk.list(log.directory).some((name) => name.endsWith(DELETED))).toBe(true)
    // the next produce opens it, and the flusher's thread is as far as that just then
    const list = disk.list.bind(disk)
    disk.list = (directory) => {
      const names = list(directory)
      settle()
      return names
    }
    const again = broker.open(CONFIG)
    expect(again.logEndOffset).toBe(log.logEndOffset)
  })
})

describe('retention that fails in the middle', () => {
  it('on a full disk renames with the reserve given up, as everything that makes room', () => {
    const { disk, flusher, broker } = simulated()
    broker.reserveBytes = 4096
    broker.start()
    const log = broker.open({ ...CONFIG, retentionBytes: -1 })
    for (let i = 0; i < 12; i++) {
      append(log, batchOf(['x'.repeat(40)]))
      while (flusher.doWork() > 0);
    }
    // a longer name takes another block of the directory, and there is none
    const isFull = () => disk.exists(`${ROOT}/reserve`)
    disk.onOperation = ({ operation }) =>
      operation === 'rename' && isFull() ? { kind: 'error', code: 'ENOSPC' } : null
    log.updateConfig({ ...log.config, retentionBytes: 500 })
    log.applyRetention()
    expect(log.logStartOffset).toBeGreaterThan(0)
  })

  it('frees space even when there is no block for the longer name and no reserve left', () => {
    const { disk, flusher, broker } = simulated()
    const log = broker.open({ ...CONFIG, retentionBytes: -1 })
    for (let i = 0; i < 12; i++) {
      append(log, batchOf(['x'.repeat(40)]))
      while (flusher.doWork() > 0);
    }
    disk.onOperation = ({ operation, path }) =>
      operation === 'rename' && path.endsWith('.log') ? { kind: 'error', code: 'ENOSPC' } : null
    log.updateConfig({ ...log.config, retentionBytes: 500 })
    log.applyRetention()
    expect(log.logStartOffset).toBeGreaterThan(0)
  })

  it('after a power cut is no damaged log, though a later segment could not be renamed', () => {
    const failures: unknown[] = []
    for (let seed = 1; seed <= 300; seed++) {
      const { disk, flusher, broker } = slowWorld()
      const log = broker.open({ ...CONFIG, retentionBytes: -1 })
      append(log, batchOf(['first']))
      log.requestFlush()
      flusher.settle()
      flusher.slow = isSegment
      for (let i = 0; i < 8 + (seed % 7); i++) {
        append(log, batchOf(['x'.repeat(40)]))
        flusher.settle()
      }
      flusher.slow = () => true
      log.updateConfig({ ...log.config, retentionBytes: 500 })
      // neither to be renamed nor to be removed: that is where it stops
      let second = ''
      let renames = 0
      disk.onOperation = ({ operation, path }) => {
        if (operation === 'rename' && path.endsWith('.log') && ++renames === 2) second = path
        return path === second ? { kind: 'error', code: 'EIO' } : null
      }
      log.applyRetention()
      disk.onOperation = null
      expect(log.logStartOffset).toBeGreaterThan(0)
      // the round's data become durable, the removal does not
      flusher.slow = (path) => !isSegment(path)
      flusher.settle()
      const durable = log.durableOffset
      disk.powerCut(seed * 104_729)
      flusher.inner.forget()
      broker.start()
      const again = broker.open(CONFIG)
      if (again.failure !== null || again.logEndOffset < durable) {
        failures.push([seed, again.failure, again.logEndOffset, durable])
      }
    }
    expect(failures).toEqual([])
  })
})
