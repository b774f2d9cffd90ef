import { describe, expect, it } from 'vitest'
import type { MetadataLog } from '../../src/broker/metadata-log.ts'
import { SimulatedDisk } from '../../src/log/simulated-disk.ts'
import type { SimulatedFlusher } from '../../src/log/simulated-flusher.ts'
import { openMetadataLog } from './metadata-world.ts'

const entry = (n: number) => new TextEncoder().encode(`entry ${n}`.padEnd(20 + (n % 50), '.'))

const open = openMetadataLog

const contents = (log: MetadataLog, from = 0): [number, string][] => {
  const found: [number, string][] = []
  log.read(from, (offset, bytes) => found.push([offset, new TextDecoder().decode(bytes.slice())]))
  return found
}
const entries = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) => entry(from + i))
const expected = (from: number, to: number) =>
  entries(from, to).map((bytes, i) => [from + i, new TextDecoder().decode(bytes)])

/** Lets the flusher finish. */
function settle(flush: SimulatedFlusher): void {
  for (let turns = 0; flush.pending > 0 && turns < 100; turns++) flush.doWork()
}

describe('the metadata log', () => {
  it('gives back the entries that it was given, from any offset', () => {
    const { log } = open(new SimulatedDisk())
    expect(log.endOffset).toBe(0)
    expect(log.append(entries(0, 3))).toBe(3)
    expect(log.append(entries(3, 4))).toBe(4)
    expect(log.append([])).toBe(4)
    expect(contents(log)).toEqual(expected(0, 4))
    expect(contents(log, 2)).toEqual(expected(2, 4))
    expect(contents(log, 4)).toEqual([])
  })

  it('is durable when the flusher says so, up to what was there when it was asked', () => {
    const { log, flush } = open(new SimulatedDisk())
    log.append(entries(0, 2))
    expect(log.durableOffset).toBe(0)
    log.requestFlush()
    log.append(entries(2, 3))
    expect(log.durableOffset).toBe(0)
    settle(flush)
    expect(log.durableOffset).toBe(2)
    log.requestFlush()
    settle(flush)
    expect(log.durableOffset).toBe(3)
  })

  it('keeps across a power cut what was durable, and nothing by halves', () => {
    for (let seed = 1; seed <= 40; seed++) {
      const disk = new SimulatedDisk()
      const before = open(disk)
      settle(before.flush)
      before.log.append(entries(0, 5))
      before.log.requestFlush()
      settle(before.flush)
      before.log.append(entries(5, 8))
      disk.powerCut(seed)
      const { log } = open(disk)
      expect([5, 8], `seed ${seed}`).toContain(log.endOffset)
      expect(contents(log)).toEqual(expected(0, log.endOffset))
      log.append(entries(log.endOffset, 10))
      expect(contents(log)).toEqual(expected(0, 10))
    }
  })

  it('throws when the disk refuses, and is as it was before', () => {
    const disk = new SimulatedDisk()
    const { log } = open(disk)
    log.append(entries(0, 2))
    disk.onOperation = ({ operation }) =>
      operation === 'write' ? { kind: 'error', code: 'ENOSPC' } : null
    expect(() => log.append(entries(2, 4))).toThrow(/ENOSPC|EIO/)
    expect(log.endOffset).toBe(2)
    disk.onOperation = null
    expect(log.append(entries(2, 4))).toBe(4)
    expect(contents(log)).toEqual(expected(0, 4))
  })

  it('becomes durable though its indexes cannot be written: nobody would ask again', () => {
    const disk = new SimulatedDisk()
    const { log, flush } = open(disk)
    disk.onOperation = ({ operation, path }) =>
      operation === 'write' && /index|snapshot/.test(path) ? { kind: 'error', code: 'EIO' } : null
    log.append(entries(0, 2))
    log.requestFlush()
    settle(flush)
    expect([log.durableOffset, log.failure]).toEqual([2, null])
  })
})
