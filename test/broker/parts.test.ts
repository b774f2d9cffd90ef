import { describe, expect, it } from 'vitest'
import { SeededRandom } from '../../src/base/random.ts'
import { BatchBuffers } from '../../src/broker/batch-buffers.ts'
import { newWaitingProduce, WaitingProduces } from '../../src/broker/waiting-produces.ts'
import { Watches } from '../../src/broker/watches.ts'

describe('waiting produces', () => {
  const produce = (lastOffset: number, correlation = lastOffset) => ({
    ...newWaitingProduce(),
    lastOffset,
    correlation,
  })

  it('come out as they went in, over growth and wrap', () => {
    const waiting = new WaitingProduces()
    const model: number[] = []
    const random = new SeededRandom(7)
    const out = newWaitingProduce()
    let next = 0
    for (let step = 0; step < 4_000; step++) {
      if (random.chance(0.52)) {
        waiting.push({ ...produce(next), front: next & 1, baseOffset: next - 1 })
        model.push(next++)
      } else if (model.length > 0) {
        expect(waiting.firstLastOffset).toBe(model[0])
        waiting.shift(out)
        const expected = model.shift()!
        expect(out).toMatchObject({ correlation: expected, front: expected & 1 })
        expect(out.baseOffset).toBe(expected - 1)
      }
      expect(waiting.size).toBe(model.length)
    }
    expect(next).toBeGreaterThan(2_000)
  })

  it('lose, after a write that failed, only what that write would have made', () => {
    const waiting = new WaitingProduces()
    for (const offset of [3, 5]) waiting.push(produce(offset))
    waiting.markWritten()
    for (const [offset, correlation] of [
      [7, 70],
      [4, 40],
      [9, 90],
    ] as const) {
      waiting.push(produce(offset, correlation))
    }
    const lost: number[] = []
    waiting.dropUnwritten(newWaitingProduce(), ({ lastOffset, correlation }) => {
      if (lastOffset < 6) return false
      lost.push(correlation)
      return true
    })
    expect(lost).toEqual([70, 90])
    expect(waiting.unwritten).toBe(0)
    const out = newWaitingProduce()
    const left: number[] = []
    while (waiting.size > 0) {
      waiting.shift(out)
      left.push(out.correlation)
    }
    expect(left).toEqual([3, 5, 40])
  })
})

describe('watches', () => {
  const fired = (watches: Watches, highWatermark: number) => {
    const calls: [number, number][] = []
    watches.fireBelow(highWatermark, (front, count) => calls.push([front, count]))
    return calls
  }

  it('fire once, when the high watermark is beyond the offset', () => {
    const watches = new Watches(2)
    watches.add(0, 10)
    watches.add(1, 12)
    expect(fired(watches, 10)).toEqual([])
    expect(fired(watches, 11)).toEqual([[0, 1]])
    expect(fired(watches, 11)).toEqual([])
    expect(fired(watches, 13)).toEqual([[1, 1]])
    expect(watches.active).toBe(0)
  })

  it('answer each WATCH of a front that lowered its offset, all at the lowest', () => {
    const watches = new Watches(1)
    watches.add(0, 10)
    watches.add(0, 4)
    watches.add(0, 7)
    expect(watches.active).toBe(1)
    expect(fired(watches, 5)).toEqual([[0, 3]])
    expect(fired(watches, 99)).toEqual([])
  })
})

describe('batch buffers', () => {
  it('are taken once, by front and id, and bounded per front', () => {
    const buffers = new BatchBuffers(2)
    const sab = () => new SharedArrayBuffer(8)
    const mine = sab()
    expect(buffers.put('front-0', 1, mine)).toBe(-1)
    expect(buffers.put('front-1', 1, sab())).toBe(-1)
    expect(buffers.put('front-0', 2, sab())).toBe(-1)
    expect(buffers.put('front-0', 3, sab())).toBe(1)
    expect(buffers.take('front-0', 1)).toBeUndefined()
    expect(buffers.take('front-0', 2)).toBeDefined()
    expect(buffers.take('front-0', 2)).toBeUndefined()
    expect(buffers.size).toBe(2)
  })
})
