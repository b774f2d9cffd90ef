import { describe, expect, it } from 'vitest'
import { silentLogger } from '../../../src/base/log.ts'
import { SeededRandom } from '../../../src/base/random.ts'
import { Checkpoints } from '../../../src/broker/checkpoints.ts'
import { readEntries } from '../../../src/broker/metadata-log.ts'
import { ControllerAgent } from '../../../src/controller/agent.ts'
import { decodeEntry } from '../../../src/controller/entry-codec.ts'
import { MetadataImage } from '../../../src/image/image.ts'
import type { ControllerRequest } from '../../../src/image/request.ts'
import type { EntryLog } from '../../../src/machine/entry-log.ts'
import { imageOf } from '../../controller/image-of.ts'
import { Cluster } from './cluster.ts'
import type { Node } from './node.ts'

const SEEDS = process.env.GRIOT_TEST_LONG ? 60 : 6
const SETTINGS = { cells: 1, brokersPerCell: 3, defaultPartitions: 2, isReplicated: true }

/** The controller of one broker. */
class Keeper {
  readonly store: Checkpoints
  readonly agent: ControllerAgent
  readonly #node: Node
  readonly #history: Uint8Array[]
  /** How often it has begun anew with a snapshot. */
  loads = 0
  #seen = 0

  constructor(node: Node, cluster: Cluster, maxBytes: number, history: Uint8Array[]) {
    this.#node = node
    this.#history = history
    this.store = Checkpoints.open({
      environment: node.environment,
      directory: `${node.root}/p`,
      others: [1, 2, 3].filter((id) => id !== node.id).map((id) => `/data/broker-${id}/p`),
      onKept: () => {
        const { group } = node
        if (group !== null) node.host.touch(group)
      },
    })
    const newest = this.store.newest.bind(this.store)
    this.store.newest = (from, to) => {
      const found = newest(from, to)
      if (found !== null) this.loads++
      return found
    }
    this.agent = new ControllerAgent({
      log: entryLog(node, cluster),
      ...{ clock: cluster.clock, random: new SeededRandom(9), logger: silentLogger },
      settings: SETTINGS,
      snapshots: { store: this.store, maxBytes, maxIntervalMs: 0 },
      publish: () => {},
      respond: () => {},
    })
  }

  turn(nowMs: number): void {
    this.store.doWork(nowMs)
    this.agent.doWork(nowMs)
    const { log } = this.#node
    if (log === null || log.failure !== null) return
    const from = Math.max(this.#seen, log.logStartOffset)
    this.#seen = Math.max(from, log.highWatermark)
    if (this.#seen === from) return
    readEntries(log, from, this.#seen, (offset, bytes) => {
      this.#history[offset] ??= bytes.slice()
      expect(bytes.slice()).toEqual(this.#history[offset])
    })
  }
}

/** As `MetadataGroup` is one. */
const entryLog = (node: Node, cluster: Cluster): EntryLog => ({
  get startOffset() {
    return node.log?.logStartOffset ?? 0
  },
  get endOffset() {
    return node.log?.logEndOffset ?? 0
  },
  get committedOffset() {
    return node.log?.highWatermark ?? 0
  },
  get term() {
    return node.leads && node.group?.knowsCommit ? node.group.raft.term : 0
  },
  get takesEntries() {
    return this.term !== 0 && node.group!.takesAppends
  },
  get failure() {
    return node.log === null ? 'closed' : node.log.failure
  },
  append: (entries) => {
    if (!cluster.append(node, 0, entries)) throw new Error('not taken')
    return node.log!.logEndOffset
  },
  read: (from, to, each) => readEntries(node.log!, from, to, each),
  epochBefore: (offset) => Math.max(0, node.log?.epochs.at(offset - 1) ?? 0),
  deleteBelow: (offset) => node.group?.deleteRecords(offset, () => {}),
  giveUp: () => false,
  roll: () => null,
})

/** Three brokers whose groups' log is the metadata's, with their controllers. */
class World {
  readonly keepers = new Map<Node, Keeper>()
  readonly cluster: Cluster
  readonly #maxBytes: number
  #names = 0
  /** All that was ever committed. */
  readonly #history: Uint8Array[] = []

  constructor(seed: number, { maxBytes = 600, ...options } = {}) {
    this.#maxBytes = maxBytes
    this.cluster = new Cluster(3, {
      seed,
      slowFlushes: true,
      config: { flushMessages: 1, segmentBytes: 900 },
      ...options,
      hooks: (node) => ({
        mayBeginAt: (_, offset) => this.keeper(node).store.covers(offset),
        beforeRestart: (_, from, offset, ready) =>
          this.keeper(node).store.copyFrom(`/data/broker-${from}/p`, offset, ready),
      }),
    })
  }

  /** Made anew with each life of a broker. */
  keeper(node: Node): Keeper {
    const known = this.keepers.get(node)
    if (known !== undefined) return known
    const made = new Keeper(node, this.cluster, this.#maxBytes, this.#history)
    this.keepers.set(node, made)
    return made
  }

  run(turns: number): void {
    for (let i = 0; i < turns; i++) {
      this.cluster.run(1)
      for (const node of this.cluster.nodes) {
        if (!node.isUp) this.keepers.delete(node)
        else if (!node.isPaused) this.keeper(node).turn(this.cluster.clock.monotonicMs())
      }
    }
  }

  /** Decided by who leads, when all that is committed is applied there. */
  ask(request: (name: string) => ControllerRequest): void {
    const node = this.cluster.elect()
    this.run(3)
    const { agent } = this.keeper(node)
    const { defaultTenant } = imageOf(agent)
    if (!agent.serves || defaultTenant === undefined) return
    agent.onRequest('front-0', defaultTenant.tenantId, 0, request(`t${this.#names++}`))
    this.run(12)
  }

  churn(rounds: number): void {
    for (let round = 0; round < rounds; round++) {
      this.ask(create)
      const gone = this.#names - 4
      if (gone > 0) this.ask(() => ({ kind: 'delete-topics', topics: [{ name: `t${gone}` }] }))
    }
  }

  wipe(node: Node): void {
    this.keepers.delete(node)
    this.cluster.lose(node)
  }

  /** All have the same state, the same as the whole history gives, and none needs what is gone. */
  check(when: string): void {
    this.run(300)
    const leader = this.cluster.elect()
    const { nodes } = this.cluster
    const whole = new MetadataImage()
    for (const [at, bytes] of this.#history.entries()) whole.apply(decodeEntry(bytes, at))
    expect(leader.log!.logEndOffset, when).toBe(this.#history.length)
    const hash = whole.hash()
    for (const node of nodes) {
      const keeper = this.keeper(node)
      expect(keeper.agent.offset, `${when}: broker ${node.id}`).toBe(leader.log!.logEndOffset)
      expect(imageOf(keeper.agent).hash(), `${when}: broker ${node.id}`).toBe(hash)
      if (node.log!.logStartOffset === 0) continue
      expect(keeper.store.covers(node.log!.logStartOffset), when).toBe(true)
    }
  }
}

const create = (name: string): ControllerRequest => ({
  kind: 'create-topics',
  validateOnly: false,
  topics: [{ name, partitions: 2, replicationFactor: 3, assignments: [], configs: [] }],
})

describe('snapshots of the metadata log’s replicas', () => {
  it('are made by each, and none lets its log begin where it has none', () => {
    const world = new World(1)
    world.churn(30)
    world.check('at the end')
    for (const node of world.cluster.nodes) {
      expect(node.log!.logStartOffset).toBeGreaterThan(10)
      expect(world.keeper(node).store.kept.length).toBeGreaterThan(0)
      expect(node.failures).toBe(0)
    }
  })

  it('hold a follower’s log back that makes none by itself, until it has one', () => {
    const world = new World(2)
    const leader = world.cluster.elect()
    const follower = world.cluster.nodes.find((node) => node !== leader)!
    const { store } = world.keeper(follower)
    let held = 0
    const begin = store.begin.bind(store)
    store.begin = (id, entries) => (held++ < 40 ? false : begin(id, entries))
    for (let i = 0; i < 40 && held < 40; i++) {
      world.churn(1)
      if (held < 40) expect(follower.log!.logStartOffset).toBe(0)
    }
    expect(leader.log!.logStartOffset).toBeGreaterThan(0)
    world.churn(3)
    world.check('at the end')
    expect(follower.log!.logStartOffset).toBeGreaterThan(0)
  })

  it('are copied by one that has lost its directory, and by the two others after it', () => {
    const world = new World(3)
    world.churn(20)
    for (const id of [3, 1, 2]) {
      const node = world.cluster.node(id)
      world.wipe(node)
      world.cluster.elect()
      for (let i = 0; i < 2_000 && !world.cluster.isComplete; i++) {
        world.run(1)
        world.cluster.moveOn()
      }
      world.check(`broker ${id} is back`)
      expect(node.log!.logStartOffset).toBeGreaterThan(0)
      expect(world.keeper(node).loads).toBeGreaterThan(0)
      world.churn(5)
    }
    world.check('at the end')
  })

  it(`lose nothing whatever dies when, disks and power included (${SEEDS} seeds)`, () => {
    let copied = 0
    for (let seed = 1; seed <= SEEDS; seed++) {
      const world = new World(100 + seed)
      const { cluster } = world
      const { random } = cluster
      for (let step = 0; step < 12; step++) {
        world.churn(1 + random.below(4))
        const node = cluster.nodes[random.below(3)]!
        const fate = random.below(5)
        if (fate === 0 && cluster.isComplete) {
          world.wipe(node)
        } else if (fate === 1) {
          cluster.crash(node)
          world.keepers.delete(node)
          if (random.chance(0.5)) world.churn(3)
          cluster.start(node)
        } else if (fate === 2 || fate === 3) {
          world.keepers.clear()
          cluster.killAll(fate === 3)
        } else {
          // it lags behind so far that it must begin anew
          for (const other of cluster.nodes) if (other !== node) cluster.cut(node, other)
          world.churn(8)
          for (const other of cluster.nodes) if (other !== node) cluster.heal(node, other)
        }
        for (let i = 0; i < 1_500 && !cluster.isComplete; i++) {
          world.run(1)
          cluster.moveOn()
        }
      }
      world.check(`seed ${seed}`)
      for (const node of cluster.nodes) copied += world.keeper(node).loads
    }
    expect(copied).toBeGreaterThan(SEEDS)
  })
})
