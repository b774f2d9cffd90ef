import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { type Disk, DiskError, type FlushPort } from '../../src/log/disk.ts'
import { NodeDisk } from '../../src/log/node-disk.ts'
import { OpenFiles } from '../../src/log/open-files.ts'
import { SimulatedDisk } from '../../src/log/simulated-disk.ts'
import { append, Broker, batchOf, storedBatches } from './support.ts'

const root = fs.mkdtempSync(path.join(os.tmpdir(), 'griot-disk-'))
afterAll(() => fs.rmSync(root, { recursive: true, force: true }))

const disks: [string, Disk, string][] = [
  ['the machine', new NodeDisk(), `${root}/a`],
  ['the simulation', new SimulatedDisk(), '/a'],
]

describe.each(disks)('the disk of %s', (_, disk, at) => {
  it('writes, reads, cuts, lists, renames and removes', () => {
    disk.mkdirs(`${at}/b/c`)
    const file = disk.open(`${at}/b/f`, 'append')
    const shared = new Uint8Array(new SharedArrayBuffer(3)).fill(7)
    file.write([Uint8Array.of(1, 2), shared, Uint8Array.of(3)], 0)
    file.write([Uint8Array.of(9)], 5)
    const target = new Uint8Array(10)
    expect(file.read(target, 1, 9, 0)).toBe(6)
    expect([...target]).toEqual([0, 1, 2, 7, 7, 7, 9, 0, 0, 0])
    file.truncate(2)
    expect([file.size(), disk.size(`${at}/b/f`)]).toEqual([2, 2])
    file.close()
    disk.writeFileAtomic(`${at}/b/g`, Uint8Array.of(5))
    disk.rename(`${at}/b/g`, `${at}/b/h`)
    expect(disk.list(`${at}/b`)).toEqual(['c', 'f', 'h'])
    expect([...disk.readFile(`${at}/b/h`)]).toEqual([5])
    expect(disk.modifiedMs(`${at}/b/h`)).toBeLessThanOrEqual(Date.now() + 1000)
    disk.remove(`${at}/b/h`)
    expect([disk.exists(`${at}/b/h`), disk.exists(`${at}/b/f`)]).toEqual([false, true])
    disk.removeDirectory(`${at}/b`)
    expect(disk.list(`${at}/b`)).toEqual([])
    expect(disk.freeBytes(`${at}/not/made/yet`).total).toBeGreaterThan(0)
  })

  it('names what went wrong', () => {
    disk.mkdirs(at)
    const failure = (work: () => void) => {
      try {
        work()
      } catch (error) {
        expect(error).toBeInstanceOf(DiskError)
        return (error as DiskError).code
      }
      return null
    }
    expect(failure(() => disk.open(`${at}/none`, 'read'))).toBe('ENOENT')
    expect(failure(() => disk.remove(`${at}/none`))).toBe('ENOENT')
    expect(failure(() => disk.size(`${at}/none`))).toBe('ENOENT')
    const file = disk.open(`${at}/there`, 'create')
    file.close()
    const reading = disk.open(`${at}/there`, 'read')
    expect(failure(() => reading.write([Uint8Array.of(1)], 0))).toBe('EBADF')
    reading.close()
  })
})

describe('open files', () => {
  it('stay within their bound, the least recently used go first', () => {
    const disk = new NodeDisk()
    const files = new OpenFiles(disk, 4)
    disk.mkdirs(`${root}/files`)
    const handles = Array.from({ length: 10 }, (_, i) =>
      files.handle(`${root}/files/${i}`, 'append'),
    )
    for (const [i, handle] of handles.entries()) handle.get().write([Uint8Array.of(i)], 0)
    expect(files.openCount).toBe(4)
    const byte = new Uint8Array(1)
    for (const i of [9, 0, 9, 3, 1]) {
      handles[i]!.get().read(byte, 0, 1, 0)
      expect(byte[0]).toBe(i)
    }
    for (const handle of handles) handle.release()
    expect(files.openCount).toBe(0)
  })
})

describe('a log on the machine', () => {
  it('is there again after it was left without a word', () => {
    const flush: FlushPort = { request: () => {}, remove: () => {} }
    const broker = new Broker(new NodeDisk(), flush, `${root}/broker-1`)
    broker.start()
    const log = broker.open({ segmentBytes: 5_000 })
    for (let i = 0; i < 50; i++) append(log, batchOf([`${i}`.padEnd(500)]))
    broker.start()
    const again = broker.open({ segmentBytes: 5_000 })
    expect(storedBatches(again)).toEqual(storedBatches(log))
    expect(again.logEndOffset).toBe(50)
    expect(broker.lines.map((line) => line.message)).toContain('Log recovered')
  })
})
