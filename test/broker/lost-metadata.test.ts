import { describe, expect, it } from 'vitest'
import { metadataAmong, replicasWithoutMetadata } from '../../src/broker/lost-metadata.ts'
import { DiskError } from '../../src/log/disk.ts'
import { SimulatedDisk } from '../../src/log/simulated-disk.ts'

describe('replicas without metadata', () => {
  it('are none in a data directory that is new, or in which nothing was written', () => {
    const disk = new SimulatedDisk()
    for (const id of [1, 2, 3]) disk.mkdirs(`/data/broker-${id}/metadata`)
    disk.mkdirs('/data/other/0123456789abcdef/x-0')
    disk.mkdirs('/data/broker-2/0123456789abcdef')
    expect(replicasWithoutMetadata(disk, '/data')).toBe(null)
  })

  it('are found in whichever broker’s directory they lie', () => {
    const disk = new SimulatedDisk()
    disk.mkdirs('/data/broker-1')
    disk.mkdirs(`/data/broker-3/0123456789abcdef/${'a'.repeat(32)}-0`)
    expect(replicasWithoutMetadata(disk, '/data')).toBe('/data/broker-3')
  })
})

describe('metadata among directories', () => {
  it('may be in one that cannot be read, which is told of', () => {
    const disk = new SimulatedDisk()
    for (const id of [1, 2, 3]) disk.mkdirs(`/data/broker-${id}/metadata`)
    const roots = ['/data/broker-2', '/data/broker-3']
    expect(metadataAmong(disk, roots)).toBe(null)
    const list = disk.list.bind(disk)
    disk.list = (directory) => {
      if (directory.startsWith('/data/broker-3')) throw new DiskError('EIO', directory, 'list')
      return list(directory)
    }
    const told: string[] = []
    expect(metadataAmong(disk, roots, (root, { code }) => told.push(`${root} ${code}`))).toBe(
      '/data/broker-3',
    )
    expect(told).toEqual(['/data/broker-3 EIO'])
  })
})
