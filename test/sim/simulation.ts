/** One seed: a cluster, its clients, faults; first safety, then, when all is well again, liveness. */
import type { PartitionNumber } from '../../src/base/ids.ts'
import type { LogFields, LogLevel } from '../../src/base/log.ts'
import type { SeededRandom } from '../../src/base/random.ts'
import { replicaIdOf } from '../../src/base/replica-id.ts'
import type { ReplicaGroup } from '../../src/broker/replication/replica-group.ts'
import { CELL } from '../broker/world.ts'
import { imageOf } from '../controller/image-of.ts'
import { CommittedChecker } from './checkers/committed.ts'
import { ControllersChecker } from './checkers/controllers.ts'
import { ImagesChecker } from './checkers/images.ts'
import { LeadersChecker } from './checkers/leaders.ts'
import { Admin } from './clients/admin.ts'
import type { SimClient } from './clients/client.ts'
import { Committer, OFFSETS_TOPIC } from './clients/committer.ts'
import { IdempotentProducer, PlainProducer } from './clients/producers.ts'
import { Reader } from './clients/reader.ts'
import { FaultInjector } from './fault-injector.ts'
import { drawSwarm, type FaultClass, randomOf, type Swarm } from './faults.ts'
import { SimCluster } from './sim-cluster.ts'
import { LivenessError, safe } from './sim-error.ts'
import type { SimNode } from './sim-node.ts'

export interface SimulationOptions {
  readonly seed: number
  /** Steps of the safety phase. */
  readonly steps?: number
  readonly only?: readonly FaultClass[] | null
  /** Each partition is also read from the replica of each broker. It takes another course then than without. */
  readonly readsFollowers?: boolean
  /** Gets every event and every line of the brokers' logs. */
  readonly trace?: ((line: string) => void) | null
}

export interface SimulationResult {
  readonly seed: number
  readonly classes: readonly FaultClass[]
  readonly acknowledged: number
  readonly committed: number
  readonly terms: number
  readonly faults: number
  readonly commits: number
  /** Of the metadata, written or copied. */
  readonly snapshots: number
  /** Where the metadata's log begins at the end. */
  readonly metadataStart: number
  readonly read: number
  /** By those who read from the replica of one broker, out of that. */
  readonly readNear: number
  /** Of everything that has happened: equal for equal seeds. */
  readonly digest: string
  /** How often each message of grade error was logged. */
  readonly errors: ReadonlyMap<string, number>
}

export const STEPS = 1_500
const START_STEPS_MAX = 3_000
const LIVENESS_MS = 60_000
/** Until the preferred one leads: at most so long is one that was ill not fit to. */
const PREFERRED_MS = 15_000
/** What comes to rest stays so. */
const QUIET_MS = 3_000
/** Controllers from the end of all faults on: each broker in turn, and the one that is to be, some of them twice. */
const CONTROLLERS_MAX = 12
const LINES_KEPT = 40
const TOPIC = 'sim'

export class Simulation {
  readonly cluster: SimCluster
  readonly swarm: Swarm
  readonly admin: Admin
  readonly #seed: number
  readonly #steps: number
  readonly #random: SeededRandom
  readonly #trace: ((line: string) => void) | null
  readonly #committed: CommittedChecker
  readonly #leaders = new LeadersChecker()
  readonly #images = new ImagesChecker()
  readonly #controllers = new ControllersChecker()
  readonly #lines: string[] = []
  readonly #errors = new Map<string, number>()
  readonly #producers: (IdempotentProducer | PlainProducer)[] = []
  readonly #readers: Reader[] = []
  readonly #readsFollowers: boolean
  readonly #committers: Committer[] = []
  readonly #injector: FaultInjector
  #fronts = 0
  #snapshots = 0
  #digest = 2_166_136_261

  constructor(options: SimulationOptions) {
    const { seed, steps = STEPS, only = null, trace = null, readsFollowers = false } = options
    this.#readsFollowers = readsFollowers
    this.#seed = seed
    this.#steps = steps
    this.#trace = trace
    this.#random = randomOf(seed)
    this.swarm = drawSwarm(this.#random, only)
    this.#committed = new CommittedChecker(!this.swarm.classes.has('power-cut'))
    const dehydrates = this.swarm.classes.has('dehydration')
    this.cluster = new SimCluster({
      seed: this.#random.uint32(),
      settings: {
        failedRetryMs: 1_000,
        // what is left is taken in the midst of a turn
        ...(this.#random.chance(0.3) ? { controlPerTurn: 1 } : {}),
        ...(dehydrates ? { dehydrateAfterMs: 300 } : {}),
      },
      listener: {
        onLine: (level, message, fields) => this.#onLine(level, message, fields),
        onTrace: (event) => this.#note(event),
        onPublish: ({ epoch }, broker) => this.#controllers.published(epoch, broker),
        onLeaders: (changes, from) => {
          this.#note(`leaders ${from} ${JSON.stringify(changes)}`)
          this.#leaders.told(changes, from)
        },
        onTurned: (node) => this.#check(node),
        onFrontGone: () => this.#onFrontGone(),
      },
    })
    // what the others tell a thread may be there before its first turn, or not
    this.cluster.firstTurnAfterMs = seed % 3 === 0 ? 5 : 0
    this.admin = new Admin(this.cluster, this.#topicConfigs())
    this.#injector = new FaultInjector({
      ...{ cluster: this.cluster, swarm: this.swarm, random: this.#random, admin: this.admin },
      note: (event) => this.#note(event),
      partitions: () => this.admin.partitionsOf(TOPIC),
      isSettled: () => this.#unsettled(true) === null,
      onEmptied: (broker) => this.#committed.emptied(broker),
      highWatermark: (number) => this.#committed.history(number).end,
    })
  }

  get #clients(): readonly SimClient[] {
    return [...this.#producers, ...this.#readers, ...this.#committers]
  }

  /** Throws what is wrong, with the last events in its message. */
  run(): SimulationResult {
    try {
      this.#note(`seed ${this.#seed}: ${[...this.swarm.classes].join(', ')}`)
      this.#begin()
      for (let i = 0; i < this.#steps; i++) {
        this.#injector.strike()
        this.#step(this.#random.chance(0.8) ? 1 : 1 + this.#random.below(8))
      }
      this.#settle()
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      const classes = [...this.swarm.classes].join(',')
      const lines = this.#lines.join('\n  ')
      const name = error instanceof Error ? error.name : 'Error'
      throw new Error(`seed ${this.#seed} (${classes}): ${name}: ${message}\n  ${lines}`, {
        cause: error,
      })
    }
    return this.#result()
  }

  /** A cluster whose brokers are registered, with its topics and clients. */
  #begin(): void {
    const topics = [TOPIC, OFFSETS_TOPIC]
    const isThere = () => topics.every((name) => this.admin.partitionsOf(name).length > 0)
    for (let i = 0; !isThere(); i++) {
      if (i > START_STEPS_MAX) throw new LivenessError('the cluster does not begin')
      if (i % 100 === 50) {
        this.admin.create(TOPIC, 2 + this.#random.below(2))
        this.admin.create(OFFSETS_TOPIC, 1, { 'cleanup.policy': 'compact' })
      }
      this.#step(1)
    }
    this.#addClients()
  }

  #addClients(): void {
    const { cluster } = this
    let id = 0
    for (const number of this.admin.partitionsOf(TOPIC)) {
      const history = this.#committed.history(number)
      const onAcknowledged = () => {}
      const rate = 0.05 + 0.3 * (this.#random.below(100) / 100) ** 2
      const of = { cluster, history, rate, onAcknowledged }
      for (let i = 0; i < 2; i++) {
        this.#producers.push(new IdempotentProducer({ ...of, producerId: ++id }))
      }
      this.#producers.push(new PlainProducer({ ...of, producerId: ++id, rate: rate / 2 }))
      const isRotten = (broker: number) => this.#injector.rotten === broker
      this.#readers.push(new Reader({ cluster, history, name: 'a', isRotten }))
      const near = this.#readsFollowers ? [1, 2, 3] : []
      for (const broker of near) {
        const name = `near ${broker}`
        this.#readers.push(new Reader({ cluster, history, name, isRotten, near: broker }))
      }
    }
    for (const name of ['g1', 'g2']) this.#committers.push(new Committer(cluster, name, TOPIC))
  }

  #step(stepMs: number): void {
    this.cluster.step(stepMs)
    const { image } = this.cluster.front
    this.#images.look(`the front ${this.#fronts}`, image.offset, () => image)
    for (const client of this.#clients) client.turn()
  }

  #check(node: SimNode): void {
    this.#leaders.look(node)
    this.#committed.look(node, this.#injector?.rotten === node.id)
    const who = `broker ${node.id} of life ${node.life}`
    const { image } = node.agent
    this.#images.look(who, image.offset, () => image)
    const { controller } = node
    this.#images.look(`the controller of ${who}`, controller.offset, () => imageOf(controller))
  }

  /** All faults end; within a bounded time everything is as it should be. */
  #settle(): void {
    this.#note('all is well again')
    this.#injector.heal()
    const termsBefore = this.#controllers.terms
    const untilMs = this.cluster.nowMs + LIVENESS_MS
    for (let i = 0, isFinishing = false; ; i++) {
      if (!isFinishing && this.#whoIsAway() === null) {
        isFinishing = true
        for (const client of this.#clients) client.finish()
      }
      const isWaiting = i % 20 !== 0 || !this.#clients.every(({ isDone }) => isDone)
      if (!isWaiting && this.#unsettled() === null) break
      if (this.cluster.nowMs > untilMs) {
        const why = this.#unsettled() ?? 'clients wait'
        throw new LivenessError(`after ${LIVENESS_MS} ms not at rest: ${why}\n${this.describe()}`)
      }
      this.#step(i < 2_000 ? 1 : 5)
    }
    this.#stayQuiet(termsBefore)
    this.#checkEnd()
  }

  /** Broker 1 becomes the controller, then nobody is elected any more: an election that leads to the next is none that helps. */
  #stayQuiet(termsBefore: number): void {
    const { cluster } = this
    const terms = () => cluster.nodes.map(({ agent }) => agent.metadata!.group?.raft.term)
    const untilMs = cluster.nowMs + PREFERRED_MS
    while (!cluster.node(1).controller.serves) {
      if (cluster.nowMs > untilMs) {
        throw new LivenessError(`broker 1 is not the controller\n${this.describe()}`)
      }
      this.#step(5)
    }
    const restAtMs = cluster.nowMs
    const before = terms().join()
    while (cluster.nowMs < restAtMs + QUIET_MS) this.#step(5)
    const after = terms().join()
    const controllers = this.#controllers.terms - termsBefore
    if (before !== after || controllers > CONTROLLERS_MAX) {
      const what = `terms of the metadata ${before}, then ${after}; ${controllers} controllers since all is well`
      throw new LivenessError(`controllers do not come to rest: ${what}\n${this.describe()}`)
    }
    this.#settleAgain()
  }

  /** Partitions that go to their preferred leaders by now are soon there. */
  #settleAgain(): void {
    const untilMs = this.cluster.nowMs + QUIET_MS
    for (let why = this.#unsettled(); why !== null; why = this.#unsettled()) {
      if (this.cluster.nowMs > untilMs) {
        throw new LivenessError(`no more at rest: ${why}\n${this.describe()}`)
      }
      this.#step(5)
    }
  }

  #checkEnd(): void {
    for (const history of this.#committed.histories()) {
      safe(
        history.awaited === 0,
        () =>
          `${history.awaited} acknowledged batches of partition ${history.number} are not there`,
      )
    }
    this.admin.check()
  }

  /** Why the cluster is not at rest, or null. */
  /** `isStrict`: also logs that are closed for want of work are not known to be whole. */
  #unsettled(isStrict = false): string | null {
    const away = this.#whoIsAway() ?? this.#unsettledMetadata()
    if (away !== null) return away
    const numbers = [TOPIC, OFFSETS_TOPIC].flatMap((name) => this.admin.partitionsOf(name))
    for (const number of numbers) {
      const why = this.#unsettledPartition(number, isStrict)
      if (why !== null) return `partition ${number}: ${why}`
    }
    return null
  }

  #whoIsAway(): string | null {
    const { cluster } = this
    for (const node of cluster.nodes) {
      if (!node.isUp || node.isHung) return `broker ${node.id} is not up`
      if (!node.agent.isRegistered) return `broker ${node.id} is not registered`
      const isFilled = node.agent.image.brokerDirectory(CELL, node.id)?.isFilled
      if (isFilled !== true) return `broker ${node.id} has not said that it lacks nothing`
      if (node.agent.image.offset !== cluster.front.image.offset) {
        return `broker ${node.id} has not the front's image`
      }
    }
    return null
  }

  /** Each broker has a vote, in the life of its directory, and all of the log. */
  #unsettledMetadata(): string | null {
    const { cluster } = this
    const { image } = cluster.front
    const ids = cluster.nodes
      .map(({ id }) => replicaIdOf(id, image.brokerDirectory(CELL, id)?.life ?? 0))
      .sort()
    const ends = new Set<string>()
    for (const { id, agent } of cluster.nodes) {
      const group = agent.metadata?.group ?? null
      if (group === null) return `broker ${id} has the metadata closed`
      const voters = [...group.raft.configuration.voters].sort()
      if (voters.join() !== ids.join())
        return `broker ${id} has voters ${voters} of the metadata, not ${ids}`
      ends.add(`${group.raft.leader} ${group.log.logEndOffset} ${group.log.highWatermark}`)
    }
    return ends.size > 1 ? `copies of the metadata differ: ${[...ends].join(' | ')}` : null
  }

  #unsettledPartition(number: PartitionNumber, isStrict: boolean): string | null {
    const { cluster } = this
    const { image } = cluster.front
    const isQuiet = !isStrict && this.swarm.classes.has('dehydration')
    const ids = image
      .replicasOf(number)
      .map((broker) => replicaIdOf(broker, image.brokerDirectory(CELL, broker)?.life ?? 0))
      .sort()
    if (!isQuiet && image.leaderOf(number) === 0) return 'nobody leads'
    const ends = new Set<string>()
    for (const node of cluster.nodes) {
      const replica = node.agent.replica(number)
      const log = replica?.log ?? null
      const group = replica?.group ?? null
      if (log === null || group === null) {
        if (isQuiet) continue
        return `broker ${node.id} has it closed`
      }
      if (log.failure !== null) return `broker ${node.id}: ${log.failure}`
      ends.add(`${log.logStartOffset} ${log.logEndOffset} ${log.highWatermark}`)
      const voters = [...group.raft.configuration.voters].sort()
      if (voters.join() !== ids.join()) return `broker ${node.id} has voters ${voters}, not ${ids}`
    }
    if (ends.size > 1) return `logs differ: ${[...ends].join(' | ')}`
    if (!isQuiet && image.isrOf(number).length < ids.length) return `ISR ${image.isrOf(number)}`
    return null
  }

  #onFrontGone(): void {
    this.#fronts++
    for (const client of this.#clients) client.onFrontGone()
  }

  #topicConfigs(): Record<string, string> {
    const configs: Record<string, string> = { 'retention.ms': '-1' }
    // what a majority has is in their memory only, unless each batch is flushed
    if (this.swarm.classes.has('power-cut')) configs['flush.messages'] = '1'
    if (this.#random.chance(0.5)) configs['segment.ms'] = '100'
    return configs
  }

  describe(): string {
    const partitions = [TOPIC, OFFSETS_TOPIC].flatMap((name) => this.admin.partitionsOf(name))
    const replicas = partitions.flatMap((number) =>
      this.cluster.nodes.map((node) => `  ${number} on ${describeReplica(node, number)}`),
    )
    const copies = this.cluster.nodes.map((node) => `  metadata on ${describeMetadata(node)}`)
    const clients = this.#clients.map((client) => `  ${client.describe()}`)
    return [...clients, ...copies, ...replicas].join('\n')
  }

  #result(): SimulationResult {
    const sum = (of: readonly number[]) => of.reduce((a, b) => a + b, 0)
    return {
      seed: this.#seed,
      classes: [...this.swarm.classes],
      acknowledged: sum(this.#producers.map(({ acknowledged }) => acknowledged)),
      committed: sum([...this.#committed.histories()].map(({ size }) => size)),
      terms: this.#leaders.terms,
      faults: this.#injector.struck,
      commits: sum(this.#committers.map(({ commits }) => commits)),
      snapshots: this.#snapshots,
      metadataStart: this.cluster.node(1).agent.metadata!.startOffset,
      read: sum(this.#readers.map(({ read }) => read)),
      readNear: sum(this.#readers.map(({ readNear }) => readNear)),
      digest: (this.#digest >>> 0).toString(16).padStart(8, '0'),
      errors: this.#errors,
    }
  }

  #onLine(level: LogLevel, message: string, fields: LogFields): void {
    this.#note(`${level} ${message} ${JSON.stringify(fields)}`)
    if (message === 'Snapshot of the metadata') this.#snapshots++
    if (level === 'error') this.#errors.set(message, (this.#errors.get(message) ?? 0) + 1)
    const text = JSON.stringify(fields)
    safe(
      !/InvariantError|TypeError|RangeError|ReferenceError/.test(text),
      () => `a broker logs a bug: ${message} ${text}`,
    )
  }

  #note(event: string): void {
    const line = `${(this.cluster?.nowMs ?? 0) - 1_000_000} ${event}`
    for (let i = 0; i < line.length; i++) {
      this.#digest = Math.imul(this.#digest ^ line.charCodeAt(i), 16_777_619)
    }
    this.#lines.push(line)
    if (this.#lines.length > LINES_KEPT) this.#lines.shift()
    this.#trace?.(line)
  }
}

function describeMetadata({ id, isUp, isHung, agent, controller }: SimNode): string {
  const group = agent.metadata?.group ?? null
  const fate = `${id}: up ${isUp} hung ${isHung} serves ${controller.serves} image ${agent.image.epoch} ${agent.image.offset}`
  return group === null
    ? `${fate} closed ${agent.metadata?.failure}`
    : `${fate} ${describeGroup(group)}`
}

function describeReplica(node: SimNode, number: PartitionNumber): string {
  const replica = node.isUp ? node.agent.replica(number) : undefined
  const fate = `${node.id}: up ${node.isUp} hung ${node.isHung}`
  const group = replica?.group ?? null
  return group === null ? `${fate} closed` : `${fate} ${describeGroup(group)}`
}

function describeGroup({ log, raft }: ReplicaGroup): string {
  const { role, term, leader, end, commit, unreachable, configuration } = raft
  const state = JSON.stringify({ role, term, leader, end, commit, ...configuration })
  return `log ${log.logStartOffset}–${log.logEndOffset} hw ${log.highWatermark} ${log.failure} ${state} unreachable ${[...unreachable]}`
}

export const simulate = (options: SimulationOptions): SimulationResult =>
  new Simulation(options).run()
