import { describe, expect, it } from 'vitest'
import { ErrorCode } from '../../src/base/error-code.ts'
import { LocateSource, newAppendOutcome } from '../../src/log/outcomes.ts'
import { append, batchOf, newLocate, simulated, storedBatches } from './support.ts'

describe('a partition log', () => {
  it('makes its directory at the first write, and not before', () => {
    const { disk, broker } = simulated()
    const log = broker.open()
    expect(disk.exists(log.directory)).toBe(false)
    expect([log.logStartOffset, log.logEndOffset, log.highWatermark]).toEqual([0, 0, 0])
    const out = append(log, batchOf(['a', 'b']))
    expect(out).toMatchObject({ error: 0, baseOffset: 0, lastOffset: 1, duplicate: false })
    expect(disk.list(log.directory)).toContain('00000000000000000000.log')
    expect([log.logEndOffset, log.acknowledgedOffset]).toEqual([2, 2])
  })

  it('writes what a turn stages at once, in order, and reads it back', () => {
    const { broker } = simulated()
    const log = broker.open()
    const out = newAppendOutcome()
    for (const value of ['a', 'b', 'c']) log.stage(batchOf([value]), 1_700_000_000_000, 3, out)
    expect(out).toMatchObject({ error: 0, baseOffset: 2 })
    expect(log.logEndOffset).toBe(0)
    expect(log.write()).toBe(null)
    expect(log.logEndOffset).toBe(3)
    expect(storedBatches(log).map((batch) => batch.base)).toEqual([0, 1, 2])
    const where = newLocate()
    log.locate(1, 1000, where)
    expect(where.source).toBe(LocateSource.RING)
    log.locate(3, 1000, where)
    expect([where.error, where.source]).toEqual([0, LocateSource.NONE])
    log.locate(4, 1000, where)
    expect(where.error).toBe(ErrorCode.OFFSET_OUT_OF_RANGE)
  })
})
