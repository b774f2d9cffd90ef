import { describe, expect, it } from 'vitest'
import { InvariantError } from '../../src/base/assert.ts'
import { ErrorCode } from '../../src/base/error-code.ts'
import { SeededRandom } from '../../src/base/random.ts'
import type { LogConfig } from '../../src/log/log-config.ts'
import {
  LATEST_TIMESTAMP,
  LocateSource,
  MAX_TIMESTAMP,
  newAppendOutcome,
  TimestampSource,
} from '../../src/log/outcomes.ts'
import type { PartitionLog } from '../../src/log/partition-log.ts'
import type { SimulatedFlusher } from '../../src/log/simulated-flusher.ts'
import { baseOffsetOf, sizeInBytesOf } from '../../src/record/batch.ts'
import type { RingLogWriter } from '../../src/shared/ring-log-writer.ts'
import { append, batchOf, newLocate, newOffsets, simulated, storedBatches } from './support.ts'

const TIMEOUT_MS = process.env.GRIOT_TEST_LONG ? 600_000 : 60_000
const REPLICATED = { isReplicated: true }
const SMALL: Partial<LogConfig> = { segmentBytes: 500, indexIntervalBytes: 80, retentionMs: -1 }

const settle = (flusher: SimulatedFlusher) => {
  while (flusher.doWork() > 0);
}

const located = (log: PartitionLog, offset: number) => {
  const where = newLocate()
  log.locate(offset, 1_000, where)
  return where
}

/** Of a log whose commit is `committed`: nothing can be read from there on, everything below can. */
function checkReads(log: PartitionLog, committed: number): void {
  expect([log.highWatermark, log.lastStableOffset]).toEqual([committed, committed])
  expect(log.acknowledgedOffset).toBe(committed)
  const stored = storedBatches(log)
  for (const { base, last } of stored) {
    const where = located(log, last)
    expect([where.error, where.highWatermark]).toEqual([ErrorCode.NONE, committed])
    if (last >= committed) {
      expect(where.source).toBe(LocateSource.NONE)
      continue
    }
    if (where.source !== LocateSource.FILE) continue
    const segment = log.segments.find((one) => one.baseOffset === where.segmentBaseOffset)!
    const bytes = new Uint8Array(where.byteLength)
    expect(segment.log.get().read(bytes, 0, bytes.length, where.position)).toBe(bytes.length)
    expect(baseOffsetOf(bytes, 0)).toBe(base)
    let at = 0
    for (; at < bytes.length; at += sizeInBytesOf(bytes, at)) {
      expect(baseOffsetOf(bytes, at)).toBeLessThan(committed)
    }
    expect(at).toBe(bytes.length)
  }
  const found = newOffsets()
  log.offsetForTimestamp(LATEST_TIMESTAMP, found)
  expect(found.offset).toBe(committed)
  log.offsetForTimestamp(MAX_TIMESTAMP, found)
  const some = stored.some(({ last }) => last < committed)
  expect(found.source === TimestampSource.BATCH).toBe(some)
  if (some) expect(found.offset).toBeLessThan(committed)
  const ring = log.ring as RingLogWriter | null
  if (ring !== null) expect(ring.highWatermark).toBe(committed)
}

describe('a log that is one of several replicas', () => {
  it('is read as far as it is committed, and tells how far it is stored', () => {
    const { broker } = simulated()
    const log = broker.open({}, REPLICATED)
    append(log, batchOf(['a', 'b']))
    append(log, batchOf(['c']))
    expect([log.logEndOffset, log.storedOffset]).toEqual([3, 3])
    checkReads(log, 0)
    expect(log.commitTo(2)).toBe(true)
    checkReads(log, 2)
    // never back, and never beyond what there is
    expect([log.commitTo(1), log.commitTo(2)]).toEqual([false, false])
    checkReads(log, 2)
    expect(log.commitTo(100)).toBe(true)
    checkReads(log, 3)
    append(log, batchOf(['d']))
    checkReads(log, 3)
  })

  it('is bounded by what is stored, too, where flush.messages asks for it', () => {
    const { broker, flusher } = simulated()
    const log = broker.open({ flushMessages: 1 }, REPLICATED)
    append(log, batchOf(['a', 'b']))
    expect([log.storedOffset, log.commitTo(2), log.highWatermark]).toEqual([0, true, 0])
    settle(flusher)
    expect(log.storedOffset).toBe(2)
    checkReads(log, 2)
    append(log, batchOf(['c']))
    settle(flusher)
    expect(log.storedOffset).toBe(3)
    checkReads(log, 2)
  })

  it('knows where batches end that were written together', () => {
    const { broker } = simulated()
    const log = broker.open(SMALL, REPLICATED)
    const out = newAppendOutcome()
    for (let i = 0; i < 12; i++) log.stage(batchOf([`${i}-a`, `${i}-b`]), 1_700_000_000_000, 0, out)
    expect(log.write()).toBe(null)
    for (let offset = 2; offset <= 24; offset += 2) {
      log.commitTo(offset)
      checkReads(log, offset)
    }
  })

  it('commits no part of a batch', () => {
    const { broker } = simulated()
    const log = broker.open(SMALL, REPLICATED)
    append(log, batchOf(['a', 'b', 'c']))
    append(log, batchOf(['d', 'e', 'f']))
    expect(log.commitTo(2)).toBe(false)
    checkReads(log, 0)
    log.commitTo(4)
    checkReads(log, 3)
    log.commitTo(6)
    checkReads(log, 6)
  })

  it('finds its commits however many writes are not committed', () => {
    const { broker } = simulated()
    const log = broker.open({ ...SMALL, segmentBytes: 5_000 }, REPLICATED)
    for (let i = 0; i < 1_000; i++) append(log, batchOf([`${i}`]))
    for (const offset of [1, 2, 3, 77, 500, 501, 998, 999]) {
      log.commitTo(offset)
      const { segment, position } = log.committed
      expect(log.highWatermark).toBe(offset)
      expect(segment!.findBatch(offset, segment!.size)?.position ?? segment!.size).toBe(position)
    }
  })

  it('cannot be cut below what is committed', () => {
    const { broker } = simulated()
    const log = broker.open(SMALL, REPLICATED)
    for (let i = 0; i < 9; i++) append(log, batchOf([`${i}-a`, `${i}-b`]))
    log.commitTo(6)
    expect(() => log.truncateTo(5)).toThrow(InvariantError)
    log.truncateTo(6)
    expect(log.logEndOffset).toBe(6)
    checkReads(log, 6)
    append(log, batchOf(['x', 'y']), 1)
    checkReads(log, 6)
    log.commitTo(8)
    checkReads(log, 8)
  })

  it('removes nothing that is not committed', () => {
    const { broker, flusher } = simulated()
    const log = broker.open({ ...SMALL, retentionBytes: 0 }, REPLICATED)
    for (let i = 0; i < 12; i++) append(log, batchOf([`${i}-a`, `${i}-b`]))
    log.commitTo(10)
    settle(flusher)
    log.applyRetention()
    expect(log.logStartOffset).toBeLessThanOrEqual(10)
    log.deleteRecords(11, (error) => expect(error).toBe(ErrorCode.OFFSET_OUT_OF_RANGE))
    log.deleteRecords(-1, (error, low) => expect([error, low]).toEqual([0, 10]))
    settle(flusher)
    expect(log.logStartOffset).toBe(10)
  })

  it('may become one, and be the only one again, while it is open', () => {
    const { broker } = simulated()
    const log = broker.open(SMALL)
    append(log, batchOf(['a', 'b']))
    expect(() => log.commitTo(2)).toThrow(InvariantError)
    // what consumers have seen stays
    log.setReplicated(true, 0)
    checkReads(log, 2)
    append(log, batchOf(['c']))
    checkReads(log, 2)
    log.commitTo(3)
    checkReads(log, 3)
    append(log, batchOf(['d']))
    log.setReplicated(false)
    checkReads(log, 4)
    append(log, batchOf(['e']))
    checkReads(log, 5)
  })

  it('begins with the commit that is known when it is opened', () => {
    const { broker, disk } = simulated()
    const log = broker.open(SMALL, REPLICATED)
    for (let i = 0; i < 9; i++) append(log, batchOf([`${i}-a`, `${i}-b`]))
    for (const [commitOffset, expected] of [
      [undefined, 0],
      [4, 4],
      [18, 18],
      [50, 18],
    ] as const) {
      disk.kill()
      broker.start()
      const more = commitOffset === undefined ? REPLICATED : { ...REPLICATED, commitOffset }
      const again = broker.open(SMALL, more)
      checkReads(again, expected)
    }
  })
})

describe('a replicated log beside what it should show', () => {
  it(
    'says the same after any writes, commits, truncations, flushes and openings',
    () => {
      for (let seed = 1; seed <= (process.env.GRIOT_TEST_LONG ? 1_000 : 25); seed++) {
        const random = new SeededRandom(seed)
        const { broker, disk, flusher } = simulated(seed % 2 === 0)
        let log = broker.open(SMALL, REPLICATED)
        let committed = 0
        let epoch = 0
        const out = newAppendOutcome()
        for (let step = 0; step < 60; step++) {
          const what = random.below(10)
          if (what < 5) {
            for (let i = random.below(4); i >= 0; i--) {
              log.stage(batchOf([`${step}`, `${i}`]), broker.clock.wallMs(), epoch, out)
            }
            expect(log.write()).toBe(null)
          } else if (what < 8) {
            const even = 2 * random.below((log.logEndOffset - committed) / 2 + 1)
            committed += even
            log.commitTo(committed)
          } else if (what === 8) {
            const even = 2 * random.below((log.logEndOffset - committed) / 2 + 1)
            log.truncateTo(committed + even)
            epoch++
          } else if (random.chance(0.5)) settle(flusher)
          else {
            disk.kill()
            flusher.forget()
            broker.start()
            log = broker.open(SMALL, { ...REPLICATED, commitOffset: committed })
          }
          if (step % 5 === 4) checkReads(log, committed)
          else expect(log.highWatermark).toBe(committed)
        }
      }
    },
    TIMEOUT_MS,
  )
})
