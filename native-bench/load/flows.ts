/** What the load processes found, put together. */
import type { ProcessUsage } from '../common/process-usage.ts'
import { Latencies, merged } from './latency.ts'
import type { DoneJob } from './load-processes.ts'
import type { ChildResult, Counts } from './messages.ts'
import type { BrokerUsage, Flow, GroupResult } from './result.ts'

function sum(all: readonly Counts[]): Counts {
  const to: Counts = { requests: 0, records: 0, bytes: 0, wireBytes: 0 }
  for (const counts of all) {
    to.requests += counts.requests
    to.records += counts.records
    to.bytes += counts.bytes
    to.wireBytes += counts.wireBytes
  }
  return to
}

function longest(all: readonly (number | null)[]): number | null {
  const known = all.filter((gap) => gap !== null)
  return known.length === 0 ? null : Math.max(...known)
}

const texts = (all: readonly (string | null)[]): string[] => all.filter((text) => text !== null)

export function flowOf(results: readonly ChildResult[], seconds: number): Flow {
  const window = sum(results.map((result) => result.window))
  const { requests, records, bytes } = sum(results.map((result) => result.total))
  const latencyTexts = texts(results.map(({ latency }) => latency))
  const latencies = latencyTexts.length === 0 ? null : merged(latencyTexts)
  const lags = texts(results.map(({ sendLag }) => sendLag))
  const rows = Math.max(0, ...results.map(({ perSecond }) => perSecond.length))
  return {
    ...window,
    requestsPerSecond: window.requests / seconds,
    recordsPerSecond: window.records / seconds,
    bytesPerSecond: window.bytes / seconds,
    latencyUs: latencies?.summary() ?? null,
    sendLagUs: lags.length === 0 ? null : merged(lags).summary(),
    perSecond: Array.from({ length: rows }, (_, second) => {
      const at = sum(results.map(({ perSecond }) => perSecond[second]!))
      return { requests: at.requests, records: at.records, bytes: at.bytes }
    }),
    percentilesUs: (latencies ?? new Latencies()).plot(),
    total: { requests, records, bytes },
    unanswered: results.reduce((total, { unanswered }) => total + unanswered, 0),
    skipped: results.reduce((total, { skipped }) => total + skipped, 0),
    longestGapUs: longest(results.map(({ longestGapUs }) => longestGapUs)),
    resent: results.reduce((total, { resent }) => total + resent, 0),
  }
}

const clientCpu = (results: readonly ChildResult[]): number =>
  results.reduce((total, { cpuSeconds }) => total + cpuSeconds, 0)

export interface Flows {
  readonly groups: readonly GroupResult[]
  readonly produced: Flow | null
  readonly consumed: Flow | null
  readonly clientCpuSeconds: number
  readonly notes: readonly string[]
}

export function flowsOf(done: readonly DoneJob[], seconds: number): Flows {
  const resultsOf = (is: (job: DoneJob['job']) => boolean) =>
    done.filter(({ job }) => is(job)).map(({ result }) => result)
  const names = [...new Set(done.map(({ job }) => job.group.name))]
  const groups = names.map((name): GroupResult => {
    const results = resultsOf((job) => job.group.name === name)
    const { kind } = done.find(({ job }) => job.group.name === name)!.job.group
    return { name, kind, ...flowOf(results, seconds), clientCpuSeconds: clientCpu(results) }
  })
  const ofKind = (kind: GroupResult['kind']): Flow | null => {
    const results = resultsOf((job) => job.group.kind === kind)
    return results.length === 0 ? null : flowOf(results, seconds)
  }
  return {
    groups,
    produced: ofKind('produce'),
    consumed: ofKind('consume'),
    clientCpuSeconds: clientCpu(done.map(({ result }) => result)),
    notes: [...done.flatMap(({ result }) => result.notes), ...bottlenecks(done, seconds)],
  }
}

/** A load process that had no time left measured itself. */
function bottlenecks(done: readonly DoneJob[], seconds: number): string[] {
  const busy = done.filter(({ result }) => result.cpuSeconds / seconds > 0.9)
  const notes = [...new Set(busy.map(({ job }) => job.group.name))].map(
    (name) =>
      `${name}: a load process used more than 90 % of a core, so it may have been the bottleneck; give the group more processes`,
  )
  for (const { job, result } of done) {
    if (result.unanswered === 0) continue
    const { kind, name } = job.group
    const what = kind === 'produce' ? 'requests' : 'batches'
    const missed = kind === 'produce' ? 'had no answer in the end' : 'were never read'
    notes.push(`${name}: ${result.unanswered} ${what} of the window ${missed}`)
  }
  return notes
}

export function brokerUsage(usage: ProcessUsage | null, flows: Flows): BrokerUsage | null {
  if (usage === null) return null
  const { produced, consumed, groups } = flows
  const per = (amount: number): number | null => (amount === 0 ? null : usage.cpuSeconds / amount)
  const requests = groups.reduce((total, group) => total + group.requests, 0)
  const perRequest = per(requests)
  return {
    ...usage,
    cpuSecondsPerGBIn: per((produced?.bytes ?? 0) / 1e9),
    cpuSecondsPerGBOut: per((consumed?.bytes ?? 0) / 1e9),
    cpuMicrosecondsPerRequest: perRequest === null ? null : perRequest * 1e6,
  }
}
