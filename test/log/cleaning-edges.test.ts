/** What becomes of a log between two steps of its cleaning, and of what one cleaning leaves for the next. */
import { describe, expect, it } from 'vitest'
import { BatchFilter } from '../../src/log/batch-filter.ts'
import { LogCleaning } from '../../src/log/log-cleaning.ts'
import { checkGaps, compacted, keyed, keysOf, newKeys, seenBatch } from './cleaning-support.ts'

describe('retention, where cleaning has left a segment empty', () => {
  const RETENTION_MS = 60_000
  const both = { cleanupPolicy: { delete: true, compact: true }, retentionMs: RETENTION_MS }
  /** Three segments, the first of which holds nothing any more, and the active one. */
  function emptied() {
    const one = compacted(both)
    const start = one.broker.clock.wallMs()
    one.write([['a', '1']], { timestampMs: start })
    one.roll()
    one.write([['a', '2']], { timestampMs: start + 1_000 })
    one.roll()
    one.write([['b', '1']], { timestampMs: start + 2_000 })
    one.roll()
    one.clean({ limits: { segmentsMax: 1 } })
    one.flush()
    const sizes = one.log.segments.map(({ size }) => size > 0)
    expect(sizes).toEqual([false, true, true, false])
    return { one, start }
  }
  const retained = (one: ReturnType<typeof compacted>, passMs: number) => {
    one.broker.clock.advance(passMs)
    one.log.applyRetention()
    one.flush()
    return one.log.segments.map(({ baseOffset }) => baseOffset)
  }

  it('is due when what follows is, and takes both then, not before', () => {
    const { one, start } = emptied()
    expect(one.log.retentionDueAtMs).toBe(start + 1_000 + RETENTION_MS)
    expect(retained(one, RETENTION_MS + 1_000)).toEqual([0, 1, 2, 3])
    expect(one.log.retentionDueAtMs).toBe(one.broker.clock.wallMs())
    expect(retained(one, 1)).toEqual([2, 3])
    expect(one.log.retentionDueAtMs).toBe(start + 2_000 + RETENTION_MS)
    // once nothing is left, nothing is due: who looks at what is due would look for ever
    expect(retained(one, RETENTION_MS)).toEqual([3])
    expect(one.log.retentionDueAtMs).toBe(Number.POSITIVE_INFINITY)
  })

  it('is so by size, and after it was opened again', () => {
    const { one } = emptied()
    one.reopen('clean')
    const size = one.log.segments[1]!.size
    one.log.updateConfig({ ...one.log.config, retentionMs: -1, retentionBytes: size })
    expect(retained(one, 0)).toEqual([2, 3])
    const { one: other } = emptied()
    other.log.updateConfig({ ...other.log.config, retentionMs: -1, retentionBytes: 2 * size })
    expect(retained(other, 0)).toEqual([0, 1, 2, 3])
  })
})

describe('from where the map ends, within a batch, on', () => {
  it('records stay as they are, those without a key too, until they are cleaned themselves', () => {
    const one = compacted()
    one.write([
      ['a', '1'],
      [null, 'goes at once'],
      ['b', '1'],
      ['c', '1'],
      [null, 'stays'],
      ['a', '2'],
    ])
    one.write([['d', '1']])
    one.roll()
    const keys = () => newKeys({ keysMax: 2 })
    expect(one.clean({ keys: keys() })).toEqual({ kind: 'cleaned', endOffset: 3, more: true })
    expect(keysOf(one.log)).toEqual(['a=1', 'b=1', 'c=1', 'null=stays', 'a=2', 'd=1'])
    expect(one.clean({ keys: keys() })).toEqual({ kind: 'cleaned', endOffset: 6, more: true })
    expect(keysOf(one.log)).toEqual(['b=1', 'c=1', 'a=2', 'd=1'])
  })

  it('tombstones stay, whatever their horizon: the value that they delete may be below', () => {
    const horizonMs = 1_000
    const batch = keyed(
      [
        ['a', '1'],
        ['b', null],
        ['a', null],
      ],
      { baseOffset: 7, deleteHorizonMs: horizonMs },
    )
    const left = (endOffset: number, nowMs: number) => {
      const filter = new BatchFilter({
        keys: newKeys(),
        endOffset,
        nowMs,
        deleteRetentionMs: 1_000,
        decompressedBytesMax: 1_000,
        keepsEmpty: () => false,
      })
      filter.begin(batch, 0)
      while (filter.look(10) === 10);
      const stays = filter.end()
      return stays === null ? [] : seenBatch(stays.bytes, 0).records.map(({ offset }) => offset)
    }
    expect(left(10, horizonMs - 1)).toEqual([7, 8, 9])
    expect(left(10, horizonMs)).toEqual([7])
    expect(left(9, horizonMs)).toEqual([7, 9])
    expect(left(8, horizonMs)).toEqual([7, 8, 9])
  })
})

describe('a log that retention shortens while old segments give way', () => {
  it.each(['naming', 'named'] as const)(
    'keeps what retention leaves, and gets back nothing of what it took (%s)',
    (phase) => {
      const one = compacted({ cleanupPolicy: { delete: true, compact: true } })
      for (let i = 0; i < 6; i++) {
        one.write([['a', `${i}`]], { timestampMs: one.broker.clock.wallMs() })
        if (i % 2 === 1) one.roll()
      }
      const cleaning = new LogCleaning(one.log, newKeys(), { segmentsMax: 1 })
      const swaps = () => one.files().filter((name) => /swap-|cleaned$/.test(name))
      const isSwapping = () => swaps().some((name) => name.includes('swap-'))
      while (!isSwapping()) if (cleaning.step() === 0) one.flusher.doWork()
      expect(cleaning.isWaiting).toBe(true)
      if (phase === 'named') one.flusher.doWork()
      expect(cleaning.isWaiting).toBe(phase === 'naming')
      one.log.updateConfig({ ...one.log.config, retentionBytes: one.log.segments[2]!.size })
      one.log.applyRetention()
      expect(cleaning.outcome).toEqual({ kind: 'cancelled' })
      expect([one.log.cleaning, one.log.logStartOffset, swaps()]).toEqual([null, 4, []])
      // the flush that it waited for ends when nobody waits any more
      while (one.flusher.doWork() > 0);
      expect([cleaning.step(), swaps()]).toEqual([0, []])
      expect(keysOf(one.log)).toEqual(['a=4', 'a=5'])
      one.reopen(phase === 'naming' ? 'kill' : 5)
      expect([one.log.logStartOffset, keysOf(one.log)]).toEqual([4, ['a=4', 'a=5']])
      checkGaps(one.log)
    },
  )

  it('is told of a flush that fails when the cleaning is over, which that leaves alone', () => {
    const one = compacted()
    for (let i = 0; i < 4; i++) {
      one.write([['a', `${i}`]])
      one.roll()
    }
    const keys = newKeys()
    const cleaning = new LogCleaning(one.log, keys, { segmentsMax: 1 })
    const isNamed = () => one.files().some((name) => name.includes('swap-'))
    while (!isNamed()) if (cleaning.step() === 0) one.flusher.doWork()
    cleaning.cancel()
    // the next cleaning has the map by then
    keys.put(new Uint8Array([1]), 0, 1, 9)
    one.disk.onOperation = ({ operation, path }) =>
      operation === 'flush' && path === one.log.directory ? { kind: 'error', code: 'EIO' } : null
    while (one.flusher.doWork() > 0);
    expect(cleaning.outcome).toEqual({ kind: 'cancelled' })
    expect(keys.get(new Uint8Array([1]), 0, 1)).toBe(9)
    expect(one.log.failure).toMatch(/a flush failed/)
  })
})
