import { describe, expect, it } from 'vitest'
import { ErrorCode } from '../../src/base/error-code.ts'
import { SeededRandom } from '../../src/base/random.ts'
import { type CopyOptions, newCopyOutcome } from '../../src/log/batch-copier.ts'
import type { LogConfig } from '../../src/log/log-config.ts'
import { LocateSource } from '../../src/log/outcomes.ts'
import type { PartitionLog } from '../../src/log/partition-log.ts'
import type { SimulatedFlusher } from '../../src/log/simulated-flusher.ts'
import { baseOffsetOf, maxTimestampOf, sizeInBytesOf, stampCrc } from '../../src/record/batch.ts'
import { buildBatch } from '../../src/record/builder.ts'
import { checkGaps, compacted, reduced, seenBatches, seenRecords } from './cleaning-support.ts'
import {
  append,
  type Broker,
  batchOf,
  checkIndexes,
  newLocate,
  simulated,
  storedBatches,
} from './support.ts'
import { liveUntil } from './workload.ts'

const SEEDS = process.env.GRIOT_TEST_LONG ? 50 : 2
const TIMEOUT_MS = process.env.GRIOT_TEST_LONG ? 600_000 : 60_000
const NOW_MS = 1_700_000_000_000
const CHECKED: CopyOptions = { nowMs: NOW_MS, gapsTo: 0, checksCrc: true }
const SMALL: Partial<LogConfig> = { segmentBytes: 700, indexIntervalBytes: 100, retentionMs: -1 }

const settle = (flusher: SimulatedFlusher) => {
  while (flusher.doWork() > 0);
}

/** A leader's log: producers, epochs, times, several segments. */
function leader(config: Partial<LogConfig> = { ...SMALL, segmentBytes: 900 }) {
  const { broker } = simulated()
  const log = broker.open(config)
  let sequence = 0
  for (let i = 0; i < 24; i++) {
    const values = Array.from({ length: 1 + (i % 3) }, (_, n) => `${i}-${n}`.padEnd(i * 3, '.'))
    const producer = i % 2 === 0 ? { producerId: 42, producerEpoch: 1, baseSequence: sequence } : {}
    if (i % 2 === 0) sequence += values.length
    append(log, batchOf(values, { ...producer, timestampMs: NOW_MS + i * 10 }), i >> 3)
  }
  return log
}

/** All bytes of a log's segments, one after another. */
function bytesOf(log: PartitionLog): Uint8Array {
  const { disk } = log.environment
  return Buffer.concat(log.segments.map((segment) => disk.readFile(segment.log.path)))
}

/** Copies all of `from` that `to` lacks, in pieces of some length. */
function copyAll(
  from: PartitionLog,
  to: PartitionLog,
  pieceBytes: () => number,
  options = CHECKED,
) {
  const bytes = bytesOf(from)
  const out = newCopyOutcome()
  let at = 0
  while (at < bytes.length && baseOffsetOf(bytes, at) < to.logEndOffset) {
    at += sizeInBytesOf(bytes, at)
  }
  let next = 0
  while (at < bytes.length) {
    const end = Math.min(bytes.length, at + Math.max(next, pieceBytes()))
    to.appendCopies(bytes, at, end, options, out)
    expect([out.fault, out.faultMessage]).toEqual([null, null])
    next = out.takenBytes === 0 ? Math.max(out.nextBytes, 61) : 0
    at += out.takenBytes
  }
}

const described = (log: PartitionLog) =>
  log.producers.describe().map((entry) => ({ ...entry, timestampMs: 0 }))

function expectSame(from: PartitionLog, to: PartitionLog): void {
  expect(storedBatches(to)).toEqual(storedBatches(from))
  expect(to.epochs.lines).toEqual(from.epochs.lines)
  expect(to.logEndOffset).toBe(from.logEndOffset)
  expect(described(to)).toEqual(described(from))
  checkIndexes(to)
}

describe('a follower', () => {
  it('has the batches, epochs and producers of the log it copies, in its own segments', () => {
    const from = leader()
    const sizes = [1, 100, 450, 3_000, 100_000]
    for (const size of sizes) {
      const { broker, disk, flusher } = simulated(size % 2 === 0)
      const to = broker.open(SMALL)
      copyAll(from, to, () => size)
      expectSame(from, to)
      const bases = to.segments.map(({ baseOffset }) => baseOffset)
      expect(bases).not.toEqual(from.segments.map(({ baseOffset }) => baseOffset))
      disk.kill()
      flusher.forget()
      broker.start()
      expectSame(from, broker.open(SMALL))
    }
  })

  it('becomes a leader that knows duplicates and sequences, and the other way round', () => {
    const from = leader()
    const { broker } = simulated()
    const to = broker.open(SMALL)
    copyAll(from, to, () => 1_000)
    const { lastSequence, lastOffset } = to.producers.describe()[0]!
    const again = { producerId: 42, producerEpoch: 1, baseSequence: lastSequence }
    const twice = append(to, batchOf(['x'], again), 3)
    expect([twice.error, twice.duplicate]).toEqual([
      lastOffset >= 0 ? ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER : -1,
      false,
    ])
    const next = { ...again, baseSequence: lastSequence + 1 }
    const own = append(to, batchOf(['y'], next), 3)
    expect([own.error, own.baseOffset]).toEqual([0, from.logEndOffset])
    copyAll(to, from, () => 10_000)
    expectSame(to, from)
    expect(append(from, batchOf(['z']), 4).baseOffset).toBe(to.logEndOffset)
  })

  it('knows the producers of before when it goes on after a clean stop', () => {
    const { broker, flusher } = simulated()
    const batch = (offset: number, producerId: number) =>
      batchOf(['x'], { baseOffset: offset, producerId, producerEpoch: 0, baseSequence: 0 })
    const to = broker.open()
    const out = newCopyOutcome()
    for (const offset of [0, 1]) {
      const bytes = batch(offset, 10 + offset)
      to.appendCopies(bytes, 0, bytes.length, CHECKED, out)
    }
    to.flushAll(() => {})
    settle(flusher)
    expect(to.close().dirty).toBe(false)
    const again = broker.open()
    const bytes = batch(2, 12)
    again.appendCopies(bytes, 0, bytes.length, CHECKED, out)
    expect(described(again).map(({ producerId }) => producerId)).toEqual([10, 11, 12])
  })

  it('is told how much a batch takes that is not whole', () => {
    const bytes = bytesOf(leader())
    const { broker } = simulated()
    const to = broker.open(SMALL)
    const out = newCopyOutcome()
    const first = sizeInBytesOf(bytes, 0)
    to.appendCopies(bytes, 0, 60, CHECKED, out)
    expect(out).toMatchObject({ takenBytes: 0, nextBytes: 0, fault: null })
    to.appendCopies(bytes, 0, first - 1, CHECKED, out)
    expect(out).toMatchObject({ takenBytes: 0, nextBytes: first, fault: null })
    to.appendCopies(bytes, 0, first + 61, CHECKED, out)
    expect(out).toMatchObject({
      ...{ takenBytes: first, nextBytes: sizeInBytesOf(bytes, first), fault: null },
    })
    expect(to.logEndOffset).toBe(1)
  })

  it('takes what comes before a batch that it cannot take, and says why', () => {
    const bytes = bytesOf(leader())
    const second = sizeInBytesOf(bytes, 0)
    const damage = (change: (copy: Uint8Array) => void) => {
      const copy = Uint8Array.from(bytes)
      change(copy)
      return copy
    }
    const cases: [string, Uint8Array, Partial<CopyOptions>][] = [
      ['badCrc', damage((copy) => copy.fill(copy[second + 63]! ^ 1, second + 63, second + 64)), {}],
      ['badMagic', damage((copy) => copy.fill(9, second + 16, second + 17)), {}],
      ['badLength', damage((copy) => copy.fill(0, second + 8, second + 12)), {}],
      ['unknownCodec', damage((copy) => copy.fill(7, second + 22, second + 23)), {}],
      ['wrongOffset', damage((copy) => copy.fill(5, second + 7, second + 8)), { gapsTo: 4 }],
      ['wrongOffset', damage((copy) => copy.fill(0, second + 7, second + 8)), { gapsTo: 9 }],
      ['epochGoesBack', damage((copy) => copy.fill(3, 15, 16)), {}],
    ]
    for (const [fault, copy, options] of cases) {
      const { broker } = simulated()
      const to = broker.open(SMALL)
      const out = newCopyOutcome()
      to.appendCopies(copy, 0, copy.length, { ...CHECKED, ...options }, out)
      expect(out).toMatchObject({ takenBytes: second, fault })
      expect(out.faultMessage).not.toBe(null)
      expect(storedBatches(to)).toHaveLength(1)
    }
    // who has checked it before need not do it again
    const [, copy] = cases[0]!
    const out = newCopyOutcome()
    const to = simulated().broker.open(SMALL)
    to.appendCopies(copy, 0, copy.length, { ...CHECKED, checksCrc: false }, out)
    expect([out.fault, out.takenBytes]).toEqual([null, copy.length])
  })

  it('forgets an epoch of its own that has no batch when it follows another', () => {
    const { broker, disk } = simulated()
    const to = broker.open(SMALL)
    append(to, batchOf(['0-0']), 0)
    disk.onOperation = ({ operation, path }) =>
      operation === 'write' && path.endsWith('.log') ? { kind: 'error', code: 'EIO' } : null
    expect(append(to, batchOf(['own']), 5).error).not.toBe(0)
    disk.onOperation = null
    const out = newCopyOutcome()
    const bytes = batchOf(['a'], { baseOffset: 1, leaderEpoch: 4 })
    to.appendCopies(bytes, 0, bytes.length, CHECKED, out)
    expect([out.fault, to.epochs.latest]).toEqual([null, 4])
    checkIndexes(to)
  })
})

describe('a follower of a log that was cleaned', () => {
  it('has what is left of it, and may be cleaned itself', () => {
    const from = compacted()
    for (let i = 0; i < 60; i++) {
      const producer = { producerId: 3, producerEpoch: 0, baseSequence: i * 2 }
      from.write(
        [
          [`k${i % 7}`, `${i}`],
          [`only ${i % 3}`, `${i}`],
        ],
        producer,
        i >> 4,
      )
    }
    from.roll()
    expect(from.clean()?.kind).toBe('cleaned')
    for (let i = 0; i < 5; i++) from.write([[`k${i}`, 'new']], {}, 9)
    const { gapsTo } = from.log.cleanPoint
    for (const size of [200, 900, 100_000]) {
      const to = compacted({ segmentBytes: 1_100 })
      copyAll(from.log, to.log, () => size, { ...CHECKED, gapsTo })
      expect(seenBatches(to.log)).toEqual(seenBatches(from.log))
      expect(to.log.logEndOffset).toBe(from.log.logEndOffset)
      expect(described(to.log)).toEqual(described(from.log))
      checkGaps(to.log)
      to.reopen()
      to.flush()
      to.reopen(size)
      expect(seenBatches(to.log)).toEqual(seenBatches(from.log))
      to.roll()
      expect(to.clean()?.kind).toBe('cleaned')
      checkGaps(to.log)
      expect(reduced(seenRecords(to.log))).toEqual(reduced(seenRecords(from.log)))
    }
  })

  const one = (offset: number, epoch = 0) =>
    batchOf([`at ${offset}`], { baseOffset: offset, leaderEpoch: epoch })
  const empty = buildBatch([], { baseOffset: 9, leaderEpoch: 0, lastOffsetDelta: 4 })
  const bytes = Buffer.concat([one(3), one(4), empty, one(20), one(21)])

  it('takes gaps below what is named, and batches that are empty, and keeps them over a power cut', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const { broker, disk, flusher } = simulated()
      const config = { segmentBytes: 2_000, indexIntervalBytes: 50, flushMessages: 1 }
      const to = broker.open(config)
      const out = newCopyOutcome()
      const begin = one(0)
      to.appendCopies(begin, 0, begin.length, CHECKED, out)
      settle(flusher)
      to.appendCopies(bytes, 0, bytes.length, { ...CHECKED, gapsTo: 20 }, out)
      expect([out.fault, out.takenBytes, to.logEndOffset]).toEqual([null, bytes.length, 22])
      settle(flusher)
      expect(to.acknowledgedOffset).toBe(22)
      disk.powerCut(seed)
      flusher.forget()
      broker.start()
      const again = broker.open(config)
      expect([seed, again.failure, again.logEndOffset]).toEqual([seed, null, 22])
      expect(storedBatches(again).map(({ base, last }) => [base, last])).toEqual([
        ...[
          [0, 0],
          [3, 3],
          [4, 4],
          [9, 13],
        ],
        ...[
          [20, 20],
          [21, 21],
        ],
      ])
      const wrong = one(24)
      again.appendCopies(wrong, 0, wrong.length, { ...CHECKED, gapsTo: 20 }, out)
      expect(out.fault).toBe('wrongOffset')
    }
  })
})

/** Of the active segment, by its batches. */
function newestTimestamp(log: PartitionLog): number {
  let newest = -1
  log.readBatches(log.active?.baseOffset ?? 0, (bytes, at) => {
    newest = Math.max(newest, maxTimestampOf(bytes, at))
    return true
  })
  return newest
}

describe('a follower whose disk fails', () => {
  it('has no trace of what could not be written, and takes it again', () => {
    const from = leader()
    const bytes = bytesOf(from)
    let failures = 0
    for (let at = 1; at < 60; at++) {
      const { broker, disk } = simulated(at % 2 === 0)
      const to = broker.open(SMALL)
      const first = disk.operations + at
      disk.onOperation = ({ number }) => (number === first ? { kind: 'error', code: 'EIO' } : null)
      const out = newCopyOutcome()
      let taken = 0
      for (let tries = 0; taken < bytes.length; tries++) {
        expect(tries).toBeLessThan(bytes.length)
        const end = Math.min(bytes.length, taken + 1_300)
        to.appendCopies(bytes, taken, end, CHECKED, out)
        taken += out.takenBytes
        if (out.fault === null) continue
        failures++
        expect(out.fault).toBe('writeFailed')
        expect(to.logEndOffset).toBe(taken === 0 ? 0 : storedBatches(to).at(-1)!.last + 1)
        checkIndexes(to)
        for (const { lastOffset } of to.producers.describe()) {
          expect(lastOffset).toBeLessThan(to.logEndOffset)
        }
        expect(to.active?.maxTimestamp ?? -1).toBe(newestTimestamp(to))
      }
      expectSame(from, to)
    }
    expect(failures).toBeGreaterThan(20)
  })

  it('is not held up by the mark of a full disk, and uses the reserve', () => {
    const { broker, disk } = simulated()
    const room = 2 ** 40
    broker.reserveBytes = 10_000
    broker.start()
    broker.markBytes = room * 2
    broker.start()
    const to = broker.open(SMALL)
    expect(append(to, batchOf(['x'])).error).toBe(ErrorCode.KAFKA_STORAGE_ERROR)
    disk.occupiedBytes = disk.freeBytes('/').free - 100
    const bytes = bytesOf(leader())
    const out = newCopyOutcome()
    to.appendCopies(bytes, 0, 400, CHECKED, out)
    expect([out.fault, out.takenBytes > 100]).toEqual([null, true])
    expect(disk.exists('/data/broker-1/reserve')).toBe(false)
  })
})

describe('the ring log of a follower', () => {
  it('is fed while somebody reads the end, and left alone otherwise', () => {
    const from = leader()
    const bytes = bytesOf(from)
    const { broker } = simulated()
    const to = broker.open(SMALL)
    const out = newCopyOutcome()
    const where = newLocate()
    to.appendCopies(bytes, 0, 600, CHECKED, out)
    expect(to.ring).toBe(null)
    let at = out.takenBytes
    to.noteReader()
    to.appendCopies(bytes, at, at + 900, CHECKED, out)
    at += out.takenBytes
    to.locate(to.logEndOffset - 1, 1, where)
    expect(where.source).toBe(LocateSource.RING)
    broker.clock.advance(20_000)
    to.appendCopies(bytes, at, at + 600, CHECKED, out)
    at += out.takenBytes
    to.locate(to.logEndOffset - 1, 1, where)
    expect(where.source).toBe(LocateSource.FILE)
    to.noteReader()
    to.appendCopies(bytes, at, bytes.length, CHECKED, out)
    to.locate(to.logEndOffset - 1, 1, where)
    expect(where.source).toBe(LocateSource.RING)
    expectSame(from, to)
  })

  it('takes runs that are longer than it, and batches that it has no room for', () => {
    const { broker } = simulated()
    const to = broker.open({ retentionMs: -1 })
    const where = newLocate()
    const out = newCopyOutcome()
    to.noteReader()
    let offset = 0
    for (const size of [20_000, 30_000, 100, 2 ** 20, 9 * 2 ** 20, 100, 100]) {
      const run = Array.from({ length: 5 }, () => {
        const batch = batchOf(['x'.repeat(size)], { baseOffset: offset++ })
        stampCrc(batch, 0)
        return batch
      })
      const bytes = Buffer.concat(run)
      to.appendCopies(bytes, 0, bytes.length, CHECKED, out)
      expect([out.fault, out.takenBytes]).toEqual([null, bytes.length])
      to.locate(offset - 1, 1, where)
      const fits = size <= 2 ** 20
      expect([size, where.source]).toEqual([size, fits ? LocateSource.RING : LocateSource.FILE])
    }
    expect(storedBatches(to)).toHaveLength(35)
  })
})

/** Copies with pauses, flushes, a clean stop and a reopening, until it is through or the disk says no. */
function live(
  broker: Broker,
  flusher: SimulatedFlusher,
  from: PartitionLog,
  told: { stored: number },
) {
  const config = { ...SMALL, flushMessages: 1 }
  const bytes = bytesOf(from)
  broker.start()
  let log = broker.open(config)
  const out = newCopyOutcome()
  const random = new SeededRandom(4)
  for (let at = 0, step = 0; at < bytes.length; step++) {
    const end = Math.min(bytes.length, at + 100 + random.below(700))
    log.appendCopies(bytes, at, end, CHECKED, out)
    expect(out.fault).toBe(null)
    at += out.takenBytes
    if (step % 3 !== 1) flusher.doWork()
    told.stored = Math.max(told.stored, log.storedOffset)
    if (step === 6) {
      settle(flusher)
      log.flushAll(() => {})
      settle(flusher)
      log.close()
      log = broker.open(config)
    }
  }
  settle(flusher)
  told.stored = Math.max(told.stored, log.storedOffset)
}

describe('after every single change on the disk of a follower', () => {
  it.each(['kill', 'powerCut'] as const)(
    '%s leaves a beginning of what was copied',
    (end) => {
      const from = leader()
      const all = storedBatches(from)
      let changes = 0
      for (let at = 1, more = true; more; at++) {
        for (let seed = 1; seed <= (end === 'kill' ? 2 : SEEDS); seed++) {
          const { broker, disk, flusher } = simulated(seed % 2 === 0)
          const told = { stored: 0 }
          more = liveUntil(disk, disk.operations + at, () => live(broker, flusher, from, told))
          if (end === 'kill') disk.kill()
          else disk.powerCut(at * 100 + seed)
          flusher.forget()
          broker.start()
          const again = broker.open(SMALL)
          const where = `change ${at}, seed ${seed}`
          const stored = storedBatches(again)
          expect([again.failure, stored], where).toEqual([null, all.slice(0, stored.length)])
          expect(again.logEndOffset, where).toBeGreaterThanOrEqual(told.stored)
          copyAll(from, again, () => 500)
          expectSame(from, again)
        }
        changes = at
      }
      expect(changes).toBeGreaterThan(60)
    },
    TIMEOUT_MS,
  )
})
