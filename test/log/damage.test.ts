import { describe, expect, it } from 'vitest'
import { ErrorCode } from '../../src/base/error-code.ts'
import { DiskError } from '../../src/log/disk.ts'
import { LocateSource } from '../../src/log/outcomes.ts'
import { baseOffsetOf } from '../../src/record/batch.ts'
import { append, batchOf, checkIndexes, newLocate, simulated, storedBatches } from './support.ts'

const SEGMENTS = { segmentBytes: 1000, indexIntervalBytes: 100 }

function written() {
  const world = simulated(false)
  const log = world.broker.open(SEGMENTS)
  for (let i = 0; i < 12; i++) append(log, batchOf([`${i}`.padEnd(200, '.')]))
  return { ...world, log }
}

describe('damage', () => {
  it('in the middle of what was not flushed is set aside, and the rest can be read', () => {
    const { disk, flusher, broker, log } = written()
    const hurt = log.segments[1]!
    const path = hurt.path('.log')
    disk.flipBit(path, 150, 3)
    const before = disk.readFile(path)
    disk.kill()
    flusher.forget()
    broker.start()
    const again = broker.open(SEGMENTS)
    expect(again.failure).toMatch(/damaged at byte 0, it was set aside/)
    expect(disk.exists(path)).toBe(false)
    expect(disk.readFile(`${path}.damaged-0`)).toEqual(before)
    const where = newLocate()
    again.locate(hurt.baseOffset, 1000, where)
    expect(where.error).toBe(ErrorCode.KAFKA_STORAGE_ERROR)
    for (const offset of [0, 11]) {
      again.locate(offset, 1000, where)
      expect([where.error, where.source]).toEqual([ErrorCode.NONE, LocateSource.FILE])
    }
    expect(append(again, batchOf(['no'])).error).toBe(ErrorCode.KAFKA_STORAGE_ERROR)
    expect(broker.lines.some(({ level }) => level === 'error')).toBe(true)

    again.close()
    disk.kill()
    flusher.forget()
    broker.start()
    broker.lines.length = 0
    expect(broker.open(SEGMENTS).failure).toMatch(/found damaged/)
    // at every start: what is asked of it fails, and somebody will wonder why
    const { level, message } = broker.lines.at(-1)!
    expect([level, message]).toEqual(['error', expect.stringMatching(/: segment \d+ was found/)])
  })

  it('below what recovery looks at is an error for who reads the log itself, not the end of it', () => {
    // base offset, length, magic, CRC, a record; of the first batch, one in the midst, the last of a segment
    const flips = [1, 11, 16, 17, 100].flatMap((at) => [0, 3, 7].map((batch) => ({ at, batch })))
    for (const { at, batch } of flips) {
      const { disk, flusher, broker, log } = written()
      log.flushAll(() => {})
      while (flusher.doWork() > 0);
      log.close()
      const segment = log.segments.findLast(({ baseOffset }) => baseOffset <= batch)!
      const { position } = segment.findBatch(batch, segment.size)!
      disk.flipBit(segment.path('.log'), position + at, 6)
      const again = broker.open(SEGMENTS)
      expect(again.failure).toBe(null)
      const where = JSON.stringify({ at, batch })
      const read: number[] = []
      const readAll = () =>
        again.readBatches(0, (bytes, from) => {
          read.push(baseOffsetOf(bytes, from))
          return true
        })
      expect(readAll, where).toThrow(DiskError)
      expect(read, where).toEqual(Array.from({ length: batch }, (_, i) => i))
      again.close()
    }
  })

  it.each([0, 1, 2])(
    'by which segment %i is set aside is an error for who reads the log itself',
    (which) => {
      const { disk, flusher, broker, log } = written()
      const { baseOffset } = log.segments[which]!
      const next = log.segments[which + 1]!.baseOffset
      disk.flipBit(log.segments[which]!.path('.log'), 150, 3)
      disk.kill()
      flusher.forget()
      broker.start()
      const again = broker.open(SEGMENTS)
      expect(again.segments.some((segment) => segment.baseOffset === baseOffset)).toBe(false)
      const readFrom = (offset: number) => {
        const read: number[] = []
        try {
          again.readBatches(offset, (bytes, from) => {
            read.push(baseOffsetOf(bytes, from))
            return true
          })
        } catch (error) {
          if (!(error instanceof DiskError)) throw error
          return { code: error.code, read }
        }
        return { code: null, read }
      }
      const before = Array.from({ length: baseOffset }, (_, i) => i)
      expect(readFrom(0)).toEqual({ code: 'EBADMSG', read: before })
      for (let offset = baseOffset; offset < next; offset++) {
        expect(readFrom(offset), `from ${offset}`).toEqual({ code: 'EBADMSG', read: [] })
      }
      expect(readFrom(next).code).toBe(null)
      expect(readFrom(next).read.at(-1)).toBe(11)
    },
  )

  it('by which the only segment is set aside is no empty log', () => {
    const { disk, flusher, broker } = simulated(false)
    const log = broker.open()
    for (let i = 0; i < 3; i++) append(log, batchOf([`${i}`.padEnd(200, '.')]))
    disk.flipBit(log.segments[0]!.path('.log'), 150, 3)
    disk.kill()
    flusher.forget()
    for (let i = 0; i < 2; i++) {
      broker.start()
      const again = broker.open()
      expect([again.segments.length, again.failure]).toEqual([0, expect.stringMatching(/damaged/)])
      expect(() => storedBatches(again)).toThrow(/EBADMSG/)
      again.close()
    }
  })

  it('is none where a log begins later than asked for', () => {
    const { broker, log, flusher } = written()
    let isDone = false
    log.deleteRecords(7, () => (isDone = true))
    for (let i = 0; i < 20 && !isDone; i++) while (flusher.doWork() > 0);
    const bases = (from: number) => storedBatches(log, from).map(({ base }) => base)
    expect([isDone, log.logStartOffset, log.segments[0]!.baseOffset]).toEqual([true, 7, 6])
    expect([bases(0), bases(6)]).toEqual([bases(6), [6, 7, 8, 9, 10, 11]])
    expect(bases(7)).toEqual([7, 8, 9, 10, 11])
    log.restartAt(20, {}, () => {})
    while (flusher.doWork() > 0);
    log.abandon()
    const next = broker.open(SEGMENTS)
    append(next, batchOf(['new']))
    expect(storedBatches(next, 0).map(({ base }) => base)).toEqual([20])
  })

  it('by which a whole log is gone is an error that is logged', () => {
    const { disk, flusher, broker, log } = written()
    log.requestFlush()
    while (flusher.doWork() > 0);
    log.close()
    disk.kill()
    flusher.forget()
    disk.removeDirectory(log.directory)
    broker.start()
    broker.lines.length = 0
    const again = broker.open(SEGMENTS)
    expect(again.failure).toMatch(/no segment is left/)
    expect(() => storedBatches(again)).toThrow(/EBADMSG/)
    expect(broker.lines).toMatchObject([
      { level: 'error', message: expect.stringMatching(/^Log is damaged: no segment is left/) },
    ])
  })

  it('below the flushed point is never cut off, even at the very end', () => {
    const { disk, flusher, broker, log } = written()
    log.requestFlush()
    while (flusher.doWork() > 0);
    append(log, batchOf(['unflushed']))
    const active = log.active!
    const { position } = active.findBatch(11, active.size)!
    disk.flipBit(active.path('.log'), position + 16)
    disk.kill()
    flusher.forget()
    broker.start()
    const again = broker.open(SEGMENTS)
    expect(again.failure).toMatch(/damaged/)
    expect(disk.list(again.directory).some((name) => name.endsWith('.damaged-0'))).toBe(true)
    expect(() => storedBatches(again)).toThrow(/EBADMSG/)
  })

  it('in the last batch alone is a torn write, and cut off', () => {
    const { disk, flusher, broker, log } = written()
    const end = log.logEndOffset
    const active = log.active!
    disk.flipBit(active.path('.log'), active.size - 10)
    disk.kill()
    flusher.forget()
    broker.start()
    const again = broker.open(SEGMENTS)
    expect(again.failure).toBe(null)
    expect(again.logEndOffset).toBe(end - 1)
    expect(storedBatches(again)).toHaveLength(11)
    expect(broker.lines.at(-1)!.message).toMatch(/torn end/)
  })

  it('of indexes and snapshots heals: they are made anew from the records', () => {
    const { disk, flusher, broker, log } = written()
    const { directory } = log
    disk.kill()
    flusher.forget()
    for (const name of disk.list(directory)) {
      if (!name.endsWith('.log')) disk.remove(`${directory}/${name}`)
    }
    broker.start()
    const again = broker.open(SEGMENTS)
    expect(again.failure).toBe(null)
    const where = newLocate()
    again.locate(10, 1000, where)
    expect([where.error, where.segmentBaseOffset]).toEqual([0, again.segments.at(-1)!.baseOffset])
    expect(again.leaderEpoch).toBe(0)
  })

  it('that a power cut has left as a hole ends the log there, and a second power cut takes nothing more', () => {
    for (let seed = 1; seed <= 30; seed++) {
      const { disk, flusher, broker } = simulated(false)
      const log = broker.open()
      for (let i = 0; i < 12; i++) append(log, batchOf([`${i}`.padEnd(200, '.')]))
      const path = log.segments[0]!.path('.log')
      const { position } = log.segments[0]!.findBatch(7, log.segments[0]!.size)!
      for (const name of [path, ...disk.list(log.directory).map((n) => `${log.directory}/${n}`)]) {
        disk.flush(name)
      }
      for (const name of [log.directory, '/data/broker-1/00000000000000aa', '/data/broker-1']) {
        disk.flush(name)
      }
      disk.flipBit(path, position + 100)
      disk.powerCut(seed)
      flusher.forget()
      broker.start()
      const original = disk.readFile(path)
      const again = broker.open()
      expect([again.failure, again.logEndOffset]).toEqual([null, 7])
      expect(disk.readFile(`${path}.torn-0`)).toEqual(original)
      // struck before anything of the mending is durable
      disk.powerCut(seed * 7)
      flusher.forget()
      broker.start()
      const last = broker.open()
      expect([seed, last.failure, last.logEndOffset]).toEqual([seed, null, 7])
      expect(storedBatches(last)).toHaveLength(7)
      checkIndexes(last)
    }
  })
})
