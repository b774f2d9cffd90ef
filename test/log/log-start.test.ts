import { describe, expect, it } from 'vitest'
import { ErrorCode } from '../../src/base/error-code.ts'
import type { LogConfig } from '../../src/log/log-config.ts'
import { EARLIEST_TIMESTAMP, MAX_TIMESTAMP } from '../../src/log/outcomes.ts'
import type { PartitionLog } from '../../src/log/partition-log.ts'
import type { SimulatedFlusher } from '../../src/log/simulated-flusher.ts'
import {
  append,
  type Broker,
  batchOf,
  DIRECTORY,
  newLocate,
  newOffsets,
  simulated,
  storedBatches,
} from './support.ts'
import { liveUntil } from './workload.ts'

const SEEDS = process.env.GRIOT_TEST_LONG ? 50 : 2
const TIMEOUT_MS = process.env.GRIOT_TEST_LONG ? 600_000 : 60_000
const SMALL: Partial<LogConfig> = { segmentBytes: 300, indexIntervalBytes: 50 }

/** One segment, whose end is not noted in the recovery points with each flush. */
const ONE_SEGMENT: Partial<LogConfig> = { indexIntervalBytes: 50 }

const settle = (flusher: SimulatedFlusher) => {
  while (flusher.doWork() > 0);
}

/** Asks, and gives the answer once there is one. */
function deleting(log: PartitionLog, offset: number) {
  const answers: (readonly [error: number, lowWatermark: number])[] = []
  log.deleteRecords(offset, (error, lowWatermark) => answers.push([error, lowWatermark]))
  return answers
}

const startNames = (disk: { list(path: string): string[] }) =>
  disk.list(DIRECTORY).filter((name) => name.includes('.logstart'))

function tenBatches(config: Partial<LogConfig> = SMALL) {
  const world = simulated()
  const log = world.broker.open(config)
  for (let i = 0; i < 10; i++) {
    append(log, batchOf([`${i}-a`, `${i}-b`], { timestampMs: 1_700_000_000_000 + i }))
  }
  return { ...world, log }
}

const located = (log: PartitionLog, offset: number): number => {
  const found = newLocate()
  log.locate(offset, 1, found)
  return found.error
}
const earliest = (log: PartitionLog): number => {
  const found = newOffsets()
  log.offsetForTimestamp(EARLIEST_TIMESTAMP, found)
  return found.offset
}

describe('DeleteRecords on a log', () => {
  it('moves the start once that is durable, and drops the segments below', () => {
    const { log, flusher } = tenBatches()
    const before = log.segments.length
    expect(before).toBeGreaterThan(3)
    const answers = deleting(log, 13)
    // nobody is told, and nobody sees it, before it cannot be lost any more
    expect([answers, log.logStartOffset, located(log, 0)]).toEqual([[], 0, ErrorCode.NONE])
    settle(flusher)
    expect(answers).toEqual([[ErrorCode.NONE, 13]])
    expect([log.logStartOffset, earliest(log)]).toEqual([13, 13])
    expect(log.segments.length).toBeLessThan(before)
    expect(log.segments[0]!.baseOffset).toBeLessThanOrEqual(13)
    expect(log.segments[1]!.baseOffset).toBeGreaterThan(13)
    expect(located(log, 12)).toBe(ErrorCode.OFFSET_OUT_OF_RANGE)
    expect(located(log, 13)).toBe(ErrorCode.NONE)
    expect(storedBatches(log)[0]!.last).toBe(13)
    expect(append(log, batchOf(['next'])).baseOffset).toBe(20)
  })

  it('names no start before everything below it is durable', () => {
    const { log, flusher, disk } = tenBatches(ONE_SEGMENT)
    const answers = deleting(log, 13)
    expect([log.durableOffset, startNames(disk)]).toEqual([0, []])
    flusher.doWork()
    expect([log.durableOffset, startNames(disk)]).toEqual([20, ['00000000000000000013.logstart']])
    expect(answers).toEqual([])
    settle(flusher)
    expect(answers).toEqual([[ErrorCode.NONE, 13]])
    // what is durable already waits for its own name alone
    deleting(log, 15)
    expect(startNames(disk)).toContain('00000000000000000015.logstart')
  })

  it('takes −1 for the high watermark, and what is below the start for done', () => {
    const { log, flusher } = tenBatches()
    const all = deleting(log, -1)
    settle(flusher)
    expect(all).toEqual([[ErrorCode.NONE, 20]])
    // all bytes go, once the name of what follows is durable
    log.onTimer(log.nextTimerAtMs)
    expect(log.segments.map(({ baseOffset, size }) => [baseOffset, size])).toEqual([[20, 0]])
    expect(deleting(log, 3)).toEqual([[ErrorCode.NONE, 20]])
    expect(deleting(log, 20)).toEqual([[ErrorCode.NONE, 20]])
    expect(log.logEndOffset).toBe(20)
    // Kafka tells the time of a record that is gone
    const found = newOffsets()
    log.offsetForTimestamp(MAX_TIMESTAMP, found)
    expect(found.offset).toBe(-1)
  })

  it('refuses what Kafka refuses', () => {
    const { log, flusher } = tenBatches()
    expect(deleting(log, 21)).toEqual([[ErrorCode.OFFSET_OUT_OF_RANGE, -1]])
    expect(deleting(log, -2)).toEqual([[ErrorCode.OFFSET_OUT_OF_RANGE, -1]])
    for (const cleanupPolicy of [
      { delete: false, compact: true },
      { delete: false, compact: false },
    ]) {
      log.updateConfig({ ...log.config, cleanupPolicy })
      expect(deleting(log, 5)).toEqual([[ErrorCode.POLICY_VIOLATION, -1]])
    }
    log.updateConfig({ ...log.config, cleanupPolicy: { delete: true, compact: true } })
    const answers = deleting(log, 5)
    settle(flusher)
    expect(answers).toEqual([[ErrorCode.NONE, 5]])
  })

  it('answers many at once, and keeps the highest', () => {
    const { log, flusher, disk } = tenBatches()
    const answers = [5, 17, 11].map((offset) => deleting(log, offset))
    settle(flusher)
    expect(answers.flat()).toEqual([
      [ErrorCode.NONE, 5],
      [ErrorCode.NONE, 17],
      [ErrorCode.NONE, 17],
    ])
    const names = disk.list(DIRECTORY).filter((name) => name.endsWith('.logstart'))
    expect(names).toEqual(['00000000000000000017.logstart'])
  })

  it('is refused when the disk does not keep it, and nothing has moved', () => {
    const { log, flusher, disk } = tenBatches()
    settle(flusher)
    disk.onOperation = ({ path, operation }) =>
      path.endsWith('.logstart') && operation === 'flush' ? { kind: 'error', code: 'EIO' } : null
    const answers = deleting(log, 5)
    settle(flusher)
    expect(answers).toEqual([[ErrorCode.KAFKA_STORAGE_ERROR, -1]])
    expect(log.logStartOffset).toBe(0)
  })

  it('outlives a clean stop, a kill and a power cut', () => {
    for (const end of ['clean', 'kill', 'powerCut'] as const) {
      const { log, flusher, disk, broker } = tenBatches()
      deleting(log, 13)
      settle(flusher)
      if (end === 'clean') {
        log.flushAll(() => {})
        settle(flusher)
        log.close()
        broker.environment.recoveryPoints.close()
        settle(flusher)
      } else if (end === 'kill') disk.kill()
      else disk.powerCut(7)
      flusher.forget()
      broker.start()
      const again = broker.open(SMALL)
      expect([end, again.failure, again.logStartOffset, earliest(again)]).toEqual([
        end,
        null,
        13,
        13,
      ])
      expect(located(again, 12)).toBe(ErrorCode.OFFSET_OUT_OF_RANGE)
      expect(again.logEndOffset).toBe(20)
    }
  })
})

/** What was asked for and what was answered. */
interface Told {
  asked: number
  low: number
  end: number
}

/** Appends and deletes, closes and opens again, until it is through or the disk says no. */
function live(broker: Broker, flusher: SimulatedFlusher, told: Told): void {
  broker.start()
  let log = broker.open(SMALL)
  for (let step = 0; step < 14; step++) {
    append(log, batchOf([`${step}-a`, `${step}-b`]))
    told.end = log.logEndOffset
    if (step % 3 === 2) {
      const offset = step % 2 === 0 ? -1 : log.logEndOffset - 3
      told.asked = Math.max(told.asked, offset === -1 ? log.logEndOffset : offset)
      log.deleteRecords(offset, (error, low) => {
        if (error === ErrorCode.NONE) told.low = Math.max(told.low, low)
      })
      if (step === 8) append(log, batchOf(['meanwhile', 'also']))
      told.end = log.logEndOffset
    }
    if (step % 4 !== 0) flusher.doWork()
    if (step === 9) {
      settle(flusher)
      log.flushAll(() => {})
      settle(flusher)
      log.close()
      log = broker.open(SMALL)
    }
  }
  settle(flusher)
}

describe('after every single change on disk', () => {
  it.each(['powerCut', 'kill'] as const)(
    '%s: the start is never below what was told',
    (end) => {
      let changes = 0
      for (let at = 1, more = true; more; at++) {
        for (let seed = 1; seed <= SEEDS; seed++) {
          const { disk, flusher, broker } = simulated(seed % 2 === 0)
          const told: Told = { asked: 0, low: 0, end: 0 }
          const from = disk.operations
          more = liveUntil(disk, from + at, () => live(broker, flusher, told))
          if (end === 'kill') disk.kill()
          else disk.powerCut(at * 100 + seed)
          flusher.forget()
          broker.start()
          const where = `change ${at}, seed ${seed}`
          const log = broker.open(SMALL)
          expect(log.failure, where).toBe(null)
          expect(log.logStartOffset, where).toBeGreaterThanOrEqual(told.low)
          expect(log.logStartOffset, where).toBeLessThanOrEqual(told.asked)
          // the log never ends before it begins, and offsets are not given twice
          expect(log.logEndOffset, where).toBeGreaterThanOrEqual(log.logStartOffset)
          expect(log.logEndOffset, where).toBeLessThanOrEqual(told.end + 2)
          const stored = storedBatches(log)
          stored.forEach(({ base }, i) => {
            if (i > 0) expect(base, where).toBe(stored[i - 1]!.last + 1)
          })
          expect(stored.at(-1)?.last ?? log.logStartOffset - 1, where).toBe(log.logEndOffset - 1)
          expect(append(log, batchOf(['on'])).baseOffset, where).toBe(log.logEndOffset - 1)
        }
        changes = at
      }
      expect(changes).toBeGreaterThan(60)
    },
    TIMEOUT_MS,
  )
})

/** A log of offsets 0 to 19 that begins at 13 and was cut off within the batch at 10, durably. */
function tornBelowItsStart(withRings = true) {
  const world = simulated(withRings)
  const { broker, disk, flusher } = world
  const log = broker.open(ONE_SEGMENT)
  for (let i = 0; i < 10; i++) append(log, batchOf([`${i}-a`, `${i}-b`]))
  settle(flusher)
  deleting(log, 13)
  settle(flusher)
  expect(log.logStartOffset).toBe(13)
  const { path } = log.segments[0]!.log
  disk.kill()
  flusher.forget()
  disk.open(path, 'append').truncate((disk.size(path) / 20) * 11)
  for (const name of [path, DIRECTORY]) disk.flush(name)
  broker.start()
  return world
}

describe('a log that ends below its start when it is opened', () => {
  it('begins at its end, and what is appended from there on stays', () => {
    const { broker, disk, flusher } = tornBelowItsStart()
    let log = broker.open(ONE_SEGMENT)
    expect([log.failure, log.logStartOffset, log.logEndOffset]).toEqual([null, 10, 10])
    expect(broker.lines).toContainEqual({
      level: 'warn',
      message: 'Log ends at offset 10, below its start 13: it begins at its end',
    })
    // not before it is durable that the old start is gone
    const refused = append(log, batchOf(['too early']))
    expect([refused.error, refused.fault]).toEqual([ErrorCode.KAFKA_STORAGE_ERROR, 'logFailed'])
    settle(flusher)
    expect(startNames(disk)).toEqual(['00000000000000000010.logstart'])
    for (let i = 0; i < 4; i++) expect(append(log, batchOf(['x', 'y'])).baseOffset).toBe(10 + i * 2)
    for (const end of ['kill', 'powerCut'] as const) {
      settle(flusher)
      log.requestFlush()
      settle(flusher)
      if (end === 'kill') disk.kill()
      else disk.powerCut(3)
      flusher.forget()
      broker.start()
      log = broker.open(ONE_SEGMENT)
      expect([end, log.failure, log.logStartOffset, log.logEndOffset]).toEqual([end, null, 10, 18])
      // what was deleted does not come back
      expect(located(log, 9)).toBe(ErrorCode.OFFSET_OUT_OF_RANGE)
      expect(storedBatches(log).map(({ base }) => base)).toEqual([10, 12, 14, 16])
      expect(append(log, batchOf([])).error).not.toBe(ErrorCode.KAFKA_STORAGE_ERROR)
    }
  })

  it('does so after a clean stop too: the directory is flushed before anything is appended', () => {
    for (let seed = 1; seed <= 10; seed++) {
      const { broker, disk, flusher, log } = tenBatches(ONE_SEGMENT)
      log.flushAll(() => {})
      settle(flusher)
      log.close()
      broker.environment.recoveryPoints.close()
      settle(flusher)
      disk.open(`${DIRECTORY}/00000000000000000025.logstart`, 'append').close()
      disk.flush(DIRECTORY)
      disk.kill()
      broker.start()
      const again = broker.open(ONE_SEGMENT)
      expect([again.failure, again.logStartOffset, again.logEndOffset]).toEqual([null, 20, 20])
      settle(flusher)
      for (let i = 0; i < 5; i++) expect(append(again, batchOf(['x', 'y'])).error).toBe(0)
      again.requestFlush()
      settle(flusher)
      disk.powerCut(seed)
      flusher.forget()
      broker.start()
      const last = broker.open(ONE_SEGMENT)
      expect([seed, last.logStartOffset, last.logEndOffset]).toEqual([seed, 20, 30])
    }
  })

  it('keeps its start when it takes no appends, for whoever mends it', () => {
    const { broker, disk } = tornBelowItsStart()
    const { path } = broker.open(ONE_SEGMENT).segments[0]!.log
    disk.flipBit(path, 20)
    // (the opening above has dropped it)
    disk.open(`${DIRECTORY}/00000000000000000013.logstart`, 'append').close()
    broker.start()
    const log = broker.open(ONE_SEGMENT)
    expect(log.failure).not.toBe(null)
    expect(startNames(disk)).toContain('00000000000000000013.logstart')
  })

  it.each([
    ['powerCut', 'powerCut'],
    ['kill', 'powerCut'],
    ['powerCut', 'kill'],
  ] as const)(
    'after every single change, %s and then %s: nothing appended is hidden again',
    (first, second) => {
      let changes = 0
      for (let at = 1, more = true; more; at++) {
        for (let seed = 1; seed <= 12 * SEEDS; seed++) {
          const { broker, disk, flusher } = tornBelowItsStart(false)
          const crash = (how: 'powerCut' | 'kill', n: number) => {
            if (how === 'kill') disk.kill()
            else disk.powerCut(at * 1000 + seed * 10 + n)
            flusher.forget()
            broker.start()
          }
          const grow = (log: PartitionLog) => {
            for (let i = 0; i < 3; i++) append(log, batchOf([`${i}-a`, `${i}-b`]))
          }
          more = liveUntil(disk, disk.operations + at, () => {
            const log = broker.open(ONE_SEGMENT)
            grow(log)
            settle(flusher)
            grow(log)
          })
          crash(first, 1)
          const log = broker.open(ONE_SEGMENT)
          if (seed % 2 === 0) settle(flusher)
          grow(log)
          const { durableOffset } = log
          crash(second, 2)
          const last = broker.open(ONE_SEGMENT)
          const where = `change ${at}, seed ${seed}`
          expect([last.failure, last.logStartOffset], where).toEqual([null, 10])
          expect(last.logEndOffset, where).toBeGreaterThanOrEqual(durableOffset)
          const stored = storedBatches(last)
          const bases = stored.map((_, i) => 10 + 2 * i)
          expect(
            stored.map(({ base }) => base),
            where,
          ).toEqual(bases)
          expect(stored.length * 2 + 10, where).toBe(last.logEndOffset)
        }
        changes = at
      }
      expect(changes).toBeGreaterThan(15)
    },
    TIMEOUT_MS,
  )
})
