import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { DELETED, type DiskError } from '../../src/log/disk.ts'
import { FaultyDisk } from '../../src/log/faulty-disk.ts'
import { NodeDisk } from '../../src/log/node-disk.ts'

let root: string
let disk: FaultyDisk
let slept: number[]
beforeEach(() => {
  root = fs.mkdtempSync(path.join(os.tmpdir(), 'griot-faulty-'))
  slept = []
  disk = new FaultyDisk(new NodeDisk(), (ms) => slept.push(ms))
})
afterEach(() => fs.rmSync(root, { recursive: true, force: true }))

const at = (name: string) => `${root}/${name}`
const bytes = (length: number) => new Uint8Array(length).fill(7)

function codeOf(work: () => unknown): string | null {
  try {
    work()
    return null
  } catch (error) {
    return (error as DiskError).code
  }
}

/** Everything that changes something, on files that are there; what it says of each. */
function changes(): Record<string, () => unknown> {
  fs.writeFileSync(at('old'), bytes(100))
  fs.writeFileSync(at('other'), bytes(100))
  fs.mkdirSync(at('directory/sub'), { recursive: true })
  const open = disk.open(at('old'), 'append')
  return {
    write: () => open.write([bytes(10)], 100),
    overwrite: () => open.write([bytes(10)], 0),
    truncate: () => open.truncate(50),
    create: () => disk.open(at('new'), 'create').close(),
    append: () => disk.open(at('newer'), 'append').close(),
    mkdirs: () => disk.mkdirs(at('made/deep')),
    atomic: () => disk.writeFileAtomic(at('atomic'), bytes(20)),
    rename: () => disk.rename(at('other'), at('renamed')),
    remove: () => disk.remove(at('old')),
    removeDirectory: () => disk.removeDirectory(at('directory')),
  }
}

const outcomes = (of: Record<string, () => unknown>) =>
  Object.fromEntries(Object.entries(of).map(([name, work]) => [name, codeOf(work)]))

/** What can be read of `old` and its directory. */
function reads(): unknown[] {
  const file = disk.open(at('old'), 'read')
  const target = new Uint8Array(4)
  const read = [file.read(target, 0, 4, 0), file.size(), [...target]]
  file.close()
  const listed = disk.list(root).filter((name) => name.startsWith('o'))
  return [...read, disk.readFile(at('old')).length, disk.size(at('old')), listed]
}

describe('a disk that fails on demand', () => {
  it('is as the one below until it is told to', () => {
    expect(new Set(Object.values(outcomes(changes())))).toEqual(new Set([null]))
    expect(fs.readdirSync(root).sort()).toEqual(['atomic', 'made', 'new', 'newer', 'renamed'])
    expect(slept).toEqual([])
  })

  it('fails each change with EIO, and leaves what is there as it is; reads go on', () => {
    const all = changes()
    const before = reads()
    disk.failWith('EIO')
    expect(new Set(Object.values(outcomes(all)))).toEqual(new Set(['EIO']))
    expect(reads()).toEqual(before)
    expect(fs.readdirSync(root).sort()).toEqual(['directory', 'old', 'other'])
    // what exists may be opened: nothing is changed by that
    expect(codeOf(() => disk.open(at('old'), 'append').close())).toBeNull()
    expect(codeOf(() => disk.mkdirs(at('directory')))).toBeNull()
    expect(disk.freeBytes(root).free).toBeGreaterThan(0)
    disk.failWith(null)
    expect(new Set(Object.values(outcomes(all)))).toEqual(new Set([null]))
  })

  it('says which file and what it was asked for', () => {
    const file = disk.open(at('a'), 'create')
    disk.failWith('EIO')
    expect(() => file.write([bytes(1)], 0)).toThrow(`write ${at('a')}: EIO`)
    expect(() => disk.remove(at('a'))).toThrow(`remove ${at('a')}: EIO`)
  })

  it('has no room with ENOSPC, but for what was given back', () => {
    const { write, overwrite, truncate, create, atomic, rename } = changes()
    disk.failWith('ENOSPC')
    expect(disk.freeBytes(root)).toMatchObject({ free: 0 })
    for (const growing of [write, create, atomic]) expect(codeOf(growing!)).toBe('ENOSPC')
    // neither takes anything
    for (const same of [overwrite, rename]) expect(codeOf(same!)).toBeNull()
    expect(codeOf(truncate!)).toBeNull()
    expect(disk.freeBytes(root).free).toBe(50)
    expect(codeOf(atomic!)).toBeNull()
    expect(disk.freeBytes(root).free).toBe(30)
    disk.rename(at('renamed'), at(`renamed${DELETED}`))
    expect(disk.freeBytes(root).free).toBe(130)
    disk.remove(at('old'))
    expect(disk.freeBytes(root).free).toBe(180)
    expect(codeOf(() => disk.writeFileAtomic(at('large'), bytes(181)))).toBe('ENOSPC')
    expect(codeOf(() => disk.writeFileAtomic(at('large'), bytes(180)))).toBeNull()
    // a file in the place of another: the old one's room is free then
    expect(codeOf(() => disk.writeFileAtomic(at('large'), bytes(10)))).toBe('ENOSPC')
    expect(codeOf(() => disk.open(at('large'), 'create').close())).toBeNull()
    expect(disk.freeBytes(root).free).toBe(180)
    disk.failWith(null)
    expect(disk.freeBytes(root).free).toBeGreaterThan(180)
  })

  it('is slow in each operation', () => {
    disk.slowBy(30)
    for (const change of Object.values(changes())) {
      slept.length = 0
      change()
      expect(slept).toEqual([30])
    }
    disk.writeFileAtomic(at('old'), bytes(100))
    slept.length = 0
    reads()
    // open, read, size, list, readFile, size
    expect(slept).toEqual([30, 30, 30, 30, 30, 30])
    disk.slowBy(0)
    reads()
    expect(slept).toHaveLength(6)
  })
})
