/** The Kafka front: the front agent, its listener and the pool, on an event loop; the main thread of `griot start`, else a worker. */
import { asBrokerId, type TenantId } from '../base/ids.ts'
import { SeededRandom } from '../base/random.ts'
import { RingBrokerProxy } from '../cell/ring-broker-proxy.ts'
import { NodeSegmentFiles } from '../cell/segment-files.ts'
import { defaultSegmentReaderLimits } from '../cell/segment-reader.ts'
import { defaultFrontSettings } from '../front/context.ts'
import { FrontAgent } from '../front/front-agent.ts'
import type { FrontCounterRows } from '../front/front-counters.ts'
import { MetadataImage } from '../image/image.ts'
import {
  brokerPeer,
  type ControlEnvelope,
  type ControlPort,
  type EventPorts,
  SERVER_PEER,
} from '../link/ports.ts'
import { defaultLimits } from '../net/connection-set.ts'
import { KafkaListener } from '../net/kafka-listener.ts'
import { CounterWriter } from '../shared/counter-table.ts'
import { DoorbellRinger } from '../shared/doorbell.ts'
import { RingReader } from '../shared/ring-reader.ts'
import { RingWriter } from '../shared/ring-writer.ts'
import { ThreadState } from '../shared/thread-status.ts'
import { brokerConfigValues } from './broker-configs.ts'
import { defaultTenantRow, THREAD_ROW } from './counter-rows.ts'
import type { Agent } from './duty-cycle.ts'
import { EventLoopDriver } from './event-loop-driver.ts'
import { LoopSampler } from './loop-sampler.ts'
import { connectionsMaxOf, openFilesLimit } from './open-files-limit.ts'
import { PiscinaPool } from './piscina-pool.ts'
import { traceStart } from './start-trace.ts'
import { SystemRandom } from './system-random.ts'
import {
  brokerBells,
  failed,
  openEventPorts,
  type ThreadContext,
  type ThreadData,
  threadContext,
  threadLogger,
} from './thread.ts'
import { CELL, KAFKA_FRONT } from './wiring.ts'

/** Of the time that a stop may take; the rest is for the brokers' flushes. */
const STOP_SHARE = 0.5

/** Returns at once: the front says `ready` once it listens, `stopped` once it has stopped. */
export async function runKafkaFront(data: ThreadData): Promise<void> {
  const front = new KafkaFrontThread(data)
  front.start()
}

class KafkaFrontThread implements Agent {
  readonly #context: ThreadContext
  readonly #control: EventPorts
  readonly #agent: FrontAgent
  readonly #driver: EventLoopDriver
  readonly #pool = new PiscinaPool()
  #phase: 'waiting' | 'opening' | 'serving' | 'stopping' | 'stopped' = 'waiting'
  #isImageWhole = false
  #stopByMs = Number.POSITIVE_INFINITY

  constructor(data: ThreadData) {
    const context = threadContext(data)
    this.#context = context
    this.#control = openEventPorts(data.channels, () => this.#driver.kick())
    const writer = new CounterWriter(data.wiring.counters, context.index)
    const own = writer.row(THREAD_ROW)
    const loop = new LoopSampler(own)
    // the default tenant is the only one yet
    const of = (_tenantId: TenantId, brokerId: number) => writer.row(defaultTenantRow(brokerId))
    this.#agent = this.#createAgent(data, { own, of })
    this.#driver = new EventLoopDriver({
      ...context,
      agent: this,
      onBeat: (nowMs) => {
        loop.beat(nowMs)
        this.#agent.sampleGauges()
      },
      onFailure: (error) => this.#fail(error),
    })
  }

  start(): void {
    this.#context.status.setState(ThreadState.RUNNING)
    this.#driver.start()
  }

  get nextTimerAtMs(): number {
    return Math.min(this.#agent.nextTimerAtMs, this.#stopByMs)
  }

  doWork(nowMs: number): number {
    const work = this.#agent.doWork(nowMs)
    if (this.#phase === 'waiting' && this.#isImageWhole) void this.#open()
    const isOver = this.#agent.stopped || nowMs >= this.#stopByMs
    if (this.#phase === 'stopping' && isOver) void this.#close()
    return work
  }

  #createAgent(data: ThreadData, counters: FrontCounterRows): FrontAgent {
    const { settings, plan, wiring } = data
    const brokerConfigs = brokerConfigValues(settings)
    const random = new SystemRandom()
    return new FrontAgent({
      frontId: KAFKA_FRONT,
      image: new MetadataImage(brokerConfigs),
      proxies: brokerProxies(this.#context, this.#control),
      arenaOf: ({ brokerId }) => wiring.arenas[brokerId - 1] ?? null,
      control: this.#watchedControl(),
      controllerPeer: brokerPeer(CELL, asBrokerId(1)),
      clock: this.#context.clock,
      random,
      // one stream per asker: what one tenant draws tells nothing of another's
      randomFor: () => new SeededRandom(random.uint32()),
      logger: threadLogger(data, this.#control),
      files: new NodeSegmentFiles(),
      segmentLimits: defaultSegmentReaderLimits,
      records: this.#pool,
      counters,
      settings: {
        ...defaultFrontSettings,
        dataRoot: settings.dataDir,
        autoCreateTopics: settings.autoCreateTopics,
        brokerConfigs,
      },
      limits: { ...defaultLimits, connectionsMax: connectionsMaxOf(openFilesLimit()) },
      inFlightBytes: plan.inFlightBytes,
      fileReadBytes: plan.fileReadBytes,
      kick: () => this.#driver.kick(),
      onControl: (envelope) => this.#onControl(envelope),
    })
  }

  /** The agent's port, looked into for the moment at which the first image is whole. */
  #watchedControl(): ControlPort {
    return {
      poll: () => {
        const envelope = this.#control.poll()
        const message = envelope?.message
        if (message?.kind === 'metadata' && message.more !== true) this.#isImageWhole = true
        return envelope
      },
      post: (to, message) => this.#control.post(to, message),
    }
  }

  #onControl({ message }: ControlEnvelope): void {
    if (message.kind !== 'stop') return
    if (this.#phase === 'stopping' || this.#phase === 'stopped') return
    this.#phase = 'stopping'
    this.#stopByMs = this.#context.clock.monotonicMs() + message.deadlineMs * STOP_SHARE
    this.#agent.stop()
    this.#driver.kick()
  }

  async #open(): Promise<void> {
    this.#phase = 'opening'
    const { settings, traceOriginMs, thread } = this.#context.data
    traceStart(traceOriginMs, thread.name, 'image is whole')
    try {
      const listener = await KafkaListener.listen(
        {
          optionName: '--kafka-listen',
          host: settings.kafkaListen.host,
          port: settings.kafkaListen.port,
          nodes: settings.brokers,
          advertisedHost: settings.kafkaAdvertise?.host ?? null,
          advertisedPort: settings.kafkaAdvertise?.port ?? null,
        },
        this.#agent.connections,
      )
      if (this.#phase !== 'opening') {
        listener.stopAccepting()
        return
      }
      this.#phase = 'serving'
      this.#agent.addListener(listener)
      const ports = listener.ports.join(',')
      this.#control.post(SERVER_PEER, { kind: 'ready', detail: { ports } })
    } catch (error) {
      this.#fail(error)
    }
  }

  async #close(): Promise<void> {
    this.#phase = 'stopped'
    this.#agent.close()
    this.#driver.stop()
    await this.#pool.close()
    this.#context.status.setState(ThreadState.STOPPED)
    this.#control.post(SERVER_PEER, { kind: 'stopped' })
    this.#control.close()
  }

  #fail(error: unknown): void {
    this.#context.status.setState(ThreadState.FAILED)
    this.#control.post(SERVER_PEER, failed(error))
  }
}

function brokerProxies({ data, clock }: ThreadContext, control: EventPorts): RingBrokerProxy[] {
  const { wiring } = data
  const bells = brokerBells(wiring)
  return wiring.fronts[KAFKA_FRONT]!.map(({ requests, replies }, index) => {
    const brokerId = asBrokerId(index + 1)
    return new RingBrokerProxy({
      cellId: CELL,
      brokerId,
      commands: new RingWriter(requests),
      replies: new RingReader(replies),
      bell: new DoorbellRinger(bells[index]!),
      control,
      peer: brokerPeer(CELL, brokerId),
      clock,
    })
  })
}
