import { describe, expect, it } from 'vitest'
import { MetadataPurge } from '../../src/controller/metadata-purge.ts'

class World {
  kept: { readonly offset: number; readonly epoch: number }[] = [
    { offset: 10, epoch: 1 },
    { offset: 20, epoch: 1 },
  ]
  startOffset = 10
  /** null: not now. */
  end: number | null = 35
  rolls = 0
  readonly purge = new MetadataPurge(this, this)

  roll(): number | null {
    if (this.end !== null) this.rolls++
    return this.end
  }

  keep(offset: number): void {
    this.kept = [...this.kept, { offset, epoch: 1 }].slice(-2)
  }

  get stands(): string {
    const { isUnderWay, wantsSnapshot } = this.purge
    return `${isUnderWay ? 'under way' : 'done'}, ${wantsSnapshot ? 'wants one' : 'wants none'}`
  }
}

describe('a purge', () => {
  it('ends when both snapshots and the log begin behind the segment that was begun for it', () => {
    const world = new World()
    world.purge.roll()
    expect([world.stands, world.rolls]).toEqual(['done, wants none', 0])
    world.purge.begin(31)
    expect(world.stands).toBe('under way, wants none')
    world.purge.roll()
    expect(world.stands).toBe('under way, wants one')
    world.purge.roll()
    expect(world.rolls).toBe(1)
    // of before the roll: the segment before it would stay
    world.keep(33)
    world.keep(35)
    expect(world.stands).toBe('under way, wants one')
    world.keep(36)
    expect(world.stands).toBe('under way, wants none')
    world.startOffset = 34
    expect(world.stands).toBe('under way, wants none')
    world.startOffset = 35
    expect(world.stands).toBe('done, wants none')
  })

  it('waits for a log that takes no segment now, and wants two snapshots where there were none', () => {
    const world = new World()
    world.kept = []
    world.end = null
    world.purge.begin(31)
    world.purge.roll()
    expect(world.stands).toBe('under way, wants none')
    world.end = 31
    world.purge.roll()
    world.keep(40)
    expect(world.stands).toBe('under way, wants one')
    world.keep(41)
    expect(world.stands).toBe('under way, wants none')
  })
})
