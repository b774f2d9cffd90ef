/**
 * A well-behaved client in a process of its own, so that what hostile clients cost the test's process does not show in
 * its times: produces and reads back one record at a time, checks every answer, and asks /health/live. Told where by
 * its arguments; at the end of its standard input it prints what it saw, as JSON.
 */

import { buildBatch } from '../../src/record/builder.ts'
import { readRecords } from '../../src/record/records.ts'
import { Wire } from '../clients/wire.ts'

const [bootstrap, url, topic] = process.argv.slice(2) as [string, string, string]

export interface ProbeReport {
  readonly rounds: number
  /** Milliseconds of a produce and a fetch together. */
  readonly p50: number
  readonly p99: number
  readonly max: number
  readonly healthChecks: number
  readonly healthMax: number
  /** What was not as it should have been; the first few. */
  readonly faults: readonly string[]
}

const times: number[] = []
const healthTimes: number[] = []
const faults: string[] = []
let isOver = false

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

async function rounds(): Promise<void> {
  const wire = await Wire.open(bootstrap)
  let expected = -1
  for (let i = 0; !isOver; i++) {
    const value = Buffer.from(`probe ${process.pid} ${i} ${Math.random()}`)
    const from = performance.now()
    const batch = buildBatch([{ timestampMs: Date.now(), key: null, value }])
    const answer = await wire.produce(topic, 0, batch)
    if (answer.errorCode !== 0) faults.push(`produce ${i}: error ${answer.errorCode}`)
    if (expected >= 0 && answer.baseOffset !== expected) {
      faults.push(`produce ${i}: offset ${answer.baseOffset}, not ${expected}`)
    }
    expected = answer.baseOffset + 1
    const read = await wire.fetch(topic, 0, answer.baseOffset)
    const back = read.records.length > 0 ? readRecords(read.records, 0)[0]!.value : null
    if (back === null || !value.equals(back)) faults.push(`fetch ${i}: not what was produced`)
    times.push(performance.now() - from)
    await sleep(10)
  }
  wire.close()
}

async function health(): Promise<void> {
  while (!isOver) {
    const from = performance.now()
    try {
      const response = await fetch(`${url}/health/live`, { signal: AbortSignal.timeout(20_000) })
      if (!response.ok) faults.push(`health: ${response.status} ${await response.text()}`)
      else await response.arrayBuffer()
    } catch (error) {
      faults.push(`health: ${(error as Error).message}`)
    }
    healthTimes.push(performance.now() - from)
    await sleep(100)
  }
}

const percentile = (sorted: readonly number[], p: number) =>
  sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * p) / 100))] ?? 0

process.stdin.on('end', () => (isOver = true)).resume()
const failed = (what: string) => (error: Error) => void faults.push(`${what}: ${error.message}`)
await Promise.all([rounds().catch(failed('probe')), health().catch(failed('health'))])
const sorted = times.sort((a, b) => a - b)
const report: ProbeReport = {
  rounds: times.length,
  p50: percentile(sorted, 50),
  p99: percentile(sorted, 99),
  max: sorted.at(-1) ?? 0,
  healthChecks: healthTimes.length,
  healthMax: Math.max(0, ...healthTimes),
  faults: faults.slice(0, 10),
}
process.stdout.write(JSON.stringify(report), () => process.exit())
