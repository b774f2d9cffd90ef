import { describe, expect, test } from 'vitest'
import { SeededRandom } from '../../src/base/random.ts'
import { Deadline, Deadlines } from '../../src/front/deadlines.ts'
import { wholeBatches } from '../../src/front/file-batches.ts'
import { stampOffsets } from '../../src/record/batch.ts'
import { batchOf } from './requests.ts'

describe('bytes of a segment file', () => {
  /** Batches of two records each, from `offset` on. */
  const batches = (...offsets: number[]): Uint8Array => {
    return Buffer.concat(
      offsets.map((offset) => {
        const batch = batchOf('a', 'b')
        stampOffsets(batch, 0, offset, 0)
        return batch
      }),
    )
  }
  const size = batchOf('a', 'b').length
  const look = (bytes: Uint8Array, length: number, offset: number, end: number, base = 10) => ({
    ...wholeBatches(bytes, length, base, offset, end, { length: 0, nextOffset: -1, needed: 0 }),
  })

  test('are sent as far as whole batches go', () => {
    const bytes = batches(10, 12, 14)
    expect(look(bytes, bytes.length, 10, 100).length).toBe(3 * size)
    expect(look(bytes, bytes.length, 11, 100).length).toBe(3 * size)
    expect(look(bytes, bytes.length - 1, 10, 100).length).toBe(2 * size)
    expect(look(bytes, 2 * size + 30, 10, 100).length).toBe(2 * size)
  })

  test('say how much is missing of a first batch', () => {
    expect(look(batches(10), 70, 10, 100)).toMatchObject({ length: 0, needed: size })
    expect(look(batches(10), 30, 10, 100)).toMatchObject({ length: 0, needed: 0 })
  })

  test('are not sent beyond the high watermark', () => {
    const bytes = batches(10, 12, 14)
    expect(look(bytes, bytes.length, 10, 14).length).toBe(2 * size)
    expect(look(bytes, bytes.length, 10, 13).length).toBe(size)
    expect(look(bytes, bytes.length, 10, 11).length).toBe(0)
  })

  test('are not sent when the asked offset lies behind them, or they are no batches', () => {
    const bytes = batches(10, 12)
    expect(look(bytes, bytes.length, 12, 100)).toMatchObject({ length: 0, needed: 0 })
    expect(look(new Uint8Array(200), 200, 0, 100)).toMatchObject({ length: 0, needed: 0 })
    bytes[16] = 1
    expect(look(bytes, bytes.length, 10, 100)).toMatchObject({ length: 0, needed: 0 })
  })

  test('are sent up to where offsets go back, and over the gaps that compaction leaves', () => {
    const back = batches(10, 12, 11)
    expect(look(back, back.length, 10, 100).length).toBe(2 * size)
    const gap = batches(10, 20, 30)
    expect(look(gap, gap.length, 5, 100).length).toBe(3 * size)
  })

  test('are not sent when another batch lies where the broker named one: a gap hides nothing', () => {
    const gap = batches(10, 20, 30)
    expect(look(gap, gap.length, 5, 100, 7)).toMatchObject({ length: 0, needed: 0 })
    expect(look(gap, 30, 5, 100, 7)).toMatchObject({ length: 0, needed: 0 })
    expect(look(gap, gap.length, 5, 100, 20)).toMatchObject({ length: 0, needed: 0 })
  })
})

test('coarse deadlines fire once, in time, whatever is added and removed', () => {
  class One extends Deadline {
    firedAtMs = -1
    onDeadline(nowMs: number): void {
      expect(this.firedAtMs).toBe(-1)
      this.firedAtMs = nowMs
    }
  }
  const random = new SeededRandom(3)
  const deadlines = new Deadlines()
  const all: { one: One; atMs: number; removed: boolean }[] = []
  let nowMs = 1_000_000.5
  for (let step = 0; step < 3000; step++) {
    const one = new One()
    const atMs = nowMs + random.below(random.chance(0.1) ? 1_000_000 : 40_000)
    deadlines.add(one, atMs, nowMs)
    all.push({ one, atMs, removed: false })
    const other = all[random.below(all.length)]!
    if (other.one.firedAtMs < 0 && random.chance(0.5)) {
      deadlines.remove(other.one)
      other.removed = true
    }
    nowMs += random.below(400)
    deadlines.fireDue(nowMs)
    const late = all.find(({ one: due, atMs: at, removed }) => {
      return !removed && due.firedAtMs < 0 && at <= nowMs - 250
    })
    expect(late).toBeUndefined()
  }
  while (deadlines.size > 0) {
    expect(deadlines.nextAtMs).toBeGreaterThan(nowMs - 250)
    nowMs = Math.max(nowMs, deadlines.nextAtMs)
    deadlines.fireDue(nowMs)
  }
  for (const { one, atMs, removed } of all) {
    if (removed) expect(one.firedAtMs).toBe(-1)
    else expect(one.firedAtMs).toBeGreaterThanOrEqual(atMs)
  }
  expect(deadlines.nextAtMs).toBe(Number.POSITIVE_INFINITY)
})
