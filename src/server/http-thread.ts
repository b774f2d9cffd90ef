/** The HTTP front's worker: health and metrics. It listens before the engine is ready, to say so. */

import { EngineHealth } from '../admin/engine-health.ts'
import { addHealthRoutes } from '../admin/health-routes.ts'
import { addMetricsRoute, type SourcesOnRequest } from '../admin/metrics-route.ts'
import { topicSources } from '../admin/topic-metrics.ts'
import type { Clock } from '../base/clock.ts'
import { applyMetadata, MetadataImage } from '../image/image.ts'
import { type ControlEnvelope, type EventPorts, SERVER_PEER } from '../link/ports.ts'
import { HTTP_LIMITS } from '../net/http-interface.ts'
import { NodeHttpServer } from '../net/http-node.ts'
import { HttpRouter } from '../net/http-router.ts'
import { CounterReader, CounterWriter } from '../shared/counter-table.ts'
import { ThreadState } from '../shared/thread-status.ts'
import { BeatWatch } from './beat-watch.ts'
import { brokerConfigValues } from './broker-configs.ts'
import { THREAD_ROW } from './counter-rows.ts'
import { HEARTBEAT_MS } from './duty-cycle.ts'
import { EventLoopDriver } from './event-loop-driver.ts'
import { LoopSampler } from './loop-sampler.ts'
import { metricSources } from './metric-sources.ts'
import { RecentLatencies } from './recent-latencies.ts'
import { failed, openEventPorts, type ThreadData, threadContext, threadLogger } from './thread.ts'
import { ThreadTotals } from './thread-totals.ts'
import { TopicStatsClient } from './topic-stats-client.ts'
import { formatHostPort } from './units.ts'

export async function runHttpFront(data: ThreadData): Promise<void> {
  const context = threadContext(data)
  const watch = new BeatWatch(data.wiring)
  const health = new EngineHealth(() => watch.beats(context.clock.monotonicMs()))
  const control = openEventPorts(data.channels, () => driver.kick())
  const logger = threadLogger(data, control)
  let server: NodeHttpServer | null = null
  const image = new MetadataImage(brokerConfigValues(data.settings))
  const topicStats = new TopicStatsClient(image, control)
  const totals = new ThreadTotals(data.wiring)
  const latencies = new RecentLatencies(new CounterReader(data.wiring.counters))
  const own = new CounterWriter(data.wiring.counters, context.index).row(THREAD_ROW)
  const loop = new LoopSampler(own)
  const watching = setInterval(() => {
    const nowMs = context.clock.monotonicMs()
    watch.look(nowMs)
    totals.look(nowMs)
    latencies.look(nowMs)
  }, HEARTBEAT_MS)
  const agent = {
    nextTimerAtMs: Number.POSITIVE_INFINITY,
    doWork: () => drain(control, (envelope) => onMessage(envelope)),
  }
  const stop = async () => {
    clearInterval(watching)
    driver.stop()
    await server?.close()
    context.status.setState(ThreadState.STOPPED)
    control.post(SERVER_PEER, { kind: 'stopped' })
    control.close()
  }
  const onMessage = ({ message }: ControlEnvelope) => {
    if (message.kind === 'engine-state') health.setState(message.state, message.reason)
    else if (message.kind === 'metadata') applyMetadata(image, message)
    else if (message.kind === 'topic-stats') topicStats.onAnswer(message)
    else if (message.kind === 'stop') void stop()
  }
  const driver = new EventLoopDriver({
    ...context,
    agent,
    onBeat: (nowMs) => loop.beat(nowMs),
    onFailure: (error) => control.post(SERVER_PEER, failed(error)),
  })
  context.status.setState(ThreadState.RUNNING)
  driver.start()
  const { host, port } = data.settings.httpListen!
  const onRequest: SourcesOnRequest = (query) =>
    topicSources(query, image, (topics) => topicStats.ask(topics))
  const router = createRouter(data, { health, totals, latencies }, context.clock, onRequest)
  try {
    server = await NodeHttpServer.listen({ host, port, router, limits: HTTP_LIMITS, logger })
    control.post(SERVER_PEER, { kind: 'ready', detail: { port: server.port } })
  } catch (error) {
    control.post(SERVER_PEER, { kind: 'failed', message: explain(error, data) })
  }
}

/** What this thread keeps an eye on. */
interface Watched {
  readonly health: EngineHealth
  readonly totals: ThreadTotals
  readonly latencies: RecentLatencies
}

function createRouter(
  data: ThreadData,
  { health, totals, latencies }: Watched,
  clock: Clock,
  onRequest: SourcesOnRequest,
): HttpRouter {
  const router = new HttpRouter()
  const info = {
    version: data.version,
    pid: process.pid,
    brokers: data.settings.brokers,
    startedAtMs: data.startedAtMs,
  }
  addHealthRoutes(router, health, info, clock.wallMs)
  const sources = metricSources(data, {
    engineState: () => health.report().status,
    totals: () => totals.look(clock.monotonicMs()),
    latencies: () => latencies.read(),
  })
  addMetricsRoute(router, sources, onRequest)
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

function explain(error: unknown, { settings }: ThreadData): string {
  const where = formatHostPort(settings.httpListen!)
  const { code, message } = error as NodeJS.ErrnoException
  if (code === 'EADDRINUSE') return `--http-listen: ${where} is taken by another program`
  if (code === 'EACCES') return `--http-listen: no permission to listen on ${where}`
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND') {
    return `--http-listen: this machine has no address ${settings.httpListen!.host}`
  }
  return `--http-listen: cannot listen on ${where}: ${message}`
}
