/** Openings after one death of the process after the other: what each has to read, and what it leaves for the next. */
import { describe, expect, it } from 'vitest'
import type { Disk, DiskFile, OpenMode } from '../../src/log/disk.ts'
import type { LogConfig } from '../../src/log/log-config.ts'
import type { PartitionLog } from '../../src/log/partition-log.ts'
import { SimulatedDisk } from '../../src/log/simulated-disk.ts'
import { SimulatedFlusher } from '../../src/log/simulated-flusher.ts'
import { append, Broker, batchOf, checkIndexes, DIRECTORY, ROOT, storedBatches } from './support.ts'

const CONFIG = { indexIntervalBytes: 200 }
/** More than an opening leaves without a snapshot. */
const MANY = 4_000
const P = { producerId: 5, producerEpoch: 0 }

/** A disk that counts the bytes that are read of segments. */
class Counted {
  readonly disk: Disk
  bytes = 0

  constructor(disk: SimulatedDisk) {
    this.disk = new Proxy<Disk>(disk, {
      get: (target, name) => {
        if (name === 'open') return (path: string, mode: OpenMode) => this.#open(disk, path, mode)
        const value = target[name as keyof Disk]
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
  }

  #open(disk: SimulatedDisk, path: string, mode: OpenMode): DiskFile {
    const file = disk.open(path, mode)
    if (!path.endsWith('.log')) return file
    const read: DiskFile['read'] = (target, at, length, position) => {
      const got = file.read(target, at, length, position)
      this.bytes += got
      return got
    }
    return new Proxy(file, {
      get: (target, name) => {
        if (name === 'read') return read
        const value = target[name as keyof DiskFile]
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
  }

  /** Bytes read by `work`. */
  of(work: () => void): number {
    const before = this.bytes
    work()
    return this.bytes - before
  }
}

function world() {
  const disk = new SimulatedDisk()
  const flusher = new SimulatedFlusher(disk)
  disk.mkdirs(ROOT)
  for (const path of ['/data', '/']) disk.flush(path)
  const counted = new Counted(disk)
  const broker = new Broker(counted.disk, flusher, ROOT, false)
  broker.start()
  const die = () => {
    disk.kill()
    flusher.forget()
    broker.start()
  }
  const cutPower = (seed: number) => {
    disk.powerCut(seed)
    flusher.forget()
    broker.start()
  }
  const settle = () => {
    while (flusher.doWork() > 0);
  }
  return { disk, flusher, counted, broker, die, cutPower, settle }
}

let next = 0
function write(log: PartitionLog, count: number): void {
  for (let i = 0; i < count; i++) {
    expect(append(log, batchOf(['x'], { ...P, baseSequence: next++ })).error).toBe(0)
  }
}

const isDuplicate = (log: PartitionLog, sequence: number) =>
  append(log, batchOf(['x'], { ...P, baseSequence: sequence })).duplicate

function begun(config: Partial<LogConfig> = {}) {
  next = 0
  const all = world()
  const log = all.broker.open({ ...CONFIG, ...config })
  write(log, MANY)
  return { ...all, log }
}

describe('of openings after deaths of the process', () => {
  it('each reads what was written since the one before, and knows all producers', () => {
    const { broker, counted, die, log: first } = begun()
    const whole = first.sizeBytes
    let log = first
    const read: number[] = []
    for (let life = 0; life < 8; life++) {
      die()
      read.push(counted.of(() => (log = broker.open(CONFIG))))
      // a log that was just read tells what its producers have written
      expect(counted.of(() => log.producers.ensureLoaded())).toBe(0)
      expect(isDuplicate(log, next - 1)).toBe(true)
      write(log, 20)
    }
    expect(read[0]).toBeGreaterThan(whole)
    for (const bytes of read.slice(1)) expect(bytes).toBeLessThan(whole / 4)
    checkIndexes(log)
    expect(storedBatches(log)).toHaveLength(MANY + 8 * 20)
  })

  it('none leaves more than two snapshots beside those of the segments', () => {
    const { broker, die, log: first } = begun()
    let log = first
    for (let life = 0; life < 5; life++) {
      die()
      log = broker.open(CONFIG)
      write(log, MANY)
    }
    expect(log.producers.snapshots.length).toBeGreaterThan(0)
    expect(log.producers.snapshots.length).toBeLessThanOrEqual(2)
  })

  it('a log that is cut back below the newest snapshot begins with the one before', () => {
    const { broker, counted, die } = begun()
    die()
    let log = broker.open(CONFIG)
    write(log, MANY)
    die()
    log = broker.open(CONFIG)
    const end = log.logEndOffset
    expect(log.producers.snapshots).toEqual([MANY, end])
    log.truncateTo(end - 5)
    const bytes = counted.of(() => log.producers.ensureLoaded())
    expect(bytes).toBeLessThan(log.sizeBytes * 0.6)
    expect(log.producers.table.lastOffsetOf(P.producerId)).toBe(end - 6)
  })

  it('one asks for no flush where the topic asks for none, and what it has read is not read again', () => {
    const { broker, counted, flusher, die, log: before } = begun()
    flusher.forget()
    const { length } = storedBatches(before)
    die()
    const { pending } = flusher
    const log = broker.open(CONFIG)
    expect(flusher.pending).toBe(pending)
    const { flushedOffset, writtenOffset } = broker.environment.recoveryPoints.of(log.partition)
    expect([flushedOffset, writtenOffset]).toEqual([0, length])
    expect([log.acknowledgedOffset, log.durableOffset]).toEqual([length, 0])
    die()
    expect(counted.of(() => broker.open(CONFIG))).toBeLessThan(log.sizeBytes / 4)
  })

  it('one that follows on a log which was cut back reads what was written since', () => {
    const { broker, counted, die } = begun()
    die()
    let log = broker.open(CONFIG)
    write(log, 20)
    log.truncateTo(log.logEndOffset - 5)
    const other = { producerId: 6, producerEpoch: 0 }
    for (let i = 0; i < 20; i++) append(log, batchOf(['y'], { ...other, baseSequence: i }))
    const end = log.logEndOffset
    die()
    expect(counted.of(() => (log = broker.open(CONFIG)))).toBeLessThan(log.sizeBytes / 4)
    expect([log.logEndOffset, log.failure]).toEqual([end, null])
    // cut back below what was noted as whole: that much is read
    log.truncateTo(MANY - 100)
    for (let i = 20; i < 40; i++) append(log, batchOf(['y'], { ...other, baseSequence: i }))
    die()
    log = broker.open(CONFIG)
    expect([log.logEndOffset, log.failure]).toEqual([MANY - 80, null])
    checkIndexes(log)
  })

  it.each([
    ['flush.messages', { flushMessages: 1 }],
    ['flush.ms', { flushMs: 60_000 }],
    ['cleaning', { cleanupPolicy: { delete: false, compact: true } }],
  ])('one flushes what it has found where %s asks for that', (_, config) => {
    const { broker, flusher, die, settle } = begun(config)
    flusher.forget()
    die()
    const log = broker.open({ ...CONFIG, ...config })
    settle()
    expect(log.durableOffset).toBe(MANY)
  })

  it('what nobody has flushed over several lives is flushed when it is as much as a log may owe', () => {
    const { broker, die, settle, log: first } = begun()
    broker.flushEveryBytes = first.sizeBytes + 1_000
    die()
    let log = broker.open(CONFIG)
    write(log, 5)
    settle()
    expect(log.durableOffset).toBe(0)
    die()
    log = broker.open(CONFIG)
    write(log, 20)
    settle()
    expect(log.durableOffset).toBeGreaterThan(MANY)
  })

  it('retention goes on, though the names of segments are not known to be durable', () => {
    const config = { segmentBytes: 20_000, retentionBytes: 30_000 }
    const { broker, disk, flusher, die, settle } = begun({ segmentBytes: 20_000 })
    flusher.forget()
    die()
    const log = broker.open({ ...CONFIG, ...config })
    log.applyRetention()
    settle()
    broker.clock.advance(1)
    log.onTimer(broker.clock.monotonicMs())
    settle()
    expect(log.logStartOffset).toBeGreaterThan(0)
    const left = disk.list(DIRECTORY).filter((name) => name.endsWith('.log'))
    expect(left.length).toBeLessThanOrEqual(3)
  })
})

describe('after a power cut', () => {
  it('a snapshot is not believed that is of batches which may be others now', () => {
    for (let seed = 1; seed <= 30; seed++) {
      const { broker, disk, flusher, cutPower, settle, log } = begun()
      log.requestFlush()
      settle()
      // a snapshot that reaches the disk by itself, and then its batches are cut off: another producer's take their place
      write(log, 3)
      const path = log.producers.snapshot(log.logEndOffset)!
      disk.flush(path)
      disk.flush(DIRECTORY)
      log.truncateTo(MANY)
      const other = { producerId: 6, producerEpoch: 0 }
      for (let i = 0; i < 6; i++) append(log, batchOf(['other'], { ...other, baseSequence: i }))
      disk.flush(log.active!.log.path)
      flusher.forget()
      cutPower(seed)
      const again = broker.open(CONFIG)
      expect([seed, again.failure]).toEqual([seed, null])
      const { logEndOffset } = again
      expect(logEndOffset).toBe(MANY + 6)
      again.producers.ensureLoaded()
      const { table } = again.producers
      expect([seed, table.lastOffsetOf(5), table.lastOffsetOf(6)]).toEqual([
        seed,
        MANY - 1,
        logEndOffset - 1,
      ])
    }
  })
})
