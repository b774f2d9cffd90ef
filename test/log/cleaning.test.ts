import { describe, expect, it } from 'vitest'
import { LATEST_TIMESTAMP, MAX_TIMESTAMP, TimestampSource } from '../../src/log/outcomes.ts'
import { Codec, hasDeleteHorizon } from '../../src/record/batch.ts'
import { buildTransactionMarker } from '../../src/record/builder.ts'
import {
  checkGaps,
  clean,
  compacted,
  keyed,
  keysOf,
  newKeys,
  reduced,
  seenBatches,
  seenRecords,
} from './cleaning-support.ts'
import { append, checkIndexes, newOffsets } from './support.ts'

describe('cleaning keeps the last value per key', () => {
  it('at its offset, in order, whatever is before, and touches nothing of the active segment', () => {
    const one = compacted()
    one.write([
      ['a', '1'],
      ['b', '1'],
      ['a', '2'],
    ])
    one.write([['c', '1']])
    one.roll()
    one.write([
      ['b', '2'],
      ['d', '1'],
    ])
    one.roll()
    one.write([
      ['c', '2'],
      ['c', '3'],
    ])
    expect(one.clean()).toEqual({ kind: 'cleaned', endOffset: 6, more: false })
    expect(seenRecords(one.log).map(({ offset, key, value }) => [offset, key, value])).toEqual([
      [2, 'a', '2'],
      [3, 'c', '1'],
      [4, 'b', '2'],
      [5, 'd', '1'],
      [6, 'c', '2'],
      [7, 'c', '3'],
    ])
    // batches keep their ranges
    expect(seenBatches(one.log).map(({ base, last }) => [base, last])).toEqual([
      [0, 2],
      [3, 3],
      [4, 5],
      [6, 7],
    ])
    expect([one.log.logStartOffset, one.log.logEndOffset]).toEqual([0, 8])
    checkIndexes(one.log)
    checkGaps(one.log)
  })

  it('merges small segments into one, and leaves what has nothing to drop as it is', () => {
    const one = compacted()
    for (let i = 0; i < 6; i++) {
      one.write([
        ['a', `${i}`],
        [`key ${i}`, 'x'],
      ])
      one.roll()
    }
    expect(one.log.segments.length).toBe(7)
    one.clean()
    expect(one.log.segments.map(({ baseOffset }) => baseOffset)).toEqual([0, 12])
    // of the segments that are gone only the one before the newest stays
    expect(one.log.producers.snapshots).toEqual([10, 12])
    one.write([['z', 'z'.repeat(500)]])
    one.roll()
    const big = one.log.segments[1]!
    expect(one.clean()).toMatchObject({ kind: 'cleaned', endOffset: 13 })
    // alone in its group, and nothing of it goes
    expect(one.log.segments[1]).toBe(big)
    expect(one.files().filter((name) => name.endsWith('.log')).length).toBe(3)
    checkIndexes(one.log)
  })

  it('drops what has no key, and batches of which nothing is left', () => {
    const one = compacted()
    one.write([
      [null, 'no key'],
      ['a', '1'],
    ])
    one.write([
      ['a', '2'],
      ['b', '1'],
    ])
    one.write([
      ['a', '3'],
      ['b', '3'],
    ])
    one.roll()
    one.clean()
    expect(seenBatches(one.log).map(({ base, last }) => [base, last])).toEqual([[4, 5]])
    checkGaps(one.log)
  })

  it('keeps the last batch of what it cleaned, if need be empty: the end stays known', () => {
    const one = compacted()
    one.write([['a', '1']])
    one.write([
      [null, 'x'],
      [null, 'y'],
    ])
    one.roll()
    one.clean()
    expect(seenBatches(one.log)).toMatchObject([
      { base: 0, last: 0 },
      { base: 1, last: 2, records: [] },
    ])
    // and later it goes
    one.write([['a', '2']])
    one.roll()
    one.clean()
    expect(seenBatches(one.log)).toMatchObject([{ base: 3, records: [{ value: '2' }] }])
  })

  it('in compressed batches, too, which stay as compressed', () => {
    const one = compacted({ segmentBytes: 10_000 })
    for (const codec of [Codec.none, Codec.gzip, Codec.snappy, Codec.lz4]) {
      one.write(
        [
          ['a', `${codec}`.repeat(50)],
          [`k${codec}`, 'v'.repeat(50)],
        ],
        { codec },
      )
    }
    one.roll()
    one.clean()
    expect(seenBatches(one.log).map(({ codec, records }) => [codec, records.length])).toEqual([
      [0, 1],
      [1, 1],
      [2, 1],
      [3, 2],
    ])
  })

  it('keeps epochs and times of what stays, and finds offsets by time over the gaps', () => {
    const one = compacted({ segmentBytes: 5_000 })
    one.write(
      [
        ['a', '1'],
        ['b', '1'],
        ['c', '1'],
      ],
      { timestampMs: 1_000, stepMs: 100 },
      1,
    )
    one.write(
      [
        ['a', '2'],
        ['c', '2'],
      ],
      { timestampMs: 2_000, stepMs: 100 },
      2,
    )
    one.write([['c', '3']], { timestampMs: 1_500 }, 4)
    one.roll()
    one.clean()
    expect(
      seenBatches(one.log).map(({ epoch, records }) => [
        epoch,
        records.map(({ offset, timestampMs }) => [offset, timestampMs]),
      ]),
    ).toEqual([
      [1, [[1, 1_100]]],
      [2, [[3, 2_000]]],
      [4, [[5, 1_500]]],
    ])
    expect(one.log.epochs.lines.map(({ epoch }) => epoch)).toEqual([1, 2, 4])
    const found = newOffsets()
    const batchAt = (timestamp: number) => {
      one.log.offsetForTimestamp(timestamp, found)
      return found.source === TimestampSource.BATCH ? found.offset : [found.offset]
    }
    // the record of 1,200 is gone: the header says so
    expect([batchAt(1_000), batchAt(1_100), batchAt(1_150), batchAt(2_000)]).toEqual([0, 0, 3, 3])
    expect([batchAt(2_001), batchAt(MAX_TIMESTAMP), batchAt(LATEST_TIMESTAMP)]).toEqual([
      [-1],
      3,
      [6],
    ])
    checkIndexes(one.log)
  })
})

describe('tombstones', () => {
  it('outlive the values that they delete by delete.retention.ms, told by their batch (KIP-534)', () => {
    const one = compacted()
    const start = one.broker.clock.wallMs()
    one.write(
      [
        ['a', '1'],
        ['b', '1'],
      ],
      { timestampMs: start },
    )
    one.write(
      [
        ['a', null],
        ['c', '1'],
      ],
      { timestampMs: start + 7 },
    )
    one.roll()
    one.clean()
    expect(keysOf(one.log)).toEqual(['b=1', 'a=null', 'c=1'])
    const marks: boolean[] = []
    one.log.readBatches(0, (bytes, at) => marks.push(hasDeleteHorizon(bytes, at)) > 0)
    expect(marks).toEqual([false, true])
    // times are as they were, though the batch tells them from its horizon on
    expect(seenRecords(one.log).map(({ timestampMs }) => timestampMs - start)).toEqual([0, 7, 7])
    one.broker.clock.advance(999)
    one.write([['x', '1']])
    one.roll()
    one.clean()
    expect(keysOf(one.log)).toContain('a=null')
    one.broker.clock.advance(1)
    one.write([['x', '2']])
    one.roll()
    one.clean()
    expect(keysOf(one.log)).toEqual(['b=1', 'c=1', 'x=2'])
    checkIndexes(one.log)
    checkGaps(one.log)
  })
})

describe('producers', () => {
  it('keep their last sequence, in an empty batch if need be', () => {
    const one = compacted()
    const producer = { producerId: 9, producerEpoch: 3, baseSequence: 0 }
    one.write(
      [
        ['a', '1'],
        ['b', '1'],
      ],
      producer,
    )
    one.write(
      [
        ['a', '2'],
        ['b', '2'],
      ],
      { ...producer, baseSequence: 2 },
    )
    one.write([
      ['a', '3'],
      ['b', '3'],
    ])
    one.write([['z', 'z']])
    one.roll()
    one.clean()
    expect(seenBatches(one.log).map(({ base, records }) => [base, records.length])).toEqual([
      [2, 0],
      [4, 2],
      [6, 1],
    ])
    // without any snapshot the table is what the batches say
    for (const name of one.files().filter((name) => name.endsWith('.snapshot'))) {
      one.disk.remove(`${one.log.directory}/${name}`)
    }
    one.reopen('kill')
    const again = keyed(
      [
        ['a', '2'],
        ['b', '2'],
      ],
      { ...producer, baseSequence: 2 },
    )
    expect(append(one.log, again)).toMatchObject({ duplicate: true, baseOffset: 2, lastOffset: 3 })
    one.write([['a', '4']], { ...producer, baseSequence: 4 })
    one.roll()
    one.clean()
    expect(seenBatches(one.log).map(({ base }) => base)).not.toContain(2)
  })
})

describe('what cannot be cleaned', () => {
  it('transactions end the part that is cleaned', () => {
    const one = compacted()
    one.write([['a', '1']])
    one.write([['a', '2']])
    const transactional = { producerId: 4, producerEpoch: 0, baseSequence: 0, transactional: true }
    one.write([['a', '3']], transactional)
    append(one.log, buildTransactionMarker('commit', 4, 0, 0, 1))
    one.write([['a', '4']])
    one.roll()
    expect(one.clean()).toMatchObject({
      kind: 'blocked',
      reason: expect.stringMatching(/offset 2 .*transactions/),
    })
    expect(keysOf(one.log).filter((one) => one.startsWith('a'))).toEqual(['a=2', 'a=3', 'a=4'])
    expect(one.clean()).toMatchObject({ kind: 'blocked' })
    one.reopen()
    checkGaps(one.log)
  })

  it('damage ends it, and what is damaged stays as it is', () => {
    const one = compacted()
    one.write([['a', '1']])
    one.write([['a', '2']])
    one.roll()
    const before = one.files()
    const { path } = one.log.segments[0]!.log
    for (const [position, reason] of [
      [2, /offsets 1099511627776 to/],
      [5, /offsets 65536 to 65536, where 0 is due/],
      [9, /no batch at byte 0/],
      [16, /no batch at byte 0/],
      [30, /bad CRC at byte 0/],
      [65, /bad CRC at byte 0/],
    ] as const) {
      one.disk.flipBit(path, position)
      const outcome = one.clean()
      expect(outcome).toMatchObject({ kind: 'blocked', reason: expect.stringMatching(reason) })
      expect(one.files()).toEqual(before)
      expect(one.log.cleaning).toBe(null)
      one.disk.flipBit(path, position)
    }
    expect(one.clean()).toMatchObject({ kind: 'cleaned' })
  })

  it('nothing, while nothing sealed is durable', () => {
    const one = compacted()
    one.write([['a', '1']])
    one.log.tail.markDirty()
    one.log.tail.roll(0)
    one.write([['a', '2']])
    expect(one.clean()).toEqual({ kind: 'cancelled' })
    one.flush()
    expect(one.clean()).toMatchObject({ kind: 'cleaned', endOffset: 1 })
  })
})

describe('a map of keys that is full', () => {
  it.each([
    ['keys', { keysMax: 3 }],
    ['bytes', { keyBytesMax: 12 }],
  ])('of %s is used as far as it reaches; the next cleaning goes on there', (_, limits) => {
    const one = compacted({ segmentBytes: 400 })
    for (let i = 0; i < 40; i++)
      one.write([
        [`k${i % 9}`, `${i}`],
        [`k${(i * 5) % 9}`, `${i}'`],
      ])
    one.roll()
    const wanted = reduced(seenRecords(one.log))
    let rounds = 0
    for (let more = true; more; rounds++) {
      const outcome = one.clean({ keys: newKeys(limits) })
      expect(outcome?.kind).toBe('cleaned')
      more = outcome?.kind === 'cleaned' && outcome.more
      expect(reduced(seenRecords(one.log))).toEqual(wanted)
      if (rounds % 3 === 1) one.reopen(rounds)
      one.flush()
      checkGaps(one.log)
    }
    expect(rounds).toBeGreaterThan(5)
    // once more, with room for all: what the small maps could not see together
    one.write([...wanted.keys()].map((key) => [key, 'last'] as const))
    one.roll()
    one.clean()
    expect(seenRecords(one.log).length).toBe(wanted.size)
  })
})

describe('a bounded step', () => {
  it('reads no more than it may: a batch, or the records of one', () => {
    const one = compacted({ segmentBytes: 20_000 })
    for (let i = 0; i < 20; i++) {
      one.write(Array.from({ length: 50 }, (_, n) => [`key ${n % 30}`, `${i}`] as const))
    }
    one.roll()
    const wanted = reduced(seenRecords(one.log))
    let steps = 0
    const counting = { recordsPerStep: 7, bytesPerStep: 1 }
    const outcome = clean(one.log, one.flusher, { limits: counting, stepsMax: 5_000 })
    expect(outcome).toMatchObject({ kind: 'cleaned' })
    expect(reduced(seenRecords(one.log))).toEqual(wanted)
    expect(seenRecords(one.log).length).toBe(30)
    one.write([['x', 'y']])
    one.roll()
    while (clean(one.log, one.flusher, { limits: counting, stepsMax: steps }) === null) {
      one.log.cleaning!.cancel()
      steps++
    }
    // 30 records and one are mapped and filtered by 7, and files are flushed between
    expect(steps).toBeGreaterThan(8)
  })
})
