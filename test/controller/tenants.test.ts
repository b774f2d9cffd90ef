import { describe, expect, it } from 'vitest'
import { ManualClock } from '../../src/base/clock.ts'
import type { TenantId } from '../../src/base/ids.ts'
import { silentLogger } from '../../src/base/log.ts'
import { SeededRandom } from '../../src/base/random.ts'
import { ControllerAgent } from '../../src/controller/agent.ts'
import { TENANTS_MAX } from '../../src/controller/tenants.ts'
import { applyMetadata } from '../../src/image/apply-metadata.ts'
import { MetadataImage } from '../../src/image/image.ts'
import type { ControllerRequest, ControllerResponse } from '../../src/image/request.ts'
import { verdict } from './controller.ts'
import { FakeEntryLog } from './fake-entry-log.ts'
import { SECRET } from './some-command.ts'

const ACME = 'aaaaaaaaaaaaaaaa' as TenantId
const EMCA = 'eeeeeeeeeeeeeeee' as TenantId

/** A controller that leads, and what somebody who follows it knows. */
class World {
  readonly image = new MetadataImage()
  readonly log: FakeEntryLog
  readonly #agent: ControllerAgent
  #answer: ControllerResponse | null = null

  constructor(log = new FakeEntryLog()) {
    this.log = log
    this.#agent = new ControllerAgent({
      ...{ log, clock: new ManualClock(), random: new SeededRandom(1), logger: silentLogger },
      settings: { cells: 1, brokersPerCell: 3, defaultPartitions: 1 },
      publish: (message) => void applyMetadata(this.image, structuredClone(message)),
      respond: (_front, _correlation, response) => {
        this.#answer = response
      },
    })
    this.turns(3)
  }

  turns(count: number): void {
    for (let i = 0; i < count; i++) {
      this.#agent.doWork(0)
      this.log.commit()
    }
  }

  ask(tenantId: TenantId, request: ControllerRequest, turns = 3): ControllerResponse {
    this.#agent.onRequest('front', tenantId, 1, request)
    this.turns(turns)
    return this.#answer!
  }

  /** What became of it, in a line. */
  say(tenantId: TenantId, request: ControllerRequest): string {
    const answer = this.ask(tenantId, request)
    if ('results' in answer) return verdict(answer.results[0]!)
    return verdict(answer as { error: number; message: string | null })
  }

  topic(tenantId: TenantId, name: string, partitions = 1): string {
    const topic = { name, partitions, replicationFactor: -1, assignments: [], configs: [] }
    return this.say(tenantId, { kind: 'create-topics', validateOnly: false, topics: [topic] })
  }

  key(tenantId: TenantId, keyId: string, user = 'admin'): string {
    return this.say(tenantId, key(keyId, user))
  }
}

const tenant = (name: string, limits: Record<string, number> = {}): ControllerRequest => ({
  ...{ kind: 'create-tenant', name },
  settings: Object.keys(limits).length === 0 ? {} : { limits },
})
const key = (keyId: string, user = 'admin'): ControllerRequest => ({
  ...{ kind: 'create-key', keyId, user, createdAtMs: 5, secrets: [SECRET] },
})

describe('a tenant', () => {
  it('is made with a cluster id of its own, once, and by the same request again', () => {
    const world = new World()
    expect(world.say(ACME, tenant('acme'))).toBe('NONE')
    expect(world.say(EMCA, tenant('emca'))).toBe('NONE')
    const [acme, emca] = [world.image.tenantByName('acme')!, world.image.tenant(EMCA)!]
    expect(acme.tenantId).toBe(ACME)
    const clusterIds = [acme.clusterId, emca.clusterId, world.image.defaultTenant!.clusterId]
    expect(new Set(clusterIds).size).toBe(3)
    expect(acme.settings).toMatchObject({ state: 'active', superUsers: ['User:admin'] })
    expect(acme.settings.allowEveryoneIfNoAcl).toBe(false)
    expect(world.image.defaultTenant!.settings.allowEveryoneIfNoAcl).toBe(true)
    // its answer was lost
    expect(world.say(ACME, tenant('acme'))).toBe('NONE')
    expect(world.say(EMCA, tenant('acme'))).toBe(
      "DUPLICATE_RESOURCE: a tenant 'acme' exists already",
    )
    expect(world.image.tenantCount).toBe(3)
  })

  it.each(['', 'Acme', '-acme', 'acme-', 'ac me', 'a/b', 'ümlaut', 'a'.repeat(64), '__proto__'])(
    'is not called %j',
    (name) => {
      const world = new World()
      expect(world.say(ACME, tenant(name))).toMatch(/^INVALID_REQUEST: the tenant name .* refused/)
      expect(world.image.tenantCount).toBe(1)
    },
  )

  it('has the same names as others, and sees nothing of theirs', () => {
    const world = new World()
    world.ask(ACME, tenant('acme'))
    world.ask(EMCA, tenant('emca'))
    expect(world.topic(ACME, 'orders')).toBe('NONE')
    expect(world.topic(EMCA, 'orders', 2)).toBe('NONE')
    const ids = [ACME, EMCA].map((id) => world.image.topicByName(id, 'orders')!.topicId)
    expect(ids[0]).not.toBe(ids[1])
    expect(world.image.topicById(ACME, ids[1]!)).toBeUndefined()
    const theirs = { kind: 'delete-topics', topics: [{ topicId: ids[0]! }] } as const
    expect(world.say(EMCA, theirs)).toContain('UNKNOWN_TOPIC_ID')
    expect(world.image.topicByName(ACME, 'orders')).toBeDefined()
  })

  it('is refused what its limits do not allow, by name, use and what was asked; internal topics count nowhere', () => {
    const world = new World()
    world.ask(ACME, tenant('acme', { topics: 2, partitions: 4, keys: 1 }))
    expect(world.topic(ACME, '__consumer_offsets', 3)).toBe('NONE')
    expect(world.topic(ACME, 'a', 5)).toBe(
      'POLICY_VIOLATION: The limit of 4 partitions of this cluster would be passed: 0 are used, 5 more are asked for.',
    )
    expect([world.topic(ACME, 'a', 2), world.topic(ACME, 'b', 1)]).toEqual(['NONE', 'NONE'])
    expect(world.topic(ACME, 'c')).toBe(
      'POLICY_VIOLATION: The limit of 2 topics of this cluster would be passed: 2 are used, 1 more are asked for.',
    )
    const grow = (count: number): ControllerRequest => ({
      ...{ kind: 'create-partitions', validateOnly: false },
      topics: [{ name: 'b', count, assignments: null }],
    })
    expect(world.say(ACME, grow(3))).toContain('3 are used, 2 more are asked for')
    expect(world.say(ACME, grow(2))).toBe('NONE')
    expect(world.key(ACME, 'K1')).toBe('NONE')
    expect(world.key(ACME, 'K2')).toContain('The limit of 1 keys')
    // what goes makes room, and a limit that is taken away is none
    expect(world.say(ACME, { kind: 'delete-topics', topics: [{ name: 'a' }] })).toBe('NONE')
    expect(world.topic(ACME, 'c', 2)).toBe('NONE')
    const free = { kind: 'alter-tenant', settings: {}, limits: { topics: null, partitions: 9 } }
    expect(world.say(ACME, free as ControllerRequest)).toBe('NONE')
    expect(world.image.tenant(ACME)!.settings.limits).toEqual({ keys: 1, partitions: 9 })
    expect(world.topic(ACME, 'd')).toBe('NONE')
  })

  it('is refused settings that mean nothing, by their names', () => {
    const world = new World()
    expect(world.say(ACME, tenant('acme', { topicz: 1 }))).toContain("no limit 'topicz'")
    expect(world.say(ACME, tenant('acme', { topics: -1 }))).toContain("'topics' wants a whole")
    expect(world.say(ACME, tenant('acme', { constructor: 1 }))).toContain("'constructor'")
    const superUsers = ['admin']
    expect(world.say(ACME, { kind: 'create-tenant', name: 'acme', settings: { superUsers } })).toBe(
      'INVALID_REQUEST: super.users: The principal "admin" has no colon between type and name',
    )
    expect(world.image.tenantByName('acme')).toBeUndefined()
    const alter = { kind: 'alter-tenant', settings: {} } as const
    expect(world.say(ACME, alter)).toBe('RESOURCE_NOT_FOUND: there is no such tenant')
    expect(TENANTS_MAX).toBeGreaterThanOrEqual(10_000)
  })
})

describe('an API key', () => {
  it('belongs to one tenant, which alone revokes it', () => {
    const world = new World()
    world.ask(ACME, tenant('acme'))
    world.ask(EMCA, tenant('emca'))
    expect(world.key(ACME, 'K1', 'alice')).toBe('NONE')
    expect(world.image.apiKey('K1')).toMatchObject({
      tenant: { name: 'acme' },
      key: { user: 'alice', createdAtMs: 5, secrets: [SECRET] },
    })
    expect(world.key(ACME, 'K1', 'alice')).toBe('NONE')
    expect(world.key(EMCA, 'K1')).toContain('DUPLICATE_RESOURCE')
    expect(world.key(EMCA, 'K2', 'a b')).toContain("the user 'a b' is refused")
    const revoke = { kind: 'revoke-key', keyId: 'K1' } as const
    expect(world.say(EMCA, revoke)).toBe('RESOURCE_NOT_FOUND: the tenant has no such key')
    expect(world.image.apiKey('K1')).toBeDefined()
    expect(world.say(ACME, revoke)).toBe('NONE')
    expect(world.image.apiKey('K1')).toBeUndefined()
    expect(world.image.tenant(ACME)!.access).toBeNull()
    expect(world.say(ACME, { ...revoke, isRepeat: true })).toBe('NONE')
  })
})

describe('a tenant that is deleted', () => {
  const filled = () => {
    const world = new World()
    world.ask(ACME, tenant('acme'))
    world.ask(EMCA, tenant('emca'))
    for (const id of [ACME, EMCA]) {
      for (let i = 0; i < 30; i++) {
        const topics = Array.from({ length: 50 }, (_, at) => ({
          ...{ name: `t${i}-${at}`, partitions: 1, replicationFactor: -1 },
          ...{ assignments: [], configs: [] },
        }))
        world.ask(id, { kind: 'create-topics', validateOnly: false, topics })
      }
      world.ask(id, { kind: 'allocate-producer-ids', count: 10 })
      const change = { name: 'log.retention.ms', operation: 0, value: '5' }
      const resources = [{ type: 4, name: '', changes: [change] }]
      const altered = { kind: 'alter-configs', incremental: true, validateOnly: false } as const
      world.ask(id, { ...altered, nodeId: 1, resources })
      const groups = Array.from({ length: 600 }, (_, at) => ({
        ...{ type: 32, name: `g${at}` },
        changes: [{ name: 'consumer.session.timeout.ms', operation: 0, value: '45001' }],
      }))
      world.ask(id, { ...altered, nodeId: 1, resources: groups })
    }
    world.key(ACME, 'K1')
    world.key(EMCA, 'K2')
    return world
  }

  it('goes bit by bit, with all that it has, and leaves the others theirs', () => {
    const world = filled()
    const entries = () => world.log.entries.length
    world.ask(ACME, { kind: 'delete-tenant' }, 2)
    expect(world.image.tenant(ACME)!.settings.state).toBe('deleting')
    expect(world.key(ACME, 'K3')).toBe('INVALID_REQUEST: the tenant is being deleted')
    let before = entries()
    for (let turn = 0; turn < 20; turn++) {
      world.turns(1)
      expect(entries() - before).toBeLessThanOrEqual(501)
      before = entries()
    }
    expect(world.image.tenant(ACME)).toBeUndefined()
    expect(world.image.tenantByName('acme')).toBeUndefined()
    expect(world.image.apiKey('K1')).toBeUndefined()
    const emca = world.image.tenant(EMCA)!
    expect([emca.topicCount, emca.groupsWithConfigs().length]).toEqual([1_500, 600])
    expect(world.image.apiKey('K2')).toBeDefined()
    before = entries()
    world.turns(3)
    expect(entries()).toBe(before)
    // the name is free, and what comes under it begins with nothing
    expect(world.say(ACME, tenant('acme'))).toBe('NONE')
    const again = world.image.tenantByName('acme')!
    expect([again.topicCount, again.access, again.groupsWithConfigs()]).toEqual([0, null, []])
    const ids = world.ask(ACME, { kind: 'allocate-producer-ids', count: 1 })
    expect(ids).toMatchObject({ first: 0 })
  })

  it.each([
    ['INVALID_REQUEST: the tenant is being deleted', { kind: 'alter-tenant', settings: {} }],
    ['NONE', { kind: 'delete-tenant' }],
    [
      'UNKNOWN_SERVER_ERROR: The tenant does not exist.',
      {
        kind: 'create-partitions',
        validateOnly: true,
        topics: [{ name: 't0-0', count: 2, assignments: null }],
      },
    ],
  ] as const)('is told %j meanwhile', (said, request) => {
    const world = filled()
    world.ask(ACME, { kind: 'delete-tenant' }, 2)
    expect(world.say(ACME, request)).toBe(said)
  })

  it('goes though something else is never committed yet', () => {
    const world = filled()
    world.ask(ACME, { kind: 'delete-tenant' }, 2)
    for (let turn = 0; turn < 20; turn++) {
      // a majority is always a turn behind, and others ask all the time
      world.ask(EMCA, { kind: 'allocate-producer-ids', count: 1 }, 1)
    }
    world.turns(2)
    expect(world.image.tenant(ACME)).toBeUndefined()
    expect(world.image.tenant(EMCA)!.topicCount).toBe(1_500)
  })

  it('goes on going under the next controller', () => {
    const world = filled()
    world.ask(ACME, { kind: 'delete-tenant' }, 3)
    expect(world.image.tenant(ACME)!.topicCount).toBeGreaterThan(0)
    const next = new World(world.log)
    next.turns(20)
    expect(next.image.tenant(ACME)).toBeUndefined()
    expect(next.image.tenant(EMCA)!.topicCount).toBe(1_500)
  })

  it('is never the one of clients without keys', () => {
    const world = new World()
    const { tenantId } = world.image.defaultTenant!
    expect(world.say(tenantId, { kind: 'delete-tenant' })).toBe(
      "INVALID_REQUEST: the tenant 'default' stays: suspend it instead",
    )
  })
})
