import { describe, expect, it } from 'vitest'
import { asCellId, asTenantId, type TenantId } from '../../src/base/ids.ts'
import {
  type AclBinding,
  AclOperation,
  PatternType,
  PermissionType,
  ResourceType,
} from '../../src/image/acl-binding.ts'
import type { MetadataEntry, TenantSettings } from '../../src/image/entry.ts'
import { MetadataImage } from '../../src/image/image.ts'
import { settingsOf } from '../../src/image/tenant-settings.ts'
import { Authorizers } from '../../src/tenant/authorizers.ts'
import { ClientRights } from '../../src/tenant/client-rights.ts'
import { requiredAcls } from '../../src/tenant/required-acls.ts'
import { ANONYMOUS, NOBODY } from '../../src/tenant/session.ts'

const ACME = asTenantId('a'.repeat(32))
const EMCA = asTenantId('e'.repeat(32))
const right = requiredAcls.produce.acls.topic

const binding = (resourceName: string, more: Partial<AclBinding> = {}): AclBinding => ({
  ...{ resourceType: ResourceType.TOPIC, resourceName, patternType: PatternType.LITERAL },
  ...{ principal: 'User:alice', host: '*', operation: AclOperation.WRITE },
  ...{ permissionType: PermissionType.ALLOW, ...more },
})

const closed: TenantSettings = settingsOf({
  ...{ state: 'active', limits: {}, superUsers: ['User:admin'], allowEveryoneIfNoAcl: false },
})

/** An image with two tenants, and the authorizers of a front that is told of it. */
class World {
  readonly image = new MetadataImage()
  readonly authorizers = new Authorizers(this.image)

  constructor() {
    this.apply(
      {
        ...{ kind: 'cluster-formed', format: 5, clusterId: 'physical' },
        ...{ cells: 1, brokersPerCell: 1 },
      },
      this.#tenant(ACME, 'acme'),
      this.#tenant(EMCA, 'emca'),
    )
  }

  apply(...entries: MetadataEntry[]): void {
    for (const entry of entries) this.image.apply(entry)
    this.authorizers.onEntries(entries)
  }

  add(...acls: AclBinding[]): void {
    this.apply({ kind: 'acls-added', tenantId: ACME, acls })
  }

  remove(...acls: AclBinding[]): void {
    this.apply({ kind: 'acls-removed', tenantId: ACME, acls })
  }

  settings(settings: Partial<TenantSettings>): void {
    this.apply({ kind: 'tenant-settings', tenantId: ACME, ...closed, ...settings })
  }

  rightsOf(user: string, tenantId: TenantId = ACME, remote = '10.0.0.1:5'): ClientRights {
    const session = { ...NOBODY, tenantId, principal: user }
    return new ClientRights(this.authorizers, session, remote)
  }

  #tenant(tenantId: TenantId, name: string): MetadataEntry {
    const clusterId = `cluster-${name}`
    return { kind: 'tenant-created', tenantId, name, clusterId, cellId: asCellId(1) }
  }
}

describe('what a client may do', () => {
  it('is what the ACLs of its tenant say, at any moment', () => {
    const world = new World()
    world.add(binding('a'))
    const alice = world.rightsOf('User:alice')
    expect([alice.may(right, 'a'), alice.may(right, 'b')]).toEqual([true, false])
    world.add(binding('b'), binding('a'))
    expect([alice.may(right, 'a'), alice.may(right, 'b')]).toEqual([true, true])
    world.remove(binding('a'))
    expect([alice.may(right, 'a'), alice.may(right, 'b')]).toEqual([false, true])
    expect(world.rightsOf('User:alice', EMCA).may(right, 'b')).toBe(false)
    expect(world.rightsOf('User:bob').may(right, 'b')).toBe(false)
  })

  it('is everything where it is trusted by where it came in, whatever ACLs and settings say', () => {
    const world = new World()
    const session = { ...NOBODY, tenantId: ACME }
    const trusted = new ClientRights(world.authorizers, { ...session, isTrusted: true }, '[::1]:5')
    const other = new ClientRights(world.authorizers, session, '[::1]:5')
    expect([trusted.may(right, 'a'), other.may(right, 'a')]).toEqual([true, false])
    world.settings({ superUsers: ['User:bob'] })
    expect([trusted.may(right, 'a'), other.may(right, 'a')]).toEqual([true, false])
  })

  it('goes by the settings of now', () => {
    const world = new World()
    const alice = world.rightsOf('User:alice')
    const admin = world.rightsOf('User:admin')
    expect([alice.may(right, 'a'), admin.may(right, 'a')]).toEqual([false, true])
    world.settings({ superUsers: ['User:alice'] })
    expect([alice.may(right, 'a'), admin.may(right, 'a')]).toEqual([true, false])
    world.settings({ superUsers: [], allowEveryoneIfNoAcl: true })
    expect([alice.may(right, 'a'), admin.may(right, 'a')]).toEqual([true, true])
    world.add(binding('a'))
    expect([alice.may(right, 'a'), admin.may(right, 'a')]).toEqual([true, false])
    expect([alice.may(right, 'b'), admin.may(right, 'b')]).toEqual([true, true])
  })

  it('depends on the address, in whatever form it is', () => {
    const world = new World()
    world.add(binding('a', { host: '10.0.0.1' }), binding('b', { host: '2001:db8::1' }))
    const may = (remote: string) => {
      const rights = world.rightsOf('User:alice', ACME, remote)
      return ['a', 'b'].filter((name) => rights.may(right, name))
    }
    expect(may('10.0.0.1:50000')).toEqual(['a'])
    expect(may('[::ffff:10.0.0.1]:50000')).toEqual(['a'])
    expect(may('[2001:db8:0::1]:50000')).toEqual(['b'])
    expect(may('10.0.0.2:50000')).toEqual([])
  })

  it('is told as bits, of all that the type knows', () => {
    const world = new World()
    world.add(binding('a'), binding('a', { operation: AclOperation.READ }))
    const { WRITE, READ, DESCRIBE } = AclOperation
    const told = world.rightsOf('User:alice').operationsOn(ResourceType.TOPIC, 'a')
    expect(told).toBe((1 << WRITE) | (1 << READ) | (1 << DESCRIBE))
    const admin = world.rightsOf('User:admin')
    expect(admin.operationsOn(ResourceType.TOPIC, 'a')).toBe(3_576)
    expect(admin.operationsOn(ResourceType.CLUSTER)).toBe(8_096)
    expect(world.rightsOf('User:bob').operationsOn(ResourceType.TOPIC, 'a')).toBe(0)
  })

  it('is nothing in a tenant that is not there, until it is', () => {
    const world = new World()
    const late = asTenantId('f'.repeat(32))
    const anybody = world.rightsOf(ANONYMOUS, late)
    expect(anybody.may(right, 'a')).toBe(false)
    world.apply(
      {
        ...{ kind: 'tenant-created', tenantId: late, name: 'late', clusterId: 'late' },
        cellId: asCellId(1),
      },
      { kind: 'tenant-settings', tenantId: late, ...closed, allowEveryoneIfNoAcl: true },
    )
    expect(anybody.may(right, 'a')).toBe(true)
    world.apply({ kind: 'tenant-deleted', tenantId: late })
    expect(anybody.may(right, 'a')).toBe(false)
  })

  it('is looked up again when another image has taken the place of the one before', () => {
    const world = new World()
    const alice = world.rightsOf('User:alice')
    expect(alice.may(right, 'a')).toBe(false)
    // nobody tells of it: it is in the image
    world.image.apply({ kind: 'acls-added', tenantId: ACME, acls: [binding('a')] })
    expect(alice.may(right, 'a')).toBe(false)
    world.authorizers.onWholeImage()
    expect(alice.may(right, 'a')).toBe(true)
  })
})

describe('what is kept', () => {
  it('goes after twenty sweeps without a question, and comes back with the next', () => {
    const world = new World()
    world.add(binding('a'))
    const [alice, other] = [world.rightsOf('User:alice'), world.rightsOf('User:x', EMCA)]
    expect([world.authorizers.size, world.authorizers.aclsKept]).toEqual([2, 1])
    for (let sweeps = 0; sweeps < 21; sweeps++) {
      other.may(right, 'a')
      world.authorizers.sweep()
    }
    expect([world.authorizers.size, world.authorizers.aclsKept]).toEqual([1, 0])
    world.add(binding('b'))
    expect([alice.may(right, 'a'), alice.may(right, 'b')]).toEqual([true, true])
    expect(world.authorizers.aclsKept).toBe(2)
  })

  it('counts each ACL once', () => {
    const world = new World()
    world.rightsOf('User:alice')
    world.add(binding('a'), binding('b'))
    world.add(binding('b'))
    world.remove(binding('b'), binding('c'))
    expect(world.authorizers.aclsKept).toBe(1)
    world.settings({})
    expect([world.authorizers.size, world.authorizers.aclsKept]).toEqual([0, 0])
  })

  it('is 100,000 ACLs at most: those that were asked for longest ago make room', () => {
    const world = new World()
    const ids = Array.from({ length: 11 }, (_, n) => asTenantId(`${n}`.padStart(32, 'b')))
    const acls = Array.from({ length: 10_000 }, (_, n) => binding(`t${n}`))
    for (const [n, tenantId] of ids.entries()) {
      const cellId = asCellId(1)
      world.apply({ kind: 'tenant-created', tenantId, name: `t${n}`, clusterId: 'c', cellId })
      world.apply({ kind: 'acls-added', tenantId, acls })
    }
    const clients = ids.slice(0, 10).map((tenantId) => world.rightsOf('User:alice', tenantId))
    expect(world.authorizers.aclsKept).toBe(100_000)
    world.authorizers.sweep()
    clients[0]!.may(right, 't1')
    world.authorizers.sweep()
    const kept = ids.map((tenantId) => world.authorizers.of(tenantId))
    expect(world.authorizers.aclsKept).toBe(100_000)
    // asked for in turn, each but the first takes the place of another
    expect(kept.filter(({ acls }) => acls !== null)).toHaveLength(10)
    expect(kept[0]!.acls).not.toBeNull()
    for (const client of clients) expect(client.may(right, 't1')).toBe(true)
  })
})
