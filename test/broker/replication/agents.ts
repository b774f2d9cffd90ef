/** Broker agents whole, on one thread: real rings, logs, groups and beats, a simulated disk and simulated time. */

import { BrokerState } from '../../../src/base/broker-beat.ts'
import { ManualClock } from '../../../src/base/clock.ts'
import {
  asBrokerId,
  asFrontId,
  asPartitionIndex,
  asPartitionNumber,
  type BrokerId,
  type PartitionNumber,
} from '../../../src/base/ids.ts'
import type { LogFields, LogLevel } from '../../../src/base/log.ts'
import { partitionPath } from '../../../src/base/paths.ts'
import { SeededRandom } from '../../../src/base/random.ts'
import { BrokerAgent, type BrokerAgentOptions } from '../../../src/broker/broker-agent.ts'
import type { BrokerRings } from '../../../src/broker/broker-link.ts'
import { openBrokerEnvironment } from '../../../src/broker/environment.ts'
import type { MetadataEntry } from '../../../src/image/entry.ts'
import type { ControllerRequest, ControlMessage, LeaderChange } from '../../../src/link/control.ts'
import { brokerPeer, type ControlPort, MemoryPorts } from '../../../src/link/ports.ts'
import type { UseRows } from '../../../src/link/tenant-use.ts'
import type { LogEnvironment } from '../../../src/log/environment.ts'
import { FaultyDisk } from '../../../src/log/faulty-disk.ts'
import type { PartitionLog } from '../../../src/log/partition-log.ts'
import { SimulatedDisk } from '../../../src/log/simulated-disk.ts'
import { SimulatedFlusher } from '../../../src/log/simulated-flusher.ts'
import type { RaftGroup } from '../../../src/raft/raft-group.ts'
import { Arena } from '../../../src/shared/arena.ts'
import {
  BeatReader,
  BeatWriter,
  BrokerLives,
  brokerBeatsBytes,
  formatBrokerBeats,
} from '../../../src/shared/broker-beats.ts'
import { newRegion } from '../../../src/shared/region.ts'
import { formatRing, ringBytes } from '../../../src/shared/ring-layout.ts'
import { RingReader } from '../../../src/shared/ring-reader.ts'
import { RingWriter } from '../../../src/shared/ring-writer.ts'
import { FakeFront } from '../fake-front.ts'
import { CELL, CLUSTER, TENANT, topicId } from '../world.ts'

export const FRONT = asFrontId(0)

export interface Node {
  readonly id: BrokerId
  readonly root: string
  readonly control: ControlPort
  /** What the front has of it; another one with each life. */
  front: FakeFront
  agent: BrokerAgent
  flusher: SimulatedFlusher
  environment: LogEnvironment
  /** Its own: may fail, or be full. */
  disk: FaultyDisk
  beats: BeatWriter
  isUp: boolean
  /** Of its directory, from 0. */
  life: number
  /** With which its last thread began. */
  startedLife: number
  /** Takes no turns. */
  isHung: boolean
  /** What its agent has thrown: its thread has ended. */
  failure: unknown
}

export interface AgentsOptions {
  readonly brokers?: number
  readonly seed?: number
  readonly settings?: BrokerAgentOptions['settings']
  readonly diskReserveBytes?: number
  /** What fills one broker's disk fills all. */
  readonly hasOneDisk?: boolean
  readonly newCoordinator?: BrokerAgentOptions['newCoordinator']
  /** Where a broker counts what tenants use. */
  readonly useOf?: (brokerId: number) => UseRows
}

export class Agents {
  readonly clock = new ManualClock(1_700_000_000_000)
  readonly disk = new SimulatedDisk({ nowMs: () => this.clock.wallMs(), failedFlushForgets: true })
  readonly random: SeededRandom
  readonly ports = new MemoryPorts()
  readonly frontControl = this.ports.port('front-0')
  readonly server = this.ports.port('server')
  readonly controller = this.ports.port('controller')
  readonly lines: { level: LogLevel; message: string; fields: LogFields }[] = []
  readonly nodes: Node[] = []
  readonly entries: MetadataEntry[]
  /** As the front was told last, of the latest epochs. */
  readonly leaders = new Map<PartitionNumber, LeaderChange>()
  /** Other messages to the front. */
  readonly told: ControlMessage[] = []
  /** What brokers have asked of the controller. */
  readonly asked: ControllerRequest[] = []
  readonly #options: AgentsOptions
  readonly #beats
  readonly #lives: BrokerLives
  #topics = 0
  #nextPartition = 1

  constructor(options: AgentsOptions = {}) {
    this.#options = options
    this.random = new SeededRandom(options.seed ?? 1)
    const brokers = options.brokers ?? 3
    this.entries = CLUSTER.map((entry) =>
      entry.kind === 'cluster-formed' ? { ...entry, brokersPerCell: brokers } : entry,
    )
    this.#beats = formatBrokerBeats(newRegion(brokerBeatsBytes(brokers)), brokers)
    this.#lives = new BrokerLives(this.#beats)
    for (let id = 1; id <= brokers; id++) {
      const control = this.ports.port(brokerPeer(CELL, asBrokerId(id)))
      const node = { id: asBrokerId(id), root: `/data/broker-${id}`, control, life: 0 } as Node
      node.isUp = false
      this.nodes.push(node)
    }
    for (const node of this.nodes) this.start(node)
  }

  node(id: number): Node {
    return this.nodes[id - 1]!
  }

  get up(): Node[] {
    return this.nodes.filter(({ isUp }) => isUp)
  }

  /** Its next life, on its directory. */
  start(node: Node): void {
    // what was sent to the one before is lost
    while (node.control.poll() !== undefined);
    const { clock, disk } = this
    this.#lives.spawning(node.id - 1)
    node.beats = new BeatWriter(this.#beats, node.id - 1)
    node.flusher = new SimulatedFlusher(disk)
    // a full disk stays so, whoever lives on it
    node.disk ??= new FaultyDisk(disk, () => {})
    node.isHung = false
    node.failure = null
    node.front = new FakeFront(FRONT, this.ports, undefined, {
      control: this.frontControl,
      peer: brokerPeer(CELL, node.id),
    })
    const logger = {
      log: (level: LogLevel, message: string, fields: LogFields = {}) =>
        void this.lines.push({ level, message, fields: { broker: node.id, ...fields } }),
    }
    node.environment = openBrokerEnvironment({
      ...{ clock, logger, root: node.root, flush: node.flusher, control: node.control },
      disk: node.disk,
      random: new SeededRandom(this.random.uint32()),
      arena: new Arena({ capacityBytes: 8 * 2 ** 20 }),
      fronts: 1,
      diskMarkBytes: 1 << 20,
      diskReserveBytes: this.#options.diskReserveBytes ?? 0,
      diskIsAlone: () => !this.#options.hasOneDisk,
    })
    const { settings, newCoordinator } = this.#options
    node.agent = new BrokerAgent({
      cellId: CELL,
      brokerId: node.id,
      root: node.root,
      rootOf: (id) => `/data/broker-${id}`,
      environment: node.environment,
      flush: node.flusher,
      fronts: [node.front.brokerSide],
      peers: this.nodes.filter((other) => other !== node).map((other) => this.#link(node, other)),
      beats: new BeatReader(this.#beats),
      control: node.control,
      isNewDirectory: node.life !== (node.startedLife ?? 0),
      askController: (_tenantId, request) => void this.asked.push(request),
      counters: null,
      use: this.#options.useOf?.(node.id) ?? null,
      settings: settings ?? {},
      ...(newCoordinator === undefined ? {} : { newCoordinator }),
    })
    node.isUp = true
    node.startedLife = node.life
    this.#tell(node, this.entries, 0)
  }

  /** Its thread dies: nothing is closed, and what the system has of its files stays. The others are told, as the server does. */
  kill(node: Node): void {
    node.isUp = false
    node.flusher.forget()
    this.#lives.ended(node.id - 1)
    for (const other of this.up) other.agent.peerGone(node.id)
  }

  /** Its directory is emptied while it is down: the controller learns of another one when it starts. */
  lose(node: Node): void {
    this.disk.removeDirectory(node.root)
    this.renew(node)
  }

  /** Its directory has another id from its next start on. */
  renew(node: Node): void {
    const life = ++node.life
    const n = this.#nextPartition
    this.publish({
      kind: 'broker-directory',
      cellId: CELL,
      brokerId: node.id,
      directoryId: `${life}`.padStart(32, '0'),
      life,
      firstPartition: asPartitionNumber(n),
      rack: null,
    })
  }

  /** All die at once, as with the process; `powerCut`: with the machine. All are started again. */
  killAll(powerCut: boolean): void {
    for (const node of this.up) {
      node.isUp = false
      node.flusher.forget()
      this.#lives.ended(node.id - 1)
    }
    if (powerCut) this.disk.powerCut(this.random.uint32())
    else this.disk.kill()
    this.leaders.clear()
    for (const node of this.nodes) this.start(node)
  }

  /** Everybody turns, in an order of chance, and time passes. */
  run(turns: number, stepMs = 1): void {
    for (let i = 0; i < turns; i++) {
      const first = this.random.below(this.nodes.length)
      for (let k = 0; k < this.nodes.length; k++) {
        this.turn(this.nodes[(first + k) % this.nodes.length]!)
      }
      this.#hear()
      this.clock.advance(stepMs)
    }
  }

  /** Until `isDone`, which is what the error calls `what`. */
  runUntil(what: string, isDone: () => boolean, turnsMax = 3_000): void {
    for (let i = 0; i < turnsMax; i++) {
      if (isDone()) return
      this.run(1)
    }
    const lines = this.lines
      .slice(-10)
      .map(({ message, fields }) => JSON.stringify([message, fields]))
    throw new Error(`after ${turnsMax} turns not yet: ${what}\n${lines.join('\n')}`)
  }

  turn(node: Node): void {
    if (!node.isUp || node.isHung) return
    const nowMs = this.clock.monotonicMs()
    node.beats.beat(nowMs)
    try {
      node.agent.doWork(nowMs)
    } catch (error) {
      node.failure = error
      this.kill(node)
      return
    }
    if (node.agent.isReady) node.beats.setState(BrokerState.SERVING)
  }

  publish(...entries: MetadataEntry[]): void {
    const first = this.entries.length
    this.entries.push(...entries)
    for (const node of this.up) this.#tell(node, entries, first)
  }

  /** Partitions with a replica on each broker of `replicas`, the first one preferred. */
  createTopic(
    options: {
      readonly partitions?: number
      readonly replicas?: readonly number[]
      readonly configs?: Record<string, string>
      readonly internal?: boolean
    } = {},
  ): PartitionNumber[] {
    const { partitions = 1, replicas = [1, 2, 3], internal = false } = options
    const configs = { 'retention.ms': '-1', ...options.configs }
    const firstPartition = asPartitionNumber(this.#nextPartition)
    this.#nextPartition += partitions
    const n = ++this.#topics
    const leader = asBrokerId(replicas[0]!)
    const placement = { replicas: replicas.map(asBrokerId), leader, leaderEpoch: 0 }
    this.publish({
      kind: 'topic-created',
      tenantId: TENANT,
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

  deleteTopic(n: number): void {
    this.publish({ kind: 'topic-deleted', tenantId: TENANT, topicId: topicId(n) })
  }

  directory(node: Node, topic: number, index = 0): string {
    return partitionPath(node.root, TENANT, topicId(topic), asPartitionIndex(index))
  }

  /** The log of a replica, opened as a reader would. */
  logOf(node: Node, number: PartitionNumber): PartitionLog | null {
    return node.agent.replica(number)?.log ?? null
  }

  /** For who reads of a failure. */
  describe(number: PartitionNumber): string {
    const told = JSON.stringify(this.leaders.get(number))
    const nodes = this.nodes.map((node) => {
      const replica = node.agent.replica(number)
      const raft = replica?.group?.raft
      const state = raft === undefined ? 'closed' : describeRaft(raft)
      const { isUp, isHung, failure } = node
      const log = `${replica?.log?.logEndOffset} ${replica?.log?.failure} waiting ${replica?.waiting.size}`
      return `  ${node.id}: up ${isUp} hung ${isHung} ${failure} ${state} log ${log}`
    })
    return `partition ${number}: told ${told}\n${nodes.join('\n')}`
  }

  #tell(node: Node, entries: readonly MetadataEntry[], first: number): void {
    const offset = first + entries.length
    const to = brokerPeer(CELL, node.id)
    this.controller.post(to, { kind: 'metadata', epoch: 1, first, offset, entries })
  }

  /** What brokers have told the front. */
  #hear(): void {
    for (let next = this.frontControl.poll(); next !== undefined; next = this.frontControl.poll()) {
      const { message } = next
      if (message.kind !== 'leaders') {
        this.told.push(message)
        continue
      }
      for (const change of message.leaders) {
        const known = this.leaders.get(change.partition)?.leaderEpoch ?? -1
        if (change.leaderEpoch >= known) this.leaders.set(change.partition, change)
      }
    }
  }

  /** Fresh rings between two brokers, for both; returns the end of `node`. */
  #link(node: Node, other: Node): BrokerRings {
    const to = formatRing(newRegion(ringBytes(64 * 1024)))
    const from = formatRing(newRegion(ringBytes(64 * 1024)))
    const end = (own: Node, peer: Node, writes: typeof to, reads: typeof to): BrokerRings => {
      let bufferId = 0
      return {
        broker: peer.id,
        to: new RingWriter(writes),
        from: new RingReader(reads),
        bell: { ring: () => {} },
        sendBuffer: (bytes) => {
          const sab = new SharedArrayBuffer(bytes.length)
          new Uint8Array(sab).set(bytes)
          own.control.post(brokerPeer(CELL, peer.id), {
            ...{ kind: 'batch-buffer', bufferId: ++bufferId, sab },
          } as const)
          return bufferId
        },
      }
    }
    if (other.isUp) other.agent.replacePeer(end(other, node, from, to))
    return end(node, other, to, from)
  }
}

function describeRaft({ role, term, leader, end, commit, unreachable }: RaftGroup): string {
  return JSON.stringify({ role, term, leader, end, commit, unreachable: [...unreachable] })
}
