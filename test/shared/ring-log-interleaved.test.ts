import { afterEach, describe, expect, it } from 'vitest'
import { newRegion } from '../../src/shared/region.ts'
import {
  RingLogReader,
  RingLogSnapshot,
  type RingLogSpan,
} from '../../src/shared/ring-log-reader.ts'
import { RingLogWriter } from '../../src/shared/ring-log-writer.ts'
import { append, readBatches } from './batches.ts'

/*
 * The writer acts between two loads of the reader, at every such place in turn: what two threads do only now and then.
 */
function open(batches: number) {
  const region = newRegion(65_536)
  const offsets = { logStartOffset: 0, highWatermark: 0, lastStableOffset: 0, logEndOffset: 0 }
  const writer = new RingLogWriter(region, { generation: 1, partition: 1, fronts: 1, ...offsets })
  append(writer, batches, 777)
  return { writer, reader: new RingLogReader(region, 1, 0) }
}

const load = Atomics.load
const { getInt32 } = DataView.prototype

function restore(): void {
  Atomics.load = load
  DataView.prototype.getInt32 = getInt32
}

/** Runs `act` before the `nth` load (of a word, or of a batch header) from now on; tells whether it came to that. */
function actBefore(nth: number, act: () => void): () => boolean {
  let loads = 0
  const step = () => {
    if (++loads !== nth) return
    restore()
    act()
  }
  Atomics.load = ((words: Int32Array, at: number) => {
    step()
    return load(words, at)
  }) as unknown as typeof load
  DataView.prototype.getInt32 = function (at, littleEndian) {
    step()
    return getInt32.call(this, at, littleEndian)
  }
  return () => {
    restore()
    return loads >= nth
  }
}

/** Appends batches of many lengths, so that what is overwritten never looks like what was there. */
function appendMixed(writer: RingLogWriter, batches: number): void {
  for (let i = 0; i < batches; i++) append(writer, 1, 300 + ((writer.logEndOffset * 131) % 900))
}

/** Repeats `once` with the writer acting before load 1, 2, 3 … until it is over before its turn comes. */
function everywhere(placesMin: number, once: (nth: number) => boolean): void {
  let nth = 1
  while (once(nth)) nth++
  expect(nth).toBeGreaterThan(placesMin)
}

afterEach(restore)

describe('ring log, the writer acting between the loads of a reader', () => {
  it('never tears a snapshot', () => {
    for (const batches of [1, 2, 3]) {
      everywhere(20, (nth) => {
        const { writer, reader } = open(200)
        const acted = actBefore(nth, () => append(writer, batches, 777))
        const seen = new RingLogSnapshot()
        expect(reader.snapshot(seen)).toBe(true)
        const came = acted()
        expect(seen.highWatermark).toBe(seen.logEndOffset)
        expect(seen.committedPosition).toBe(seen.tailPosition)
        const held = seen.tailPosition - seen.headPosition
        expect(held - (seen.logEndOffset - seen.oldestOffset) * 777).toBeLessThan(777)
        return came
      })
    }
  })

  it('finds the right batch or none, however much was overwritten meanwhile', () => {
    for (const batches of [1, 40, 80, 90, 170]) {
      for (const ahead of [0, 30]) {
        everywhere(20, (nth) => {
          const { writer, reader } = open(0)
          appendMixed(writer, 200)
          const offset = writer.oldestOffset + ahead
          const acted = actBefore(nth, () => appendMixed(writer, batches))
          const found = reader.find(offset)
          const came = acted()
          expect(found).not.toBe(RingLogReader.AT_END)
          if (found === RingLogReader.NOT_FOUND) {
            expect(came).toBe(true)
            return came
          }
          const span: RingLogSpan = { position: 0, length: 0 }
          if (!reader.readable(found, 0, span)) return came
          const copy = new Uint8Array(span.length)
          expect(reader.copy(span.position, span.length, copy, 0)).toBe(true)
          expect(readBatches(copy)).toMatchObject([{ base: offset, last: offset }])
          return came
        })
      }
    }
  })

  it('pins what the writer has not passed yet, and nothing else', () => {
    for (const batches of [1, 2, 90]) {
      everywhere(3, (nth) => {
        const { writer, reader } = open(200)
        const oldest = writer.oldestOffset
        const position = reader.find(oldest)
        let refused = false
        const acted = actBefore(nth, () => {
          for (let i = 0; i < batches && !refused; i++) {
            refused = writer.reserve(777) === RingLogWriter.PINNED
            if (refused) return
            writer.rollback()
            append(writer, 1, 777)
          }
        })
        const pinned = reader.pin(position)
        const came = acted()
        if (pinned) {
          expect(readBatches(reader.view(position, 777))[0]!.base).toBe(oldest)
          for (let i = 0; i < 3 && writer.reserve(777) !== RingLogWriter.PINNED; i++) {
            writer.rollback()
            append(writer, 1, 777)
          }
          expect(readBatches(reader.view(position, 777))[0]!.base).toBe(oldest)
        } else {
          expect(came).toBe(true)
        }
        return came
      })
    }
  })
})
