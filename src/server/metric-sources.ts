/** What `/metrics` tells, read from shared memory at each scrape. HTTP front's thread. */
import type { MetricSample, MetricSource } from '../admin/metrics-route.ts'
import { BrokerCounter, BrokerGauge } from '../link/counters.ts'
import { CounterReader } from '../shared/counter-table.ts'
import { ThreadState, type ThreadStatus, ThreadStatusReader } from '../shared/thread-status.ts'
import { brokerRow, defaultTenantRow } from './counter-rows.ts'
import type { ThreadData } from './thread.ts'
import { brokerIds } from './wiring.ts'

export function metricSources(data: ThreadData): MetricSource[] {
  return [
    ...engineSources(data),
    ...brokerSources(data),
    ...processSources(data),
    ...threadSources(data),
  ]
}

const once = (value: number, labels: Readonly<Record<string, string>> = {}): MetricSample[] => [
  { labels, value },
]

function engineSources({ settings, plan, version, wiring }: ThreadData): MetricSource[] {
  const gauge = (name: string, help: string, read: () => Iterable<MetricSample>): MetricSource => ({
    name,
    kind: 'gauge',
    help,
    labelNames: name === 'griot_build_info' ? ['version'] : [],
    read,
  })
  return [
    gauge('griot_build_info', 'Version of the engine, as a label', () => once(1, { version })),
    gauge('griot_memory_limit_bytes', 'What --memory allows', () => once(plan.totalBytes)),
    gauge('kafka_controller_kafkacontroller_activebrokercount', 'Broker threads that run', () =>
      once(countRunning(wiring)),
    ),
    gauge('griot_brokers', 'Brokers that the engine was made with', () => once(settings.brokers)),
  ]
}

/** Per broker, summed over its tenants; by the names that Kafka's JMX exporter gives them where Kafka has them. */
function brokerSources({ settings, wiring }: ThreadData): MetricSource[] {
  const counters = new CounterReader(wiring.counters)
  const source = (
    kind: 'gauge' | 'counter',
    name: string,
    help: string,
    rowOf: (brokerId: number) => number,
    counter: number,
  ): MetricSource => ({
    name,
    kind,
    help,
    labelNames: ['broker'],
    read: () =>
      brokerIds(settings.brokers).map((id) => ({
        labels: { broker: String(id) },
        value: counters.sum(rowOf(id), counter),
      })),
  })
  const topics = 'kafka_server_brokertopicmetrics'
  const { PRODUCES, PRODUCE_BYTES, PRODUCES_REFUSED, WRITES_FAILED, LOCATES } = BrokerCounter
  const { LOGS_OPEN_NOW, PARTITIONS_FAILED_NOW, FLUSHES_WAITING_NOW } = BrokerGauge
  const ofTenants = defaultTenantRow
  return [
    source('counter', `${topics}_totalproducerequests_total`, 'Batches taken', ofTenants, PRODUCES),
    source(
      'counter',
      `${topics}_bytesin_total`,
      'Bytes of batches taken',
      ofTenants,
      PRODUCE_BYTES,
    ),
    source(
      'counter',
      `${topics}_failedproducerequests_total`,
      'Batches refused',
      ofTenants,
      PRODUCES_REFUSED,
    ),
    source(
      'counter',
      'griot_broker_writes_failed_total',
      'Failed writes',
      ofTenants,
      WRITES_FAILED,
    ),
    source(
      'counter',
      'griot_broker_locates_total',
      'Offsets looked up for fetches',
      ofTenants,
      LOCATES,
    ),
    source('gauge', 'griot_broker_logs_open', 'Partition logs open', brokerRow, LOGS_OPEN_NOW),
    source(
      'gauge',
      'griot_broker_partitions_failed',
      'Partitions that have failed',
      brokerRow,
      PARTITIONS_FAILED_NOW,
    ),
    source(
      'gauge',
      'griot_broker_flushes_waiting',
      'Flushes waiting',
      brokerRow,
      FLUSHES_WAITING_NOW,
    ),
  ]
}

/** Of the whole process, by the names that Prometheus' own clients use. */
function processSources({ startedAtMs }: ThreadData): MetricSource[] {
  const source = (
    kind: 'gauge' | 'counter',
    name: string,
    help: string,
    read: () => number,
  ): MetricSource => ({ name, kind, help, labelNames: [], read: () => once(read()) })
  return [
    source('gauge', 'process_resident_memory_bytes', 'Resident memory', () =>
      process.memoryUsage.rss(),
    ),
    source('counter', 'process_cpu_seconds_total', 'CPU time of all threads', () => {
      const { user, system } = process.cpuUsage()
      return (user + system) / 1e6
    }),
    source('gauge', 'process_start_time_seconds', 'When the engine started', () =>
      Math.round(startedAtMs / 1000),
    ),
  ]
}

function threadSources({ wiring }: ThreadData): MetricSource[] {
  const reader = new ThreadStatusReader(wiring.status)
  const perThread = (pick: (line: ThreadStatus) => number) => () =>
    wiring.threads.map(({ name }, thread) => ({
      labels: { thread: name },
      value: pick(reader.read(thread, emptyLine())),
    }))
  const gauge = (name: string, help: string, read: () => MetricSample[]): MetricSource => ({
    name,
    kind: 'gauge',
    help,
    labelNames: ['thread'],
    read,
  })
  return [
    gauge(
      'griot_thread_state',
      '0 absent, 1 starting, 2 running, 3 stopping, 4 stopped, 5 failed',
      perThread((line) => line.state),
    ),
    gauge(
      'griot_thread_turns',
      'Turns begun; wraps at 2^32',
      perThread((line) => line.turns),
    ),
    gauge(
      'griot_thread_work_turns',
      'Turns that found work; wraps at 2^32',
      perThread((line) => line.workTurns),
    ),
    gauge(
      'griot_thread_busy_microseconds',
      'Time spent in turns that found work; wraps at 2^32',
      perThread((line) => line.busyUs),
    ),
  ]
}

function countRunning(wiring: ThreadData['wiring']): number {
  const reader = new ThreadStatusReader(wiring.status)
  return wiring.threads.filter(
    ({ role }, thread) =>
      role === 'broker' && reader.read(thread, emptyLine()).state === ThreadState.RUNNING,
  ).length
}

const emptyLine = (): ThreadStatus => ({
  state: ThreadState.ABSENT,
  busy: false,
  turns: 0,
  workTurns: 0,
  busyUs: 0,
  lastTurnMs: 0,
})
