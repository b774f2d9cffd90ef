/** A broker's thread: the broker agent and a controller, wired as `src/server/broker-thread.ts` does it. */
import { BrokerState } from '../../src/base/broker-beat.ts'
import { asBrokerId, type BrokerId } from '../../src/base/ids.ts'
import type { LogFields, LogLevel } from '../../src/base/log.ts'
import { SeededRandom } from '../../src/base/random.ts'
import type { Region } from '../../src/base/region.ts'
import { BrokerAgent, type BrokerAgentOptions } from '../../src/broker/broker-agent.ts'
import type { BrokerRings } from '../../src/broker/broker-link.ts'
import { coordinatorKinds } from '../../src/broker/coordinator-kinds.ts'
import { openDirectoryIdentity } from '../../src/broker/directory-identity.ts'
import { openBrokerEnvironment } from '../../src/broker/environment.ts'
import type { FrontRings } from '../../src/broker/front-link.ts'
import { metadataAmong } from '../../src/broker/lost-metadata.ts'
import { ControllerAgent, lifeIn } from '../../src/controller/agent.ts'
import type { MetadataMessage } from '../../src/image/request.ts'
import { brokerPeer, type ControlEnvelope, type ControlPort } from '../../src/link/ports.ts'
import type { LogEnvironment } from '../../src/log/environment.ts'
import {
  askController,
  OWN_THREAD,
  type Registering,
  registers,
} from '../../src/server/broker-registration.ts'
import type { Agent } from '../../src/server/duty-cycle.ts'
import { Arena } from '../../src/shared/arena.ts'
import { BeatReader, BeatWriter } from '../../src/shared/broker-beats.ts'
import { CELL } from '../broker/world.ts'
import type { SimClock } from './sim-clock.ts'
import { rootOf, type SimDisk, SimFlusher } from './sim-disk.ts'

export const BROKERS = 3
export const FRONT_PEER = 'front-0'
/** A few entries: each seed writes snapshots, loads them, copies them, and cuts the metadata's log. */
const SNAPSHOT_BYTES = 300
const METADATA_SEGMENT_BYTES = 900

export interface NodeContext {
  readonly clock: SimClock
  readonly disk: SimDisk
  readonly beats: Region
  readonly settings: NonNullable<BrokerAgentOptions['settings']>
  readonly log: (level: LogLevel, message: string, fields: LogFields) => void
  /** Of everything published by the controller of a broker, before it is sent. */
  readonly onPublish: (message: MetadataMessage, broker: BrokerId) => void
}

export class SimNode {
  readonly id: BrokerId
  readonly root: string
  readonly control: ControlPort
  readonly #context: NodeContext
  readonly #port: ControlPort
  /** Peers that its thread takes for gone: what it sends them is swallowed. */
  readonly gone = new Set<string>()
  /** What its thread is told, in order, with its next turn. */
  tasks: (() => void)[] = []
  /** Threads so far. */
  life = 0
  isUp = false
  isHung = false
  agent!: BrokerAgent
  controller!: ControllerAgent
  environment!: LogEnvironment
  flusher!: SimFlusher
  #beats!: BeatWriter
  #agents: Agent[] = []
  #registering!: Registering

  constructor(id: BrokerId, port: ControlPort, context: NodeContext) {
    this.id = id
    this.root = rootOf(id)
    this.#context = context
    this.#port = port
    this.control = {
      poll: () => port.poll(),
      post: (to, message) => {
        if (!this.gone.has(to)) port.post(to, message)
      },
    }
  }

  /** What was sent to the thread before is lost. */
  forgetMessages(): void {
    while (this.#port.poll() !== undefined);
  }

  /** Its next thread. May throw what opening files throws; then nothing runs. */
  start(front: FrontRings, peers: readonly BrokerRings[], seed: number): void {
    const { clock, disk, beats, log } = this.#context
    const { id, root, control } = this
    this.life++
    this.tasks = []
    this.isHung = false
    const random = new SeededRandom(seed)
    this.#beats = new BeatWriter(beats, id - 1)
    this.flusher = new SimFlusher(disk.disk, random, () => clock.monotonicMs())
    const logger = {
      log: (level: LogLevel, message: string, fields: LogFields = {}) =>
        log(level, message, { broker: id, ...fields }),
    }
    const environment = openBrokerEnvironment({
      ...{ disk: disk.disk, clock, logger, root, flush: this.flusher, control },
      random: new SeededRandom(random.uint32()),
      arena: new Arena({ capacityBytes: 4 * 2 ** 20 }),
      fronts: 1,
      diskMarkBytes: 0,
      diskReserveBytes: 0,
    })
    this.environment = environment
    const voters = Array.from({ length: BROKERS }, (_, i) => asBrokerId(i + 1))
    const others = voters.filter((voter) => voter !== id).map(rootOf)
    const formsAlone = id === voters[0] && metadataAmong(disk.disk, others) === null
    const { directoryId, isNew } = openDirectoryIdentity({ ...environment, root })
    this.agent = new BrokerAgent({
      ...{ cellId: CELL, brokerId: id, root, environment, flush: this.flusher, control, peers },
      ...{ rootOf, directoryId, isNewDirectory: isNew, counters: null },
      settings: this.#context.settings,
      fronts: [front],
      beats: new BeatReader(beats),
      newCoordinator: coordinatorKinds({
        ...{ brokerConfigs: {}, logger },
        randomFor: () => environment.random,
      }),
      metadata: {
        ...{ root, voters, formsAlone, lifeIn: (entries) => lifeIn(entries, CELL, id) },
        segmentBytes: METADATA_SEGMENT_BYTES,
      },
      askController: (tenantId, request) => {
        const { agent: broker } = this
        askController({ broker, control, controller: () => this.controller }, request, tenantId)
      },
      onOtherMessage: (envelope) => this.#onOther(envelope),
    })
    this.#registering = registers({
      ...{ brokerId: id, directoryId, rack: null, broker: this.agent, control },
      controller: () => this.controller,
    })
    this.controller = this.#newController()
    this.#agents = [this.agent, this.controller, this.#registering]
    this.#beats.setState(BrokerState.JOINING)
    this.isUp = true
  }

  /** One turn of its duty cycle; throws what ends the thread. */
  turn(nowMs: number): void {
    this.#beats.beat(nowMs)
    const { tasks } = this
    this.tasks = []
    for (const task of tasks) task()
    for (const agent of this.#agents) agent.doWork(nowMs)
    if (this.agent.isReady && !this.agent.isKnownByAnother)
      this.#beats.setState(BrokerState.SERVING)
  }

  /** To one that begins anew: what is published from now on follows on it. */
  bringUpToDate(broker: BrokerId): void {
    const peer = brokerPeer(CELL, broker)
    this.controller.bringUpToDate(peer, (message) => this.control.post(peer, message))
  }

  #newController(): ControllerAgent {
    const { clock, random, logger } = this.environment
    return new ControllerAgent({
      ...{ log: this.agent.metadata!, clock, random, logger },
      settings: { cells: 1, brokersPerCell: BROKERS, defaultPartitions: 1, brokerConfigs: {} },
      snapshots: {
        ...{ store: this.agent.metadata!.snapshots, maxBytes: SNAPSHOT_BYTES, maxIntervalMs: 0 },
      },
      publish: (message) => {
        this.#context.onPublish(message, this.id)
        this.agent.onControl(message)
        for (let id = 1; id <= BROKERS; id++) {
          if (id !== this.id) this.control.post(brokerPeer(CELL, asBrokerId(id)), message)
        }
        this.control.post(FRONT_PEER, message)
      },
      respond: (asker, correlation, response) => {
        if (asker === OWN_THREAD) this.#registering.onResponse(response)
        else this.control.post(asker, { kind: 'controller-response', correlation, response })
      },
    })
  }

  #onOther({ from, message }: ControlEnvelope): void {
    if (message.kind === 'controller-request') {
      this.controller.onRequest(from, message.tenantId, message.correlation, message.request)
    } else if (message.kind === 'controller-response') {
      this.#registering.onResponse(message.response)
    }
  }
}
