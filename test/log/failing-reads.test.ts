/** Errors of what is only read, or asked: they may refuse a produce, they may not change what is known. */
import { describe, expect, it } from 'vitest'
import { ErrorCode } from '../../src/base/error-code.ts'
import { DiskError, type DiskFile, type OpenMode } from '../../src/log/disk.ts'
import { SimulatedDisk } from '../../src/log/simulated-disk.ts'
import { SimulatedFlusher } from '../../src/log/simulated-flusher.ts'
import { append, Broker, batchOf, checkIndexes, ROOT, storedBatches } from './support.ts'

/** A disk that can be told to fail to open files for reading, or to be asked for its free space. */
class FlakyDisk extends SimulatedDisk {
  failsToOpen: ((path: string) => boolean) | null = null
  failsToStat = false

  override open(path: string, mode: OpenMode): DiskFile {
    if (this.failsToOpen?.(path)) throw new DiskError('EMFILE', path, 'open')
    return super.open(path, mode)
  }

  override readFile(path: string): Uint8Array {
    if (this.failsToOpen?.(path)) throw new DiskError('EMFILE', path, 'open')
    return super.readFile(path)
  }

  override freeBytes(directory: string): { readonly free: number; readonly total: number } {
    // the simulated disk's own writes ask with the file's path
    if (this.failsToStat && directory === ROOT) throw new DiskError('EIO', directory, 'stat')
    return super.freeBytes(directory)
  }
}

function flaky() {
  const disk = new FlakyDisk()
  const flusher = new SimulatedFlusher(disk)
  disk.mkdirs(ROOT)
  const broker = new Broker(disk, flusher)
  broker.start()
  return { disk, flusher, broker }
}

describe('a snapshot that cannot be read for a moment', () => {
  it('does not make the log forget its producers', () => {
    const { disk, flusher, broker } = flaky()
    const first = batchOf(['x'], { producerId: 5, producerEpoch: 0, baseSequence: 0 })
    let log = broker.open()
    expect(append(log, first).error).toBe(0)
    log.flushAll(() => {})
    while (flusher.doWork() > 0);
    log.close()
    log = broker.open()
    disk.failsToOpen = (path) => path.endsWith('.snapshot')
    expect(append(log, first).error).toBe(ErrorCode.KAFKA_STORAGE_ERROR)
    disk.failsToOpen = null
    expect(append(log, first)).toMatchObject({ error: 0, duplicate: true, baseOffset: 0 })
    expect(log.logEndOffset).toBe(1)
  })
})

describe('a segment that cannot be read for a moment', () => {
  it('keeps its timestamps: the time index goes on where it was', () => {
    const { disk, flusher, broker } = flaky()
    const config = { indexIntervalBytes: 100 }
    const at = (timestampMs: number) => batchOf(['x'.repeat(120)], { timestampMs })
    let log = broker.open(config)
    for (let i = 0; i < 6; i++) append(log, at(1_700_000_000_000 + i))
    log.flushAll(() => {})
    while (flusher.doWork() > 0);
    log.close()
    log = broker.open(config)
    log.active!.release()
    disk.failsToOpen = (path) => path.endsWith('index')
    expect(append(log, at(1_600_000_000_000)).error).toBe(ErrorCode.KAFKA_STORAGE_ERROR)
    disk.failsToOpen = null
    for (let i = 0; i < 4; i++) append(log, at(1_600_000_000_000 + i))
    expect(log.active!.newestMs()).toBe(1_700_000_000_005)
    checkIndexes(log)
  })
})

describe('free space that cannot be asked for', () => {
  it('changes nothing of a write that is done', () => {
    const { disk, broker } = flaky()
    const log = broker.open()
    append(log, batchOf(['a']))
    disk.failsToStat = true
    broker.clock.advance(1_000)
    expect(append(log, batchOf(['b'])).error).toBe(0)
    broker.clock.advance(1_000)
    expect(append(log, batchOf(['c'])).error).toBe(0)
    expect(storedBatches(log).map(({ base, last }) => [base, last])).toEqual([
      [0, 0],
      [1, 1],
      [2, 2],
    ])
    expect(disk.size(log.active!.path('.log'))).toBe(log.active!.size)
  })
})
