import { describe, expect, it } from 'vitest'
import { ErrorCode } from '../../src/base/error-code.ts'
import {
  EARLIEST_LOCAL_TIMESTAMP,
  EARLIEST_TIMESTAMP,
  LATEST_TIERED_TIMESTAMP,
  LATEST_TIMESTAMP,
  MAX_TIMESTAMP,
  TimestampSource,
} from '../../src/log/outcomes.ts'
import type { PartitionLog } from '../../src/log/partition-log.ts'
import { maxTimestampOf, timestampTypeOf } from '../../src/record/batch.ts'
import { readRecords } from '../../src/record/records.ts'
import { append, batchOf, newOffsets, simulated, storedBatches } from './support.ts'

const T = 1_700_000_000_000
const DAY_MS = 86_400_000

const bases = (log: PartitionLog) => log.segments.map((segment) => segment.baseOffset)

describe('segments roll', () => {
  it('before a batch that would pass segment.bytes', () => {
    const log = simulated().broker.open({ segmentBytes: 200 })
    const size = batchOf(['x'.repeat(20)]).length
    expect(size * 2).toBeLessThanOrEqual(200)
    expect(size * 3).toBeGreaterThan(200)
    for (let i = 0; i < 5; i++) append(log, batchOf(['x'.repeat(20)]))
    expect(bases(log)).toEqual([0, 2, 4])
    expect(append(log, batchOf(['x'.repeat(200)])).error).toBe(ErrorCode.RECORD_LIST_TOO_LARGE)
  })

  it('when record time has moved on by segment.ms, and by wall clock without record times', () => {
    const { broker } = simulated()
    const log = broker.open({ segmentMs: 1000 })
    append(log, batchOf(['a'], { timestampMs: T }))
    append(log, batchOf(['b'], { timestampMs: T + 1000 }))
    expect(bases(log)).toEqual([0])
    append(log, batchOf(['c'], { timestampMs: T + 1001 }))
    expect(bases(log)).toEqual([0, 2])
    const untimed = simulated()
    const other = untimed.broker.open({ segmentMs: 1000 })
    append(other, batchOf(['a'], { timestampMs: -1 }))
    untimed.broker.clock.advance(1001)
    append(other, batchOf(['b'], { timestampMs: -1 }))
    expect(bases(other)).toEqual([0, 1])
  })

  it('earlier by a jitter, and when an index is full', () => {
    const { broker } = simulated()
    const log = broker.open({ segmentMs: 1000, segmentJitterMs: 1000 })
    append(log, batchOf(['a'], { timestampMs: T }))
    const { jitterMs } = log.active!
    expect(jitterMs).toBeGreaterThan(0)
    append(log, batchOf(['b'], { timestampMs: T + 1001 - jitterMs }))
    expect(bases(log)).toEqual([0, 1])
    const full = simulated().broker.open({ segmentIndexBytes: 36, indexIntervalBytes: 0 })
    for (let i = 0; i < 8; i++) append(full, batchOf(['a'], { timestampMs: T + i }))
    expect(full.segments.length).toBeGreaterThan(1)
    expect(full.segments[0]!.times.count).toBeLessThanOrEqual(3)
  })
})

describe('records are judged and stamped', () => {
  it('by max.message.bytes and the timestamp limits', () => {
    const log = simulated().broker.open({
      maxMessageBytes: 300,
      messageTimestampBeforeMaxMs: 1000,
      messageTimestampAfterMaxMs: 1000,
    })
    expect(append(log, batchOf(['x'.repeat(300)])).error).toBe(ErrorCode.MESSAGE_TOO_LARGE)
    for (const timestampMs of [T - 1001, T + 1001]) {
      const out = append(log, batchOf(['x'], { timestampMs }))
      expect(out.error).toBe(ErrorCode.INVALID_TIMESTAMP)
    }
    expect(append(log, batchOf(['x'], { timestampMs: T - 1000 })).error).toBe(0)
    const bad = batchOf(['x'])
    bad[bad.length - 1]! ^= 1
    expect(append(log, bad).error).toBe(ErrorCode.CORRUPT_MESSAGE)
    expect(log.logEndOffset).toBe(1)
  })

  it.each([true, false])('with LogAppendTime by our clock, CRC and all (ring log: %s)', (rings) => {
    const { broker } = simulated(rings)
    const log = broker.open({ messageTimestampType: 'LogAppendTime' })
    const out = append(log, batchOf(['a', 'b'], { timestampMs: 5 }))
    expect([out.error, out.logAppendTimeMs]).toEqual([0, T])
    log.readBatches(0, (bytes, at, size) => {
      expect([timestampTypeOf(bytes, at), maxTimestampOf(bytes, at)]).toEqual(['logAppendTime', T])
      expect(readRecords(bytes.slice(at, at + size), 0)).toHaveLength(2)
      return true
    })
    const found = newOffsets()
    log.offsetForTimestamp(T - 5, found)
    expect(found).toMatchObject({ source: TimestampSource.ANSWERED, offset: 0, timestamp: T })
    const again = simulated(rings)
    const kept = again.broker.open({ messageTimestampType: 'LogAppendTime' })
    append(kept, batchOf(['a']))
    again.disk.kill()
    again.flusher.forget()
    again.broker.start()
    expect(storedBatches(again.broker.open())).toHaveLength(1)
  })
})

describe('ListOffsets', () => {
  it('knows earliest, latest, local and tiered', () => {
    const { broker } = simulated()
    const log = broker.open()
    const found = newOffsets()
    const ask = (timestamp: number) => {
      log.offsetForTimestamp(timestamp, found)
      return [found.offset, found.leaderEpoch]
    }
    expect(ask(LATEST_TIMESTAMP)).toEqual([0, -1])
    append(log, batchOf(['a', 'b']), 3)
    append(log, batchOf(['c']), 5)
    expect(ask(LATEST_TIMESTAMP)).toEqual([3, 5])
    expect(ask(EARLIEST_TIMESTAMP)).toEqual([0, 3])
    expect(ask(EARLIEST_LOCAL_TIMESTAMP)).toEqual([0, 3])
    expect(ask(LATEST_TIERED_TIMESTAMP)).toEqual([-1, -1])
    expect(log.endOffsetForEpoch(4)).toEqual({ epoch: 3, endOffset: 2 })
    // not begun, begun with the leader, before the first that is known: as Kafka answers
    expect(log.endOffsetForEpoch(9)).toEqual({ epoch: -1, endOffset: -1 })
    expect(log.endOffsetForEpoch(9, 9)).toEqual({ epoch: 9, endOffset: 3 })
    expect(log.endOffsetForEpoch(7, 9)).toEqual({ epoch: 5, endOffset: 3 })
    expect(log.endOffsetForEpoch(1)).toEqual({ epoch: 1, endOffset: 0 })
    expect(log.endOffsetForEpoch(-1)).toEqual({ epoch: -1, endOffset: -1 })
  })

  it('names the one batch in which the first record of a time is, and that of the largest', () => {
    const log = simulated().broker.open({ segmentBytes: 400, indexIntervalBytes: 50 })
    const times = [10, 30, 20, 90, 40, 90, 50, 60]
    for (const t of times) append(log, batchOf(['value'.repeat(8)], { timestampMs: T + t }))
    expect(log.segments.length).toBeGreaterThan(1)
    const found = newOffsets()
    const batchAt = (timestamp: number) => {
      log.offsetForTimestamp(timestamp, found)
      if (found.source === TimestampSource.ANSWERED) return found.offset
      const segment = log.segments.find((one) => one.baseOffset === found.segmentBaseOffset)!
      const bytes = new Uint8Array(found.byteLength)
      segment.log.get().read(bytes, 0, bytes.length, found.position)
      return Number(new DataView(bytes.buffer).getBigInt64(0))
    }
    expect([1, 10, 11, 31, 90, 91].map((t) => batchAt(T + t))).toEqual([0, 0, 1, 3, 3, -1])
    expect(batchAt(MAX_TIMESTAMP)).toBe(3)
    expect(found.timestamp).toBe(T + 90)
  })
})

describe('flush.messages and flush.ms', () => {
  it('let every N-th record wait for the flush, those between not', () => {
    const { broker, flusher } = simulated()
    let told = 0
    const log = broker.open({ flushMessages: 3 }, { onAcknowledged: () => told++ })
    append(log, batchOf(['a', 'b']))
    expect(log.acknowledgedOffset).toBe(2)
    append(log, batchOf(['c']))
    append(log, batchOf(['d']))
    expect([log.acknowledgedOffset, log.highWatermark, log.logEndOffset]).toEqual([2, 2, 4])
    flusher.doWork()
    expect(told).toBe(1)
    expect([log.durableOffset, log.acknowledgedOffset]).toEqual([3, 4])
  })

  it('ask for a flush in time', () => {
    const { broker, flusher } = simulated()
    const log = broker.open({ flushMs: 500 })
    append(log, batchOf(['a']))
    expect(log.acknowledgedOffset).toBe(1)
    expect(log.nextTimerAtMs).toBe(broker.clock.monotonicMs() + 500)
    broker.clock.advance(500)
    log.onTimer(broker.clock.monotonicMs())
    while (flusher.doWork() > 0);
    expect(log.durableOffset).toBe(1)
  })

  it('take a failed flush for a loss: the log stops', () => {
    const { broker, flusher, disk } = simulated()
    const log = broker.open({ flushMessages: 1 })
    append(log, batchOf(['a']))
    disk.onOperation = ({ operation }) =>
      operation === 'flush' ? { kind: 'error', code: 'EIO' } : null
    flusher.doWork()
    expect(log.failure).toMatch(/flush failed/)
    expect(log.acknowledgedOffset).toBe(0)
    expect(append(log, batchOf(['b'])).error).toBe(ErrorCode.KAFKA_STORAGE_ERROR)
  })
})

describe('retention', () => {
  const settle = (world: ReturnType<typeof simulated>, log: PartitionLog) => {
    for (let i = 0; i < 4; i++) {
      while (world.flusher.doWork() > 0);
      log.applyRetention()
    }
  }

  it('by time removes what is older, in the end the active segment too', () => {
    const world = simulated()
    const log = world.broker.open({ segmentBytes: 250, retentionMs: DAY_MS })
    for (let i = 0; i < 6; i++)
      append(log, batchOf(['x'.repeat(40)], { timestampMs: T + i * 1000 }))
    expect(log.retentionDueAtMs).toBe(T + 1000 + DAY_MS)
    world.broker.clock.advance(DAY_MS + 2_500)
    settle(world, log)
    expect(bases(log)).toEqual([2, 4])
    expect(log.logStartOffset).toBe(2)
    world.broker.clock.advance(DAY_MS)
    settle(world, log)
    expect([log.logStartOffset, log.logEndOffset, log.sizeBytes]).toEqual([6, 6, 0])
    expect(world.disk.list(log.directory).filter((name) => /\.log$|snapshot/.test(name))).toEqual([
      '00000000000000000006.log',
      '00000000000000000006.snapshot',
    ])
    world.disk.kill()
    world.flusher.forget()
    world.broker.start()
    const again = world.broker.open()
    expect([again.logStartOffset, again.logEndOffset]).toEqual([6, 6])
    expect(append(again, batchOf(['next'])).baseOffset).toBe(6)
  })

  it('waits until the name of what follows is durable', () => {
    const { broker, flusher } = simulated()
    const log = broker.open({ segmentBytes: 250, retentionMs: DAY_MS })
    for (let i = 0; i < 6; i++) append(log, batchOf(['x'.repeat(40)], { timestampMs: T }))
    broker.clock.advance(2 * DAY_MS)
    log.applyRetention()
    expect(log.logStartOffset).toBe(0)
    while (flusher.doWork() > 0);
    log.onTimer(broker.clock.monotonicMs())
    expect(log.logStartOffset).toBe(6)
  })

  it('by size keeps at least retention.bytes, and does nothing without the policy delete', () => {
    const world = simulated()
    const config = { segmentBytes: 250, retentionMs: -1, retentionBytes: 500 }
    const log = world.broker.open({ ...config, cleanupPolicy: { delete: false, compact: true } })
    for (let i = 0; i < 12; i++) append(log, batchOf(['x'.repeat(40)]))
    settle(world, log)
    expect(log.logStartOffset).toBe(0)
    log.updateConfig({ ...log.config, cleanupPolicy: { delete: true, compact: true } })
    settle(world, log)
    expect(log.sizeBytes).toBeGreaterThanOrEqual(500)
    expect(log.sizeBytes).toBeLessThan(500 + 250)
  })
})
