/** A broker agent alone on one thread, with real rings and fronts made of a few lines. */
import { ManualClock } from '../../src/base/clock.ts'
import {
  asBrokerId,
  asCellId,
  asFrontId,
  asPartitionIndex,
  asPartitionNumber,
  asTenantId,
  asTopicId,
  type PartitionNumber,
  type TenantId,
} from '../../src/base/ids.ts'
import type { LogFields, Logger, LogLevel } from '../../src/base/log.ts'
import { partitionPath } from '../../src/base/paths.ts'
import { SeededRandom } from '../../src/base/random.ts'
import {
  BrokerAgent,
  type BrokerAgentOptions,
  type FlushDriver,
} from '../../src/broker/broker-agent.ts'
import type { CounterRows } from '../../src/broker/broker-counters.ts'
import { openBrokerEnvironment } from '../../src/broker/environment.ts'
import type { FrontRings } from '../../src/broker/front-link.ts'
import type { MetadataGroup } from '../../src/broker/replication/metadata-group.ts'
import type { BrokerSettings } from '../../src/broker/settings.ts'
import type { MetadataEntry } from '../../src/image/entry.ts'
import type { ControlMessage } from '../../src/link/control.ts'
import { type ControlPort, MemoryPorts } from '../../src/link/ports.ts'
import type { UseRows } from '../../src/link/tenant-use.ts'
import type { Disk, FlushPort } from '../../src/log/disk.ts'
import type { LogEnvironment } from '../../src/log/environment.ts'
import { SimulatedDisk } from '../../src/log/simulated-disk.ts'
import { SimulatedFlusher } from '../../src/log/simulated-flusher.ts'
import { Arena } from '../../src/shared/arena.ts'
import { FakeFront } from './fake-front.ts'

export const CELL = asCellId(1)
export const BROKER = asBrokerId(1)
export const TENANT = asTenantId('00000000000000aa')
export const ROOT = '/data/broker-1'

export interface LogLine {
  readonly level: LogLevel
  readonly message: string
  readonly fields: LogFields
}

export interface WorldOptions {
  readonly disk?: Disk
  readonly flush?: FlushPort & FlushDriver
  readonly root?: string
  readonly settings?: Partial<BrokerSettings>
  readonly fronts?: number
  readonly replyRingBytes?: number
  readonly arenaBytes?: number
  readonly counters?: CounterRows
  readonly use?: UseRows
  readonly diskMarkBytes?: number
  readonly diskReserveBytes?: number
  readonly withMetadataLog?: boolean
  readonly newCoordinator?: BrokerAgentOptions['newCoordinator']
  /** What earlier lives of this broker have published. */
  readonly entries?: readonly MetadataEntry[]
  readonly clock?: ManualClock
}

export class World {
  readonly clock: ManualClock
  readonly disk: Disk
  readonly root: string
  readonly flush: FlushPort & FlushDriver
  readonly ports = new MemoryPorts()
  readonly server: ControlPort
  readonly controller: ControlPort
  readonly fronts: FakeFront[] = []
  readonly lines: LogLine[] = []
  readonly environment: LogEnvironment
  readonly agent: BrokerAgent
  readonly arena: Arena
  readonly others: ControlMessage[] = []
  /** Everything published so far. */
  readonly entries: MetadataEntry[]
  #nextTopic: number
  #nextPartition: number

  constructor(options: WorldOptions = {}) {
    this.clock = options.clock ?? new ManualClock()
    const simulated = new SimulatedDisk({ nowMs: () => this.clock.wallMs() })
    this.disk = options.disk ?? simulated
    this.flush =
      options.flush ??
      new SimulatedFlusher(this.disk instanceof SimulatedDisk ? this.disk : simulated)
    this.root = options.root ?? ROOT
    this.arena = new Arena({ capacityBytes: options.arenaBytes ?? 16 * 2 ** 20 })
    this.server = this.ports.port('server')
    this.controller = this.ports.port('controller')
    const control = this.ports.port('broker-1-1')
    const logger: Logger = {
      log: (level, message, fields = {}) => this.lines.push({ level, message, fields }),
    }
    const rings: FrontRings[] = []
    for (let i = 0; i < (options.fronts ?? 2); i++) {
      const front = new FakeFront(asFrontId(i), this.ports, options.replyRingBytes)
      this.fronts.push(front)
      rings.push(front.brokerSide)
    }
    this.environment = openBrokerEnvironment({
      disk: this.disk,
      root: this.root,
      flush: this.flush,
      clock: this.clock,
      random: new SeededRandom(1),
      logger,
      control,
      arena: this.arena,
      fronts: rings.length,
      diskMarkBytes: options.diskMarkBytes ?? 0,
      diskReserveBytes: options.diskReserveBytes ?? 0,
    })
    const metadata = { root: this.root, voters: [BROKER], formsAlone: true, lifeIn: () => 0 }
    this.agent = new BrokerAgent({
      cellId: CELL,
      brokerId: BROKER,
      root: this.root,
      environment: this.environment,
      flush: this.flush,
      fronts: rings,
      control,
      counters: options.counters ?? null,
      use: options.use ?? null,
      settings: options.settings ?? {},
      ...(options.newCoordinator === undefined ? {} : { newCoordinator: options.newCoordinator }),
      metadata: options.withMetadataLog === true ? metadata : null,
      onOtherMessage: ({ message }) => this.others.push(message),
    })
    this.entries = [...(options.entries ?? CLUSTER)]
    const topics = this.entries.filter((entry) => entry.kind === 'topic-created')
    this.#nextTopic = topics.length + 1
    this.#nextPartition = 1 + topics.reduce((sum, topic) => sum + topic.placements.length, 0)
    const { entries } = this
    if (entries.length === 0) return
    const message = {
      kind: 'metadata',
      epoch: 1,
      first: 0,
      offset: entries.length,
      entries,
    } as const
    this.controller.post('broker-1-1', message)
  }

  get metadataLog(): MetadataGroup | null {
    return this.agent.metadata
  }

  get front(): FakeFront {
    return this.fronts[0]!
  }

  get simulated(): SimulatedDisk {
    return this.disk as SimulatedDisk
  }

  /** Turns until nothing is left to do; returns how many. */
  run(turnsMax = 1_000): number {
    for (let turns = 1; turns <= turnsMax; turns++) {
      if (this.turn() === 0) return turns
    }
    throw new Error(`still busy after ${turnsMax} turns`)
  }

  turn(): number {
    return this.agent.doWork(this.clock.monotonicMs())
  }

  /** Lets time pass in steps, as the duty cycle would wake. */
  pass(ms: number, stepMs = 500): void {
    for (let left = ms; left > 0; left -= stepMs) {
      this.clock.advance(Math.min(stepMs, left))
      this.run()
    }
  }

  publish(...entries: MetadataEntry[]): void {
    const first = this.entries.length
    this.entries.push(...entries)
    const offset = this.entries.length
    this.controller.post('broker-1-1', { kind: 'metadata', epoch: 1, first, offset, entries })
  }

  /** A topic whose partitions this broker leads, unless `leaders` says otherwise; returns their numbers. */
  createTopic(
    options: {
      readonly partitions?: number
      readonly configs?: Record<string, string>
      readonly leader?: number
      readonly leaderEpoch?: number
      readonly internal?: boolean
      readonly tenantId?: TenantId
    } = {},
  ): PartitionNumber[] {
    const {
      partitions = 1,
      configs = {},
      leader = BROKER,
      leaderEpoch = 0,
      internal = false,
      tenantId = TENANT,
    } = options
    const n = this.#nextTopic++
    const firstPartition = asPartitionNumber(this.#nextPartition)
    this.#nextPartition += partitions
    const placement = { replicas: [asBrokerId(leader)], leader: asBrokerId(leader), leaderEpoch }
    this.publish({
      kind: 'topic-created',
      tenantId,
      topicId: topicId(n),
      name: `topic-${n}`,
      internal,
      cellId: CELL,
      firstPartition,
      placements: Array.from({ length: partitions }, () => placement),
      configs,
    })
    return Array.from({ length: partitions }, (_, i) => asPartitionNumber(firstPartition + i))
  }

  deleteTopic(n: number, tenantId = TENANT): void {
    this.publish({ kind: 'topic-deleted', tenantId, topicId: topicId(n) })
  }

  /** Directory of a partition of the n-th topic. */
  directory(topic: number, index = 0): string {
    return partitionPath(this.root, TENANT, topicId(topic), asPartitionIndex(index))
  }

  /** Messages to the server since the last call. */
  toServer(): ControlMessage[] {
    const messages: ControlMessage[] = []
    for (let next = this.server.poll(); next !== undefined; next = this.server.poll()) {
      messages.push(next.message)
    }
    return messages
  }

  /** Lines at least as grave as a warning. */
  complaints(): string[] {
    return this.lines
      .filter(({ level }) => level === 'warn' || level === 'error' || level === 'fatal')
      .map(({ message }) => message)
  }

  /** Stops it cleanly. */
  stop(deadlineMs = 1_000): void {
    this.server.post('broker-1-1', { kind: 'stop', deadlineMs })
    this.run()
  }

  /** The next life of this broker, on the same disk. */
  restart(options: WorldOptions = {}): World {
    const { disk, root, entries, clock } = this
    const flush = disk instanceof SimulatedDisk ? new SimulatedFlusher(disk) : this.flush
    const next = new World({ disk, root, entries, clock, flush, ...options })
    next.run()
    return next
  }
}

export const topicId = (n: number) => asTopicId(n.toString(16).padStart(32, '0'))

export const CLUSTER: readonly MetadataEntry[] = [
  { kind: 'cluster-formed', format: 1, clusterId: 'physical', cells: 1, brokersPerCell: 3 },
  {
    kind: 'tenant-created',
    tenantId: TENANT,
    name: 'default',
    clusterId: 'logical',
    cellId: CELL,
  },
]
