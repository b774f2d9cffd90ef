/** What a broker leaves of tenants that are deleted: nothing, however it ends in between, and nothing of others goes. */
import { beforeEach, describe, expect, it } from 'vitest'
import { asTenantId, type TenantId } from '../../src/base/ids.ts'
import { TenantDirectories } from '../../src/broker/tenant-directories.ts'
import { MetadataImage } from '../../src/image/image.ts'
import { SimulatedCrash } from '../../src/log/simulated-disk.ts'
import { plainBatch } from './batches.ts'
import { CELL, CLUSTER, ROOT, TENANT, World } from './world.ts'

const ACME = asTenantId('00000000000000bb')
const at = (tenantId: TenantId): string => `${ROOT}/${tenantId}`
const gone = { kind: 'tenant-deleted', tenantId: ACME } as const

const made = (tenantId: TenantId, name: string) =>
  ({ kind: 'tenant-created', tenantId, name, clusterId: name, cellId: CELL }) as const

/** Topics 1 and 2 of `default` and of `acme`, with records. */
function withTenants(removalsPerTurn = 64): World {
  const world = new World({
    settings: { removalsPerTurn, dehydrateAfterMs: 1_000 },
    entries: [...CLUSTER, made(ACME, 'acme')],
  })
  const [kept] = world.createTopic()
  const partitions = world.createTopic({ partitions: 3, tenantId: ACME })
  for (const partition of [kept!, ...partitions]) world.front.produce(partition, plainBatch())
  world.run()
  expect(world.disk.list(at(ACME))).toHaveLength(3)
  return world
}

describe('the directory of a deleted tenant', () => {
  it('goes with the last that is in it, after the tenant or before', () => {
    for (const removalsPerTurn of [1, 64]) {
      const world = withTenants(removalsPerTurn)
      world.deleteTopic(2, ACME)
      if (removalsPerTurn === 64) world.run()
      else world.turn()
      expect(world.disk.exists(at(ACME))).toBe(true)
      expect(world.disk.list(at(ACME)).length > 0).toBe(removalsPerTurn === 1)
      world.publish(gone)
      world.run()
      expect(world.disk.exists(at(ACME))).toBe(false)
      expect(world.disk.exists(world.directory(1))).toBe(true)
      expect(world.agent.nextTimerAtMs).toBeGreaterThan(world.clock.monotonicMs())
    }
  })

  it('goes at the next start, wherever the process dies', () => {
    let wasThere = 0
    for (let dies = 1; ; dies++) {
      const world = withTenants(1)
      world.deleteTopic(2, ACME)
      world.publish(gone)
      let seen = 0
      world.simulated.onOperation = () => (++seen === dies ? { kind: 'crash' } : null)
      try {
        world.run()
      } catch (error) {
        if (!(error instanceof SimulatedCrash)) throw error
      }
      const hasDied = seen >= dies
      world.simulated.kill()
      if (world.disk.exists(at(ACME))) wasThere++
      const next = world.restart()
      expect(next.disk.exists(at(ACME)), `dead at operation ${dies}`).toBe(false)
      expect(next.disk.exists(next.directory(1))).toBe(true)
      if (!hasDied) break
    }
    expect(wasThere).toBeGreaterThan(3)
  })

  it('goes at the start of a broker that was away, also when power cuts bring it back', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const world = withTenants()
      if (seed % 2 === 0) {
        world.deleteTopic(2, ACME)
        world.publish(gone)
        world.run()
      }
      world.simulated.powerCut(seed)
      if (seed % 2 === 1) {
        world.deleteTopic(2, ACME)
        world.publish(gone)
      }
      const next = world.restart()
      expect(next.disk.exists(at(ACME)), `seed ${seed}`).toBe(false)
    }
  })

  it('stays with what nobody knows in it', () => {
    const world = withTenants()
    world.disk.mkdirs(`${at(ACME)}/notes`)
    world.deleteTopic(2, ACME)
    world.publish(gone)
    world.run()
    expect(world.disk.list(at(ACME))).toEqual(['notes'])
    expect(world.restart().disk.list(at(ACME))).toEqual(['notes'])
  })

  it('stays while the tenant lives, without any topic and through restarts', () => {
    const world = withTenants()
    world.deleteTopic(1)
    world.run()
    expect(world.disk.list(at(TENANT))).toEqual([])
    const next = world.restart()
    expect(next.disk.exists(at(TENANT))).toBe(true)
    const [again] = next.createTopic()
    next.front.produce(again!, plainBatch())
    next.run()
    expect(next.disk.list(at(TENANT))).toHaveLength(1)
  })

  it('is tried again every five seconds while the disk fails', () => {
    const world = withTenants()
    let failing = true
    world.simulated.onOperation = ({ operation, path }) =>
      failing && operation === 'remove' && path === at(ACME) ? { kind: 'error', code: 'EIO' } : null
    world.deleteTopic(2, ACME)
    world.publish(gone)
    world.run()
    const message = `A deleted tenant's directory stays for now: remove ${at(ACME)}: EIO`
    expect(world.complaints()).toEqual([message])
    // its logs are closed: nothing else wants a turn
    world.pass(24_900)
    expect(world.complaints()).toEqual(Array(5).fill(message))
    expect(world.agent.nextTimerAtMs - world.clock.monotonicMs()).toBe(100)
    failing = false
    world.pass(100)
    expect([world.disk.exists(at(ACME)), world.complaints().length]).toEqual([false, 5])
  })
})

describe('a tenant that may be gone', () => {
  let world: World
  let image: MetadataImage
  let isImageCurrent: boolean
  let directories: TenantDirectories
  beforeEach(() => {
    world = new World()
    image = new MetadataImage()
    for (const entry of CLUSTER) image.apply(entry)
    isImageCurrent = false
    const { environment } = world
    const current = () => isImageCurrent
    directories = new TenantDirectories({ environment, root: ROOT, image, isImageCurrent: current })
    world.disk.mkdirs(at(ACME))
  })

  it('is not believed gone before an image has come whole', () => {
    directories.look(ACME)
    expect([directories.nextTimerAtMs, directories.doWork(0)]).toEqual([
      Number.POSITIVE_INFINITY,
      0,
    ])
    isImageCurrent = true
    image.apply(made(ACME, 'acme'))
    expect([directories.nextTimerAtMs, directories.doWork(0)]).toEqual([0, 1])
    expect(world.disk.exists(at(ACME))).toBe(true)
    expect([directories.nextTimerAtMs, directories.doWork(0)]).toEqual([
      Number.POSITIVE_INFINITY,
      0,
    ])
    image.apply(gone)
    directories.look(ACME)
    expect(directories.doWork(0)).toBe(1)
    expect(world.disk.exists(at(ACME))).toBe(false)
  })

  it('and never had anything here is passed over', () => {
    isImageCurrent = true
    const operations: string[] = []
    world.simulated.onOperation = ({ path }) => {
      operations.push(path)
      return null
    }
    directories.look(asTenantId('00000000000000cc'))
    expect([directories.doWork(0), operations]).toEqual([1, []])
  })
})
