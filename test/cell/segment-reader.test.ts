import { mkdtempSync, rmSync, unlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { BufferPool } from '../../src/cell/buffer-pool.ts'
import { Correlations } from '../../src/cell/correlations.ts'
import type { SegmentFiles } from '../../src/cell/segment-files.ts'
import { type FileFailure, NodeSegmentFiles } from '../../src/cell/segment-files.ts'
import { SegmentReader } from '../../src/cell/segment-reader.ts'

/** Files that answer when told to. */
class ManualFiles implements SegmentFiles {
  readonly pending: (() => void)[] = []
  open_ = 0
  opens = 0
  missing = new Set<string>()

  open(name: string, done: Parameters<SegmentFiles['open']>[1]): void {
    this.opens++
    this.pending.push(() => {
      if (this.missing.has(name)) {
        done({ code: 'ENOENT' }, null)
        return
      }
      this.open_++
      done(null, {
        read: (_target, length, _position, onRead) => {
          this.pending.push(() => onRead(null, length))
        },
        close: () => this.open_--,
      })
    })
  }

  step(): void {
    for (const run of this.pending.splice(0)) run()
  }
}

const limits = { openFilesMax: 2, readsMax: 3, readsPerDirectoryMax: 2, idleMs: 1000 }

const world = () => {
  const files = new ManualFiles()
  const reader = new SegmentReader(files, limits)
  const done: string[] = []
  const read = (name: string, directory = 'd') => {
    reader.read({
      path: name,
      directory,
      position: 0,
      length: 8,
      target: new Uint8Array(8),
      done: (failure, bytes) => void done.push(`${name} ${failure?.code ?? bytes}`),
    })
  }
  const run = () => {
    while (files.pending.length > 0) files.step()
  }
  return { files, reader, done, read, run }
}

describe('a segment reader', () => {
  test('opens a file once for many reads, and closes it when it has been idle', () => {
    const { files, reader, done, read, run } = world()
    for (let i = 0; i < 5; i++) read('a')
    run()
    expect(done).toEqual(Array.from({ length: 5 }, () => 'a 8'))
    expect([files.opens, files.open_]).toEqual([1, 1])
    reader.closeIdle(999)
    expect(files.open_).toBe(1)
    reader.closeIdle(1000)
    expect(files.open_).toBe(0)
    expect(reader.nextIdleAtMs).toBe(Number.POSITIVE_INFINITY)
  })

  test('keeps a hung directory from taking all reads', () => {
    const { files, reader, done, read } = world()
    for (let i = 0; i < 10; i++) read(`slow${i}`, 'hung')
    expect(reader.reads).toBe(2)
    const stuck = files.pending.splice(0)
    read('quick', 'fine')
    files.step()
    files.step()
    expect(done).toEqual(['quick 8'])
    expect(stuck).toHaveLength(2)
  })

  test('says what is missing, and opens it anew the next time', () => {
    const { files, done, read, run } = world()
    files.missing.add('a')
    read('a')
    run()
    files.missing.clear()
    read('a')
    run()
    expect(done).toEqual(['a ENOENT', 'a 8'])
  })

  test('keeps no more files open than it may, and none that nobody reads when it is closed', () => {
    const { files, reader, read, run } = world()
    for (const name of ['a', 'b', 'c', 'd']) {
      read(name)
      run()
    }
    expect(files.open_).toBe(2)
    read('e')
    reader.close()
    run()
    expect(files.open_).toBe(0)
  })

  test('reads real files, also ones deleted while they are open', async () => {
    const directory = mkdtempSync(path.join(tmpdir(), 'segments-'))
    const file = path.join(directory, 'segment')
    writeFileSync(file, 'hello world')
    const reader = new SegmentReader(new NodeSegmentFiles())
    const read = (position: number) =>
      new Promise<string | FileFailure>((resolve) => {
        const target = new Uint8Array(100)
        reader.read({
          path: file,
          directory,
          position,
          length: 100,
          target,
          done: (failure, bytes) =>
            resolve(failure ?? Buffer.from(target.subarray(0, bytes)).toString()),
        })
      })
    expect(await read(6)).toBe('world')
    unlinkSync(file)
    expect(await read(0)).toBe('hello world')
    reader.invalidate(file)
    expect(await read(0)).toEqual({ code: 'ENOENT' })
    reader.close()
    rmSync(directory, { recursive: true })
  })
})

test('a buffer pool gives buffers again, and keeps no more than its capacity', () => {
  const pool = new BufferPool(1 << 20)
  const first = pool.take(300_000)
  expect(first.length).toBeGreaterThanOrEqual(300_000)
  pool.give(first)
  expect(pool.take(400_000)).toBe(first)
  const others = [pool.take(500_000), pool.take(2_000_000)]
  expect(pool.roomBytes).toBe(0)
  for (const buffer of [first, ...others]) pool.give(buffer)
  expect(pool.outBytes).toBe(0)
  expect(pool.keptBytes).toBeLessThanOrEqual(1 << 20)
})

test('correlations come back to who asked, and slots are used again', () => {
  const asked = new Correlations<string>()
  const slots = ['a', 'b', 'c'].map((who, i) => asked.add(who, i * 10))
  expect(asked.token(slots[1]!)).toBe(10)
  expect(asked.take(slots[1]!)).toBe('b')
  expect(asked.add('d', 99)).toBe(slots[1])
  expect(asked.slots()).toHaveLength(3)
  expect(() => asked.take(17)).toThrow()
  asked.take(slots[0]!)
  expect(() => asked.take(slots[0]!)).toThrow()
})
