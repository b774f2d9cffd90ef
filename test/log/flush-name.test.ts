import { expect, it } from 'vitest'
import type { DiskError, FlushPort } from '../../src/log/disk.ts'
import { SimulatedDisk } from '../../src/log/simulated-disk.ts'
import { SimulatedFlusher } from '../../src/log/simulated-flusher.ts'
import { append, Broker, batchOf, ROOT } from './support.ts'

it('nothing is removed before the directory itself has a durable name', () => {
  const disk = new SimulatedDisk()
  disk.mkdirs(ROOT)
  for (const path of ['/data', '/']) disk.flush(path)
  const inner = new SimulatedFlusher(disk)
  let directory = ''
  const held: [string, (error: DiskError | null) => void][] = []
  // everything but the log's own directory hangs: the name of that one is not durable
  const flusher: FlushPort = {
    request: (path, done) => {
      if (path === directory) inner.request(path, done)
      else held.push([path, done])
    },
    remove: (path, done) => inner.remove(path, done),
  }
  const broker = new Broker(disk, flusher)
  broker.start()
  const log = broker.open({ segmentBytes: 250, retentionMs: -1, retentionBytes: 500 })
  directory = log.directory
  for (let i = 0; i < 20; i++) {
    append(log, batchOf(['x'.repeat(40)]))
    while (inner.doWork() > 0);
    log.onTimer(broker.clock.monotonicMs())
  }
  log.applyRetention()
  expect(log.logStartOffset).toBe(0)
  expect(held.length).toBeGreaterThan(0)
})
