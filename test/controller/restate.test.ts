import { describe, expect, it } from 'vitest'
import { type Random, SeededRandom } from '../../src/base/random.ts'
import { decodeEntry, encodeEntry } from '../../src/controller/entry-codec.ts'
import { ControllerMachine } from '../../src/controller/machine.ts'
import { PLACEMENTS_PER_ENTRY, RESTATED_BY } from '../../src/controller/restate.ts'
import { applyMetadata } from '../../src/image/apply-metadata.ts'
import type { MetadataEntry } from '../../src/image/entry.ts'
import { MetadataImage } from '../../src/image/image.ts'
import type { ControllerRequest } from '../../src/image/request.ts'
import { snapshotMessages } from '../../src/image/snapshot.ts'
import { TimelineRegistry } from '../../src/machine/timeline.ts'
import { OTHER } from './controller.ts'
import { someCommand, someTenantCommand } from './some-command.ts'

const SEEDS = process.env.GRIOT_TEST_LONG ? 400 : 40
const SETTINGS = {
  ...{ cells: 1, brokersPerCell: 4, defaultPartitions: 2, partitionsMax: 1_000_000 },
  isReplicated: true,
}

/** A machine and the image that follows from the same entries, as bytes. */
class World {
  readonly registry = new TimelineRegistry()
  random: Random
  readonly machine: ControllerMachine
  readonly image = new MetadataImage()
  readonly kinds = new Set<MetadataEntry['kind']>()
  offset = 0

  constructor(seed: number) {
    this.random = new SeededRandom(seed)
    const uint32 = () => this.random.uint32()
    this.machine = new ControllerMachine(this.registry, SETTINGS, { random: { uint32 } })
  }

  append(entries: Iterable<MetadataEntry>, isCommitted = true): void {
    for (const entry of entries) {
      this.kinds.add(entry.kind)
      const copy = () => decodeEntry(encodeEntry(entry), this.offset)
      this.registry.replaying(this.offset++)
      this.machine.replay(copy())
      if (isCommitted) this.image.apply(copy())
    }
    if (isCommitted) this.registry.commit(this.offset)
  }

  /** What it answers, and what it appends. */
  ask(request: ControllerRequest, tenantId = this.tenantId) {
    const decision = this.machine.decide({ tenantId, request })
    this.append(decision.entries)
    return decision
  }

  /** A step of what is asked about tenants, or of what follows from it. */
  step(random: SeededRandom): unknown {
    if (random.chance(0.4)) {
      const entries = this.machine.deleteMore()
      this.append(entries)
      return entries
    }
    const { tenantId, request } = someTenantCommand(this.image, random)
    return this.ask(request, tenantId)
  }

  get tenantId() {
    return this.machine.state.tenants.byName.get('default')!
  }
}

function begun(seed: number): World {
  const world = new World(seed)
  world.append(world.machine.form())
  const other = { tenantId: OTHER, name: 'other', clusterId: 'x', cellId: 1 }
  world.append([{ kind: 'tenant-created', ...other } as MetadataEntry])
  return world
}

/** From nothing, what the other restates. */
function replayed(restated: readonly MetadataEntry[], seed: number): World {
  const world = new World(seed)
  world.append(restated)
  world.image.restatedAt(restated.length)
  return world
}

const tenantOf = (world: World, random: SeededRandom) =>
  random.chance(0.2) ? OTHER : world.tenantId

describe('a machine and an image made from what a machine restates', () => {
  it(`are those that the whole log gives, and decide the same from then on (${SEEDS} seeds)`, () => {
    const kinds = new Set<string>()
    const restatedKinds = new Set<string>()
    for (let seed = 1; seed <= SEEDS; seed++) {
      const random = new SeededRandom(seed)
      const world = begun(seed)
      const steps = 20 + random.below(80)
      for (let step = 0; step < steps; step++) {
        world.ask(someCommand(world.image, world.tenantId, random), tenantOf(world, random))
        world.step(random)
      }
      for (const kind of world.kinds) kinds.add(kind)
      const restated = [...world.machine.restate()]
      for (const { kind } of restated) restatedKinds.add(kind)
      const again = replayed(restated, seed)
      const where = `seed ${seed}`
      expect(again.machine.state.contents(), where).toEqual(world.machine.state.contents())
      expect(again.image.hash(), where).toBe(world.image.hash())
      expect(again.image.nextPartition, where).toBe(world.image.nextPartition)
      // restating is stable: a snapshot of a snapshot says the same
      expect([...again.machine.restate()], where).toEqual(restated)
      for (let step = 0; step < 30; step++) {
        const request = someCommand(world.image, world.tenantId, random)
        const tenantId = tenantOf(world, random)
        // what is drawn is no part of the state
        world.random = new SeededRandom(step)
        again.random = new SeededRandom(step)
        const [one, other] = [world.ask(request, tenantId), again.ask(request, tenantId)]
        expect(other, `${where}, step ${step}`).toEqual(one)
        const steps = [world, again].map((each) => each.step(new SeededRandom(seed + step)))
        expect(steps[1], `${where}, step ${step}`).toEqual(steps[0])
      }
    }
    // every kind has been in the logs, but the one that is of snapshots only, and is restated by what is said
    const logged = Object.keys(RESTATED_BY).filter((kind) => kind !== 'next-partition')
    expect([...kinds].sort()).toEqual(logged.sort())
    expect([...restatedKinds].sort()).toEqual([...new Set(Object.values(RESTATED_BY))].sort())
  })

  it('give no partition number again that a topic had which is gone', () => {
    const world = begun(1)
    world.ask(creating('kept', 2))
    world.ask(creating('gone', 7))
    world.ask({ kind: 'delete-topics', topics: [{ name: 'gone' }] })
    const again = replayed([...world.machine.restate()], 2)
    const [entry] = again.ask(creating('next', 1)).entries
    expect(entry).toMatchObject({ kind: 'topic-created', firstPartition: 10 })
    // nor do images that threads are given
    const late = new MetadataImage()
    for (const message of snapshotMessages(world.image, 1)) applyMetadata(late, message)
    expect([late.nextPartition, late.offset]).toEqual([10, world.offset])
  })

  it('hold only what is committed, as it was then, however long the restating takes', () => {
    const world = begun(1)
    for (let i = 0; i < 50; i++) world.ask(creating(`t${i}`, 3))
    const before = [...world.machine.restate()]
    const piecewise = world.machine.restate()
    const taken: MetadataEntry[] = []
    const take = (count: number) => {
      for (let i = 0; i < count; i++) {
        const { value, done } = piecewise.next()
        if (done !== true) taken.push(value)
      }
    }
    take(10)
    for (let i = 0; i < 50; i += 2) {
      world.ask({ kind: 'delete-topics', topics: [{ name: `t${i}` }] })
      world.ask(creating(`new${i}`, 1))
      const topics = [{ name: `t${i + 1}`, count: 5, assignments: null }]
      world.ask({ kind: 'create-partitions', validateOnly: false, topics })
      take(1)
    }
    take(1_000)
    expect(taken).toEqual(before)
    const uncommitted = world.machine.decide({
      tenantId: world.tenantId,
      request: creating('u', 9),
    })
    const committed = [...world.machine.restate()]
    world.append(uncommitted.entries, false)
    expect([...world.machine.restate()]).toEqual(committed)
  })

  it('are restated in entries of bounded size, also one topic with many partitions', () => {
    const world = begun(1)
    world.ask(creating('large', 2_500))
    world.ask(creating('between', 1))
    const topics = [{ name: 'large', count: 4_000, assignments: null }]
    world.ask({ kind: 'create-partitions', validateOnly: false, topics })
    const restated = [...world.machine.restate()]
    const sizes = restated.flatMap((entry) =>
      'placements' in entry ? [entry.placements.length] : [],
    )
    expect(Math.max(...sizes)).toBe(PLACEMENTS_PER_ENTRY)
    const again = replayed(restated, 1)
    expect(again.image.hash()).toBe(world.image.hash())
    expect(again.machine.state.contents()).toEqual(world.machine.state.contents())
  })
})

const creating = (name: string, partitions: number): ControllerRequest => ({
  kind: 'create-topics',
  validateOnly: false,
  topics: [{ name, partitions, replicationFactor: 2, assignments: [], configs: [] }],
})
