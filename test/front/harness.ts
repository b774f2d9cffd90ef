/** A front, brokers and the controller on one thread: the real agents over real rings, a simulated disk, fake sockets. */
import { ManualClock } from '../../src/base/clock.ts'
import {
  asBrokerId,
  asCellId,
  asFrontId,
  asPartitionIndex,
  type PartitionNumber,
} from '../../src/base/ids.ts'
import type { LogFields, Logger, LogLevel } from '../../src/base/log.ts'
import { brokerPath, partitionPath } from '../../src/base/paths.ts'
import { SeededRandom } from '../../src/base/random.ts'
import { BrokerAgent } from '../../src/broker/broker-agent.ts'
import { coordinatorKinds } from '../../src/broker/coordinator-kinds.ts'
import { openBrokerEnvironment } from '../../src/broker/environment.ts'
import type { BrokerSettings } from '../../src/broker/settings.ts'
import { RingBrokerProxy } from '../../src/cell/ring-broker-proxy.ts'
import type { SegmentFile, SegmentFiles } from '../../src/cell/segment-files.ts'
import { ControllerAgent } from '../../src/controller/agent.ts'
import { defaultFrontSettings, type FrontSettings } from '../../src/front/context.ts'
import { FrontAgent } from '../../src/front/front-agent.ts'
import type { RecordDone } from '../../src/front/record-pool.ts'
import { type RecordTask, runRecordTask } from '../../src/front/record-task.ts'
import type { UseRows } from '../../src/front/tenant-use.ts'
import { MetadataImage } from '../../src/image/image.ts'
import type { ConfigValues } from '../../src/image/topic-config.ts'
import { brokerPeer, type ControlPort, frontPeer, MemoryPorts } from '../../src/link/ports.ts'
import { DiskError } from '../../src/log/disk.ts'
import { SimulatedDisk } from '../../src/log/simulated-disk.ts'
import { SimulatedFlusher } from '../../src/log/simulated-flusher.ts'
import type { ConnectionLimits } from '../../src/net/connection-set.ts'
import type { ListenerInfo } from '../../src/net/listener-info.ts'
import { createTopics } from '../../src/protocol/19-create-topics.ts'
import { deleteTopics } from '../../src/protocol/20-delete-topics.ts'
import { Arena } from '../../src/shared/arena.ts'
import { newRegion } from '../../src/shared/region.ts'
import { formatRing, ringBytes } from '../../src/shared/ring-layout.ts'
import { RingReader } from '../../src/shared/ring-reader.ts'
import { RingWriter } from '../../src/shared/ring-writer.ts'
import type { SaslCrypto } from '../../src/tenant/sasl-crypto.ts'
import { FakeClient } from './fake-client.ts'
import { seededSaslCrypto } from './seeded-sasl-crypto.ts'
import { tenantStreams } from './tenant-streams.ts'

export const ROOT = '/data'
const CELL = asCellId(1)
const FRONT = asFrontId(0)

export interface HarnessOptions {
  readonly brokers?: number
  readonly commandRingBytes?: number
  readonly replyRingBytes?: number
  readonly arenaBytes?: number
  /** Memory for frames that brokers read where they lie; 0: none. */
  readonly frameBytes?: number
  readonly inFlightBytes?: number
  readonly fileReadBytes?: number
  readonly limits?: ConnectionLimits
  readonly use?: UseRows
  readonly settings?: Partial<FrontSettings>
  readonly brokerConfigs?: ConfigValues
  readonly brokerSettings?: Partial<BrokerSettings>
  readonly collectGarbage?: () => void
  /** Default: {@link seededSaslCrypto}. */
  readonly crypto?: SaslCrypto
  /** Topics get the replicas that they ask for, although the brokers have no rings to each other: none of them ever leads. */
  readonly isReplicated?: boolean
  /** Of all tenants together. */
  readonly partitionsMax?: number
}

/** Answers of the disk and the pool come in a later turn, as from other threads. */
export class Later {
  #queue: (() => void)[] = []

  add(run: () => void): void {
    this.#queue.push(run)
  }

  run(): number {
    const queue = this.#queue
    this.#queue = []
    for (const one of queue) one()
    return queue.length
  }
}

export class Harness {
  readonly clock = new ManualClock()
  readonly disk: SimulatedDisk
  readonly later = new Later()
  readonly brokers: BrokerAgent[] = []
  readonly proxies: RingBrokerProxy[] = []
  readonly controller: ControllerAgent
  readonly front: FrontAgent
  readonly image: MetadataImage
  readonly lines: { level: LogLevel; message: string; fields: LogFields }[] = []
  /** Brokers that take no turns: their thread hangs. */
  readonly hung = new Set<number>()
  readonly listener: ListenerInfo
  readonly files: SimulatedSegmentFiles
  kicks = 0
  readonly #ports = new MemoryPorts()
  readonly #brokerPorts: ControlPort[] = []
  readonly #logger: Logger
  readonly #frontPort: ControlPort
  readonly #frames: SharedArrayBuffer | null

  constructor(options: HarnessOptions = {}) {
    const count = options.brokers ?? 1
    this.image = new MetadataImage(options.brokerConfigs)
    this.#logger = {
      log: (level, message, fields = {}) => this.lines.push({ level, message, fields }),
    }
    this.disk = new SimulatedDisk({ nowMs: () => this.clock.wallMs() })
    this.files = new SimulatedSegmentFiles(this.disk, this.later)
    const { frameBytes = 4 * 2 ** 20 } = options
    this.#frames = frameBytes === 0 ? null : new SharedArrayBuffer(frameBytes)
    this.#frontPort = this.#ports.port(frontPeer(FRONT))
    const server = this.#ports.port('server')
    void server
    const arenas: SharedArrayBuffer[] = []
    const ports: ControlPort[] = []
    for (let id = 1; id <= count; id++) {
      const broker = this.#makeBroker(id, options)
      arenas.push(broker.arena)
      ports.push(broker.port)
      this.#brokerPorts.push(broker.port)
    }
    this.controller = new ControllerAgent({
      log: this.brokers[0]!.metadata!,
      clock: this.clock,
      random: new SeededRandom(7),
      randomFor: tenantStreams(7),
      logger: this.#logger,
      settings: {
        cells: 1,
        brokersPerCell: count,
        defaultPartitions: 4,
        isReplicated: options.isReplicated ?? false,
        brokerConfigs: options.brokerConfigs ?? {},
        ...(options.partitionsMax === undefined ? {} : { partitionsMax: options.partitionsMax }),
      },
      publish: (message) => {
        this.brokers[0]!.onControl(message)
        for (let id = 2; id <= count; id++) {
          ports[0]!.post(brokerPeer(CELL, asBrokerId(id)), message)
        }
        ports[0]!.post(frontPeer(FRONT), message)
      },
      respond: (front, correlation, response) => {
        ports[0]!.post(front, { kind: 'controller-response', correlation, response })
      },
    })
    this.front = this.#makeFront(options, arenas)
    this.listener = {
      name: '--kafka-listen',
      nodeId: 1,
      advertisedHost: null,
      advertisedPorts: Array.from({ length: count }, (_, i) => 9092 + i),
      ...{ tenantId: null, allowsAnonymous: true, allowsSasl: true, principal: null },
    }
    this.run()
  }

  connect(remote?: string): FakeClient {
    return new FakeClient(this.front.connections, this.listener, remote)
  }

  /** By the port of one node. */
  connectTo(nodeId: number): FakeClient {
    return new FakeClient(this.front.connections, { ...this.listener, nodeId })
  }

  /** Of requests and replies. */
  get inFlightBytes(): number {
    const { budget, replies } = this.front.connections
    return budget.usedBytes + replies.usedBytes
  }

  /** One turn of everybody; returns how much was done. */
  turn(): number {
    const nowMs = this.clock.monotonicMs()
    let work = 0
    this.brokers.forEach((broker, index) => {
      if (!this.hung.has(index + 1)) work += broker.doWork(nowMs)
    })
    if (!this.hung.has(1)) work += this.controller.doWork(nowMs)
    work += this.later.run()
    return work + this.front.doWork(nowMs)
  }

  /** Turns until nothing is left to do. */
  run(turnsMax = 20_000): void {
    for (let turns = 0; turns < turnsMax; turns++) if (this.turn() === 0) return
    throw new Error(`still busy after ${turnsMax} turns`)
  }

  /** Lets time pass, as the drivers would wake. */
  pass(ms: number, stepMs = ms): void {
    for (let left = ms; left > 0; left -= stepMs) {
      this.clock.advance(Math.min(left, stepMs))
      this.run()
    }
  }

  /** A topic of the default tenant, made as a client makes it. */
  createTopic(name: string, partitions = 1, configs: Record<string, string> = {}): void {
    const client = this.connect()
    const correlation = client.send(createTopics, 7, {
      topics: [
        {
          name,
          numPartitions: partitions,
          replicationFactor: -1,
          assignments: [],
          configs: Object.entries(configs).map(([key, value]) => ({ name: key, value })),
        },
      ],
    })
    this.run()
    const made = client.answer(createTopics, correlation)?.topics[0]
    if (made?.errorCode !== 0) throw new Error(`${name}: ${made?.errorCode} ${made?.errorMessage}`)
    client.connection.close()
  }

  deleteTopic(name: string): void {
    const client = this.connect()
    client.send(deleteTopics, 4, { topicNames: [name], timeoutMs: 1000 })
    this.run()
    client.connection.close()
  }

  /** Where the replica of a partition lies. */
  directoryOf(name: string, index = 0): string {
    const topic = this.image.topicByName(this.image.defaultTenant!.tenantId, name)!
    const leader = this.image.leaderOf(this.partition(name, index))
    const root = brokerPath(ROOT, CELL, asBrokerId(leader))
    return partitionPath(root, topic.tenantId, topic.topicId, asPartitionIndex(index))
  }

  /** The number of a partition of the default tenant's topic. */
  partition(name: string, index = 0): PartitionNumber {
    const topic = this.image.topicByName(this.image.defaultTenant!.tenantId, name)!
    return topic.numberOf(index as Parameters<typeof topic.numberOf>[0])
  }

  /** What arrives for a broker that is `hung`, and what it would say: for a test that answers in its place. */
  portOf(brokerId: number): ControlPort {
    return this.#brokerPorts[brokerId - 1]!
  }

  /** The front is told who leads a partition of the default tenant's topic, by that broker. */
  tellLeader(name: string, index: number, leader: number, leaderEpoch: number): void {
    const partition = this.partition(name, index)
    const isr = this.image.replicasOf(partition)
    const leaders = [{ partition, leader, leaderEpoch, isr }]
    this.portOf(leader || 1).post(frontPeer(FRONT), { kind: 'leaders', cellId: CELL, leaders })
    this.run()
  }

  /** The thread that watches brokers tells the front that one hangs, or turns again. */
  tellHung(brokerId: number, isHung: boolean): void {
    const message = { kind: 'broker-hung', cellId: CELL, brokerId, isHung } as const
    this.#serverPort.post(frontPeer(FRONT), message)
  }

  /** The server tells the front that a broker's thread has died. */
  tellGone(brokerId: number): void {
    this.hung.add(brokerId)
    const port = this.#serverPort
    port.post(frontPeer(FRONT), { kind: 'broker-gone', cellId: 1, brokerId })
  }

  get #serverPort(): ControlPort {
    this.#cachedServer ??= this.#ports.port('test-server')
    return this.#cachedServer
  }

  #cachedServer: ControlPort | undefined

  #makeBroker(id: number, options: HarnessOptions) {
    const brokerId = asBrokerId(id)
    const peer = brokerPeer(CELL, brokerId)
    const port = this.#ports.port(peer)
    const arena = new Arena({ capacityBytes: options.arenaBytes ?? 16 * 2 ** 20 })
    const commands = formatRing(newRegion(ringBytes(options.commandRingBytes ?? 2 ** 20)))
    const replies = formatRing(newRegion(ringBytes(options.replyRingBytes ?? 256 * 1024)))
    const flush = new SimulatedFlusher(this.disk)
    const root = brokerPath(ROOT, CELL, brokerId)
    const environment = openBrokerEnvironment({
      disk: this.disk,
      root,
      flush,
      clock: this.clock,
      random: new SeededRandom(id),
      logger: this.#logger,
      control: port,
      arena,
      fronts: 1,
      diskMarkBytes: 0,
    })
    this.brokers.push(
      new BrokerAgent({
        cellId: CELL,
        brokerId,
        root,
        environment,
        flush,
        fronts: [
          {
            ...{ front: FRONT, bell: { ring: () => {} }, frames: this.#frames },
            commands: new RingReader(commands),
            replies: new RingWriter(replies),
          },
        ],
        control: port,
        counters: null,
        brokerConfigs: options.brokerConfigs ?? {},
        newCoordinator: coordinatorKinds({
          brokerConfigs: options.brokerConfigs ?? {},
          randomFor: tenantStreams(id),
          logger: this.#logger,
        }),
        settings: options.brokerSettings ?? {},
        metadata: id === 1 ? { root, voters: [brokerId], formsAlone: true, lifeIn: () => 0 } : null,
        onOtherMessage: ({ from, message }) => {
          if (message.kind !== 'controller-request') return
          const { tenantId, correlation, request } = message
          this.controller.onRequest(from, tenantId, correlation, request)
        },
      }),
    )
    this.proxies.push(
      new RingBrokerProxy({
        cellId: CELL,
        brokerId,
        commands: new RingWriter(commands),
        replies: new RingReader(replies),
        bell: { ring: () => {} },
        control: this.#frontPort,
        peer,
        clock: this.clock,
        frames: this.#frames,
      }),
    )
    return { arena: arena.sab, port }
  }

  #makeFront(options: HarnessOptions, arenas: readonly SharedArrayBuffer[]): FrontAgent {
    return new FrontAgent({
      frontId: FRONT,
      image: this.image,
      proxies: this.proxies,
      arenaOf: (proxy) => arenas[proxy.brokerId - 1] ?? null,
      control: this.#frontPort,
      clock: this.clock,
      crypto: options.crypto ?? seededSaslCrypto(new SeededRandom(5)),
      randomFor: tenantStreams(4),
      logger: this.#logger,
      files: this.files,
      records: {
        run: (task: RecordTask, done: RecordDone) =>
          this.later.add(() => done(runRecordTask(structuredClone(task)))),
      },
      settings: {
        ...defaultFrontSettings,
        dataRoot: ROOT,
        brokerConfigs: options.brokerConfigs ?? {},
        ...options.settings,
      },
      ...(options.limits === undefined ? {} : { limits: options.limits }),
      use: options.use ?? null,
      inFlightBytes: options.inFlightBytes ?? 64 * 2 ** 20,
      frames: this.#frames,
      fileReadBytes: options.fileReadBytes ?? 32 * 2 ** 20,
      ...(options.collectGarbage === undefined ? {} : { collectGarbage: options.collectGarbage }),
      kick: () => this.kicks++,
      turns: { isSystemFree: true },
    })
  }
}

/** The simulated disk as the front's segment reader sees it. */
export class SimulatedSegmentFiles implements SegmentFiles {
  opens = 0
  reads = 0
  /** Set to answer nothing for now: the disk hangs. */
  hung = false
  /** Changes what was read: the disk holds something else. */
  spoil: ((bytes: Uint8Array) => void) | null = null
  readonly #disk: SimulatedDisk
  readonly #later: Later
  readonly #stuck: (() => void)[] = []

  constructor(disk: SimulatedDisk, later: Later) {
    this.#disk = disk
    this.#later = later
  }

  open(path: string, done: Parameters<SegmentFiles['open']>[1]): void {
    this.opens++
    this.#soon(() => {
      try {
        const file = this.#disk.open(path, 'read')
        done(null, {
          read: (target, length, position, onRead) => {
            this.reads++
            this.#soon(() => {
              const bytesRead = file.read(target, 0, length, position)
              this.spoil?.(target)
              onRead(null, bytesRead)
            })
          },
          close: () => file.close(),
        } satisfies SegmentFile)
      } catch (error) {
        if (!(error instanceof DiskError)) throw error
        done({ code: error.code }, null)
      }
    })
  }

  /** The disk answers again. */
  release(): void {
    this.hung = false
    for (const run of this.#stuck.splice(0)) this.#later.add(run)
  }

  #soon(run: () => void): void {
    if (this.hung) this.#stuck.push(run)
    else this.#later.add(run)
  }
}
