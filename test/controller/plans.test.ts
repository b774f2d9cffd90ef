import { describe, expect, it } from 'vitest'
import type { TenantId } from '../../src/base/ids.ts'
import { SeededRandom } from '../../src/base/random.ts'
import { decodeEntry } from '../../src/controller/entry-codec.ts'
import { ControllerMachine } from '../../src/controller/machine.ts'
import { PLANS_MAX } from '../../src/controller/plans.ts'
import type { MetadataEntry } from '../../src/image/entry.ts'
import { MetadataImage } from '../../src/image/image.ts'
import type { ControllerRequest } from '../../src/image/request.ts'
import { tenantLimit } from '../../src/image/tenant-limits.ts'
import { TimelineRegistry } from '../../src/machine/timeline.ts'
import { verdict } from './controller.ts'
import { SECRET } from './some-command.ts'

const ACME = 'aaaaaaaaaaaaaaaa' as TenantId
const EMCA = 'eeeeeeeeeeeeeeee' as TenantId

class World {
  readonly registry = new TimelineRegistry()
  readonly machine: ControllerMachine
  readonly image = new MetadataImage()
  #offset = 0

  constructor() {
    const settings = { cells: 1, brokersPerCell: 1, defaultPartitions: 1 }
    this.machine = new ControllerMachine(this.registry, settings, { random: new SeededRandom(1) })
    this.append(this.machine.form())
  }

  append(entries: readonly MetadataEntry[]): void {
    for (const entry of entries) {
      this.registry.replaying(this.#offset++)
      this.machine.replay(entry)
      this.image.apply(entry)
    }
    this.registry.commit(this.#offset)
  }

  say(request: ControllerRequest, tenantId = ACME): string {
    const { entries, response } = this.machine.decide({ tenantId, request })
    this.append(entries)
    return verdict(response as { error: number; message: string | null })
  }

  key = (keyId: string) =>
    this.say({ kind: 'create-key', keyId, user: 'u', createdAtMs: 1, secrets: [SECRET] })
}

const create = (name: string, limits = {}): ControllerRequest => ({
  ...{ kind: 'create-plan', name, limits },
})

function begun(): World {
  const world = new World()
  expect(world.say(create('small', { keys: 1, topics: 3 }))).toBe('NONE')
  const settings = { plan: 'small', limits: { topics: 5 } }
  expect(world.say({ kind: 'create-tenant', name: 'acme', settings })).toBe('NONE')
  return world
}

describe('a plan', () => {
  it('holds for its tenants, but for limits of their own, and what changes in it holds at once', () => {
    const world = begun()
    const of = (name: 'topics' | 'keys' | 'users') => [
      tenantLimit(world.image, ACME, name),
      world.machine.state.tenants.limitOf(ACME, name),
    ]
    expect([of('topics'), of('keys'), of('users')]).toEqual([
      ...[
        [5, 5],
        [1, 1],
        [1_000, 1_000],
      ],
    ])
    expect(world.key('K1')).toBe('NONE')
    expect(world.key('K2')).toContain('The limit of 1 keys of this cluster would be passed')
    expect(world.say({ kind: 'alter-plan', name: 'small', limits: { keys: 2 } })).toBe('NONE')
    expect(world.key('K2')).toBe('NONE')
    expect(world.say({ kind: 'alter-plan', name: 'small', limits: { keys: null } })).toBe('NONE')
    expect(of('keys')).toEqual([1_000, 1_000])
    expect(world.say({ kind: 'alter-tenant', settings: {}, limits: { topics: null } })).toBe('NONE')
    expect(of('topics')).toEqual([3, 3])
    expect(world.say({ kind: 'alter-tenant', settings: {}, plan: null })).toBe('NONE')
    expect(of('topics')).toEqual([null, null])
    expect(world.image.tenant(ACME)!.settings).not.toHaveProperty('plan')
  })

  it('is not deleted while tenants have it, which are named', () => {
    const world = begun()
    expect(world.say({ kind: 'delete-plan', name: 'small' })).toBe(
      "POLICY_VIOLATION: 1 tenant has the plan 'small': acme",
    )
    for (const [at, name] of ['b', 'c', 'd', 'e'].entries()) {
      const id = `${at}`.padStart(16, '0') as TenantId
      world.say({ kind: 'create-tenant', name, settings: { plan: 'small' } }, id)
    }
    expect(world.say({ kind: 'delete-plan', name: 'small' })).toBe(
      "POLICY_VIOLATION: 5 tenants have the plan 'small': acme, b, c and 2 more",
    )
    expect(world.say(create('large'))).toBe('NONE')
    expect(world.say({ kind: 'delete-plan', name: 'large' })).toBe('NONE')
    expect([...world.image.plans.all()].map(({ name }) => name)).toEqual(['small'])
  })

  it('is one once, and asked for again the same', () => {
    const world = begun()
    const again = { ...create('small', { topics: 3, keys: 1 }), isRepeat: true } as const
    expect(world.say(again as ControllerRequest)).toBe('NONE')
    expect(world.say(create('small'))).toBe("DUPLICATE_RESOURCE: a plan 'small' exists already")
    expect(world.say({ kind: 'delete-plan', name: 'x' })).toBe(
      "RESOURCE_NOT_FOUND: there is no plan 'x'",
    )
    expect(world.say({ kind: 'delete-plan', name: 'x', isRepeat: true })).toBe('NONE')
    expect(world.say({ kind: 'alter-plan', name: 'x', limits: {} })).toContain('NOT_FOUND')
  })

  it('is refused where it is none: its name, its limits, one too many, and for a tenant', () => {
    const world = begun()
    expect(world.say(create('A B'))).toContain("the plan name 'A B' is refused")
    expect(world.say(create('p', { tpoics: 1 }))).toContain("there is no limit 'tpoics'")
    expect(world.say({ kind: 'alter-plan', name: 'small', limits: { keys: -1 } })).toContain(
      "the limit 'keys' wants a whole number",
    )
    const request = { kind: 'create-tenant', name: 'emca', settings: { plan: 'x' } } as const
    expect(world.say(request, EMCA)).toBe("INVALID_REQUEST: there is no plan 'x'")
    expect(world.say({ kind: 'alter-tenant', settings: {}, plan: 'x' })).toContain('no plan')
    for (let at = 1; at < PLANS_MAX; at++) world.say(create(`p${at}`))
    expect(world.say(create('more'))).toContain(`${PLANS_MAX} plans exist`)
  })

  it('is no affair of logs of older versions: a tenant of theirs has none', () => {
    // as format 5 has written it: [5] and MessagePack of the entry
    const bytes = Buffer.concat([
      Buffer.from([5]),
      Buffer.from(
        'de0006a46b696e64af74656e616e742d73657474696e6773a874656e616e744964b061616161616161616161616161616161a57374617465a6616374697665a66c696d6974' +
          '73de0001a6746f7069637303aa7375706572557365727390b4616c6c6f7745766572796f6e6549664e6f41636cc2',
        'hex',
      ),
    ])
    const world = begun()
    world.append([decodeEntry(bytes, 0)])
    expect(world.image.tenant(ACME)!.settings).toEqual({
      ...{ state: 'active', limits: { topics: 3 }, superUsers: [], allowEveryoneIfNoAcl: false },
    })
  })
})
