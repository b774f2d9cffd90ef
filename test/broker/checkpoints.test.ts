import { describe, expect, it } from 'vitest'
import { ManualClock } from '../../src/base/clock.ts'
import { Checkpoints, PART } from '../../src/broker/checkpoints.ts'
import { DiskError } from '../../src/log/disk.ts'
import { DiskSpace } from '../../src/log/disk-space.ts'
import { SimulatedDisk } from '../../src/log/simulated-disk.ts'
import { SimulatedFlusher } from '../../src/log/simulated-flusher.ts'
import type { SnapshotId } from '../../src/machine/snapshot-store.ts'
import { buildBatch } from '../../src/record/builder.ts'
import { liveUntil } from '../log/workload.ts'

const DIRECTORY = '/data/broker-1/metadata'
const FOREVER = Number.MAX_SAFE_INTEGER

/** Snapshots on a disk that has the directory, durable. */
function open(disk: SimulatedDisk, reserveBytes = 0, directory = DIRECTORY) {
  disk.mkdirs(directory)
  const parent = directory.slice(0, directory.lastIndexOf('/'))
  for (const path of ['/', '/data', parent, directory]) disk.flush(path)
  const flush = new SimulatedFlusher(disk)
  const lines: string[] = []
  const clock = new ManualClock()
  const logger = {
    log: (_: string, message: string, fields?: object) =>
      lines.push(`${message} ${JSON.stringify(fields ?? {})}`),
  }
  const onChange = () => {}
  const space = new DiskSpace({
    ...{ disk, directory: '/data', clock, logger, onChange, reserveBytes, markBytes: 0 },
    reserveLater: false,
  })
  const environment = { disk, flush, clock, logger, space }
  const store = Checkpoints.open({ environment, directory })
  const work = () => {
    for (let turn = 0; turn < 1_000 && store.isWriting; turn++) {
      store.doWork(0)
      flush.doWork()
    }
    while (flush.pending > 0) flush.doWork()
  }
  return { store, flush, lines, work }
}

/** Entries that only the snapshot at `offset` has. */
function* entriesOf(offset: number, count = 700, bytes = 40): IterableIterator<Uint8Array> {
  for (let i = 0; i < count; i++) {
    yield new TextEncoder().encode(`${offset}/${i}`.padEnd(bytes + (i % 7), '.'))
  }
}

const textsOf = (entries: Iterable<Uint8Array>) =>
  Array.from(entries, (bytes) => new TextDecoder().decode(bytes))

const id = (offset: number, epoch = 3): SnapshotId => ({ offset, epoch })
const names = (disk: SimulatedDisk) => disk.list(DIRECTORY)

describe('snapshots of the metadata log', () => {
  it('are written in slices and under another name until they are whole and durable', () => {
    const disk = new SimulatedDisk()
    const { store, flush } = open(disk)
    const entries = entriesOf(9, 10_000)
    expect(store.begin(id(9), entries)).toBe(true)
    expect(store.begin(id(10), entriesOf(10))).toBe(false)
    const name = '00000000000000000009-0000000003.checkpoint'
    let turns = 0
    while (store.doWork(0) > 0) {
      turns++
      expect(names(disk)).toEqual([name + PART])
      expect(store.kept).toEqual([])
    }
    expect(turns).toBeGreaterThan(30)
    expect(store.isWriting).toBe(true)
    flush.doWork()
    expect(names(disk)).toEqual([name])
    expect(store.kept).toEqual([])
    flush.doWork()
    expect(store.kept).toEqual([id(9)])
    expect(store.isWriting).toBe(false)
    expect(textsOf(store.newest(0, 9)!.entries())).toEqual(textsOf(entriesOf(9, 10_000)))
  })

  it('hold entries of any number and size', () => {
    const disk = new SimulatedDisk()
    const { store, work } = open(disk)
    for (const [offset, count, bytes] of [
      [1, 0, 10],
      [2, 1, 10],
      [3, 250, 10],
      [4, 3, 300_000],
      [5, 251, 70_000],
    ] as const) {
      store.begin(id(offset), entriesOf(offset, count, bytes))
      work()
      const found = open(disk).store.newest(0, FOREVER)!
      expect(found.offset).toBe(offset)
      expect(textsOf(found.entries())).toEqual(textsOf(entriesOf(offset, count, bytes)))
    }
  })

  it('are two at most, and one that is not whole is removed by the next process', () => {
    const disk = new SimulatedDisk()
    const { store, work } = open(disk)
    for (const offset of [5, 9, 12]) {
      store.begin(id(offset), entriesOf(offset))
      work()
    }
    store.begin(id(20), entriesOf(20))
    store.doWork(0)
    expect(names(disk)).toHaveLength(3)
    disk.kill()
    const again = open(disk)
    expect(again.store.kept).toEqual([id(9), id(12)])
    expect(names(disk)).toEqual([
      '00000000000000000009-0000000003.checkpoint',
      '00000000000000000012-0000000003.checkpoint',
    ])
    expect(again.store.newest(0, FOREVER)).toMatchObject(id(12))
    expect(again.store.newest(0, 11)).toMatchObject(id(9))
    expect(again.store.newest(10, 11)).toBe(null)
  })

  it('are passed over when they are damaged anywhere or cut off, which names the file', () => {
    const disk = new SimulatedDisk()
    const { store, work } = open(disk)
    store.begin(id(5), entriesOf(5, 20))
    work()
    store.begin(id(9), entriesOf(9, 20))
    work()
    const path = `${DIRECTORY}/00000000000000000009-0000000003.checkpoint`
    const good = disk.readFile(path).slice()
    const check = (bytes: Uint8Array, what: string) => {
      disk.writeFileAtomic(path, bytes)
      const { store: found, lines } = open(disk)
      expect(found.newest(0, FOREVER), what).toMatchObject(id(5))
      expect(found.complaints, what).toEqual([expect.stringContaining(path)])
      expect(lines[0], what).toContain(path)
    }
    // the leader epoch of a batch is outside of its CRC, as in any log
    const isEpoch = (at: number) =>
      batchStarts(good).some((from) => at >= from + 12 && at < from + 16)
    for (let at = 0; at < good.length; at++) {
      if (isEpoch(at)) continue
      const bytes = good.slice()
      bytes[at]! ^= 0x10
      check(bytes, `byte ${at}`)
    }
    for (let size = 0; size < good.length; size++) check(good.subarray(0, size), `${size} bytes`)
    check(new Uint8Array([...good, ...good]), 'twice')
    disk.rename(path, path.replace('9-', '8-'))
    disk.writeFileAtomic(path.replace('9-', '8-'), good)
    expect(open(disk).store.newest(0, FOREVER)).toMatchObject(id(5))
  })

  it('are refused by name where a newer version wrote them', () => {
    const disk = new SimulatedDisk()
    open(disk)
    const text = new TextEncoder()
    const value = text.encode(JSON.stringify({ version: 7, offset: 9, epoch: 3 }))
    const batch = buildBatch([{ timestampMs: 0, key: text.encode('header'), value }])
    disk.writeFileAtomic(`${DIRECTORY}/00000000000000000009-0000000003.checkpoint`, batch)
    const { store: found } = open(disk)
    expect(found.newest(0, FOREVER)).toBe(null)
    expect(found.complaints[0]).toContain('.checkpoint has version 7, this version reads up to 1')
  })

  it('are given up on a full disk and by a failed flush, and made later', () => {
    for (const operation of ['write', 'open', 'rename', 'flush'] as const) {
      const disk = new SimulatedDisk()
      const { store, work, lines } = open(disk)
      disk.onOperation = (one) =>
        one.operation === operation ? { kind: 'error', code: 'ENOSPC' } : null
      store.begin(id(9), entriesOf(9))
      work()
      expect(store.isWriting, operation).toBe(false)
      expect(store.kept, operation).toEqual([])
      expect(names(disk), operation).toEqual([])
      expect(lines.join(), operation).toContain('A snapshot of the metadata cannot be made')
      disk.onOperation = null
      store.begin(id(10), entriesOf(10))
      work()
      expect(textsOf(store.newest(0, FOREVER)!.entries())).toEqual(textsOf(entriesOf(10)))
    }
  })

  it('lose nothing where a write fails once and the reserve of the disk makes room', () => {
    const disk = new SimulatedDisk()
    const { store, work } = open(disk, 1 << 20)
    let failures = 0
    disk.onOperation = ({ operation, path }) => {
      const isHit = operation === 'write' && path.endsWith(PART) && failures === 0
      if (!isHit) return null
      failures++
      return { kind: 'error', code: 'ENOSPC' }
    }
    store.begin(id(9), entriesOf(9))
    work()
    expect(failures).toBe(1)
    expect(textsOf(store.newest(0, FOREVER)!.entries())).toEqual(textsOf(entriesOf(9)))
  })
})

describe('another replica’s snapshot', () => {
  const THEIRS = '/data/broker-2/metadata'

  /** A disk on which another has two snapshots, the newest of several batches. */
  function world() {
    const disk = new SimulatedDisk()
    const theirs = open(disk, 0, THEIRS)
    for (const offset of [5, 9]) {
      theirs.store.begin(id(offset), entriesOf(offset, 2_000))
      theirs.work()
    }
    const ours = open(disk)
    const ends: (string | null)[] = []
    const copy = (from: number) =>
      ours.store.copyFrom(THEIRS, from, (failed) => ends.push(failed?.message ?? null))
    return { disk, ...ours, ends, copy }
  }

  it('is copied in slices, entry for entry, and what is written here is let go of', () => {
    const { disk, store, work, ends, copy } = world()
    store.begin(id(1), entriesOf(1, 5_000))
    store.doWork(0)
    copy(4)
    expect(store.doWork(0)).toBe(1)
    expect(ends).toEqual([])
    work()
    expect(ends).toEqual([null])
    expect(store.kept).toEqual([id(9)])
    expect(textsOf(store.newest(4, FOREVER)!.entries())).toEqual(textsOf(entriesOf(9, 2_000)))
    copy(7)
    expect(ends).toEqual([null, null])
    expect(open(disk).store.kept).toEqual([id(9)])
  })

  const NEWEST = `${THEIRS}/00000000000000000009-0000000003.checkpoint`
  const damage = (disk: SimulatedDisk) => {
    const bytes = disk.readFile(NEWEST).slice()
    bytes[bytes.length - 200]! ^= 1
    disk.writeFileAtomic(NEWEST, bytes)
  }

  it('is not taken where it is damaged or gone, or none is late enough', () => {
    const { disk, store, work, ends, copy } = world()
    copy(10)
    expect(ends[0]).toBe(`${THEIRS} has no snapshot of offset 10 or later`)
    damage(disk)
    copy(7)
    work()
    expect(ends[1]).toContain(`${NEWEST} is damaged`)
    expect(store.kept).toEqual([])
    expect(names(disk)).toEqual([])
    copy(7)
    disk.remove(NEWEST)
    work()
    expect(ends[2]).toContain('ENOENT')
    copy(7)
    expect(ends[3]).toBe(`${THEIRS} has no snapshot of offset 7 or later`)
  })

  it.each([
    ['is damaged', damage],
    ['is gone when it is read', (disk: SimulatedDisk) => disk.remove(NEWEST)],
    [
      'cannot be read',
      (disk: SimulatedDisk) => {
        const open = disk.open.bind(disk)
        disk.open = (path, mode) => {
          if (path === NEWEST) throw new DiskError('EIO', path, 'read')
          return open(path, mode)
        }
      },
    ],
  ])('is the older one where the newest %s: it is kept for just that', (_, spoil) => {
    const { disk, store, work, ends, copy, lines } = world()
    copy(4)
    spoil(disk)
    work()
    expect(ends).toEqual([null])
    expect(store.kept).toEqual([id(5)])
    expect(textsOf(store.newest(4, FOREVER)!.entries())).toEqual(textsOf(entriesOf(5, 2_000)))
    expect(names(disk)).toEqual(['00000000000000000005-0000000003.checkpoint'])
    expect(lines.join()).toContain(NEWEST)
  })

  it('is not asked for one by one where this disk is what fails', () => {
    const { disk, ends, copy, work } = world()
    const opened: string[] = []
    disk.onOperation = ({ operation, path }) => {
      if (operation === 'open' && path.endsWith(PART)) opened.push(path)
      return operation === 'write' && path.endsWith(PART) ? { kind: 'error', code: 'EIO' } : null
    }
    copy(4)
    work()
    expect(ends).toEqual([expect.stringContaining('EIO')])
    expect(opened).toHaveLength(1)
    expect(names(disk)).toEqual([])
  })
})

describe('snapshots after every single change that they make on disk', () => {
  const strike = (after: (disk: SimulatedDisk, seed: number) => void) => {
    for (let at = 1; ; at++) {
      for (let seed = 1; seed <= 8; seed++) {
        const disk = new SimulatedDisk()
        let promised = 0
        const live = () => {
          const { store, work } = open(disk)
          for (const offset of [5, 9, 12, 20]) {
            store.begin(id(offset), entriesOf(offset))
            work()
            promised = store.kept.at(-1)!.offset
          }
        }
        if (!liveUntil(disk, at, live)) return at - 1
        after(disk, at * 100 + seed)
        const when = `struck at change ${at}, seed ${seed}`
        const { store, work } = open(disk)
        const found = store.newest(0, FOREVER)
        expect(found?.offset ?? 0, when).toBeGreaterThanOrEqual(promised)
        expect(store.complaints, when).toEqual([])
        if (found !== null) {
          expect(textsOf(found.entries()), when).toEqual(textsOf(entriesOf(found.offset)))
        }
        store.begin(id(30), entriesOf(30))
        work()
        disk.powerCut(seed)
        expect(open(disk).store.newest(0, FOREVER), when).toMatchObject(id(30))
      }
    }
  }

  it('are whole where a power cut strikes', () => {
    expect(strike((disk, seed) => disk.powerCut(seed))).toBeGreaterThan(20)
  })

  it('are whole where the process dies', () => {
    expect(strike((disk) => disk.kill())).toBeGreaterThan(20)
  })
})

function batchStarts(bytes: Uint8Array): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  const starts: number[] = []
  for (let at = 0; at < bytes.length; at += 12 + view.getInt32(at + 8)) starts.push(at)
  return starts
}
