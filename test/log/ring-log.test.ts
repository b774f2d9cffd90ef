import { describe, expect, it } from 'vitest'
import { LocateSource } from '../../src/log/outcomes.ts'
import { RingLogPool } from '../../src/log/ring-log-pool.ts'
import { Arena } from '../../src/shared/arena.ts'
import { wordsOf } from '../../src/shared/region.ts'
import { WORD_PINS } from '../../src/shared/ring-log-layout.ts'
import { append, batchOf, newLocate, simulated, storedBatches } from './support.ts'

const source = (
  log: ReturnType<ReturnType<typeof simulated>['broker']['open']>,
  offset: number,
) => {
  const where = newLocate()
  log.locate(offset, 1000, where)
  expect(where.error).toBe(0)
  return where.source
}

const sized = (arenaBytes: number, maxBytes?: number) => {
  const world = simulated()
  const arena = new Arena({ capacityBytes: arenaBytes })
  const rings = new RingLogPool({
    arena,
    fronts: 2,
    ...(maxBytes === undefined ? {} : { maxBytes }),
  })
  Object.assign(world.broker.environment, { rings })
  return { ...world, arena, rings }
}

describe('the ring log of a partition', () => {
  it('is taken at the first append, and serves the tail while the file serves the rest', () => {
    const { broker, rings } = sized(4 << 20, 64 << 10)
    const log = broker.open()
    expect([log.ring, rings.usedBytes]).toEqual([null, 0])
    for (let i = 0; i < 100; i++) append(log, batchOf(['x'.repeat(1000)]))
    expect(rings.usedBytes).toBe(64 << 10)
    expect([source(log, 0), source(log, 99)]).toEqual([LocateSource.FILE, LocateSource.RING])
    expect(storedBatches(log)).toHaveLength(100)
  })

  it('grows under load up to its maximum, one ring at a time', () => {
    const { broker, rings } = sized(8 << 20, 1 << 20)
    const log = broker.open()
    for (let i = 0; i < 400; i++) append(log, batchOf(['x'.repeat(4000)]))
    expect(log.ring!.region.byteLength).toBe(1 << 20)
    expect(rings.usedBytes).toBe(1 << 20)
  })

  it('lets batches too large for any ring by: they go to the file from where they are', () => {
    const { broker } = sized(4 << 20, 64 << 10)
    const log = broker.open()
    const large = 'x'.repeat(100_000)
    append(log, batchOf(['small']))
    append(log, batchOf([large]))
    append(log, batchOf(['small again']))
    expect([0, 1, 2].map((offset) => source(log, offset))).toEqual([1, 1, 2])
    expect(storedBatches(log).map(({ tail }) => tail.length > 90_000)).toEqual([false, true, false])
  })

  it('is written past by large batches as long as nobody reads the end', () => {
    const { broker } = simulated()
    const log = broker.open()
    const put = () => append(log, batchOf(['x'.repeat(20_000)])).baseOffset
    for (let i = 0; i < 500; i++) put()
    expect(log.ring).toBe(null)
    // 10 MB behind is no reader of the end
    source(log, 0)
    const unread = put()
    expect(log.ring).toBe(null)
    expect(source(log, unread - 5)).toBe(LocateSource.FILE)
    const read = put()
    expect([source(log, read), source(log, unread)]).toEqual([LocateSource.RING, LocateSource.FILE])
    // who has the ring reads on without asking, for a while
    broker.clock.advance(9_000)
    source(log, log.logEndOffset)
    broker.clock.advance(9_000)
    expect(source(log, put())).toBe(LocateSource.RING)
    broker.clock.advance(10_001)
    const late = put()
    expect(source(log, late)).toBe(LocateSource.FILE)
    expect(source(log, append(log, batchOf(['small'])).baseOffset)).toBe(LocateSource.RING)
    const stored = storedBatches(log, unread)
    expect(stored.map(({ base }) => base)).toEqual(stored.map((_, i) => unread + i))
  })

  it('is done without when there is no room in the arena', () => {
    const { broker } = sized(16 << 10)
    const log = broker.open()
    for (let i = 0; i < 3; i++) append(log, batchOf(['x']))
    expect(log.ring).toBe(null)
    expect([0, 1, 2].map((offset) => source(log, offset))).toEqual([1, 1, 1])
  })

  it('is given up when idle, or for another partition under pressure', () => {
    const { broker, rings } = sized(64 << 10)
    const log = broker.open()
    append(log, batchOf(['x']))
    expect(log.ring).not.toBe(null)
    broker.clock.advance(2_000)
    const other = broker.open({}, { directory: '/data/broker-1/t/other-0' })
    append(other, batchOf(['y']))
    expect([log.ring, other.ring === null]).toEqual([null, false])
    for (let i = 0; i < 6; i++) {
      broker.clock.advance(10_000)
      other.onTimer(broker.clock.monotonicMs())
    }
    expect([other.ring, rings.usedBytes]).toEqual([null, 0])
    expect(source(other, 0)).toBe(LocateSource.FILE)
  })

  it('is replaced when a front has it pinned, and freed when that is done', () => {
    const { broker, rings } = sized(4 << 20, 64 << 10)
    const log = broker.open()
    append(log, batchOf(['first']))
    const pinned = log.ring!
    const words = wordsOf(pinned.region)
    // Position 0, as a front stores it.
    Atomics.store(words, WORD_PINS, 1)
    for (let i = 0; i < 200; i++) append(log, batchOf(['x'.repeat(1000)]))
    expect(log.ring!.generation).not.toBe(pinned.generation)
    expect([rings.retiredCount, rings.usedBytes]).toEqual([1, 128 << 10])
    Atomics.store(words, WORD_PINS, 0)
    rings.sweep()
    expect([rings.retiredCount, rings.usedBytes]).toEqual([0, 64 << 10])
    expect(storedBatches(log)).toHaveLength(201)
  })
})
