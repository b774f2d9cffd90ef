/** More producers than one partition remembers: invented ids cost bounded memory, and nobody who writes is forgotten. */
import { describe, expect, it } from 'vitest'
import { ErrorCode } from '../../src/base/error-code.ts'
import { encodeProducerSnapshot } from '../../src/log/producer-snapshot.ts'
import {
  newVerdict,
  PRODUCERS_MAX,
  type ProducerSnapshotEntry,
  ProducerTable,
} from '../../src/log/producers.ts'
import { append, batchOf, DIRECTORY, simulated } from './support.ts'

const MAX = 1_000

function tableOf(max = MAX) {
  const table = new ProducerTable(max)
  let offset = 0
  const write = (producerId: number, baseSequence: number, nowMs = 0) => {
    const batch = { producerId, epoch: 0, baseSequence, lastOffsetDelta: 0 }
    table.append(batch, offset++, 1_700_000_000_000, nowMs)
  }
  const verdictOn = (producerId: number, baseSequence: number) => {
    const verdict = newVerdict()
    table.check({ producerId, epoch: 0, baseSequence, lastOffsetDelta: 0 }, verdict)
    return verdict
  }
  return { table, write, verdictOn }
}

describe('a table of producers', () => {
  it('holds no more than it may, and forgets the longest idle first', () => {
    const { table, write, verdictOn } = tableOf()
    for (let id = 0; id < 20 * MAX; id++) {
      write(id, 0)
      table.commit()
      expect(table.size).toBeLessThanOrEqual(MAX)
    }
    expect(table.size).toBeGreaterThan(MAX * 0.9)
    expect(table.forgotten).toBe(20 * MAX - table.size)
    for (let id = 20 * MAX - MAX * 0.9; id < 20 * MAX; id++) {
      expect(verdictOn(id, 0).duplicate).toBe(true)
    }
    // whoever was forgotten may go on, as after producer.id.expiration.ms
    expect(verdictOn(3, 1).error).toBe(ErrorCode.NONE)
  })

  it('keeps those who write, however many come and go', () => {
    const { table, write, verdictOn } = tableOf()
    const active = 300
    let invented = 1_000_000
    for (let sequence = 0; sequence < 60; sequence++) {
      for (let id = 0; id < active; id++) {
        const { error, duplicate } = verdictOn(id, sequence)
        expect([error, duplicate]).toEqual([ErrorCode.NONE, false])
        // neither a gap nor a duplicate is overlooked
        if (sequence > 0) {
          expect(verdictOn(id, sequence - 1).duplicate).toBe(true)
          expect(verdictOn(id, sequence + 7).error).toBe(ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER)
        }
        write(id, sequence)
        table.commit()
      }
      for (let i = 0; i < MAX / 4; i++) {
        write(invented++, 0)
        table.commit()
      }
    }
    expect(table.forgotten).toBeGreaterThan(10_000)
  })

  it('forgets those, too, who have written more than once', () => {
    const { table, write } = tableOf()
    for (let id = 0; id < 5 * MAX; id++) {
      for (let sequence = 0; sequence < 3; sequence++) {
        write(id, sequence)
        table.commit()
      }
      expect(table.size).toBeLessThanOrEqual(MAX)
    }
  })

  it('forgets nobody for a write that failed', () => {
    const { table, write } = tableOf()
    for (let id = 0; id < MAX; id++) write(id, 0)
    table.commit()
    const before = table.entries()
    for (let id = 0; id < 3 * MAX; id++) write(id, id < MAX ? 1 : 0)
    table.undo()
    expect([table.entries(), table.forgotten]).toEqual([before, 0])
  })

  it('keeps the last five batches of one who had a single one before', () => {
    const { table, write, verdictOn } = tableOf()
    for (let sequence = 0; sequence < 7; sequence++) {
      write(1, sequence)
      if (sequence === 3) {
        table.undo()
        write(1, sequence)
      }
      table.commit()
    }
    const known = Array.from({ length: 7 }, (_, sequence) => verdictOn(1, sequence).duplicate)
    expect(known).toEqual([false, false, true, true, true, true, true])
  })

  it('keeps those of an open transaction, however full it is', () => {
    const { table, write } = tableOf()
    const open: ProducerSnapshotEntry = {
      producerId: 7,
      epoch: 0,
      lastSequence: 4,
      lastOffset: 4,
      offsetDelta: 0,
      timestampMs: 0,
      coordinatorEpoch: 0,
      txnFirstOffset: 2,
    }
    table.load([open], 0, 1_000)
    for (let id = 100; id < 100 + 5 * MAX; id++) {
      write(id, 0)
      table.commit()
    }
    expect(table.lastOffsetOf(7)).toBe(4)
    // even when there is nobody else to forget
    const all = Array.from({ length: 2 * MAX }, (_, id) => ({ ...open, producerId: id }))
    table.load(all, 0, 1_000)
    expect(table.size).toBe(2 * MAX)
    for (let id = 10 * MAX; id < 11 * MAX; id++) {
      write(id, 0)
      table.commit()
      expect(table.size).toBeLessThanOrEqual(2 * MAX + MAX / 60)
    }
    expect(all.every(({ producerId }) => table.lastOffsetOf(producerId) === 4)).toBe(true)
  })
})

describe('a log with more producers than it remembers', () => {
  it('says so now and then, and takes of a snapshot no more than that', () => {
    const { broker, disk, flusher } = simulated(false)
    let log = broker.open()
    append(log, batchOf(['x'], { producerId: 1, producerEpoch: 0, baseSequence: 0 }))
    log.flushAll(() => {})
    while (flusher.doWork() > 0);
    log.close()
    broker.environment.recoveryPoints.close()
    const { disk: files } = broker
    const [name] = files.list(DIRECTORY).filter((one) => one.endsWith('.snapshot'))
    const entries = Array.from({ length: PRODUCERS_MAX + 500 }, (_, producerId) => ({
      producerId,
      epoch: 0,
      lastSequence: 0,
      lastOffset: 0,
      offsetDelta: 0,
      timestampMs: broker.clock.wallMs(),
      coordinatorEpoch: -1,
      txnFirstOffset: -1,
    }))
    files.writeFileAtomic(`${DIRECTORY}/${name}`, encodeProducerSnapshot(entries))
    disk.kill()
    broker.start()
    log = broker.open()
    log.producers.ensureLoaded()
    expect(log.producers.table.size).toBeLessThanOrEqual(PRODUCERS_MAX)
    const { forgotten } = log.producers.table
    expect(forgotten).toBeGreaterThanOrEqual(500)
    broker.lines.length = 0
    for (let i = 0; i < 2; i++) {
      broker.clock.advance(600_000)
      log.onTimer(broker.clock.monotonicMs())
    }
    expect(broker.lines.filter(({ level }) => level === 'warn')).toEqual([
      {
        level: 'warn',
        message: `${forgotten} producers were forgotten early: a partition remembers ${PRODUCERS_MAX}, the longest idle go first`,
      },
    ])
  })
})
