import { describe, expect, it } from 'vitest'
import { RefusedProducers } from '../../src/log/refused-producers.ts'

const batch = (producerId: number, baseSequence: number, epoch = 0) => ({
  ...{ producerId, epoch, baseSequence, lastOffsetDelta: 0 },
})

describe('batches that were refused', () => {
  it('come before what follows on them, and the earliest counts', () => {
    const refused = new RefusedProducers()
    refused.note(batch(1, 5), 0)
    refused.note(batch(1, 3), 0)
    refused.note(batch(1, 7), 0)
    expect([2, 3, 4, 9].map((sequence) => refused.before(batch(1, sequence)))).toEqual([
      -1, -1, 3, 3,
    ])
    expect(refused.before(batch(2, 9))).toBe(-1)
    refused.took(1)
    expect(refused.before(batch(1, 9))).toBe(-1)
  })

  it('are those of the latest epoch, and sequences wrap', () => {
    const refused = new RefusedProducers()
    refused.note(batch(1, 2 ** 31 - 1, 1), 0)
    refused.note(batch(1, 0, 0), 0)
    expect(refused.before(batch(1, 0, 1))).toBe(2 ** 31 - 1)
    expect(refused.before(batch(1, 4, 0))).toBe(-1)
    refused.note(batch(1, 0, 2), 0)
    expect(refused.before(batch(1, 4, 1))).toBe(-1)
    expect(refused.before(batch(1, 4, 2))).toBe(0)
  })

  it('are forgotten when there are too many, and after a while', () => {
    const refused = new RefusedProducers()
    for (let id = 0; id < 1_500; id++) refused.note(batch(id, 0), id)
    expect(refused.before(batch(499, 1))).toBe(-1)
    expect(refused.before(batch(500, 1))).toBe(0)
    refused.expire(600_600)
    expect(refused.before(batch(600, 1))).toBe(-1)
    expect(refused.before(batch(601, 1))).toBe(0)
  })
})
