import { describe, expect, it } from 'vitest'
import { ErrorCode } from '../../src/base/error-code.ts'
import { newAppendOutcome } from '../../src/log/outcomes.ts'
import type { PartitionLog } from '../../src/log/partition-log.ts'
import { decodeProducerSnapshot, encodeProducerSnapshot } from '../../src/log/producer-snapshot.ts'
import { append, batchOf, simulated } from './support.ts'

const P = { producerId: 5, producerEpoch: 0 }
const one = (baseSequence: number, more: { producerEpoch?: number; producerId?: number } = {}) =>
  batchOf(['x'], { ...P, baseSequence, ...more })

function filled(log: PartitionLog, count: number): void {
  for (let i = 0; i < count; i++) expect(append(log, one(i)).error).toBe(0)
}

describe('idempotent producers', () => {
  it('are told the offset of the original for each of their last five batches', () => {
    const log = simulated().broker.open()
    filled(log, 8)
    for (let sequence = 3; sequence < 8; sequence++) {
      expect(append(log, one(sequence))).toMatchObject({
        error: 0,
        duplicate: true,
        baseOffset: sequence,
        lastOffset: sequence,
        logAppendTimeMs: -1,
      })
    }
    expect(append(log, one(2)).error).toBe(ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER)
    expect(log.logEndOffset).toBe(8)
  })

  it('may not leave a gap, nor come back with an older epoch, and begin a new one with 0', () => {
    const log = simulated().broker.open()
    filled(log, 2)
    expect(append(log, one(3)).error).toBe(ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER)
    expect(append(log, one(1, { producerEpoch: 2 })).error).toBe(
      ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER,
    )
    expect(append(log, one(0, { producerEpoch: 2 })).error).toBe(0)
    expect(append(log, one(2)).error).toBe(ErrorCode.INVALID_PRODUCER_EPOCH)
    // An unknown producer may begin anywhere, as since KIP-360.
    expect(append(log, one(77, { producerId: 6 })).error).toBe(0)
  })

  it('wrap their sequence after 2^31 - 1', () => {
    const log = simulated().broker.open()
    const values = ['a', 'b', 'c']
    const wrapping = batchOf(values, { ...P, baseSequence: 2 ** 31 - 2 })
    expect(append(log, wrapping).error).toBe(0)
    expect(append(log, one(1)).error).toBe(0)
    expect(append(log, wrapping)).toMatchObject({ duplicate: true, baseOffset: 0, lastOffset: 2 })
    expect(append(log, one(2)).baseOffset).toBe(4)
  })

  it('get a duplicate within a turn, which is acknowledged with its original only', () => {
    const { broker, flusher } = simulated()
    const log = broker.open({ flushMessages: 1 })
    const out = newAppendOutcome()
    log.stage(one(0), broker.clock.wallMs(), 0, out)
    log.stage(one(0), broker.clock.wallMs(), 0, out)
    expect(out).toMatchObject({ error: 0, duplicate: true, lastOffset: 0 })
    expect(log.write()).toBe(null)
    expect(append(log, one(0))).toMatchObject({ duplicate: true, lastOffset: 0 })
    expect(log.acknowledgedOffset).toBe(0)
    flusher.doWork()
    expect(log.acknowledgedOffset).toBe(1)
    expect(log.logEndOffset).toBe(1)
  })

  it('are known after a restart, also when retention has removed their batches', () => {
    const { broker, flusher, disk } = simulated()
    const config = { segmentBytes: 300, retentionBytes: 0 }
    let log = broker.open(config)
    filled(log, 6)
    for (let i = 0; i < 8; i++) append(log, batchOf(['another'.repeat(10)]))
    while (flusher.doWork() > 0);
    log.applyRetention()
    expect(log.logStartOffset).toBeGreaterThan(6)
    disk.kill()
    flusher.forget()
    broker.start()
    log = broker.open(config)
    expect(append(log, one(5))).toMatchObject({ duplicate: true, baseOffset: 5 })
    expect(append(log, one(7)).error).toBe(ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER)
    expect(append(log, one(6)).error).toBe(0)
  })

  it('are known by their last five batches after a restart, also where a snapshot comes between', () => {
    const { broker, flusher, disk } = simulated()
    const config = { segmentBytes: 300 }
    let log = broker.open(config)
    filled(log, 14)
    expect(log.producers.snapshots.at(-1)).toBe(12)
    disk.kill()
    flusher.forget()
    broker.start()
    log = broker.open(config)
    for (let sequence = 9; sequence < 14; sequence++) {
      expect(append(log, one(sequence))).toMatchObject({ duplicate: true, baseOffset: sequence })
    }
    expect(append(log, one(8)).error).toBe(ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER)
    expect(log.producers.describe()).toHaveLength(1)
  })

  it('have in a snapshot what they may send again, and what Kafka reads comes last', () => {
    const { broker, disk } = simulated()
    const log = broker.open({ segmentBytes: 300 })
    filled(log, 7)
    broker.clock.advance(700_000)
    append(log, one(0, { producerId: 6 }))
    append(log, one(1, { producerId: 6 }))
    const path = log.producers.snapshot(log.logEndOffset)!
    const kept = decodeProducerSnapshot(disk.readFile(path))!
    const told = kept.map(({ producerId, lastSequence }) => [producerId, lastSequence])
    // the first has not written for long
    expect(told).toEqual([
      [5, 6],
      [6, 0],
      [6, 1],
    ])
  })

  it.each([
    ['what comes before its write', 'open', '.log'],
    ['its write', 'write', '.log'],
  ])(
    'do not begin with what was sent behind a batch of which the disk has refused %s',
    (_, operation, suffix) => {
      const { broker, disk } = simulated()
      const log = broker.open()
      disk.onOperation = (at) =>
        at.operation === operation && at.path.endsWith(suffix)
          ? { kind: 'error', code: 'EIO' }
          : null
      const batch = one(2)
      expect(append(log, batch).error).toBe(ErrorCode.KAFKA_STORAGE_ERROR)
      log.producers.refused(batch)
      disk.onOperation = null
      expect(append(log, one(3)).error).toBe(ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER)
      // another epoch, and another producer, have nothing to do with it
      expect(append(log, one(9, { producerId: 6 })).error).toBe(0)
      expect(append(log, batch)).toMatchObject({ error: 0, duplicate: false })
      expect(append(log, one(3)).error).toBe(0)
    },
  )

  it('are refused in order when a write fails that was to hold several of theirs', () => {
    const { broker, disk } = simulated()
    const log = broker.open()
    const out = newAppendOutcome()
    for (const sequence of [4, 5]) log.stage(one(sequence), broker.clock.wallMs(), 0, out)
    disk.onOperation = ({ operation }) =>
      operation === 'write' ? { kind: 'error', code: 'EIO' } : null
    expect(log.write()).not.toBe(null)
    disk.onOperation = null
    expect(append(log, one(5)).error).toBe(ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER)
    expect(append(log, one(6)).error).toBe(ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER)
    for (const sequence of [4, 5, 6]) expect(append(log, one(sequence)).error).toBe(0)
  })

  it('are forgotten a day after their last write, not before', () => {
    const { broker } = simulated()
    const log = broker.open()
    // What they write is old: that does not make them forgotten.
    append(log, batchOf(['old'], { ...P, baseSequence: 0, timestampMs: 1_000 }))
    broker.clock.advance(86_000_000)
    log.onTimer(broker.clock.monotonicMs())
    expect(append(log, one(9)).error).toBe(ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER)
    broker.clock.advance(1_000_000)
    log.onTimer(broker.clock.monotonicMs())
    expect(append(log, one(9)).error).toBe(0)
  })

  it('are read from an older snapshot and the batches after it when the newest is torn', () => {
    const { broker, disk, flusher } = simulated()
    const log = broker.open({ segmentBytes: 300 })
    filled(log, 12)
    const newest = log.producers.snapshots.at(-1)!
    disk.kill()
    flusher.forget()
    disk.flipBit(log.producers.path(newest), 20)
    broker.start()
    const again = broker.open({ segmentBytes: 300 })
    expect(append(again, one(11))).toMatchObject({ duplicate: true, baseOffset: 11 })
    expect(append(again, one(12)).error).toBe(0)
  })
})

describe('a producer snapshot', () => {
  it('says what was put in, and notices every flipped bit', () => {
    const entry = {
      producerId: 2 ** 40 + 1,
      epoch: 3,
      lastSequence: 2 ** 31 - 1,
      lastOffset: 2 ** 35,
      offsetDelta: 9,
      timestampMs: 1_700_000_000_000,
      coordinatorEpoch: -1,
      txnFirstOffset: -1,
    }
    const bytes = encodeProducerSnapshot([entry, { ...entry, producerId: 1 }])
    expect(decodeProducerSnapshot(bytes)).toEqual([entry, { ...entry, producerId: 1 }])
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const torn = bytes.slice()
      torn[bit >> 3]! ^= 1 << (bit & 7)
      expect(decodeProducerSnapshot(torn)).toBe(null)
    }
  })
})
