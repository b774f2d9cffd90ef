import { describe, expect, it } from 'vitest'
import { replicasWithoutMetadata } from '../../src/broker/lost-metadata.ts'
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
