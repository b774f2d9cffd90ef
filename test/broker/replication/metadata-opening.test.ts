/** Which life, and whose, a copy of the metadata is of: brokers as they run, with their controllers, over a simulated disk. */
import { beforeEach, describe, expect, it } from 'vitest'
import { replicaIdOf } from '../../../src/base/replica-id.ts'
import { HARD_STATES_FILE } from '../../../src/log/hard-states-format.ts'
import type { SimulatedFault, SimulatedOperation } from '../../../src/log/simulated-disk.ts'
import { SimCluster } from '../../sim/sim-cluster.ts'
import type { SimNode } from '../../sim/sim-node.ts'
import { CELL } from '../world.ts'

const FOR_EVER = Number.POSITIVE_INFINITY

class World {
  readonly lines: string[] = []
  readonly cluster: SimCluster

  constructor(seed: number) {
    this.cluster = new SimCluster({
      ...{ seed, settings: {} },
      listener: {
        onLine: (level, message, fields) =>
          void this.lines.push(`${level} ${fields.broker}: ${message}`),
        onTrace: (event) => void this.lines.push(event),
        ...{ onPublish: () => {}, onLeaders: () => {}, onTurned: () => {}, onFrontGone: () => {} },
      },
    })
  }

  run(steps: number): void {
    for (let i = 0; i < steps; i++) this.cluster.step(2)
  }

  until(what: string, isDone: () => boolean, stepsMax = 6_000): void {
    for (let i = 0; i < stepsMax; i++) {
      if (isDone()) return
      this.run(1)
    }
    throw new Error(
      `not yet: ${what}: ${this.voters()} ${this.describe()}\n${this.lines.slice(-25).join('\n')}`,
    )
  }

  describe(): string {
    const nodes = this.cluster.nodes.map(({ id, isUp, agent }) => {
      const { metadata, isRegistered } = agent
      const { raft, log } = metadata?.group ?? {}
      const { role, term, leader, end, commit, configuration } = raft ?? {}
      const files = this.cluster.disk.disk.list(`/data/broker-${id}/metadata`)
      return {
        id,
        isUp,
        isRegistered,
        role,
        term,
        leader,
        end,
        commit,
        configuration,
        log: log?.logEndOffset,
        files,
      }
    })
    return JSON.stringify(nodes)
  }

  raft(broker: number) {
    return this.cluster.node(broker).agent.metadata?.group?.raft
  }

  voters(): readonly number[] {
    const leader = this.cluster.up.find(({ agent }) => (agent.metadata?.term ?? 0) > 0)
    return leader?.agent.metadata?.group?.raft.configuration.voters ?? []
  }

  /** All three have a vote, as what the controller knows them for, and have all there is. */
  get isWhole(): boolean {
    const { up } = this.cluster
    const wanted = [1, 2, 3].map((broker) => replicaIdOf(broker as never, this.life(broker)))
    const voters = [...this.voters()].sort()
    if (up.length < 3 || wanted.sort().join() !== voters.join()) return false
    const ends = up.map(({ agent }) => agent.metadata?.committedOffset)
    return new Set(ends).size === 1 && up.every(({ agent }) => agent.isRegistered)
  }

  /** As the first one that is up knows it. */
  life(broker: number): number {
    const [one] = this.cluster.up.filter(({ agent }) => agent.isReady)
    return one?.agent.image.brokerDirectory(CELL, broker as never)?.life ?? -1
  }

  kill(...brokers: number[]): void {
    for (const broker of brokers) {
      this.cluster.kill(this.cluster.node(broker), 'for a test')
      this.cluster.restartAfter(this.cluster.node(broker), FOR_EVER)
    }
  }

  start(...brokers: number[]): void {
    for (const broker of brokers) this.cluster.restartAfter(this.cluster.node(broker), 0)
  }

  /** It is another directory from the next start on, with the same files in it. */
  renew({ root }: SimNode): void {
    const { disk } = this.cluster.disk
    disk.remove(`${root}/directory.properties`)
    disk.flush(root)
  }

  /** Strikes at some changes of a broker's, beside what the cluster's disk does. */
  strike(broker: number, at: (operation: SimulatedOperation) => SimulatedFault | null): void {
    const { disk } = this.cluster.disk
    const before = disk.onOperation
    disk.onOperation = (operation) => {
      const isOwn = operation.path.startsWith(`/data/broker-${broker}/`)
      return (isOwn ? at(operation) : null) ?? before?.(operation) ?? null
    }
  }
}

/** All three vote; then broker 2 has another directory id, and its copy is of the life before. */
function withOtherLife(seed: number): World {
  const world = new World(seed)
  world.until('three voters', () => world.isWhole)
  world.kill(2)
  world.run(50)
  world.renew(world.cluster.node(2))
  return world
}

describe('the only voter, in another life', () => {
  it('goes on as that one before anybody else has a vote', () => {
    const world = new World(1)
    world.run(3)
    world.kill(2, 3)
    world.until('one leads', () => world.cluster.node(1).agent.isRegistered)
    expect(world.voters()).toEqual([replicaIdOf(1 as never)])
    world.kill(1)
    world.renew(world.cluster.node(1))
    world.start(1)
    const own = replicaIdOf(1 as never, 1)
    world.until('it is known', () => world.raft(1)?.id === own && world.voters().length > 0)
    expect(world.voters()).toEqual([own])
    world.start(2, 3)
    world.until('three voters', () => world.isWhole)
    expect(world.life(1)).toBe(1)
    // and after all have begun anew
    world.cluster.killAll(true)
    world.until('three voters again', () => world.isWhole)
  })

  it('with its votes damaged', () => {
    const world = new World(2)
    world.run(3)
    world.kill(2, 3)
    world.until('one leads', () => world.cluster.node(1).agent.isRegistered)
    world.kill(1)
    world.start(1)
    world.until('it leads again', () => (world.cluster.node(1).agent.metadata?.term ?? 0) > 1)
    world.run(20)
    world.kill(1)
    world.cluster.disk.disk.flipBit(`/data/broker-1/${HARD_STATES_FILE}`, 40)
    world.start(1, 2, 3)
    world.until('three voters', () => world.life(1) === 1 && world.isWhole)
  })

  it.each([false, true])(
    'whenever all die while others learn; with a power cut: %s',
    (powerCut) => {
      let struck = 0
      for (let steps = 1; steps < 60; steps++) {
        const world = new World(steps)
        world.run(steps)
        const { disk } = world.cluster.disk
        const isAlone = world.raft(1)?.configuration.voters.length === 1
        if (!isAlone || !disk.exists('/data/broker-1/directory.properties')) continue
        struck++
        world.kill(1, 2, 3)
        world.renew(world.cluster.node(1))
        world.cluster.killAll(powerCut)
        world.until(`steps ${steps}: three voters`, () => world.isWhole)
        world.cluster.killAll(true)
        world.until(`steps ${steps}: three voters again`, () => world.isWhole)
      }
      expect(struck).toBeGreaterThan(3)
    },
  )

  it('whenever it alone has died while others learn', () => {
    for (let steps = 8; steps < 40; steps++) {
      const world = new World(steps)
      world.run(steps)
      if (world.raft(1)?.configuration.voters.length !== 1) continue
      world.kill(1)
      world.renew(world.cluster.node(1))
      world.run(20)
      world.start(1)
      world.until(`steps ${steps}: three voters`, () => world.isWhole && world.life(1) === 1)
    }
  })
})

describe('a directory that was emptied while the others served', () => {
  it('waits for its own life to be known, and is filled', () => {
    const world = new World(3)
    world.until('three voters', () => world.isWhole)
    world.kill(2)
    world.run(50)
    const node = world.cluster.node(2)
    world.cluster.disk.empty(node.id)
    // the image, which knows the directory before, is there before the controller has heard of this one
    world.cluster.firstTurnAfterMs = 20
    world.start(2)
    world.until('three voters', () => world.life(2) === 1 && world.isWhole)
    expect(world.raft(2)?.id).toBe(replicaIdOf(2 as never, 1))
  })
})

describe('a copy of another life', () => {
  let first = 0
  let last = 0
  beforeEach(() => {
    // which of its changes are the removal, up to where it votes again
    const world = withOtherLife(5)
    let count = 0
    first = last = 0
    world.strike(2, ({ operation, path }) => {
      count++
      if (first === 0 && operation === 'remove' && path.includes('/metadata/')) first = count
      return null
    })
    world.start(2)
    world.until('three voters', () => {
      if (first > 0 && last === 0 && world.raft(2) !== undefined) last = count + 10
      return world.life(2) === 1 && world.isWhole
    })
    expect(first).toBeGreaterThan(0)
  })

  /** The `at`th change of broker 2's from its start on. */
  function struckAt(at: number, how: (world: World) => SimulatedFault | null, seed = 5): World {
    const world = withOtherLife(seed)
    let count = 0
    world.strike(2, () => (++count === at ? how(world) : null))
    world.start(2)
    for (let i = 0; i < 3_000 && count < at; i++) world.run(1)
    expect(count).toBeGreaterThanOrEqual(at)
    return world
  }

  // with this very change
  const death = (world: World) => {
    world.cluster.disk.dieAfter(2 as never, 0)
    return null
  }

  it('that is filled anew comes back by itself, wherever its thread has died', () => {
    for (let at = first; at <= last; at++) {
      const world = struckAt(at, death)
      world.until(`death at ${at}: three voters`, () => world.life(2) === 1 && world.isWhole)
    }
  })

  it('wherever its disk has failed', () => {
    for (let at = first; at <= last; at++) {
      const world = struckAt(at, () => ({ kind: 'error', code: 'EIO' }))
      world.until(`error at ${at}: three voters`, () => world.isWhole && world.life(2) > 0)
    }
  })

  it.each([5, 6, 7, 8])('wherever the power went (seed %i)', (seed) => {
    for (let at = first; at <= last; at++) {
      const world = struckAt(at, death, seed)
      world.cluster.killAll(true)
      world.until(`power cut at ${at}: three voters`, () => world.isWhole && world.life(2) > 0)
      expect(world.lines.join('\n')).not.toMatch(/lost entries/)
    }
  })
})

describe('directories of brokers', () => {
  const rename = ({ cluster }: World, from: string, to: string) =>
    cluster.disk.disk.rename(`/data/${from}`, `/data/${to}`)

  it('that were exchanged are refused, with both names', () => {
    const world = new World(7)
    world.until('three voters', () => world.isWhole)
    world.kill(1, 2, 3)
    rename(world, 'broker-2', 'x')
    rename(world, 'broker-3', 'broker-2')
    rename(world, 'x', 'broker-3')
    const ends = [2, 3].map((id) => world.cluster.disk.disk.list(`/data/broker-${id}/metadata`))
    world.start(1, 2)
    expect(() => world.run(100)).toThrow(
      /broker-2 holds what is broker 3's, which belongs in .*broker-3: .* must not be copied or exchanged.*under its own name/,
    )
    world.kill(1, 2)
    world.start(3)
    expect(() => world.run(100)).toThrow(/broker-3 holds what is broker 2's/)
    expect([2, 3].map((id) => world.cluster.disk.disk.list(`/data/broker-${id}/metadata`))).toEqual(
      ends,
    )
    // nothing was done to them: back in their places they go on
    world.kill(3)
    rename(world, 'broker-2', 'x')
    rename(world, 'broker-3', 'broker-2')
    rename(world, 'x', 'broker-3')
    world.start(1, 2, 3)
    world.until('three voters', () => world.isWhole)
  })
})
