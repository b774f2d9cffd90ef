/** The HTTP front's worker: health, metrics and the admin API, on one address or two. It listens before the engine is ready, to say so. */

import { addAdminApi } from '../admin/admin-api.ts'
import { addChaosRoute } from '../admin/chaos-route.ts'
import { EngineHealth } from '../admin/engine-health.ts'
import { addHealthRoutes, addLiveRoute } from '../admin/health-routes.ts'
import { addMetricsRoute } from '../admin/metrics-route.ts'
import { OperatorTokenGuard } from '../admin/operator-token.ts'
import type { Clock } from '../base/clock.ts'
import { asBrokerId } from '../base/ids.ts'
import type { Logger } from '../base/log.ts'
import { newTenantId } from '../controller/new-ids.ts'
import type { BrokerBack, ControlMessage } from '../link/control.ts'
import { brokerPeer, type ControlEnvelope, type EventPorts, SERVER_PEER } from '../link/ports.ts'
import { formatHostPort, type HostPort } from '../net/address.ts'
import { HTTP_LIMITS, type HttpHandler } from '../net/http-interface.ts'
import { NodeHttpServer } from '../net/http-node.ts'
import { HttpRouter } from '../net/http-router.ts'
import { CounterReader, CounterWriter } from '../shared/counter-table.ts'
import { DoorbellRinger } from '../shared/doorbell.ts'
import { ThreadState } from '../shared/thread-status.ts'
import { BeatWatch } from './beat-watch.ts'
import { brokerConfigValues } from './broker-configs.ts'
import { ChaosClient } from './chaos-client.ts'
import { ClientListeners } from './client-listeners.ts'
import { THREAD_ROW } from './counter-rows.ts'
import { HEARTBEAT_MS } from './duty-cycle.ts'
import { EventLoopDriver } from './event-loop-driver.ts'
import { freshKey } from './fresh-key.ts'
import { HttpCluster } from './http-cluster.ts'
import { LoopSampler } from './loop-sampler.ts'
import { metricSources } from './metric-sources.ts'
import { RecentLatencies } from './recent-latencies.ts'
import { ScrapeQuestions } from './scrape-questions.ts'
import { SystemRandom } from './system-random.ts'
import { tenantRemains } from './tenant-remains.ts'
import {
  brokerBells,
  failed,
  openEventPorts,
  type ThreadData,
  threadContext,
  threadLogger,
} from './thread.ts'
import { ThreadTotals } from './thread-totals.ts'
import { CELL } from './wiring.ts'

export async function runHttpFront(data: ThreadData): Promise<void> {
  const context = threadContext(data)
  const watch = new BeatWatch(data.wiring)
  const health = new EngineHealth(() => watch.beats(context.clock.monotonicMs()))
  const control = openEventPorts(data.channels, () => driver.kick())
  const logger = threadLogger(data, control)
  const servers: NodeHttpServer[] = []
  const guard = new OperatorTokenGuard()
  const cluster = new HttpCluster({
    ...{ brokerConfigs: brokerConfigValues(data.settings), control, clock: context.clock },
    kick: () => driver.kick(),
  })
  const monotonicMs = () => context.clock.monotonicMs()
  const questions = new ScrapeQuestions(data, control, cluster, monotonicMs)
  const chaos = new ChaosClient(control)
  const listeners = new ClientListeners(data.settings)
  const totals = new ThreadTotals(data.wiring)
  const latencies = new RecentLatencies(new CounterReader(data.wiring.counters))
  const own = new CounterWriter(data.wiring.counters, context.index).row(THREAD_ROW)
  const loop = new LoopSampler(own)
  const watching = lookRegularly([watch, totals, latencies], context.clock)
  const agent = {
    get nextTimerAtMs() {
      return cluster.nextTimerAtMs
    },
    doWork: (nowMs: number) =>
      drain(control, (envelope) => onMessage(envelope)) + cluster.doWork(nowMs),
  }
  const stop = async () => {
    clearInterval(watching)
    driver.stop()
    await Promise.all(servers.map((server) => server.close()))
    context.status.setState(ThreadState.STOPPED)
    control.post(SERVER_PEER, { kind: 'stopped' })
    control.close()
  }
  const onMessage = (envelope: ControlEnvelope) => {
    const { message } = envelope
    cluster.onMessage(envelope)
    listeners.onMessage(message)
    if (message.kind === 'engine-state') health.setState(message.state, message.reason)
    else if (message.kind === 'operator-token') guard.setToken(message.token)
    else if (message.kind === 'chaos-answer') chaos.onAnswer(message)
    else if (message.kind === 'stop') void stop()
    else {
      if (message.kind === 'broker-gone' || message.kind === 'broker-back')
        onBrokerChange(data, control, message)
      questions.onMessage(message)
    }
  }
  const driver = new EventLoopDriver({
    ...context,
    agent,
    onBeat: (nowMs) => loop.beat(nowMs),
    onFailure: (error) => control.post(SERVER_PEER, failed(error)),
  })
  context.status.setState(ThreadState.RUNNING)
  driver.start()
  const sources = { health, totals, latencies, guard, chaos, questions, cluster, listeners }
  const router = createRouter(data, sources, context.clock)
  try {
    const detail = await openAll(addressesOf(data, router, health), data, logger, servers)
    control.post(SERVER_PEER, { kind: 'ready', detail })
  } catch (error) {
    control.post(SERVER_PEER, { kind: 'failed', message: (error as Error).message })
  }
}

interface Looking {
  look(nowMs: number): unknown
}

const lookRegularly = (all: readonly Looking[], clock: Clock): NodeJS.Timeout =>
  setInterval(() => {
    const nowMs = clock.monotonicMs()
    for (const one of all) one.look(nowMs)
  }, HEARTBEAT_MS)

/** A broker's thread is gone, or another one is that broker now: their channel ends, or begins. */
function onBrokerChange(
  { wiring }: ThreadData,
  control: EventPorts,
  message: BrokerBack | Extract<ControlMessage, { kind: 'broker-gone' }>,
): void {
  const name = brokerPeer(CELL, asBrokerId(message.brokerId))
  control.disconnect(name)
  if (message.kind === 'broker-gone') return
  const bell = new DoorbellRinger(brokerBells(wiring)[message.brokerId - 1]!)
  control.connect({ name, port: message.port!, bell })
}

interface HttpAddress {
  readonly name: 'http' | 'admin'
  readonly address: HostPort
  readonly router: HttpRouter
}

/** With an address of their own, health and metrics are not on that of HTTP, which only says that the engine turns. */
function addressesOf(
  { settings }: ThreadData,
  admin: HttpRouter,
  health: EngineHealth,
): HttpAddress[] {
  const { httpListen, adminListen } = settings
  const addresses: HttpAddress[] = []
  if (httpListen !== null) {
    const others = new HttpRouter()
    addLiveRoute(others, health)
    const router = adminListen === null ? admin : others
    addresses.push({ name: 'http', address: httpListen, router })
  }
  if (adminListen !== null) addresses.push({ name: 'admin', address: adminListen, router: admin })
  return addresses
}

/** Adds a server for each to `servers`; returns their ports as the engine is told them. Throws as {@link listen} does. */
async function openAll(
  addresses: readonly HttpAddress[],
  { settings }: ThreadData,
  logger: Logger,
  servers: NodeHttpServer[],
): Promise<Record<string, number>> {
  const ports: Record<string, number> = {}
  for (const { name, address, router } of addresses) {
    const allowHosts = [...settings.httpAllowHosts, address.host.toLowerCase()]
    const server = await listen(`--${name}-listen`, address, { router, logger, allowHosts })
    servers.push(server)
    ports[`${name}Port`] = server.port
  }
  return ports
}

/** Throws an error whose message names option, address and what is wrong. */
async function listen(
  optionName: string,
  address: HostPort,
  rest: {
    readonly router: HttpRouter
    readonly logger: Logger
    readonly allowHosts: readonly string[]
  },
): Promise<NodeHttpServer> {
  try {
    return await NodeHttpServer.listen({ ...address, ...rest, limits: HTTP_LIMITS })
  } catch (error) {
    throw new Error(`${optionName}: ${explain(error, address)}`)
  }
}

/** What answers are made of. */
interface Sources {
  readonly health: EngineHealth
  readonly totals: ThreadTotals
  readonly latencies: RecentLatencies
  readonly guard: OperatorTokenGuard
  readonly chaos: ChaosClient
  readonly questions: ScrapeQuestions
  readonly cluster: HttpCluster
  readonly listeners: ClientListeners
}

function createRouter(
  data: ThreadData,
  { health, totals, latencies, guard, chaos, questions, cluster, listeners }: Sources,
  clock: Clock,
): HttpRouter {
  const router = new HttpRouter()
  const info = {
    version: data.version,
    pid: process.pid,
    brokers: data.settings.brokers,
    startedAtMs: data.startedAtMs,
    offlinePartitions: async () => (await questions.partitions()).offline,
  }
  addHealthRoutes(router, health, info, clock.wallMs)
  const sources = metricSources(data, {
    engineState: () => health.report().status,
    totals: () => totals.look(clock.monotonicMs()),
    latencies: () => latencies.read(),
    partitions: questions.partitions,
  })
  addMetricsRoute(router, sources, (handler) => guard.beyondLoopback(handler), questions.sources)
  const always = (handler: HttpHandler) => guard.always(handler)
  addChaosRoute(router, always, chaos.ask)
  const random = new SystemRandom()
  const { image } = cluster
  addAdminApi(router, always, {
    holdings: cluster.holdings,
    ...{ image, version: data.version, makeKey: freshKey, wallMs: clock.wallMs },
    isImageWhole: () => image.isWhole,
    listenersOf: (tenant) => listeners.of(tenant),
    remainsOf: (tenantId) => tenantRemains(data.settings.dataDir, tenantId),
    ask: (tenantId, request) => cluster.ask(tenantId, request),
    readUses: questions.readUses,
    newTenantId: () => newTenantId(random, (id) => image.tenant(id) !== undefined),
  })
  return router
}

/** Hands over what has arrived. Returns how many. */
function drain(control: EventPorts, each: (envelope: ControlEnvelope) => void): number {
  let count = 0
  for (let envelope = control.poll(); envelope !== undefined; envelope = control.poll()) {
    each(envelope)
    count++
  }
  return count
}

function explain(error: unknown, address: HostPort): string {
  const where = formatHostPort(address)
  const { code, message } = error as NodeJS.ErrnoException
  if (code === 'EADDRINUSE') return `${where} is taken by another program`
  if (code === 'EACCES') return `no permission to listen on ${where}`
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND') {
    return `this machine has no address ${address.host}`
  }
  return `cannot listen on ${where}: ${message}`
}
