import { describe, expect, it } from 'vitest'
import { InvariantError } from '../../src/base/assert.ts'
import { SeededRandom } from '../../src/base/random.ts'
import { ARENA_BLOCK_MIN, Arena } from '../../src/shared/arena.ts'
import type { Region } from '../../src/shared/region.ts'

const KB = 1024

describe('arena', () => {
  it('hands out blocks of the next power of two, lowest address first', () => {
    const arena = new Arena({ capacityBytes: 1024 * KB })
    const a = arena.allocate(1)!
    const b = arena.allocate(40 * KB)!
    const c = arena.allocate(16 * KB)!
    expect([a.byteOffset, b.byteOffset, c.byteOffset]).toEqual([0, 64 * KB, 16 * KB])
    expect([a.byteLength, b.byteLength]).toEqual([16 * KB, 64 * KB])
    expect(arena.usedBytes).toBe(96 * KB)
    arena.free(a)
    expect(arena.allocate(16 * KB)!.byteOffset).toBe(0)
  })

  it('joins freed buddies again', () => {
    const arena = new Arena({ capacityBytes: 256 * KB })
    const blocks = Array.from({ length: 16 }, () => arena.allocate(16 * KB)!)
    expect(arena.allocate(1)).toBeNull()
    for (const block of blocks) if (block.byteOffset % (32 * KB) === 0) arena.free(block)
    expect(arena.usedBytes).toBe(128 * KB)
    expect(arena.allocate(32 * KB)).toBeNull()
    for (const block of blocks) if (block.byteOffset % (32 * KB) !== 0) arena.free(block)
    expect(arena.allocate(256 * KB)!.byteOffset).toBe(0)
  })

  it('keeps to its budget and its largest block', () => {
    const arena = new Arena({
      capacityBytes: 1024 * KB,
      budgetBytes: 100 * KB,
      blockBytesMax: 64 * KB,
    })
    expect(arena.allocate(65 * KB)).toBeNull()
    const block = arena.allocate(64 * KB)!
    expect(arena.allocate(64 * KB)).toBeNull()
    expect(arena.allocate(32 * KB)).not.toBeNull()
    arena.free(block)
    expect(arena.allocate(64 * KB)).not.toBeNull()
  })

  it('uses all of a capacity that is no power of two, and nothing beyond', () => {
    const arena = new Arena({ capacityBytes: 11 * ARENA_BLOCK_MIN })
    let blocks = 0
    for (let block = arena.allocate(1); block; block = arena.allocate(1)) {
      expect(block.byteOffset + block.byteLength).toBeLessThanOrEqual(arena.capacityBytes)
      blocks++
    }
    expect(blocks).toBe(11)
  })

  it('throws on double and foreign frees', () => {
    const arena = new Arena({ capacityBytes: 256 * KB })
    const other = new Arena({ capacityBytes: 256 * KB })
    const block = arena.allocate(20 * KB)!
    const bad: Region[] = [
      { ...block, sab: other.sab },
      { ...block, byteOffset: block.byteOffset + 16 * KB },
      { ...block, byteOffset: 8 },
      { ...block, byteLength: 16 * KB },
    ]
    for (const region of bad) expect(() => arena.free(region)).toThrow(InvariantError)
    arena.free(block)
    expect(() => arena.free(block)).toThrow(InvariantError)
    expect(arena.usedBytes).toBe(0)
  })

  it('never overlaps blocks and ends whole, through thousands of random turns', () => {
    const random = new SeededRandom(42)
    const arena = new Arena({ capacityBytes: 4096 * KB, blockBytesMax: 512 * KB })
    const owner = new Int32Array(256)
    const held: Region[] = []
    const leaves = (region: Region) =>
      owner.subarray(
        region.byteOffset / ARENA_BLOCK_MIN,
        (region.byteOffset + region.byteLength) / ARENA_BLOCK_MIN,
      )
    for (let turn = 1; turn <= 4_000; turn++) {
      if (random.chance(0.52)) {
        const region = arena.allocate(1 + random.below(2 ** (10 + random.below(10))))
        if (!region) continue
        expect(leaves(region).every((by) => by === 0)).toBe(true)
        leaves(region).fill(turn)
        held.push(region)
      } else if (held.length > 0) {
        const region = held.splice(random.below(held.length), 1)[0]!
        expect(new Set(leaves(region)).size).toBe(1)
        leaves(region).fill(0)
        arena.free(region)
      }
      expect(arena.usedBytes).toBe(held.reduce((sum, r) => sum + r.byteLength, 0))
    }
    for (const region of held) arena.free(region)
    for (let i = 0; i < 8; i++) expect(arena.allocate(512 * KB)!.byteOffset).toBe(i * 512 * KB)
  })
})
