/** Rows whose runs start processes of their own: start, memory, many topics. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { KafkaClient } from '../../src/kafka-client/client.ts'
import type { Sandbox } from '../common/sandbox.ts'
import type { Workload } from '../load/workload.ts'
import type { Broker, Side } from './broker.ts'
import { allServe, connectTo, firstAcknowledged, makeTopics, writeEverywhere } from './cluster.ts'
import { type Goal, type Measure, type Outcome, outcome } from './measures.ts'
import { SETTLE_TIMEOUT_MS, settle } from './page-cache.ts'
import type { FreshRow, Timing } from './row.ts'
import { load } from './rows-load.ts'
import { openFilesOf, rssBytesOf } from './usage.ts'
import { workloadFile } from './variants.ts'

const MB = 1e6
const TOPICS = 1_000
const PARTITIONS = 6
const WARMUP_TOPICS = 50

/** Starts in `directory`, and tells the milliseconds until a record was acknowledged, and those of it that made the directory. */
async function timeOfStart(
  side: Side,
  directory: string,
  start: (directory: string) => Promise<Broker> = side.start,
) {
  const from = performance.now()
  const broker = await start(directory)
  try {
    await firstAcknowledged(broker.bootstrap, 'first')
  } catch (error) {
    await broker.stop('SIGKILL')
    throw error
  }
  return { broker, ms: performance.now() - from, formatMs: broker.formatMs }
}

async function start(side: Side, sandbox: Sandbox): Promise<Outcome> {
  const directory = sandbox.directory()
  try {
    const fresh = await timeOfStart(side, directory)
    // throws where it has to be killed: the next start would recover a log
    await fresh.broker.stop('SIGTERM')
    const old = await timeOfStart(side, directory)
    await old.broker.stop('SIGKILL')
    const times = { freshMs: fresh.ms, formattedMs: fresh.ms - fresh.formatMs, oldMs: old.ms }
    return outcome({ ...times, ...(await coldStart(side, sandbox)) })
  } finally {
    sandbox.remove(directory)
  }
}

async function coldStart(side: Side, sandbox: Sandbox): Promise<{ readonly coldMs?: number }> {
  if (side.startCold === undefined) return {}
  const directory = sandbox.directory()
  try {
    const { broker, ms } = await timeOfStart(side, directory, side.startCold)
    await broker.stop('SIGKILL')
    return { coldMs: ms }
  } finally {
    sandbox.remove(directory)
  }
}

export const startRow: FreshRow = {
  kind: 'fresh',
  name: 'start',
  title: 'spawn to first acknowledged record',
  measures: [
    {
      key: 'freshMs',
      label: 'fresh directory, Kafka’s formatting counted',
      unit: 'ms',
      goal: { atMost: 1 / 10 },
    },
    {
      key: 'formattedMs',
      label: 'fresh directory, formatting not counted',
      unit: 'ms',
      goal: { atMost: 1 / 10 },
    },
    { key: 'oldMs', label: 'old directory, cleanly stopped', unit: 'ms', goal: { atMost: 1 / 10 } },
    {
      key: 'coldMs',
      label: 'fresh directory, no compiled code kept of earlier starts',
      unit: 'ms',
      goal: null,
    },
  ],
  needs: { diskBytes: 1e9, memoryBytes: 2e9 },
  run: start,
}

/** Makes topics and tells milliseconds until answered and until every partition serves. */
async function make(client: KafkaClient, names: readonly string[]) {
  await client.metadata([])
  const from = performance.now()
  await makeTopics(client, names, PARTITIONS)
  const answeredMs = performance.now() - from
  await allServe(client, names)
  return { answeredMs, usableMs: performance.now() - from }
}

/** Weighs it now; each later call tells what came to it since. */
function weighed(broker: Broker) {
  const [rss, files] = [rssBytesOf(broker), openFilesOf(broker)]
  return () => ({
    rssMB: (rssBytesOf(broker) - rss) / MB,
    // at least 1: a ratio needs one
    files: Math.max(1, openFilesOf(broker) - files),
  })
}

const namesOf = (prefix: string, count: number): string[] =>
  Array.from({ length: count }, (_, i) => `${prefix}-${i}`)

async function manyTopics(side: Side, sandbox: Sandbox, timing: Timing): Promise<Outcome> {
  const directory = sandbox.directory()
  let broker: Broker | null = null
  let client: KafkaClient | null = null
  try {
    broker = (await timeOfStart(side, directory)).broker
    client = connectTo(broker.bootstrap)
    // so that what is timed and weighed is not a JVM that loads its classes
    const warmup = namesOf('warm-up', WARMUP_TOPICS)
    await make(client, warmup)
    await writeEverywhere(client, warmup)
    await sleep(timing.restMs)
    const addedTo = weighed(broker)
    const names = namesOf('topic', Math.ceil(TOPICS * timing.size))
    const made = await make(client, names)
    await sleep(timing.restMs)
    const empty = addedTo()
    const from = performance.now()
    await writeEverywhere(client, names)
    const writtenMs = performance.now() - from
    await sleep(timing.restMs)
    const written = addedTo()
    return outcome({
      ...made,
      ...empty,
      writtenMs,
      usableWrittenMs: made.usableMs + writtenMs,
      rssWrittenMB: written.rssMB,
      filesWritten: written.files,
    })
  } finally {
    client?.close()
    await broker?.stop('SIGKILL')
    sandbox.remove(directory)
  }
}

export const manyTopicsRow: FreshRow = {
  kind: 'fresh',
  name: 'many-topics',
  title: '1,000 topics of 6 partitions in one request',
  // empty partitions and written ones are judged alike: what a broker puts off until the first record is in the second
  measures: [
    { key: 'usableMs', label: 'until every partition serves', unit: 'ms', goal: { atMost: 1 } },
    {
      key: 'usableWrittenMs',
      label: 'until every partition has a record',
      unit: 'ms',
      goal: { atMost: 1 },
    },
    { key: 'rssMB', label: 'RSS added, empty', unit: 'MB', goal: { atMost: 1 / 3 } },
    { key: 'rssWrittenMB', label: 'RSS added, written', unit: 'MB', goal: { atMost: 1 / 3 } },
    { key: 'files', label: 'file descriptors added, empty', unit: '', goal: { atMost: 1 / 10 } },
    {
      key: 'filesWritten',
      label: 'file descriptors added, written',
      unit: '',
      goal: { atMost: 1 / 10 },
    },
    { key: 'answeredMs', label: 'until the request is answered', unit: 'ms', goal: null },
    { key: 'writtenMs', label: 'a record to each partition', unit: 'ms', goal: null },
  ],
  needs: { diskBytes: 2e9, memoryBytes: 3e9 },
  isInMemory: true,
  run: manyTopics,
}

/** What a broker has been through when its memory is looked at. */
const MEMORY_LOADS = ['large-batches', 'tiny-batches', 'fan-out'] as const

/** `change` is for the workloads that it has been through. */
export async function memory(
  side: Side,
  sandbox: Sandbox,
  timing: Timing,
  change: (workload: Workload) => Workload,
): Promise<Outcome> {
  const directory = sandbox.directory()
  let broker: Broker | null = null
  try {
    broker = (await timeOfStart(side, directory)).broker
    await sleep(timing.restMs)
    const idleMB = rssBytesOf(broker) / MB
    const seconds = timing.seconds / 2
    const notes: string[] = []
    let replicas = Number.POSITIVE_INFINITY
    for (const name of MEMORY_LOADS) {
      const workload = change(workloadFile(name))
      const found = await load(workload, { side, broker }, { seconds, warmupSeconds: 0 })
      replicas = Math.min(replicas, found.replicas)
      notes.push(...found.notes.map((text) => `${name}: ${text}`))
    }
    await sleep(timing.restMs)
    return outcome({ idleMB, loadedMB: rssBytesOf(broker) / MB, replicas }, notes)
  } finally {
    await broker?.stop('SIGKILL')
    sandbox.remove(directory)
    await settle(SETTLE_TIMEOUT_MS)
  }
}

export const memoryMeasures = (goal: Goal): readonly Measure[] => [
  { key: 'idleMB', label: 'RSS idle', unit: 'MB', goal },
  { key: 'loadedMB', label: 'RSS after the load', unit: 'MB', goal },
]

export const memoryRow: FreshRow = {
  kind: 'fresh',
  name: 'memory',
  title: 'RSS of a fresh process, and after large batches, tiny batches and fan-out, 7.5 s each',
  measures: memoryMeasures({ atMost: 1 / 3 }),
  needs: { diskBytes: 20e9, memoryBytes: 4e9 },
  run: (side, sandbox, timing) => memory(side, sandbox, timing, (workload) => workload),
}
