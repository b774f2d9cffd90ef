import { describe, expect, it } from 'vitest'
import { ManualClock } from '../../src/base/clock.ts'
import { silentLogger } from '../../src/base/log.ts'
import { SeededRandom } from '../../src/base/random.ts'
import {
  batchOf,
  METADATA_LOG_CONFIG,
  METADATA_PARTITION,
  rolled,
} from '../../src/broker/metadata-log.ts'
import { DiskError } from '../../src/log/disk.ts'
import { OpenFiles } from '../../src/log/open-files.ts'
import { newAppendOutcome } from '../../src/log/outcomes.ts'
import { PartitionLog } from '../../src/log/partition-log.ts'
import { RecoveryPoints } from '../../src/log/recovery-points.ts'
import { SimulatedDisk } from '../../src/log/simulated-disk.ts'
import { SimulatedFlusher } from '../../src/log/simulated-flusher.ts'
import type { EntryLog } from '../../src/machine/entry-log.ts'
import { openMetadataLog } from './metadata-world.ts'

const entry = (n: number) => new TextEncoder().encode(`entry ${n}`.padEnd(20 + (n % 50), '.'))

const open = openMetadataLog

/** As versions before did: one copy, no control entries, flushed when asked. */
function writeWithoutGroup(disk: SimulatedDisk, values: readonly Uint8Array[]): void {
  const flush = new SimulatedFlusher(disk)
  const environment = {
    ...{ disk, flush, files: new OpenFiles(disk, 8), rings: null, space: null },
    ...{ clock: new ManualClock(), random: new SeededRandom(1), logger: silentLogger },
    recoveryPoints: RecoveryPoints.open({
      ...{ disk, flush, root: '/data/broker-1', logger: silentLogger },
    }),
  }
  const log = PartitionLog.open({
    environment,
    directory: '/data/broker-1/metadata',
    partition: METADATA_PARTITION,
    config: { ...METADATA_LOG_CONFIG, flushMessages: Number.MAX_SAFE_INTEGER },
    origin: 'broker',
  })
  for (const value of values) {
    log.stage(batchOf([value], 0), 0, 0, newAppendOutcome())
    log.write()
  }
  log.flushAll(() => log.close())
  while (flush.pending > 0) flush.doWork()
}

it('begins no segment where the disk takes none, and stays as it is', () => {
  const refused = (code: string) => {
    throw code === '' ? new Error('a bug') : new DiskError(code, '/x.log', 'open')
  }
  const logOf = (code: string) =>
    ({
      ...{ hasStaged: false, failure: null, active: { size: 1 }, logEndOffset: 7 },
      tail: { markDirty: () => {}, roll: () => refused(code) },
      environment: { space: null, clock: new ManualClock() },
    }) as unknown as PartitionLog
  expect(rolled(logOf('ENOSPC'))).toBeNull()
  expect(rolled(logOf('EIO'))).toBeNull()
  expect(() => rolled(logOf(''))).toThrow('a bug')
})

const contents = (log: EntryLog, from = 0): [number, string][] => {
  const found: [number, string][] = []
  log.read(from, log.endOffset, (offset, bytes) =>
    found.push([offset, new TextDecoder().decode(bytes.slice())]),
  )
  return found
}
const entries = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) => entry(from + i))
const expected = (from: number, to: number) =>
  entries(from, to).map((bytes, i) => [from + i, new TextDecoder().decode(bytes)])

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

  it('is committed when the flusher says so, up to what was there when it was asked', () => {
    const { log, flush, turn, settle } = open(new SimulatedDisk())
    log.append(entries(0, 2))
    expect(log.committedOffset).toBe(0)
    turn()
    log.append(entries(2, 3))
    expect(log.committedOffset).toBe(0)
    flush.doWork()
    turn()
    expect(log.committedOffset).toBe(2)
    settle()
    expect(log.committedOffset).toBe(3)
  })

  it('gives what of a range there is to be given', () => {
    const { log } = open(new SimulatedDisk())
    log.append(entries(0, 3))
    log.append(entries(3, 5))
    const found: number[] = []
    log.read(1, 4, (offset) => found.push(offset))
    expect(found).toEqual([1, 2, 3])
  })

  it('keeps across a power cut what was durable, and nothing by halves', () => {
    for (let seed = 1; seed <= 40; seed++) {
      const disk = new SimulatedDisk()
      const before = open(disk)
      before.log.append(entries(0, 5))
      before.settle()
      expect(before.log.committedOffset).toBe(5)
      before.log.append(entries(5, 8))
      disk.powerCut(seed)
      const { log } = open(disk)
      expect([5, 8], `seed ${seed}`).toContain(log.endOffset)
      expect(contents(log)).toEqual(expected(0, log.endOffset))
      log.append(entries(log.endOffset, 10))
      expect(contents(log)).toEqual(expected(0, 10))
    }
  })

  it('that was written before there was a group is told entry by entry, and never held as a whole', () => {
    const disk = new SimulatedDisk()
    disk.mkdirs('/data')
    const written = Array.from({ length: 40 }, () => new Uint8Array(1 << 20))
    writeWithoutGroup(disk, written)
    let readBytes = 0
    const openFile = disk.open.bind(disk)
    disk.open = (path, mode) => {
      const file = openFile(path, mode)
      const read = file.read.bind(file)
      file.read = (target, targetOffset, length, position) => {
        const done = read(target, targetOffset, length, position)
        if (path.endsWith('.log')) readBytes += done
        return done
      }
      return file
    }
    const steps: number[] = []
    open(disk, (visit) => {
      let from = readBytes
      visit(() => {
        steps.push(readBytes - from)
        from = readBytes
      })
      return 0
    })
    expect(steps.length).toBe(40)
    // each was read for its own sake, and not before it was asked for
    expect(steps.reduce((sum, bytes) => sum + bytes, 0)).toBeGreaterThan(38 * 2 ** 20)
    expect(Math.max(...steps)).toBeLessThan(8 * 2 ** 20)
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
    const { log, settle } = open(disk)
    disk.onOperation = ({ operation, path }) =>
      operation === 'write' && /index|snapshot/.test(path) ? { kind: 'error', code: 'EIO' } : null
    log.append(entries(0, 2))
    settle()
    expect([log.committedOffset, log.failure]).toEqual([2, null])
  })

  it('that was written before there was a group goes on as its leader’s, with all that was in it', () => {
    const disk = new SimulatedDisk()
    disk.mkdirs('/data')
    disk.flush('/')
    writeWithoutGroup(disk, entries(0, 4))
    for (const seed of [1, 2, 3]) {
      const found: Uint8Array[][] = []
      const { log, settle } = open(disk, (visit) => {
        const given: Uint8Array[] = []
        visit((_, bytes) => given.push(bytes.slice()))
        found.push(given)
        return 3
      })
      expect([log.term > 0, log.committedOffset]).toEqual([true, 3 + seed])
      expect(contents(log)).toEqual(expected(0, 3 + seed))
      // in the life that the log tells, read once
      if (seed === 1) expect(found).toEqual([entries(0, 4)])
      else expect(found).toEqual([])
      log.append([entry(3 + seed)])
      settle()
      disk.powerCut(seed)
    }
  })
})
