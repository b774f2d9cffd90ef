import { describe, expect, it } from 'vitest'
import { CommitQueue } from '../../src/machine/commit-queue.ts'

describe('CommitQueue', () => {
  it('delivers in order, and only what is committed', () => {
    const queue = new CommitQueue<string>()
    const seen: string[] = []
    const deliver = (one: string) => seen.push(one)
    queue.park(1, 'a')
    queue.park(3, 'b')
    queue.park(3, 'c')
    queue.park(4, 'd')
    expect(queue.commit(0, deliver)).toBe(0)
    expect(queue.commit(2, deliver)).toBe(1)
    expect(queue.commit(3, deliver)).toBe(2)
    expect(seen).toEqual(['a', 'b', 'c'])
    expect(queue.size).toBe(1)
    expect(() => queue.park(3, 'late')).toThrow(/log order/)
  })

  it('fails everything when the term is lost, and takes anew', () => {
    const queue = new CommitQueue<string>()
    const failed: string[] = []
    queue.park(10, 'a')
    queue.park(11, 'b')
    expect(queue.fail((one) => failed.push(one))).toBe(2)
    expect(failed).toEqual(['a', 'b'])
    expect(queue.size).toBe(0)
    queue.park(5, 'c')
    expect(queue.commit(5, (one) => failed.push(one))).toBe(1)
    expect(failed).toEqual(['a', 'b', 'c'])
  })

  it('lets a delivery park anew', () => {
    const queue = new CommitQueue<number>()
    const seen: number[] = []
    queue.park(1, 1)
    queue.commit(9, (one) => {
      seen.push(one)
      if (one < 3) queue.park(one + 1, one + 1)
    })
    expect(seen).toEqual([1, 2, 3])
  })

  it('keeps order over ten thousand in and out', () => {
    const queue = new CommitQueue<number>()
    const seen: number[] = []
    for (let offset = 0; offset < 10_000; offset++) {
      queue.park(offset, offset)
      queue.commit(offset - 5, (one) => seen.push(one))
    }
    expect(queue.size).toBe(5)
    expect(seen).toEqual(Array.from({ length: 9995 }, (_, i) => i))
  })
})
