/** What `/metrics` tells, read from shared memory at each scrape. HTTP front's thread. */
import type { MetricSample, MetricSource } from '../admin/metrics-route.ts'
import { ThreadState, type ThreadStatus, ThreadStatusReader } from '../shared/thread-status.ts'
import type { ThreadData } from './thread.ts'

export function metricSources(data: ThreadData): MetricSource[] {
  return [...engineSources(data), ...processSources(data), ...threadSources(data)]
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
