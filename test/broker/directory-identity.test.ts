import { describe, expect, it } from 'vitest'
import { SeededRandom } from '../../src/base/random.ts'
import {
  DirectoryIdentityError,
  forgetDirectoryIdentity,
  IDENTITY_FILE,
  openDirectoryIdentity,
} from '../../src/broker/directory-identity.ts'
import { SimulatedDisk } from '../../src/log/simulated-disk.ts'
import { SimulatedFlusher } from '../../src/log/simulated-flusher.ts'

function world() {
  const disk = new SimulatedDisk()
  const flush = new SimulatedFlusher(disk)
  const root = '/data/broker-1'
  disk.mkdirs(root)
  for (const path of ['/', '/data', root]) disk.flush(path)
  let seed = 1
  const open = () =>
    openDirectoryIdentity({ disk, root, flush, random: new SeededRandom(seed++) }).directoryId
  return { disk, flush, path: `${root}/${IDENTITY_FILE}`, open }
}

describe('the identity of a directory', () => {
  it('is drawn once, and the same from then on, also over a power cut once it is flushed', () => {
    const { disk, flush, open } = world()
    const id = open()
    expect(id).toMatch(/^[0-9a-f]{32}$/)
    expect(open()).toBe(id)
    flush.doWork()
    disk.powerCut(1)
    expect(open()).toBe(id)
  })

  it('outlives a power cut as well when the thread that drew it died before its flush', () => {
    const { disk, flush, open } = world()
    const drawn = open()
    flush.forget()
    expect(open()).toBe(drawn)
    while (flush.doWork() > 0);
    for (let seed = 1; seed <= 10; seed++) disk.powerCut(seed)
    expect(open()).toBe(drawn)
  })

  it('is another one when the file is gone', () => {
    const { disk, path, open } = world()
    const id = open()
    disk.remove(path)
    const other = open()
    expect(other).not.toBe(id)
    forgetDirectoryIdentity(disk, '/data/broker-1')
    expect(open()).not.toBe(other)
  })

  it.each([
    ['', 'is damaged'],
    ['version=1\ndirectory.id=12\n', 'is damaged'],
    [`version=2\ndirectory.id=${'a'.repeat(32)}\n`, 'has version 2'],
  ])('is not guessed: %j', (text, reason) => {
    const { disk, path, open } = world()
    disk.writeFileAtomic(path, new TextEncoder().encode(text))
    expect(open).toThrow(DirectoryIdentityError)
    expect(open).toThrow(reason)
    expect(open).toThrow(path)
  })
})
