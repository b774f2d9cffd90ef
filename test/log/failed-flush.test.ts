import { describe, expect, it } from 'vitest'
import { ErrorCode } from '../../src/base/error-code.ts'
import type { PartitionLog } from '../../src/log/partition-log.ts'
import {
  SimulatedCrash,
  SimulatedDisk,
  type SimulatedOperation,
} from '../../src/log/simulated-disk.ts'
import { SimulatedFlusher } from '../../src/log/simulated-flusher.ts'
import { append, Broker, batchOf, checkIndexes, DIRECTORY, ROOT, storedBatches } from './support.ts'

const EACH = { flushMessages: 1, indexIntervalBytes: 100 }

/** A disk that does as Linux does: after a failed flush a later one succeeds, without what the first was to write. */
function linux() {
  const disk = new SimulatedDisk({ failedFlushForgets: true })
  const flusher = new SimulatedFlusher(disk)
  disk.mkdirs(ROOT)
  for (const path of ['/data', '/']) disk.flush(path)
  const broker = new Broker(disk, flusher)
  broker.start()
  return { disk, flusher, broker }
}

/** Fails the next flush of a file whose name ends so. */
function failOneFlush(disk: SimulatedDisk, ending: string): () => boolean {
  let failed = false
  disk.onOperation = ({ operation, path }: SimulatedOperation) => {
    if (failed || operation !== 'flush' || !path.endsWith(ending)) return null
    failed = true
    return { kind: 'error', code: 'EIO' }
  }
  return () => failed
}

function settle(flusher: SimulatedFlusher): void {
  for (let turns = 0; flusher.pending > 0 && turns < 100; turns++) flusher.doWork()
}

const batch = (sequence: number) =>
  batchOf([`record ${sequence}`.padEnd(60, '.')], {
    producerId: 5,
    producerEpoch: 0,
    baseSequence: sequence,
  })

const bases = (log: PartitionLog) => storedBatches(log).map(({ base }) => base)
const upTo = (count: number) => Array.from({ length: count }, (_, i) => i)

function expectWholeOnMedium(disk: SimulatedDisk): void {
  for (const name of disk.list(DIRECTORY)) {
    const path = `${DIRECTORY}/${name}`
    const cached = disk.readFile(path)
    disk.loseUnflushed(path)
    expect([name, disk.readFile(path)]).toEqual([name, cached])
  }
}

describe('after a flush that failed', () => {
  it('nothing counts as durable that only later flushes of other bytes have covered', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const { disk, flusher, broker } = linux()
      const log = broker.open(EACH)
      for (let i = 0; i < 5; i++) append(log, batch(i))
      settle(flusher)
      expect(log.acknowledgedOffset).toBe(5)
      const failed = failOneFlush(disk, '.log')
      for (let i = 5; i < 9; i++) append(log, batch(i))
      settle(flusher)
      expect([failed(), log.failure === null, log.acknowledgedOffset]).toEqual([true, false, 5])
      log.close()

      const again = broker.open(EACH)
      settle(flusher)
      for (let i = 9; i < 14; i++) append(again, batch(i))
      settle(flusher)
      expect(again.acknowledgedOffset).toBe(14)
      disk.powerCut(seed)
      flusher.forget()

      broker.start()
      const after = broker.open(EACH)
      expect([seed, after.failure, bases(after)]).toEqual([seed, null, upTo(14)])
      checkIndexes(after)
    }
  })

  it('what was noted as whole is read again, since the flush may have lost it', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const { disk, flusher, broker } = linux()
      broker.noteEveryBytes = 200
      broker.start()
      const log = broker.open({ indexIntervalBytes: 100 })
      append(log, batch(0))
      settle(flusher)
      for (let i = 1; i < 9; i++) append(log, batch(i))
      expect(broker.environment.recoveryPoints.of(log.partition).writtenOffset).toBeGreaterThan(5)
      // the process dies between the failure and any note of it
      let failed = false
      disk.onOperation = ({ operation, path }) => {
        if (failed) return { kind: 'crash' }
        failed = operation === 'flush' && path.endsWith('.log')
        return failed ? { kind: 'error', code: 'EIO' } : null
      }
      log.requestFlush()
      // nor is anything noted while it is under way
      for (let i = 9; i < 14; i++) append(log, batch(i))
      expect(() => settle(flusher)).toThrow(SimulatedCrash)
      disk.kill()
      flusher.forget()

      broker.start()
      const again = broker.open({ indexIntervalBytes: 100 })
      again.requestFlush()
      settle(flusher)
      expect([again.failure, again.durableOffset]).toEqual([null, 14])
      disk.powerCut(seed)
      flusher.forget()
      broker.start()
      const after = broker.open({ indexIntervalBytes: 100 })
      expect([seed, after.failure, bases(after)]).toEqual([seed, null, upTo(14)])
    }
  })

  it('a log that was opened while an earlier flush of it was under way is not said to be whole', () => {
    const { disk, flusher, broker } = linux()
    const log = broker.open()
    for (let i = 0; i < 10; i++) append(log, batch(i))
    log.requestFlush()
    settle(flusher)
    for (let i = 10; i < 20; i++) append(log, batch(i))
    // it takes long; meanwhile the partition fails, and is opened again in the same process
    log.requestFlush()
    log.abandon()
    const again = broker.open()
    expect(again.logEndOffset).toBe(20)
    // the flush fails, and the process dies before it can say so
    const { path } = again.active!.log
    disk.onOperation = ({ operation }) =>
      operation === 'flush' ? { kind: 'error', code: 'EIO' } : null
    expect(() => disk.flush(path)).toThrow('EIO')
    disk.kill()
    flusher.forget()
    disk.evict(path)
    broker.start()
    const last = broker.open()
    expect([last.logEndOffset, last.failure, bases(last)]).toEqual([10, null, upTo(10)])
  })

  it('a log that fails takes no later flush for success', () => {
    const { disk, flusher, broker } = linux()
    const log = broker.open(EACH)
    failOneFlush(disk, '.log')
    append(log, batch(0))
    const told: (string | undefined)[] = []
    // one joins the round after the one that fails, one comes later
    log.requestFlush((error) => told.push(error?.code))
    settle(flusher)
    log.requestFlush((error) => told.push(error?.code))
    settle(flusher)
    expect([told, log.durableOffset, log.acknowledgedOffset]).toEqual([['EIO', 'EIO'], 0, 0])
    expect(broker.environment.recoveryPoints.of(log.partition).flushedOffset).toBe(0)
  })

  it.each(['.index', '.timeindex', '.snapshot', 'leader-epoch-checkpoint'])(
    'of %s files everything is made anew before a log counts as clean',
    (ending) => {
      for (let seed = 1; seed <= 20; seed++) {
        const { disk, flusher, broker } = linux()
        const config = { ...EACH, segmentBytes: 600 }
        const log = broker.open(config)
        for (let i = 0; i < 3; i++) append(log, batch(i))
        settle(flusher)
        const failed = failOneFlush(disk, ending)
        let count = 3
        for (; count < 12; count++) {
          if (append(log, batch(count), count).error !== ErrorCode.NONE) break
        }
        settle(flusher)
        if (!failed()) log.flushAll(() => {})
        settle(flusher)
        expect(failed()).toBe(true)
        log.close()

        const again = broker.open(config)
        settle(flusher)
        again.flushAll(() => {})
        settle(flusher)
        again.close()
        expect(broker.environment.recoveryPoints.of(log.partition).dirty).toBe(false)
        expectWholeOnMedium(disk)
        disk.powerCut(seed)
        flusher.forget()

        broker.start()
        const after = broker.open(config)
        expect([seed, after.failure, bases(after)]).toEqual([seed, null, upTo(count)])
        checkIndexes(after)
        after.producers.ensureLoaded()
        expect(append(after, batch(count - 1), 12)).toMatchObject({ error: 0, duplicate: true })
      }
    },
  )

  it('indexes that were made anew are flushed, of the segment that ends at the flushed offset too', () => {
    const { disk, flusher, broker } = linux()
    const config = { ...EACH, segmentBytes: 600 }
    const log = broker.open(config)
    const count = Math.floor(config.segmentBytes / batch(0).length)
    for (let i = 0; i < count; i++) append(log, batch(i))
    log.flushAll(() => {})
    settle(flusher)
    expect(broker.environment.recoveryPoints.of(log.partition).flushedOffset).toBe(count)
    failOneFlush(disk, '.log')
    append(log, batch(count))
    expect(log.segments.map(({ baseOffset }) => baseOffset)).toEqual([0, count])
    settle(flusher)
    log.close()
    const again = broker.open(config)
    settle(flusher)
    again.flushAll(() => {})
    settle(flusher)
    again.close()
    expect(broker.environment.recoveryPoints.of(log.partition).dirty).toBe(false)
    expectWholeOnMedium(disk)
  })

  it('what cannot be read back is cut off, the log goes on from there', () => {
    const { disk, flusher, broker } = linux()
    const log = broker.open(EACH)
    for (let i = 0; i < 3; i++) append(log, batch(i))
    settle(flusher)
    failOneFlush(disk, '.log')
    append(log, batch(3))
    append(log, batch(4))
    settle(flusher)
    log.close()
    // the last batch reached the medium, perhaps by the system itself: it is good, and lies behind a hole
    const path = `${DIRECTORY}/00000000000000000000.log`
    const last = disk.readFile(path).slice(-batch(4).length)
    disk.evict(path)
    const file = disk.open(path, 'append')
    file.write([last], batch(0).length * 4)
    file.close()
    const again = broker.open(EACH)
    expect([again.failure, bases(again)]).toEqual([null, [0, 1, 2]])
    for (let i = 3; i < 6; i++) expect(append(again, batch(i)).error).toBe(ErrorCode.NONE)
    settle(flusher)
    expect(again.acknowledgedOffset).toBe(6)
    disk.powerCut(3)
    flusher.forget()
    broker.start()
    expect(bases(broker.open(EACH))).toEqual(upTo(6))
  })

  it('the next process writes it again, too', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const { disk, flusher, broker } = linux()
      const log = broker.open(EACH)
      append(log, batch(0))
      settle(flusher)
      failOneFlush(disk, '.log')
      append(log, batch(1))
      settle(flusher)
      disk.kill()
      flusher.forget()
      broker.start()
      const next = broker.open(EACH)
      settle(flusher)
      expect(append(next, batch(1))).toMatchObject({ duplicate: true, lastOffset: 1 })
      expect(next.acknowledgedOffset).toBe(2)
      disk.powerCut(seed)
      flusher.forget()
      broker.start()
      expect([seed, ...bases(broker.open(EACH))]).toEqual([seed, 0, 1])
    }
  })

  it('that a closed log had asked for, the log that was opened meanwhile takes no success for its own', () => {
    const { disk, flusher, broker } = linux()
    const log = broker.open(EACH)
    append(log, batch(0))
    log.close()
    const again = broker.open(EACH)
    failOneFlush(disk, '.log')
    settle(flusher)
    expect([again.failure === null, again.acknowledgedOffset]).toEqual([false, 0])
    expect(again.durableOffset).toBe(0)
  })
})
