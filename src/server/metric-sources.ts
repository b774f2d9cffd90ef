/** What `/metrics` tells of the engine, its threads and its process, read at each scrape. HTTP front's thread. */
import { readdirSync } from 'node:fs'
import type { MetricSample, MetricSource } from '../admin/metrics-route.ts'
import { LoopCounter } from '../link/counters.ts'
import { CounterReader } from '../shared/counter-table.ts'
import { ThreadState } from '../shared/thread-status.ts'
import { THREAD_ROW } from './counter-rows.ts'
import { brokerSources, controllerEpochs } from './metrics-of-brokers.ts'
import { diskSources } from './metrics-of-disks.ts'
import { frontSources } from './metrics-of-fronts.ts'
import { partitionSources } from './metrics-of-partitions.ts'
import type { PartitionCounts } from './partition-census.ts'
import type { RecentLatency } from './recent-latencies.ts'
import type { ThreadData } from './thread.ts'
import type { ThreadTotal } from './thread-totals.ts'

/** What only the HTTP front's thread knows. */
export interface MetricsContext {
  readonly engineState: () => string
  readonly totals: () => readonly ThreadTotal[]
  readonly latencies: () => readonly RecentLatency[]
  readonly partitions: () => Promise<PartitionCounts>
}

export function metricSources(data: ThreadData, context: MetricsContext): MetricSource[] {
  return [
    ...engineSources(data, context),
    ...frontSources(data),
    recentLatencies(context),
    ...brokerSources(data),
    ...partitionSources(data.settings.brokers, context.partitions),
    ...diskSources(data),
    ...threadSources(context),
    ...loopSources(data),
    ...processSources(),
  ]
}

const once = (value: number, labels: Readonly<Record<string, string>> = {}): MetricSample[] => [
  { labels, value },
]

/** One sample per name: 1 for the one that is. */
const oneOf = <L extends string>(
  label: L,
  names: readonly string[],
  is: string,
  labels: Readonly<Record<string, string>> = {},
): MetricSample[] =>
  names.map((name) => ({ labels: { ...labels, [label]: name }, value: name === is ? 1 : 0 }))

type Gauge = (name: string, help: string, read: () => Iterable<MetricSample>) => MetricSource

const gauge: Gauge = (name, help, read) => ({ kind: 'gauge', name, help, read })
const counter: Gauge = (name, help, read) => ({ kind: 'counter', name, help, read })

const ENGINE_STATES = ['starting', 'serving', 'degraded', 'stopping', 'failed'] as const

function engineSources(
  { settings, plan, version, startedAtMs, wiring }: ThreadData,
  { engineState, totals }: MetricsContext,
): MetricSource[] {
  const runs = ({ state }: ThreadTotal) => state === ThreadState.RUNNING
  const brokers = () => totals().filter(({ role }) => role === 'broker')
  const epochs = controllerEpochs(wiring, settings.brokers)
  const hasController = () => {
    const found = epochs()
    return brokers().some((thread) => runs(thread) && found[thread.brokerId - 1]! > 0)
  }
  return [
    gauge('griot_build_info', 'Versions, as labels', () =>
      once(1, { version, node: process.versions.node }),
    ),
    gauge('griot_start_time_seconds', 'When the engine started', () => once(startedAtMs / 1_000)),
    gauge('griot_engine_state', '1 for the state that the engine is in, as in /health', () =>
      oneOf('state', ENGINE_STATES, engineState()),
    ),
    gauge('griot_brokers', 'Brokers that the engine was made with', () => once(settings.brokers)),
    gauge('griot_memory_limit_bytes', 'What --memory allows', () => once(plan.totalBytes)),
    gauge('kafka_controller_kafkacontroller_activebrokercount', 'Broker threads that run', () =>
      once(brokers().filter(runs).length),
    ),
    gauge('kafka_brokers', 'The same, by the name that kafka_exporter has for it', () =>
      once(brokers().filter(runs).length),
    ),
    gauge(
      'kafka_controller_kafkacontroller_activecontrollercount',
      '1 while one of the brokers is it',
      () => once(hasController() ? 1 : 0),
    ),
    gauge(
      'kafka_server_kafkaserver_brokerstate',
      'Kafka’s numbers: 0 not running, 1 starting, 3 running, 6 stopping, 7 stopped',
      () =>
        brokers().map(({ brokerId, state }) => ({
          labels: { broker: String(brokerId) },
          value: KAFKA_STATES[state],
        })),
    ),
  ]
}

const QUANTILES = [0.5, 0.75, 0.95, 0.98, 0.99, 0.999] as const

const recentLatencies = ({ latencies }: MetricsContext): MetricSource => ({
  kind: 'summary',
  name: 'kafka_network_requestmetrics_totaltimems',
  help: 'Milliseconds from arrival to answer; quantiles over the last 15 to 30 seconds',
  read: () =>
    latencies().map(({ request, quantileMs, count, sumMs }) => ({
      labels: { request },
      quantiles: QUANTILES.map((quantile) => [quantile, quantileMs(quantile)] as const),
      sum: sumMs,
      count,
    })),
})

/** By ThreadState. */
const KAFKA_STATES = [0, 1, 3, 6, 7, 0] as const

const THREAD_STATES = ['absent', 'starting', 'running', 'stopping', 'stopped', 'failed'] as const

function threadSources({ totals }: MetricsContext): MetricSource[] {
  const each = (pick: (total: ThreadTotal) => number) => () =>
    totals().map((total) => ({ labels: { thread: total.name }, value: pick(total) }))
  const idle = (role: string) => {
    const shares = totals().filter((total) => total.role === role)
    const busy = shares.reduce((sum, { busyShare }) => sum + busyShare, 0)
    return once(1 - busy / Math.max(1, shares.length))
  }
  return [
    gauge('griot_thread_state', '1 for the state that the thread is in', () =>
      totals().flatMap(({ name, state }) =>
        oneOf('state', THREAD_STATES, THREAD_STATES[state], { thread: name }),
      ),
    ),
    counter(
      'griot_thread_turns_total',
      'Turns of the duty cycle',
      each(({ turns }) => turns),
    ),
    counter(
      'griot_thread_work_turns_total',
      'Turns that found work',
      each(({ workTurns }) => workTurns),
    ),
    counter(
      'griot_thread_busy_seconds_total',
      'Time at work: turns that found some, or the event loop where there is one',
      each(({ busySeconds }) => busySeconds),
    ),
    gauge(
      'griot_thread_busy_ratio',
      'Share of the last 15 to 30 seconds spent at work',
      each(({ busyShare }) => busyShare),
    ),
    gauge(
      'kafka_server_kafkarequesthandlerpool_requesthandleravgidle_percent',
      'Idle share of the broker threads over the last 15 to 30 seconds, from 0 to 1',
      () => idle('broker'),
    ),
    gauge(
      'kafka_network_socketserver_networkprocessoravgidle_percent',
      'Idle share of the Kafka front over the last 15 to 30 seconds, from 0 to 1',
      () => idle('kafka-front'),
    ),
  ]
}

function loopSources({ wiring }: ThreadData): MetricSource[] {
  const counters = new CounterReader(wiring.counters)
  const seconds = (kind: number) => () =>
    wiring.threads.flatMap(({ name, role }, thread) =>
      role === 'kafka-front' || role === 'http-front'
        ? [{ labels: { thread: name }, value: counters.value(thread, THREAD_ROW, kind) / 1e6 }]
        : [],
    )
  return [
    gauge(
      'griot_event_loop_lag_seconds',
      'By how much a timer was late when last looked at, twice a second',
      seconds(LoopCounter.LAG_US_NOW),
    ),
    gauge(
      'griot_event_loop_lag_max_seconds',
      'The worst of these in the last 15 to 30 seconds',
      seconds(LoopCounter.LAG_US_MAX_NOW),
    ),
  ]
}

/** Of the whole process, by the names that Prometheus' own clients use. */
function processSources(): MetricSource[] {
  const sources = [
    gauge('process_resident_memory_bytes', 'Resident memory', () =>
      once(process.memoryUsage.rss()),
    ),
    counter('process_cpu_seconds_total', 'CPU time of all threads', () => {
      const { user, system } = process.cpuUsage()
      return once((user + system) / 1e6)
    }),
    gauge('process_start_time_seconds', 'When the process started', () =>
      once(Math.round(Date.now() / 1_000 - process.uptime())),
    ),
  ]
  if (process.platform !== 'linux') return sources
  const openFiles = gauge('process_open_fds', 'Open file descriptors', () =>
    once(readdirSync('/proc/self/fd').length - 1),
  )
  return [...sources, openFiles]
}
