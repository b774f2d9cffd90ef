/** One engine: starts its threads, watches them, stops them. Wiring only; runs on the thread that called `start`. */
import type { MessagePort } from 'node:worker_threads'
import { asBrokerId, type BrokerId } from '../base/ids.ts'
import type { Logger } from '../base/log.ts'
import { brokerPath } from '../base/paths.ts'
import type { ControlMessage, LiveSettings } from '../link/control.ts'
import { brokerPeer, type EventPorts, SERVER_PEER } from '../link/ports.ts'
import { formatHostPort, localHostOf } from '../net/address.ts'
import { BrokerLives } from '../shared/broker-beats.ts'
import { DoorbellRinger } from '../shared/doorbell.ts'
import { BrokerRestarts, type StartEnds } from './broker-restarts.ts'
import { EngineChaos } from './chaos.ts'
import {
  brokersMadeFor,
  claimIdentity,
  DataDirectoryError,
  makeDataDirectory,
} from './data-directory.ts'
import { abortOf, type Deadline, deadlineIn } from './deadline.ts'
import { DirectoryLock, lockDirectory, lockNonce } from './directory-lock.ts'
import { removeEndpoints, tellEndpoints } from './endpoints.ts'
import { portsOf, urlOf } from './engine-addresses.ts'
import { EngineState } from './engine-state.ts'
import { EngineTenants } from './engine-tenants.ts'
import { hostWallMs } from './host-time.ts'
import { HungBrokers } from './hung-brokers.ts'
import { type OpenListener, warnOfListeners } from './listeners.ts'
import { liveSettings } from './live-settings.ts'
import { type MemoryPlan, planMemory } from './memory-plan.ts'
import { operatorToken } from './operator-token.ts'
import type { EngineSettings } from './options.ts'
import { checkPorts, checkTlsFiles, StartError } from './start-checks.ts'
import { traceStart } from './start-trace.ts'
import {
  brokerBells,
  openEventPorts,
  openGate,
  setThreadLogLevel,
  type ThreadData,
} from './thread.ts'
import { type ReadyDetail, ThreadHandle } from './thread-handle.ts'
import { griotVersion } from './version.ts'
import {
  allocateWiring,
  CELL,
  connectThreads,
  type EngineWiring,
  listThreads,
  renewBroker,
  wiringFor,
} from './wiring.ts'

export interface EngineOptions {
  readonly settings: EngineSettings
  /** The operator token where it comes from no file. */
  readonly token: string | null
  readonly logger: Logger
  /** Kafka front on a worker: in an embedded engine, whose own thread may be blocked. */
  readonly frontOnWorker: boolean
  /** The data directory goes away with the engine: nothing is kept for the day on which the disk is full. */
  readonly isTemporary: boolean
  /** Wall clock, fractional: where `readyMs` counts from. */
  readonly originMs: number
  /** The engine cannot go on (its front died, its directory was taken): it has begun to stop. */
  readonly onFatal: (reason: string) => void
  /** Aborted, a start is given up: what runs already is stopped as by {@link Engine.stop}, and the start rejects with the signal's reason. */
  readonly signal?: AbortSignal
}

/** Why a broker's thread has died that nobody needs to worry about. */
const ON_DEMAND = 'it was killed on demand'

const refuseStart = (error: Error): never => {
  throw new StartError(error.message, { cause: error })
}

/** Looks at the file system of the data directory. Throws {@link DataDirectoryError}. */
function lookAtSettings(settings: EngineSettings): LiveSettings {
  try {
    return liveSettings(settings)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === undefined) throw error
    throw new DataDirectoryError(`data directory ${settings.dataDir} cannot be looked at: ${code}`)
  }
}

export class Engine {
  readonly dataDir: string
  /** HOST:PORT of each broker at the first listener, from broker 1, as programs on this machine reach it. */
  brokers: readonly string[] = []
  /** In the order of `--kafka-listen`. */
  listeners: readonly OpenListener[] = []
  /** As programs on this machine reach it; null where there is no HTTP. */
  httpUrl: string | null = null
  /** Of health and metrics: an address of their own, or that of HTTP. */
  adminUrl: string | null = null
  readonly chaos: EngineChaos
  readonly tenants = new EngineTenants({
    tell: (message) => this.#tell('front-0', message),
    hold: (isHeld) => this.#threads.get('front-0')?.keepAlive(isHeld || this.#isKeptAlive),
    host: () => localHostOf(this.listeners[0]!.host),
  })
  readonly #options: EngineOptions
  /** With what has changed since the start. */
  #settings: EngineSettings
  readonly #plan: MemoryPlan
  /** Changes with each broker that is started anew. */
  #wiring: EngineWiring
  readonly #lives: BrokerLives
  readonly #restarts = new BrokerRestarts({
    wiring: () => this.#wiring,
    isAlive: (name) => this.#threads.get(name)?.isGone === false,
    tell: (name, message, transfer) => this.#tell(name, message, transfer),
    start: (broker, ends) => this.#startAnew(broker, ends),
    onBack: (broker) => this.#onBrokerBack(broker),
  })
  readonly #hung: HungBrokers
  readonly #threads = new Map<string, ThreadHandle>()
  readonly #control: EventPorts
  readonly #state: EngineState
  readonly #nonce = lockNonce()
  #lock: DirectoryLock | null = null
  #stopping: Promise<void> | null = null
  #isUp = false
  #isKeptAlive = true

  private constructor(options: EngineOptions) {
    const { settings } = options
    this.#options = options
    this.#settings = settings
    this.dataDir = makeDataDirectory(settings.dataDir)
    this.#plan = planMemory(settings.memoryBytes, settings.brokers)
    const hasHttp = settings.httpListen !== null || settings.adminListen !== null
    const infos = listThreads(settings.brokers, hasHttp)
    this.#wiring = allocateWiring(infos, this.#plan)
    this.#lives = new BrokerLives(this.#wiring.beats)
    setThreadLogLevel(this.#wiring, settings.logLevel)
    const ends = connectThreads(this.#wiring)
    this.#control = openEventPorts(ends.get(SERVER_PEER)!, () => this.#onControl(), {
      ...{ unref: true, onClosed: (name) => this.#onClosed(name) },
    })
    this.#state = new EngineState((state, reason) =>
      this.#tell('front-1', { kind: 'engine-state', state, reason }),
    )
    const setReason = (key: string, reason: string | null) => this.#state.setReason(key, reason)
    const { logger } = options
    this.chaos = new EngineChaos({
      ...{ isAllowed: settings.chaos, brokers: settings.brokers, logger, setReason },
      isAlive: (broker) => this.#brokerThread(broker).isLiving,
      kill: (broker) => this.#brokerThread(broker).kill(ON_DEMAND),
      tell: (to, message) => this.#tell(to, message),
    })
    this.#hung = new HungBrokers({
      ...{ logger, setReason, living: () => this.#count((broker) => broker.isLiving) },
      kill: (broker) => void this.#brokerThread(broker).kill('it was ended since it hung'),
    })
    // brokers first: they have most to do
    const order = [...infos].sort(
      (a, b) => Number(b.role === 'broker') - Number(a.role === 'broker'),
    )
    for (const info of order) {
      this.#threads.set(
        info.name,
        new ThreadHandle(info.name, (reason) => this.#onEnd(info.name, reason)),
      )
      const data = this.#threadData(info, ends.get(info.name)!)
      if (info.role === 'kafka-front' && !options.frontOnWorker) this.#runFrontHere(data)
      else this.#spawn(data)
    }
    this.#trace('workers spawned')
  }

  /** Resolves when clients are served; otherwise everything is stopped again and the error says what was wrong. */
  static async start(options: EngineOptions): Promise<Engine> {
    const engine = new Engine(options)
    const { signal = new AbortController().signal } = options
    try {
      await engine.#takeDirectory()
      await Promise.race([engine.#waitUntilReady(), abortOf(signal)])
      return engine
    } catch (error) {
      if (signal.aborted) await engine.stop()
      else {
        openGate(engine.#wiring, null)
        await engine.#endThreads()
      }
      throw error
    }
  }

  get state(): { readonly phase: string; readonly reason: string } {
    return { phase: this.#state.phase, reason: this.#state.reason }
  }

  /**
   * Goes on with `settings`, of which only those that are live may have changed, and reads the operator token again. Throws
   * {@link OperatorTokenError} or {@link DataDirectoryError}, and then nothing has changed.
   */
  reload(settings: EngineSettings): void {
    // what may fail comes first
    const live = lookAtSettings({ ...settings, dataDir: this.dataDir })
    this.#loadToken(settings)
    this.#settings = settings
    setThreadLogLevel(this.#wiring, settings.logLevel)
    const message = { kind: 'settings', settings: live } as const
    for (const { name, role } of this.#wiring.threads) {
      if (role !== 'flusher') this.#tell(name, message)
    }
  }

  /** Stops cleanly within the stop timeout, then cuts what is left. Calling it again gives the same promise. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop()
    return this.#stopping
  }

  /** Whether its threads keep the process alive, as they do from the start on. */
  keepAlive(isWanted: boolean): void {
    this.#isKeptAlive = isWanted
    for (const thread of this.#threads.values()) thread.keepAlive(isWanted)
  }

  /** A broker's thread stands still for `forMs`, in the middle of a turn, as one that hangs: for tests and drills. */
  pauseBroker(brokerId: BrokerId, forMs: number): void {
    this.#tell(brokerPeer(CELL, brokerId), { kind: 'pause', forMs })
  }

  async #takeDirectory(): Promise<void> {
    const { brokers, cells } = this.#options.settings
    await checkTlsFiles(this.#settings)
    this.#lock = await DirectoryLock.acquire(this.dataDir, this.#nonce)
    // a start that cannot be must not fix what the directory is made for
    if (brokersMadeFor(this.dataDir) === null) {
      await checkPorts(this.#settings, this.#threads.get('front-1')?.ready)
    }
    claimIdentity(this.dataDir, { cells, brokersPerCell: brokers })
    this.#loadToken(this.#settings)
    openGate(this.#wiring, this.#lock.beat)
    this.#trace('data directory locked')
  }

  /** Reads the operator token, makes it at the first start, and tells it who asks for it. Throws {@link OperatorTokenError}. */
  #loadToken({ tokenFile }: EngineSettings): void {
    const { token, logger } = this.#options
    if (!this.#threads.has('front-1')) return
    const source = { given: token, tokenFile, dataDir: this.dataDir }
    this.#tell('front-1', { kind: 'operator-token', token: operatorToken(source, logger) })
  }

  async #waitUntilReady(): Promise<void> {
    const { settings } = this.#options
    const details = new Map<string, ReadyDetail>()
    await Promise.all(
      [...this.#threads].map(async ([name, thread]) => {
        const detail = await thread.ready.catch(refuseStart)
        details.set(name, detail)
        if (name === 'front-1') this.#onHttp(detail)
      }),
    )
    const ports = portsOf(details.get('front-0')!)
    this.#tell('front-1', { kind: 'listening', ports })
    this.listeners = settings.kafkaListen.map(({ host }, i) => ({ host, ports: ports[i]! }))
    const first = this.listeners[0]!
    const host = localHostOf(first.host)
    this.brokers = first.ports.map((port) => formatHostPort({ host, port }))
    this.#tellWhere()
    warnOfListeners(settings, this.listeners, this.#options.logger)
    this.#isUp = true
    this.#state.setPhase('serving')
    this.#trace('ready')
  }

  /** It can be asked how the start goes, by those who know the data directory. */
  #onHttp({ httpPort, adminPort }: ReadyDetail): void {
    const { httpListen, adminListen } = this.#settings
    this.httpUrl = urlOf(httpListen, httpPort)
    this.adminUrl = urlOf(adminListen, adminPort) ?? this.httpUrl
    this.#tellWhere()
  }

  #tellWhere(): void {
    const { brokers: kafka, httpUrl, adminUrl } = this
    const endpoints = { kafka, httpUrl, adminUrl, pid: process.pid, owner: this.#nonce }
    tellEndpoints(this.dataDir, endpoints, this.#options.logger)
  }

  #threadData(thread: ThreadData['thread'], channels: ThreadData['channels']): ThreadData {
    return {
      thread,
      channels,
      gone: [],
      wiring: wiringFor(this.#wiring, thread),
      settings: { ...this.#settings, dataDir: this.dataDir },
      plan: this.#plan,
      lockDirectory: lockDirectory(this.dataDir),
      lockNonce: this.#nonce,
      version: griotVersion(),
      isTemporary: this.#options.isTemporary,
      keepsCode: !this.#options.frontOnWorker,
      startedAtMs: hostWallMs(),
      traceOriginMs: this.#options.originMs,
    }
  }

  #spawn(data: ThreadData): void {
    const { name, brokerId } = data.thread
    const thread = this.#threads.get(name)!
    if (brokerId > 0) this.#lives.spawning(brokerId - 1)
    thread.spawn(data)
    if (brokerId > 0) void thread.exited.then(() => this.#onBrokerEnd(brokerId))
  }

  /** Its peers see it in shared memory, at once. */
  #onBrokerEnd(brokerId: number): void {
    this.#lives.ended(brokerId - 1)
    for (const bell of brokerBells(this.#wiring)) new DoorbellRinger(bell).ring()
  }

  /** A thread runs no more, and takes a while to exit: why it has ended is known only then. Nobody waits for that. */
  #onClosed(name: string): void {
    const { brokerId } = this.#wiring.threads.find((one) => one.name === name)!
    const isGone = this.#threads.get(name)!.channelClosed()
    if (brokerId === 0 || !this.#isUp || isGone) return
    this.#onBrokerEnd(brokerId)
    this.#restarts.announce(asBrokerId(brokerId))
  }

  /** Another thread for a broker whose thread has exited; resolves when it is ready. */
  #startAnew(broker: BrokerId, { channels, gone, server }: StartEnds): Promise<void> {
    const name = brokerPeer(CELL, broker)
    const info = this.#wiring.threads.find((thread) => thread.name === name)!
    this.#wiring = renewBroker(this.#wiring, this.#plan, broker - 1)
    const bell = new DoorbellRinger(brokerBells(this.#wiring)[broker - 1]!)
    this.#control.disconnect(name)
    this.#control.connect({ name, port: server, bell })
    // what its predecessor has said of its disk is forgotten with it
    this.#state.setReason(`disk ${brokerPath(this.dataDir, CELL, broker)}`, null)
    this.#threads.set(name, new ThreadHandle(name, (reason) => this.#onEnd(name, reason)))
    this.#spawn({ ...this.#threadData(info, channels), gone })
    this.#threads.get(name)!.keepAlive(this.#isKeptAlive)
    this.chaos.onSpawned(broker)
    return this.#threads.get(name)!.ready.then(() => {})
  }

  #onBrokerBack(broker: BrokerId): void {
    const name = brokerPeer(CELL, broker)
    this.#options.logger.log('info', 'a broker serves again', { thread: name })
    this.#state.setReason(name, null)
  }

  #runFrontHere(data: ThreadData): void {
    const thread = this.#threads.get(data.thread.name)!
    import('./kafka-front-thread.ts')
      .then(({ runKafkaFront }) => runKafkaFront(data))
      .catch((error: Error) => thread.fail(error.stack ?? error.message))
  }

  #tell(name: string, message: ControlMessage, transfer?: readonly MessagePort[]): void {
    const thread = this.#threads.get(name)
    if (thread !== undefined && !thread.isGone) this.#control.post(name, message, transfer)
  }

  #onControl(): void {
    for (let got = this.#control.poll(); got !== undefined; got = this.#control.poll()) {
      this.#onMessage(got.from, got.message)
    }
  }

  #onMessage(from: string, message: ControlMessage): void {
    const thread = this.#threads.get(from)!
    switch (message.kind) {
      case 'ready':
        this.#trace(`${from} is ready`)
        thread.becomeReady(message.detail)
        return
      case 'failed':
        thread.fail(message.message)
        return
      case 'stopped':
        thread.becomeStopped()
        return
      case 'log':
        this.#options.logger.log(message.level, message.message, message.fields)
        return
      case 'disk-state': {
        const { directory, writable, reason } = message
        this.#state.setReason(`disk ${directory}`, writable ? null : reason)
        return
      }
      case 'tls-state':
        this.#state.setReason('tls', message.reason)
        return
      case 'filling':
        this.#state.setFilling(message)
        return
      case 'metadata-waits':
        this.#state.setReason('metadata', message.reason)
        return
      case 'broker-hung':
        this.#hung.onHung(message.brokerId, message.isHung)
        this.#tell('front-1', message)
        return
      case 'chaos-request':
        void this.chaos.answer(message.request).then((answer) => {
          this.#tell(from, { kind: 'chaos-answer', correlation: message.correlation, ...answer })
        })
        return
      case 'operator-answer':
        this.tenants.onAnswer(message)
        return
      case 'broker-dropped':
        this.#restarts.onDropped(asBrokerId(message.brokerId))
        return
      default:
        this.#options.logger.log('error', 'a thread sent the server what is not for it', {
          thread: from,
          kind: message.kind,
        })
    }
  }

  /** A thread failed or ended though nobody asked it to. */
  #onEnd(name: string, reason: string): void {
    if (!this.#isUp || this.#stopping !== null) return
    const isOnDemand = this.#threads.get(name)!.killedFor === ON_DEMAND
    const level = isOnDemand ? 'warn' : 'error'
    this.#options.logger.log(level, 'a thread of the engine died', { thread: name, reason })
    const brokerId = this.#wiring.threads.find((thread) => thread.name === name)!.brokerId
    const isBroker = brokerId > 0
    if (isBroker && this.#count((broker) => !broker.isGone) > 0) {
      const { exited } = this.#threads.get(name)!
      this.#restarts.onGone(asBrokerId(brokerId), exited, isOnDemand)
      this.#state.setDied(name, brokerId)
      return
    }
    if (name === 'front-1') {
      // nobody is left to be told, and Kafka clients are served as before
      return
    }
    this.#state.setPhase('failed', `${isBroker ? 'the last broker' : name} died`)
    this.#options.onFatal(`${name}: ${reason}`)
  }

  #brokerThread(broker: number): ThreadHandle {
    return this.#threads.get(brokerPeer(CELL, asBrokerId(broker)))!
  }

  /** Of the brokers' threads. */
  #count(isMeant: (broker: ThreadHandle) => boolean): number {
    return this.#wiring.threads.filter(
      ({ name, role }) => role === 'broker' && isMeant(this.#threads.get(name)!),
    ).length
  }

  async #stop(): Promise<void> {
    this.#isUp = false
    this.#restarts.stop()
    this.#hung.stop()
    this.chaos.stop()
    this.tenants.stop()
    for (const thread of this.#threads.values()) thread.expectEnd()
    this.#state.setPhase('stopping', 'the engine is stopping')
    const deadline = deadlineIn(this.#settings.stopTimeoutMs)
    // fronts answer and finish, then brokers flush, then the flusher has nothing left to do
    for (const role of ['kafka-front', 'broker', 'flusher', 'http-front'] as const) {
      await this.#stopRole(role, deadline)
    }
    await this.#endThreads(deadline.reached)
    deadline.cancel()
    if (deadline.isReached()) {
      this.#options.logger.log('warn', 'the stop took longer than --stop-timeout: the rest was cut')
    }
  }

  async #stopRole(role: ThreadData['thread']['role'], deadline: Deadline): Promise<void> {
    const waits: Promise<unknown>[] = []
    for (const info of this.#wiring.threads) {
      if (info.role !== role) continue
      this.#tell(info.name, { kind: 'stop', deadlineMs: deadline.leftMs() })
      waits.push(this.#threads.get(info.name)!.stopped)
    }
    await Promise.race([Promise.all(waits), deadline.reached])
  }

  /** Waits for every worker's exit, or cuts it, and lets go of the directory. */
  async #endThreads(deadline: Promise<unknown> = Promise.resolve()): Promise<void> {
    await Promise.all([...this.#threads.values()].map((thread) => thread.end(deadline)))
    this.#control.close()
    if (this.#lock !== null) removeEndpoints(this.dataDir, this.#nonce)
    await this.#lock?.release()
    this.#lock = null
  }

  #trace(step: string): void {
    traceStart(this.#options.originMs, 'server', step)
  }
}
