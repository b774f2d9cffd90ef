import { describe, expect, it } from 'vitest'
import { asPartitionNumber } from '../../src/base/ids.ts'
import { silentLogger } from '../../src/base/log.ts'
import type { LogEnvironment } from '../../src/log/environment.ts'
import { RecoveryPoints } from '../../src/log/recovery-points.ts'
import { decodeHeader } from '../../src/log/recovery-points-format.ts'
import { SimulatedCrash, SimulatedDisk } from '../../src/log/simulated-disk.ts'
import { SimulatedFlusher } from '../../src/log/simulated-flusher.ts'
import { crc32c } from '../../src/record/crc32c.ts'
import { append, batchOf, checkIndexes, simulated } from './support.ts'

const P1 = asPartitionNumber(1)
const P2 = asPartitionNumber(2)

function world() {
  const disk = new SimulatedDisk()
  disk.mkdirs('/b')
  disk.flush('/')
  const flush = new SimulatedFlusher(disk)
  const open = (compactBytes?: number) =>
    RecoveryPoints.open({
      disk,
      root: '/b',
      flush,
      logger: silentLogger,
      ...(compactBytes === undefined ? {} : { compactBytes }),
    })
  return { disk, flush, open }
}

describe('an opening after the death of the process', () => {
  it('reads what was written after the last note, and no more', () => {
    const { disk, flusher, broker } = simulated(false)
    broker.noteEveryBytes = 2_000
    broker.start()
    const log = broker.open({ indexIntervalBytes: 100 })
    for (let i = 0; i < 100; i++) append(log, batchOf(['x'.repeat(100)]))
    const { writtenOffset, flushedOffset } = broker.environment.recoveryPoints.of(log.partition)
    expect(writtenOffset).toBeGreaterThan(85)
    expect(flushedOffset).toBe(0)
    disk.kill()
    flusher.forget()
    broker.start()
    let scannedBytes = -1
    const { logger } = broker.environment
    const environment: LogEnvironment = {
      ...broker.environment,
      logger: {
        ...logger,
        log: (_level, _message, fields) => (scannedBytes = Number(fields?.scannedBytes)),
      },
    }
    broker.environment = environment
    const again = broker.open({ indexIntervalBytes: 100 })
    expect(again.logEndOffset).toBe(100)
    expect(scannedBytes).toBeGreaterThan(0)
    expect(scannedBytes).toBeLessThanOrEqual(2_200)
    checkIndexes(again)
  })
})

describe('recovery points', () => {
  it('name what was written since it was clean, over a death of the process', () => {
    const { disk, flush, open } = world()
    const points = open()
    expect(points.of(P1)).toMatchObject({ dirty: false, flushedOffset: 0, powerLoss: false })
    points.markDirty(P1, 0)
    points.markFlushed(P1, 70)
    points.markDirty(P2, 5)
    points.markClean(P2, 9)
    disk.kill()
    flush.forget()
    const again = open()
    expect(again.of(P1)).toMatchObject({ dirty: true, flushedOffset: 70, powerLoss: false })
    expect(again.of(P2)).toMatchObject({ dirty: false, flushedOffset: 9 })
    expect(again.dirtyPartitions()).toEqual([1])
    again.remove(P1)
    disk.kill()
    expect(open().dirtyPartitions()).toEqual([])
  })

  it('say how far a log is whole as long as the system runs and no flush was asked for', () => {
    const { disk, flush, open } = world()
    const points = open()
    points.markWritten(P1, 5)
    expect(points.of(P1)).toMatchObject({ dirty: false, writtenOffset: 0 })
    points.markDirty(P1, 2)
    points.markWritten(P1, 50)
    points.markDirty(P2, 0)
    points.markWritten(P2, 60)
    points.roundBegins(P2)
    points.markWritten(P2, 61)
    disk.kill()
    flush.forget()
    const again = open(1)
    expect(again.of(P1)).toMatchObject({ flushedOffset: 2, writtenOffset: 50, dirty: true })
    expect(again.of(P2)).toMatchObject({ flushedOffset: 0, writtenOffset: 0, dirty: true })
    // a log that is cut back says so, although as much of it is durable as before
    again.markDirty(P1, 2)
    again.markWritten(P2, 61)
    disk.kill()
    flush.forget()
    const third = open()
    expect(third.of(P1)).toMatchObject({ flushedOffset: 2, writtenOffset: 2 })
    expect(third.of(P2)).toMatchObject({ flushedOffset: 0, writtenOffset: 61 })
    while (flush.doWork() > 0);
    disk.powerCut(3)
    const after = open()
    expect(after.of(P2)).toMatchObject({ flushedOffset: 0, writtenOffset: 0, powerLoss: true })
    after.markDirty(P2, 0)
    disk.kill()
    flush.forget()
    expect(open().of(P2)).toMatchObject({ writtenOffset: 0, powerLoss: false })
  })

  it('know what a power cut may leave of them, until less is durable', () => {
    const { disk, flush, open } = world()
    const points = open()
    points.markDirty(P1, 0)
    points.markFlushed(P1, 50)
    const told: unknown[] = []
    const lower = () => points.lower(P1, 20, (failed) => told.push(failed))
    lower()
    expect(points.of(P1)).toMatchObject({ dirty: true, flushedOffset: 20 })
    expect([points.mayTellBeyond(P1, 49), points.mayTellBeyond(P1, 50)]).toEqual([true, false])
    points.markFlushed(P1, 30)
    while (flush.doWork() > 0);
    expect(points.mayTellBeyond(P1, 20)).toBe(true)
    lower()
    while (flush.doWork() > 0);
    expect([told, points.mayTellBeyond(P1, 20)]).toEqual([[null, null], false])
    for (let seed = 1; seed < 10; seed++) {
      disk.powerCut(seed)
      expect(open().of(P1).flushedOffset).toBe(20)
    }
    const after = open()
    after.markFlushed(P1, 40)
    after.markDirty(P1, 10)
    disk.kill()
    flush.forget()
    // the file of a life before need not be durable
    const last = open()
    expect([last.of(P1).flushedOffset, last.mayTellBeyond(P1, 10)]).toEqual([10, true])
    last.lower(P1, 10, (failed) => told.push(failed))
    while (flush.doWork() > 0);
    expect([told.length, last.mayTellBeyond(P1, 10)]).toEqual([3, false])
  })

  it('have every partition checked after a reboot, named or not, clean or not', () => {
    const { disk, flush, open } = world()
    const points = open()
    points.markClean(P1, 4)
    points.close()
    while (flush.doWork() > 0);
    disk.powerCut(1)
    const again = open()
    expect(again.of(P1)).toMatchObject({
      dirty: true,
      powerLoss: true,
      wasClean: true,
      flushedOffset: 4,
    })
    expect(again.of(P2)).toMatchObject({ dirty: true, powerLoss: true, flushedOffset: 0 })
    again.markDirty(P1, 4)
    disk.kill()
    expect(open().of(P1)).toMatchObject({ dirty: true, powerLoss: false })
    expect(open().of(P2).powerLoss).toBe(true)
  })

  it('begin a new file when the old has grown, and drop the old once the new is durable', () => {
    const { disk, flush, open } = world()
    const points = open(1_000)
    for (let i = 1; i <= 100; i++) points.markFlushed(P1, i)
    expect(disk.list('/b').length).toBeGreaterThan(1)
    while (flush.doWork() > 0);
    expect(disk.list('/b')).toHaveLength(1)
    expect(disk.size(`/b/${disk.list('/b')[0]}`)).toBeLessThan(1_100)
    disk.kill()
    expect(open().of(P1).flushedOffset).toBe(100)
  })

  it('do not try by themselves to be durable where flushes fail, and leave no more and more files', () => {
    const { disk, flush, open } = world()
    const settle = (turnsMax = 50) => {
      let turns = 0
      while (flush.doWork() > 0 && turns < turnsMax) turns++
      return turns
    }
    open()
    settle()
    const points = open(1_000)
    const fail = () => ({ kind: 'error', code: 'EIO' }) as const
    disk.onOperation = ({ operation }) => (operation === 'flush' ? fail() : null)
    settle()
    const told: (string | null)[] = []
    const lower = (offset: number) =>
      points.lower(P1, offset, (failed) => told.push(failed?.code ?? null))
    points.markDirty(P1, 1_000)
    for (let i = 1; i <= 200; i++) {
      lower(1_000 - i)
      // now and then a file is full, before the flush of it has failed or after that
      for (let k = 0; k < i; k++) points.markDirty(P2, i * 1_000 + k)
      if (i % 3 === 0) lower(1_000 - i)
      expect(settle(), `try ${i}`).toBeLessThan(10)
    }
    expect(new Set(told)).toEqual(new Set(['EIO']))
    expect(disk.list('/b').length).toBeLessThan(5)
    disk.onOperation = null
    settle()
    expect(points.mayTellBeyond(P1, 800)).toBe(true)
    lower(800)
    settle()
    expect([told.at(-1), points.mayTellBeyond(P1, 800)]).toEqual([null, false])
    expect(disk.list('/b').length).toBe(1)
    disk.powerCut(1)
    flush.forget()
    expect(open().of(P1).flushedOffset).toBe(800)
  })

  it('keep what was durable once, whatever fails and wherever the power is cut later', () => {
    for (let seed = 1; seed <= 60; seed++) {
      const { disk, flush, open } = world()
      const points = open()
      points.markClean(P1, 77)
      let isTold = false
      points.removeDurably(P2, () => (isTold = true))
      while (flush.doWork() > 0);
      expect(isTold).toBe(true)
      disk.onOperation = ({ operation }) =>
        operation === 'flush' ? { kind: 'error', code: 'EIO' } : null
      for (let i = 0; i < seed % 5; i++) {
        points.markDirty(P2, i)
        points.removeDurably(P2, () => {})
        while (flush.doWork() > 0);
      }
      disk.powerCut(seed)
      flush.forget()
      disk.onOperation = null
      expect(open().of(P1).flushedOffset, `seed ${seed}`).toBe(77)
    }
  })

  it('are written before the first write of a partition that was clean', () => {
    const { broker, flusher, disk } = simulated()
    let log = broker.open()
    append(log, batchOf(['a']))
    log.flushAll(() => {})
    while (flusher.doWork() > 0);
    log.close()
    log = broker.open()
    const written: string[] = []
    disk.onOperation = ({ operation, path }) => {
      if (operation === 'write') written.push(path.slice(path.lastIndexOf('/') + 1))
      return null
    }
    append(log, batchOf(['b']))
    append(log, batchOf(['c']))
    const name = '00000000000000000000.log'
    expect(written).toEqual([expect.stringMatching(/^recovery-points/), name, name])
  })

  it('keep what was flushed, wherever a power cut falls while a new file is begun', () => {
    for (let at = 1; at < 12; at++) {
      for (let seed = 1; seed < 20; seed++) {
        const { disk, flush, open } = world()
        const points = open()
        points.markDirty(P1, 0)
        points.markFlushed(P1, 50)
        while (flush.doWork() > 0);
        disk.flush(`/b/${disk.list('/b')[0]}`)
        const from = disk.operations
        disk.kill()
        try {
          disk.onOperation = ({ number }) => (number === from + at ? { kind: 'crash' } : null)
          open()
          flush.doWork()
        } catch (error) {
          expect(error).toBeInstanceOf(SimulatedCrash)
        }
        disk.powerCut(seed)
        flush.forget()
        expect(open().of(P1)).toMatchObject({ flushedOffset: 50, powerLoss: true })
      }
    }
  })

  it('of a newer version are refused by name', () => {
    const { disk, open } = world()
    open()
    const path = `/b/${disk.list('/b')[0]}`
    const file = disk.open(path, 'append')
    file.write([Uint8Array.of(2)], 4)
    // Its CRC no longer fits: taken for torn. With the right one it is a newer version.
    expect(open().of(P1).dirty).toBe(true)
    const bytes = disk.readFile(`/b/${disk.list('/b').at(-1)}`)
    bytes[4] = 2
    expect(() => decodeStamped(bytes)).toThrow(/version 2, this build reads version 1/)
  })

  it('spare a log that was stopped clean from being read', () => {
    const { broker, flusher, disk } = simulated()
    const log = broker.open()
    append(log, batchOf(['a']))
    log.flushAll(() => {})
    while (flusher.doWork() > 0);
    expect(log.close().dirty).toBe(false)
    broker.environment.recoveryPoints.close()
    disk.kill()
    broker.start()
    broker.lines.length = 0
    expect(broker.open().logEndOffset).toBe(1)
    expect(broker.lines).toEqual([])
  })
})

function decodeStamped(bytes: Uint8Array) {
  new DataView(bytes.buffer).setUint32(28, crc32c(bytes, 0, 28), true)
  return decodeHeader(bytes, 'recovery-points.7')
}
