/** The Kafka front: the front agent, its listener and the pool, on an event loop; the main thread of `griot start`, else a worker. */
import { availableParallelism } from 'node:os'
import { asBrokerId, type BrokerId, type TenantId } from '../base/ids.ts'
import { RingBrokerProxy } from '../cell/ring-broker-proxy.ts'
import { NodeSegmentFiles } from '../cell/segment-files.ts'
import { defaultSegmentReaderLimits } from '../cell/segment-reader.ts'
import { defaultFrontSettings } from '../front/context.ts'
import { FrontAgent } from '../front/front-agent.ts'
import type { FrontCounterRows } from '../front/front-counters.ts'
import { MetadataImage } from '../image/image.ts'
import type { MetadataView } from '../image/view.ts'
import type { BrokerBack, LiveSettings } from '../link/control.ts'
import { FrontCounter } from '../link/counters.ts'
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
import { UseTableWriter } from '../shared/use-table.ts'
import { belongingAt } from './belonging.ts'
import { BriefWait } from './brief-wait.ts'
import { brokerConfigValues } from './broker-configs.ts'
import { BrokerWatch } from './broker-watch.ts'
import { collectGarbage } from './collect-garbage.ts'
import { defaultTenantRow, THREAD_ROW } from './counter-rows.ts'
import type { Agent } from './duty-cycle.ts'
import { EventLoopDriver } from './event-loop-driver.ts'
import { HeapTrim } from './heap-trim.ts'
import type { KafkaTls } from './kafka-tls.ts'
import { accessOf, advertisedOf, clientAuthOf } from './listeners.ts'
import { LoopSampler } from './loop-sampler.ts'
import { nodeSaslCrypto } from './node-sasl-crypto.ts'
import { connectionsMaxOf, openFilesLimit } from './open-files-limit.ts'
import type { EngineSettings } from './options.ts'
import { PiscinaPool } from './piscina-pool.ts'
import { traceStart } from './start-trace.ts'
import { SystemRandom } from './system-random.ts'
import { TenantListeners } from './tenant-listeners.ts'
import {
  brokerBells,
  failed,
  openEventPorts,
  type ThreadContext,
  type ThreadData,
  threadContext,
  threadLogger,
} from './thread.ts'
import { CELL, KAFKA_FRONT, type RingPair } from './wiring.ts'

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
  readonly #watch: BrokerWatch
  /** What this thread has found out itself, for its agent. */
  readonly #told: ControlEnvelope[] = []
  #listeners: readonly KafkaListener[] = []
  /** null: no listener speaks it, or none is open yet. */
  #tls: KafkaTls | null = null
  #phase: 'waiting' | 'opening' | 'serving' | 'stopping' | 'stopped' = 'waiting'
  readonly #image: MetadataImage
  readonly #tenants: TenantListeners
  #stopByMs = Number.POSITIVE_INFINITY

  constructor(data: ThreadData) {
    const context = threadContext(data)
    this.#context = context
    this.#image = new MetadataImage(brokerConfigValues(data.settings))
    this.#control = openEventPorts(data.channels, () => this.#driver.kick())
    this.#watch = new BrokerWatch(data.wiring, (brokerId, isHung) => {
      const message = { kind: 'broker-hung', cellId: CELL, brokerId, isHung } as const
      this.#told.push({ from: SERVER_PEER, message })
      this.#control.post(SERVER_PEER, message)
    })
    const writer = new CounterWriter(data.wiring.counters, context.index)
    const own = writer.row(THREAD_ROW)
    const loop = new LoopSampler(own)
    // all tenants together
    const of = (_tenantId: TenantId, brokerId: number) => writer.row(defaultTenantRow(brokerId))
    const use = new UseTableWriter(data.wiring.use, context.index)
    this.#agent = this.#createAgent(data, { own, of }, use)
    this.#tenants = new TenantListeners({
      ...{ agent: this.#agent, image: this.#image, settings: data.settings },
      answer: (correlation, answer) =>
        this.#control.post(SERVER_PEER, { kind: 'operator-answer', correlation, ...answer }),
      kick: () => this.#driver.kick(),
    })
    const trim = new HeapTrim({ image: this.#image })
    this.#driver = new EventLoopDriver({
      ...context,
      agent: this,
      brief: new BriefWait({ awaiting: this.#agent, clock: context.clock }),
      onBeat: (nowMs) => {
        loop.beat(nowMs)
        trim.doWork(nowMs)
        this.#agent.sampleGauges()
        // a turn of its own only where there is something to do
        if (this.#watch.look(nowMs) > 0 || Number.isFinite(this.#watch.nextLookAtMs))
          this.#driver.kick()
      },
      onFailure: (error) => this.#fail(error),
    })
  }

  start(): void {
    this.#context.status.setState(ThreadState.RUNNING)
    this.#driver.start()
  }

  get nextTimerAtMs(): number {
    return Math.min(this.#agent.nextTimerAtMs, this.#stopByMs, this.#watch.nextLookAtMs)
  }

  doWork(nowMs: number): number {
    const work = this.#watch.look(nowMs) + this.#agent.doWork(nowMs)
    this.#tenants.prune()
    if (this.#phase === 'waiting' && this.#image.isWhole) void this.#open()
    const isOver = this.#agent.stopped || nowMs >= this.#stopByMs
    if (this.#phase === 'stopping' && isOver) void this.#close()
    return work
  }

  #createAgent(data: ThreadData, counters: FrontCounterRows, use: UseTableWriter): FrontAgent {
    const { settings, plan, wiring } = data
    const brokerConfigs = brokerConfigValues(settings)
    const random = new SystemRandom()
    return new FrontAgent({
      frontId: KAFKA_FRONT,
      image: this.#image,
      proxies: brokerProxies(this.#context, this.#control, this.#image),
      arenaOf: ({ brokerId }) => wiring.arenas[brokerId - 1] ?? null,
      control: this.#watchedControl(),
      clock: this.#context.clock,
      crypto: nodeSaslCrypto,
      // whoever floods with logins leaves cores to others
      loginsAtOnce: availableParallelism() > 2 ? 2 : 1,
      // brokers, and clients on the same machine, need a processor while this thread works on a flood
      turns: {
        ownerShare: availableParallelism() > 2 ? 0.8 : 0.5,
        areCoresShared: availableParallelism() <= 2,
        busyMs: () => performance.eventLoopUtilization().active,
      },
      // the system's: what one tenant draws tells nothing of another's
      randomFor: () => random,
      logger: threadLogger(data, this.#control),
      files: new NodeSegmentFiles(),
      segmentLimits: defaultSegmentReaderLimits,
      records: this.#pool,
      ...{ counters, use },
      settings: {
        ...defaultFrontSettings,
        dataRoot: settings.dataDir,
        autoCreateTopics: settings.autoCreateTopics,
        brokerConfigs,
      },
      limits: {
        ...defaultLimits,
        connectionsMax: connectionsMaxOf(openFilesLimit()),
        idleMs: settings.connectionsMaxIdleMs,
      },
      inFlightBytes: plan.inFlightBytes,
      frames: wiring.frames,
      fileReadBytes: plan.fileReadBytes,
      collectGarbage,
      kick: () => this.#driver.kick(),
      kickForAnswer: () => this.#driver.kickForAnswer(),
      onControl: (envelope) => this.#onControl(envelope),
    })
  }

  /** The agent's port, with what this thread has found out itself, and looked into for brokers that have gone. */
  #watchedControl(): ControlPort {
    return {
      poll: () => {
        const envelope = this.#told.shift() ?? this.#control.poll()
        const message = envelope?.message
        if (message?.kind === 'broker-gone') {
          this.#control.disconnect(brokerPeer(CELL, asBrokerId(message.brokerId)))
        }
        return envelope
      },
      post: (to, message) => this.#control.post(to, message),
    }
  }

  #onControl({ from, message }: ControlEnvelope): void {
    if (message.kind === 'topic-stats-request') {
      const { correlation } = message
      const topics = this.#agent.services.topicCounts.values(message.topics)
      const partitions = new Float64Array(0)
      this.#control.post(from, { kind: 'topic-stats', correlation, topics, partitions })
      return
    }
    if (message.kind === 'operator-request') this.#tenants.onRequest(message)
    if (message.kind === 'open-tenant') void this.#tenants.onOpen(message)
    if (message.kind === 'settings') this.#change(message.settings)
    if (message.kind === 'broker-back') this.#onBrokerBack(message)
    if (message.kind !== 'stop') return
    if (this.#phase === 'stopping' || this.#phase === 'stopped') return
    this.#phase = 'stopping'
    this.#stopByMs = this.#context.clock.monotonicMs() + message.deadlineMs * STOP_SHARE
    this.#agent.stop()
    this.#driver.kick()
  }

  /** Another thread is that broker now; what its predecessor was asked has failed when it went. */
  #onBrokerBack({ brokerId, reads, writes, arena, port }: BrokerBack): void {
    const { wiring } = this.#context.data
    const id = asBrokerId(brokerId)
    const rings = { requests: writes, replies: reads }
    const proxy = brokerProxy(this.#context, this.#control, this.#image, id, rings)
    const name = brokerPeer(CELL, id)
    const bell = new DoorbellRinger(brokerBells(wiring)[brokerId - 1]!)
    this.#control.disconnect(name)
    this.#control.connect({ name, port: port!, bell })
    wiring.arenas[brokerId - 1] = arena!
    this.#agent.services.dispatcher.add(proxy)
    this.#driver.kick()
  }

  #change(settings: LiveSettings): void {
    this.#agent.changeSettings({
      autoCreateTopics: settings.autoCreateTopics,
      brokerConfigs: settings.brokerConfigs,
    })
    this.#agent.connections.setIdleMs(settings.connectionsMaxIdleMs)
    this.#tls?.readAgain()
    this.#listeners.forEach((listener, index) => {
      const { host = null, port = null } = settings.advertised[index] ?? {}
      listener.advertise({ advertisedHost: host, advertisedPort: port })
    })
  }

  async #open(): Promise<void> {
    this.#phase = 'opening'
    const { settings, traceOriginMs, thread } = this.#context.data
    traceStart(traceOriginMs, thread.name, 'image is whole')
    try {
      if (settings.tlsCert !== null) this.#tls = await this.#openTls(settings)
      const listeners = await this.#listen(settings)
      if (this.#phase !== 'opening') {
        for (const listener of listeners) listener.stopAccepting()
        return
      }
      this.#phase = 'serving'
      this.#listeners = listeners
      for (const listener of listeners) this.#agent.addListener(listener)
      const ports = listeners.map((listener) => listener.ports.join(',')).join(';')
      this.#control.post(SERVER_PEER, { kind: 'ready', detail: { ports } })
    } catch (error) {
      this.#fail(error)
    }
  }

  async #openTls(settings: EngineSettings): Promise<KafkaTls> {
    const { KafkaTls } = await import('./kafka-tls.ts')
    const { connections, services } = this.#agent
    return KafkaTls.open({
      ...{ settings, set: connections, logger: services.logger },
      onExpiry: (expiresAtMs) => {
        services.counters.own[FrontCounter.TLS_EXPIRES_AT_S_NOW] = expiresAtMs / 1000
      },
      onState: (reason) => this.#control.post(SERVER_PEER, { kind: 'tls-state', reason }),
      nowMs: () => this.#context.clock.wallMs(),
    })
  }

  /** Opens all listeners or none, in the order of `--kafka-listen`. */
  async #listen(settings: EngineSettings): Promise<KafkaListener[]> {
    const advertised = advertisedOf(settings)
    const wanted = settings.kafkaListen.map((listen, index) => ({ ...listen, index }))
    // ports that were asked for come first: no free one that the system picks may be among them
    wanted.sort((a, b) => Number(a.port === 0) - Number(b.port === 0))
    const listeners: KafkaListener[] = []
    try {
      for (const { index, ...listen } of wanted) {
        listeners[index] = await KafkaListener.listen(
          {
            optionName: '--kafka-listen',
            host: listen.host,
            port: listen.port,
            nodes: settings.brokers,
            advertisedHost: advertised[index]?.host ?? null,
            advertisedPort: advertised[index]?.port ?? null,
            tenantId: null,
            ...accessOf(listen, settings),
            tls: listen.tls === true ? this.#tls!.acceptorOf(clientAuthOf(listen, settings)) : null,
            belongingOf: (servername) =>
              belongingAt(this.#image, listen, settings.tlsSniDomain, servername),
          },
          this.#agent.connections,
        )
      }
    } catch (error) {
      for (const listener of listeners) listener?.stopAccepting()
      throw error
    }
    return listeners
  }

  async #close(): Promise<void> {
    this.#phase = 'stopped'
    this.#tls?.close()
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

const brokerProxies = (
  context: ThreadContext,
  control: EventPorts,
  image: MetadataView,
): RingBrokerProxy[] =>
  context.data.wiring.fronts[KAFKA_FRONT]!.map((rings, index) =>
    brokerProxy(context, control, image, asBrokerId(index + 1), rings),
  )

function brokerProxy(
  { data, clock }: ThreadContext,
  control: EventPorts,
  image: MetadataView,
  brokerId: BrokerId,
  { requests, replies }: RingPair,
): RingBrokerProxy {
  const { wiring } = data
  return new RingBrokerProxy({
    cellId: CELL,
    brokerId,
    commands: new RingWriter(requests),
    replies: new RingReader(replies),
    bell: new DoorbellRinger(brokerBells(wiring)[brokerId - 1]!),
    control,
    peer: brokerPeer(CELL, brokerId),
    frames: wiring.frames,
    clock,
    tenantOf: (partition) => image.topicOf(partition)?.tenantId ?? '',
  })
}
