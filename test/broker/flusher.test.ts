import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { silentLogger } from '../../src/base/log.ts'
import { FlushClient } from '../../src/broker/flush-client.ts'
import { type FlushDone, FlushFiles } from '../../src/broker/flush-file.ts'
import { FlusherAgent } from '../../src/broker/flusher-agent.ts'
import { DELETED, type DiskError } from '../../src/log/disk.ts'
import { newRegion } from '../../src/shared/region.ts'
import { formatRing, ringBytes } from '../../src/shared/ring-layout.ts'
import { RingReader } from '../../src/shared/ring-reader.ts'
import { RingWriter } from '../../src/shared/ring-writer.ts'

const RING_BYTES = 64 * 1024

/** Files that are flushed when the test says so. */
class SlowFiles {
  readonly begun: { path: string; done: FlushDone }[] = []
  flush(path: string, done: FlushDone): void {
    this.begun.push({ path, done })
  }
  remove(path: string, done: FlushDone): void {
    this.begun.push({ path: `remove ${path}`, done })
  }
  finish(errno = 0): string {
    const { path, done } = this.begun.shift()!
    done(errno)
    return path
  }
  closed = 0
  closeUnused(): number {
    return this.closed++ === 0 ? 1 : 0
  }
  close(): void {}
}

function pair(rung: string[], name: string) {
  const requests = formatRing(newRegion(ringBytes(RING_BYTES)))
  const completions = formatRing(newRegion(ringBytes(RING_BYTES)))
  const client = new FlushClient({
    requests: new RingWriter(requests),
    completions: new RingReader(completions),
    bell: { ring: () => rung.push('flusher') },
  })
  const broker = {
    requests: new RingReader(requests),
    completions: new RingWriter(completions),
    bell: { ring: () => rung.push(name) },
  }
  return { client, broker }
}

function world(options: { inFlightMax?: number } = {}) {
  const rung: string[] = []
  const a = pair(rung, 'a')
  const b = pair(rung, 'b')
  const files = new SlowFiles()
  const flusher = new FlusherAgent({
    brokers: [a.broker, b.broker],
    logger: silentLogger,
    kick: () => rung.push('kick'),
    files,
    ...options,
  })
  return { rung, files, flusher, a: a.client, b: b.client }
}

describe('a broker and the flusher', () => {
  it('part when the broker’s thread dies: nothing more is begun for it, and who waits is told once nothing is being done', () => {
    const { rung, files, flusher, a, b } = world()
    a.request('/data/1.log', () => {})
    a.request('/data/2.log', () => {})
    b.request('/data/3.log', () => {})
    a.doWork()
    b.doWork()
    flusher.doWork(0)
    expect(files.begun).toHaveLength(3)
    a.request('/data/4.log', () => {})
    a.doWork()
    let dropped = 0
    flusher.drop(0, () => dropped++)
    expect(flusher.doWork(0)).toBe(0)
    rung.length = 0
    expect([files.finish(), files.finish()]).toEqual(['/data/1.log', '/data/3.log'])
    expect(dropped).toBe(0)
    expect(files.finish()).toBe('/data/2.log')
    expect(dropped).toBe(1)
    expect(rung.filter((name) => name === 'a')).toEqual([])
    flusher.drop(1, () => dropped++)
    expect(dropped).toBe(2)
    const next = pair(rung, 'next')
    flusher.replace(0, next.broker)
    next.client.request('/data/5.log', () => {})
    next.client.doWork()
    expect(flusher.doWork(0)).toBe(1)
    expect(files.finish()).toBe('/data/5.log')
    expect(rung).toContain('next')
    expect(next.client.doWork()).toBe(1)
  })

  it('flush a file and tell the broker, ringing at each hop', () => {
    const { rung, files, flusher, a } = world()
    const told: (DiskError | null)[] = []
    a.request('/data/1.log', (error) => told.push(error))
    expect(a.pending).toBe(1)
    expect(a.doWork()).toBe(1)
    expect(rung).toEqual(['flusher'])
    expect(flusher.doWork(0)).toBe(1)
    expect(told).toEqual([])
    expect(files.finish()).toBe('/data/1.log')
    expect(rung).toEqual(['flusher', 'a', 'kick'])
    expect(a.doWork()).toBe(1)
    expect(told).toEqual([null])
    expect(a.pending).toBe(0)
  })

  it('tell which error the disk gave', () => {
    const { files, flusher, a } = world()
    let told: DiskError | null = null
    a.request('/data/1.log', (error) => {
      told = error
    })
    a.doWork()
    flusher.doWork(0)
    files.finish(-5)
    a.doWork()
    expect(told).toMatchObject({ code: 'EIO', path: '/data/1.log', operation: 'flush' })
  })

  it('make one of requests that wait for the same file, but not of one that is under way', () => {
    const { files, flusher, a } = world()
    const told: string[] = []
    a.request('/x', () => told.push('1'))
    a.request('/x', () => told.push('2'))
    a.doWork()
    a.request('/x', () => told.push('3'))
    a.doWork()
    flusher.doWork(0)
    expect(files.begun.length).toBe(2)
    files.finish()
    a.doWork()
    expect(told).toEqual(['1', '2'])
    files.finish()
    a.doWork()
    expect(told).toEqual(['1', '2', '3'])
  })

  it('flush several files at once, but no more than allowed, one broker after the other', () => {
    const { files, flusher, a, b } = world({ inFlightMax: 3 })
    for (let i = 0; i < 5; i++) a.request(`/a${i}`, () => {})
    for (let i = 0; i < 5; i++) b.request(`/b${i}`, () => {})
    a.doWork()
    b.doWork()
    expect(flusher.doWork(0)).toBe(3)
    expect(files.begun.map(({ path }) => path)).toEqual(['/a0', '/b0', '/a1'])
    expect(flusher.doWork(0)).toBe(0)
    files.finish()
    expect(flusher.doWork(0)).toBe(1)
    expect(files.begun.map(({ path }) => path)).toEqual(['/b0', '/a1', '/b1'])
    expect(flusher.isIdle).toBe(false)
  })

  it('never fill the rings: thousands of files wait at the broker', () => {
    const { files, flusher, a } = world({ inFlightMax: 10_000 })
    let told = 0
    for (let i = 0; i < 5_000; i++) a.request(`/${i}`, () => told++)
    for (let turns = 0; told < 5_000; turns++) {
      expect(turns).toBeLessThan(1_000)
      a.doWork()
      flusher.doWork(0)
      while (files.begun.length > 0) files.finish()
    }
    a.doWork()
    expect(a.pending).toBe(0)
  })

  it('wake again to close what nobody flushes any more, until nothing is open', () => {
    const { files, flusher, a } = world()
    expect(flusher.nextTimerAtMs).toBe(Number.POSITIVE_INFINITY)
    a.request('/x', () => {})
    a.doWork()
    flusher.doWork(100)
    files.finish()
    for (const calls of [1, 2]) {
      expect(flusher.nextTimerAtMs).toBeLessThan(100 + calls * 10_000)
      flusher.doWork(flusher.nextTimerAtMs)
      expect(files.closed).toBe(calls)
    }
    expect(flusher.nextTimerAtMs).toBe(Number.POSITIVE_INFINITY)
  })

  it('remove a file, with what goes wrong told as that', () => {
    const { files, flusher, a } = world()
    const told: (DiskError | null)[] = []
    a.remove('/x.deleted', (error) => told.push(error))
    a.remove('/y.deleted', (error) => told.push(error))
    a.doWork()
    flusher.doWork(0)
    expect(files.begun.map(({ path }) => path)).toEqual(['remove /x.deleted', 'remove /y.deleted'])
    files.finish()
    files.finish(-13)
    a.doWork()
    expect(told).toMatchObject([null, { code: 'EACCES', path: '/y.deleted', operation: 'remove' }])
    expect(a.pending).toBe(0)
  })

  it('refuse a path that no ring holds', () => {
    const { a } = world()
    let told: DiskError | null = null
    a.request(`/${'x'.repeat(20_000)}`, (error) => {
      told = error
    })
    a.doWork()
    expect(told).toMatchObject({ code: 'ENAMETOOLONG' })
  })
})

describe('files of the machine', () => {
  let directory = ''
  beforeEach(() => {
    directory = fs.mkdtempSync(path.join(os.tmpdir(), 'griot-flush-'))
  })
  afterEach(() => fs.rmSync(directory, { recursive: true, force: true }))
  const flush = (files: FlushFiles, name: string) =>
    new Promise<number>((done) => files.flush(path.join(directory, name), done))

  it('a removed one is gone, and no descriptor keeps its space; one that is gone is none to fail over', async () => {
    const files = new FlushFiles(10)
    const file = path.join(directory, '1.log')
    fs.writeFileSync(file, 'bytes')
    expect(await flush(files, '1.log')).toBe(0)
    expect(files.openCount).toBe(1)
    fs.renameSync(file, `${file}${DELETED}`)
    const remove = () => new Promise<number>((done) => files.remove(`${file}${DELETED}`, done))
    expect(await remove()).toBe(0)
    expect(files.openCount).toBe(0)
    expect(fs.readdirSync(directory)).toEqual([])
    expect(await remove()).toBe(0)
  })

  it('are flushed, with their directory, and their descriptors kept, the latest used', async () => {
    const files = new FlushFiles(2)
    for (const name of ['a', 'b', 'c']) fs.writeFileSync(path.join(directory, name), name)
    for (const name of ['a', 'b', 'a', 'c']) expect(await flush(files, name)).toBe(0)
    expect(await flush(files, '.')).toBe(0)
    expect(files.openCount).toBe(2)
    files.close()
    expect(files.openCount).toBe(0)
  })

  it('that are gone count as done, kept or not', async () => {
    const files = new FlushFiles(8)
    expect(await flush(files, 'never')).toBe(0)
    fs.writeFileSync(path.join(directory, 'a'), 'x')
    expect(await flush(files, 'a')).toBe(0)
    fs.rmSync(path.join(directory, 'a'))
    expect(await flush(files, 'a')).toBe(0)
    expect(files.openCount).toBe(0)
    files.close()
  })

  it('made anew under an old name are opened anew', async () => {
    const files = new FlushFiles(8)
    const name = path.join(directory, 'a')
    fs.writeFileSync(name, 'x')
    expect(await flush(files, 'a')).toBe(0)
    const before = openInodes(directory)
    fs.renameSync(name, path.join(directory, 'old'))
    fs.writeFileSync(name, 'y')
    expect(await flush(files, 'a')).toBe(0)
    if (before !== null) expect(openInodes(directory)).toEqual([fs.statSync(name).ino])
    files.close()
  })

  it('are let go of when nobody has had them flushed for a while: a removed one takes space until then', async () => {
    const files = new FlushFiles(8)
    for (const name of ['a', 'b']) fs.writeFileSync(path.join(directory, name), name)
    for (const name of ['a', 'b']) expect(await flush(files, name)).toBe(0)
    expect(files.closeUnused()).toBe(2)
    expect(await flush(files, 'b')).toBe(0)
    expect(files.closeUnused()).toBe(1)
    expect(files.closeUnused()).toBe(0)
    await vi.waitFor(() => expect(openInodes(directory) ?? []).toEqual([]))
    files.close()
  })

  it('that may not be opened are an error', async () => {
    const files = new FlushFiles(8)
    fs.writeFileSync(path.join(directory, 'file'), '')
    expect(await flush(files, 'file/below')).toBeLessThan(0)
    files.close()
  })
})

/** Inodes of the files of `directory` that this process has open; null where there is no telling. */
function openInodes(directory: string): number[] | null {
  if (process.platform !== 'linux') return null
  const found: number[] = []
  for (const fd of fs.readdirSync('/proc/self/fd')) {
    try {
      const target = fs.readlinkSync(`/proc/self/fd/${fd}`)
      if (path.dirname(target) === directory) found.push(fs.fstatSync(Number(fd)).ino)
    } catch {
      // closed meanwhile
    }
  }
  return found
}
