/** A result as tables, and what is moving as one line. */
import { markdownTable } from '../common/markdown.ts'
import { format } from '../common/statistics.ts'
import type { LatencyUs, WorkloadResult } from './result.ts'
import type { Progress } from './run-workload.ts'

const MB = 1e6

const ms = (us: number): string => format(us / 1000)

const latencyCells = (of: LatencyUs | null): string[] =>
  of === null || of.count === 0
    ? ['–', '–', '–', '–', '–']
    : [of.p50, of.p90, of.p99, of.p999, of.max].map(ms)

const nameOf = ({ name }: { readonly name: string }): string => name

export function resultText(result: WorkloadResult): string {
  const head = ['group', 'requests/s', 'records/s', 'MB/s', 'p50 ms', 'p90', 'p99', 'p99.9', 'max']
  const rows = result.groups.map((group) => [
    group.name,
    format(group.requestsPerSecond),
    format(group.recordsPerSecond),
    format(group.bytesPerSecond / MB),
    ...latencyCells(group.latencyUs),
  ])
  const lags = result.groups.filter(({ sendLagUs }) => sendLagUs !== null)
  const parts = [markdownTable(head, rows), '']
  for (const { name, sendLagUs } of lags) {
    parts.push(
      `${name}: sent p50 ${ms(sendLagUs!.p50)}, p99 ${ms(sendLagUs!.p99)}, max ${ms(sendLagUs!.max)} ms behind its schedule; latency counts from the schedule.`,
    )
  }
  const retrying = new Set(result.workload.produce.filter((one) => one.retries).map(nameOf))
  for (const { name, longestGapUs, resent } of result.groups.filter((one) =>
    retrying.has(one.name),
  )) {
    const gap = longestGapUs === null ? '' : `longest without an answer ${ms(longestGapUs)} ms; `
    parts.push(`${name}: ${gap}${resent} requests were sent again.`)
  }
  parts.push(...aside(result), ...result.notes.map((note) => `Note: ${note}.`))
  return parts.join('\n')
}

function aside({ created, preloaded, broker, clientCpuSeconds, seconds }: WorkloadResult) {
  const lines: string[] = []
  if (created !== null) {
    lines.push(
      `Topics: ${created.topics} with ${created.partitions} partitions, answered after ${format(created.answeredMs)} ms, usable after ${format(created.usableMs)} ms.`,
    )
  }
  if (preloaded !== null) {
    const rate = preloaded.bytes / preloaded.seconds / MB
    lines.push(
      `Preloaded ${format(preloaded.bytes / MB)} MB in ${format(preloaded.seconds)} s (${format(rate)} MB/s).`,
    )
  }
  if (broker !== null) {
    const per = (value: number | null, unit: string) =>
      value === null ? '' : `, ${format(value)} ${unit}`
    lines.push(
      `Broker: ${format(broker.cpuSeconds)} s of CPU in ${seconds} s${per(broker.cpuSecondsPerGBIn, 's/GB in')}${per(broker.cpuSecondsPerGBOut, 's/GB out')}${per(broker.cpuMicrosecondsPerRequest, 'µs a request')}; RSS ${format(broker.rssBytes.start / MB)}–${format(broker.rssBytes.peak / MB)} MB; ${broker.fileDescriptors.start}–${broker.fileDescriptors.peak} file descriptors.`,
    )
  }
  lines.push(`Load processes: ${format(clientCpuSeconds)} s of CPU in ${seconds} s.`)
  return lines
}

const PHASES: Readonly<Record<Progress['phase'], string>> = {
  topics: 'making topics',
  preload: 'preload',
  'warm-up': 'warm-up',
  measure: 'measuring',
  'clean-up': 'removing topics',
}

export function progressText({ phase, elapsedSeconds, groups }: Progress): string {
  const moved = groups.map(
    ({ name, requests, bytes }) =>
      `${name} ${format(requests)} requests/s ${format(bytes / MB)} MB/s`,
  )
  const since = groups.length === 0 ? '' : ` ${elapsedSeconds.toFixed(0)} s`
  return [`${PHASES[phase]}${since}`, ...moved].join(' | ')
}
