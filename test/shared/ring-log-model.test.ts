import fc from 'fast-check'
import { expect, it } from 'vitest'
import { newRegion } from '../../src/shared/region.ts'
import { RingLogReader, RingLogSnapshot } from '../../src/shared/ring-log-reader.ts'
import { RingLogWriter } from '../../src/shared/ring-log-writer.ts'
import { type BatchSeen, readFrom, stage } from './batches.ts'

const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('stage' as const),
      length: fc.oneof(fc.integer({ min: 61, max: 700 }), fc.integer({ min: 61, max: 9_000 })),
      count: fc.integer({ min: 1, max: 4 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('publish' as const),
      lag: fc.integer({ min: 0, max: 6 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('rollback' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('skip' as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('commit' as const),
      lag: fc.integer({ min: 0, max: 3 }),
    }),
  },
)

/** An array of batches from which the oldest go: what the ring log must look like from outside. */
class Model {
  batches: BatchSeen[] = []
  staged: BatchSeen[] = []
  end = 0
  high = 0

  get stagedEnd(): number {
    return (this.staged.at(-1)?.last ?? this.end - 1) + 1
  }

  /** What a reader at `offset` gets: from the batch that holds it to the high watermark. */
  from(offset: number): BatchSeen[] {
    return this.batches.filter((b) => b.last >= offset && b.last < this.high)
  }

  commit(lag: number): void {
    this.high = Math.max(this.high, this.end - lag)
  }
}

function check(model: Model, writer: RingLogWriter, reader: RingLogReader): void {
  const seen = new RingLogSnapshot()
  expect(reader.snapshot(seen)).toBe(true)
  expect(seen).toMatchObject({ logEndOffset: model.end, highWatermark: model.high })
  model.batches = model.batches.filter((b) => b.base >= writer.oldestOffset)
  expect(model.batches[0]?.base ?? model.end).toBe(writer.oldestOffset)
  expect(model.batches.reduce((sum, b) => sum + b.length, 0)).toBeLessThanOrEqual(writer.usedBytes)
  expect(reader.find(model.high)).toBe(RingLogReader.AT_END)
  for (let offset = writer.oldestOffset; offset < model.high; offset++) {
    expect(readFrom(reader, offset, 2_500)).toEqual(model.from(offset))
  }
  if (writer.oldestOffset > 0 && writer.oldestOffset <= model.high) {
    expect(reader.find(writer.oldestOffset - 1)).toBe(RingLogReader.NOT_FOUND)
  }
}

it('looks like an array of batches whose oldest go, under any mix of operations', () => {
  const start = fc.constantFrom(0, 0x7fff_8001 | 0, 0xffff_8000 | 0)
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), start, (steps, startPosition) => {
      const region = newRegion(20_000)
      const writer = new RingLogWriter(region, {
        generation: 1,
        partition: 1,
        fronts: 1,
        logStartOffset: 0,
        highWatermark: 0,
        lastStableOffset: 0,
        logEndOffset: 0,
        startPosition,
      })
      const reader = new RingLogReader(region, 1, 0)
      const model = new Model()
      const watermarks = () => ({
        highWatermark: model.high,
        lastStableOffset: model.high,
        logStartOffset: 0,
      })
      for (const s of steps) {
        if (s.kind === 'stage') {
          const base = model.stagedEnd
          const at = stage(writer, base, s.count, s.length)
          if (at >= 0) model.staged.push({ base, last: base + s.count - 1, length: s.length })
          else if (s.length <= writer.capacityBytes / 2) expect(at).toBe(RingLogWriter.STAGED_FULL)
          else expect(at).toBe(RingLogWriter.TOO_LARGE)
          continue
        }
        if (s.kind === 'publish') {
          model.end = model.stagedEnd
          model.batches.push(...model.staged.splice(0))
          model.commit(s.lag)
          writer.publish({ logEndOffset: model.end, ...watermarks() })
        } else if (s.kind === 'commit') {
          model.commit(s.lag)
          writer.publishWatermarks(watermarks())
        } else {
          model.staged = []
          writer.rollback()
          if (s.kind === 'skip') {
            model.end += 5
            model.batches = []
            writer.skipTo(model.end)
          }
        }
        check(model, writer, reader)
      }
    }),
    { seed: 11, numRuns: 150 },
  )
})
