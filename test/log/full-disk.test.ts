import { describe, expect, it } from 'vitest'
import { ErrorCode } from '../../src/base/error-code.ts'
import { LocateSource, newAppendOutcome } from '../../src/log/outcomes.ts'
import type { PartitionLog } from '../../src/log/partition-log.ts'
import type { SimulatedFlusher } from '../../src/log/simulated-flusher.ts'
import {
  append,
  type Broker,
  batchOf,
  checkIndexes,
  newLocate,
  ROOT,
  simulated,
  storedBatches,
  tailOf,
} from './support.ts'
import { SMALL } from './workload.ts'

/** Goes on through errors; returns the batches that the log took, by base offset. */
function liveThroughErrors(broker: Broker, flusher: SimulatedFlusher, log: PartitionLog) {
  const taken = new Map<number, string>()
  let sequence = 0
  for (let step = 0; step < 14; step++) {
    const parked: { last: number; base: number; tail: string; count: number }[] = []
    for (const values of [[`${step}-a`, `${step}-b`], [`${step}`.padEnd(150, '.')]]) {
      const batch = batchOf(values, { producerId: 9, producerEpoch: 0, baseSequence: sequence })
      const out = newAppendOutcome()
      log.stage(batch, broker.clock.wallMs(), step < 7 ? 0 : 1, out)
      if (out.error !== ErrorCode.NONE) {
        expect(out.error).toBe(ErrorCode.KAFKA_STORAGE_ERROR)
        continue
      }
      const tail = tailOf(batch, 0, batch.length)
      parked.push({ base: out.baseOffset, last: out.lastOffset, tail, count: values.length })
      sequence += values.length
    }
    const failed = log.write()
    for (const { base, last, tail, count } of parked) {
      if (last < log.logEndOffset) taken.set(base, tail)
      else {
        expect(failed?.code).toBe('ENOSPC')
        // The client sends it again with the sequence that the log still expects.
        sequence -= count
      }
    }
    expect(storedBatches(log).map((batch) => batch.tail)).toEqual(
      [...taken].filter(([base]) => base >= log.logStartOffset).map(([, tail]) => tail),
    )
    flusher.doWork()
    broker.clock.advance(1_000)
    if (step % 5 === 4) log.applyRetention()
  }
  return taken
}

describe('a full disk', () => {
  it('at any single change undoes what was staged, and the log goes on', () => {
    let refused = 0
    for (let at = 1; ; at++) {
      const { disk, flusher, broker } = simulated(at % 2 === 0)
      const log = broker.open(SMALL)
      const from = disk.operations
      let struck = false
      disk.onOperation = ({ number, operation }) => {
        // Flushing, cutting and removing take no space.
        if (number < from + at || struck || ['flush', 'truncate', 'remove'].includes(operation)) {
          return null
        }
        struck = true
        return { kind: 'error', code: 'ENOSPC' }
      }
      const taken = liveThroughErrors(broker, flusher, log)
      disk.onOperation = null
      if (!struck) break
      if (taken.size < 28) refused++
      expect(log.failure).toBe(null)
      checkIndexes(log)
      expect(taken.size).toBeGreaterThanOrEqual(24)
      disk.kill()
      flusher.forget()
      broker.start()
      const again = broker.open(SMALL)
      checkIndexes(again)
      expect(storedBatches(again).map((batch) => batch.tail)).toEqual(
        [...taken].filter(([base]) => base >= again.logStartOffset).map(([, tail]) => tail),
      )
    }
    expect(refused).toBeGreaterThan(20)
  })

  it('refuses produce below the mark with one line, serves reads, and takes produce again', () => {
    const { disk, broker } = simulated()
    broker.markBytes = 1 << 20
    broker.start()
    const log = broker.open()
    expect(append(log, batchOf(['before'])).error).toBe(0)
    disk.occupiedBytes = 2 ** 40 - (1 << 19)
    broker.clock.advance(150)
    append(log, batchOf(['last']))
    for (let i = 0; i < 10; i++) {
      const out = append(log, batchOf(['no']))
      expect(out.error).toBe(ErrorCode.KAFKA_STORAGE_ERROR)
      broker.clock.advance(30)
    }
    expect(log.logEndOffset).toBe(2)
    const where = newLocate()
    log.locate(0, 100, where)
    expect(where.source).not.toBe(LocateSource.NONE)
    const errors = broker.lines.filter((line) => line.level === 'error')
    expect(errors).toHaveLength(1)
    expect(errors[0]!.message).toMatch(
      /refused \(\/data\/broker-1: \d+ bytes free, the mark is 1048576\)/,
    )
    disk.occupiedBytes = 0
    broker.clock.advance(150)
    expect(append(log, batchOf(['after'])).baseOffset).toBe(2)
  })

  it('empties itself by retention, with the reserve where nothing else is left', () => {
    const { disk, flusher, broker } = simulated()
    broker.reserveBytes = 64 << 10
    broker.start()
    expect(disk.size(`${ROOT}/reserve`)).toBeGreaterThanOrEqual(64 << 10)
    const log = broker.open({ segmentBytes: 1000, retentionMs: 60_000 })
    for (let i = 0; i < 20; i++) append(log, batchOf(['x'.repeat(300)], { timestampMs: 1 }))
    while (flusher.doWork() > 0);
    disk.occupiedBytes += disk.freeBytes('/').free
    broker.clock.advance(200)
    expect(append(log, batchOf(['no'])).error).toBe(ErrorCode.KAFKA_STORAGE_ERROR)
    const sizeBefore = log.sizeBytes
    // The active segment is old too: to roll it takes a snapshot, and so some space.
    log.applyRetention()
    while (flusher.doWork() > 0);
    log.onTimer(broker.clock.monotonicMs())
    expect(log.sizeBytes).toBeLessThan(sizeBefore)
    expect(log.logStartOffset).toBe(20)
    expect(disk.exists(`${ROOT}/reserve`)).toBe(false)
    broker.clock.advance(200)
    expect(append(log, batchOf(['after'])).baseOffset).toBe(20)
  })

  it('still takes metadata, at the end from the reserve', () => {
    const { disk, broker } = simulated()
    broker.reserveBytes = 64 << 10
    broker.start()
    const more = { origin: 'broker', appendsWhenFull: true } as const
    const log = broker.open({}, more)
    append(log, batchOf(['first']))
    disk.occupiedBytes += disk.freeBytes('/').free
    for (let i = 0; i < 10; i++) expect(append(log, batchOf(['on'])).error).toBe(0)
    expect([log.logEndOffset, disk.exists(`${ROOT}/reserve`)]).toEqual([11, false])
    expect(storedBatches(log)).toHaveLength(11)
  })
})
