/** Rows whose runs start processes of their own: start, memory, many topics. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { KafkaClient } from '../../src/kafka-client/client.ts'
import type { Broker, Side } from './broker.ts'
import { allServe, connectTo, firstAcknowledged, makeTopics, writeEverywhere } from './cluster.ts'
import type { Figures } from './measures.ts'
import { settle } from './page-cache.ts'
import type { FreshRow, Timing } from './row.ts'
import { load } from './rows-load.ts'
import type { Sandbox } from './sandbox.ts'
import { openFilesOf, rssBytesOf } from './usage.ts'
import { workloadFile } from './variants.ts'

const MB = 1e6
const TOPICS = 1_000
const PARTITIONS = 6
const WARMUP_TOPICS = 50
/** After a start: what a broker does by itself then is not what was asked of it. */
const SETTLE_MS = 3_000

/** Starts in `directory`, and tells the milliseconds until a record was acknowledged, and those of it that made the directory. */
async function timeOfStart(side: Side, directory: string) {
  const from = performance.now()
  const broker = await side.start(directory)
  try {
    await firstAcknowledged(broker.bootstrap, 'first')
  } catch (error) {
    await broker.stop('SIGKILL')
    throw error
  }
  return { broker, ms: performance.now() - from, formatMs: broker.formatMs }
}

async function start(side: Side, sandbox: Sandbox): Promise<Figures> {
  const directory = sandbox.directory()
  try {
    const fresh = await timeOfStart(side, directory)
    await fresh.broker.stop('SIGTERM')
    const old = await timeOfStart(side, directory)
    await old.broker.stop('SIGKILL')
    return { freshMs: fresh.ms, formattedMs: fresh.ms - fresh.formatMs, oldMs: old.ms }
  } finally {
    sandbox.remove(directory)
  }
}

export const startRow: FreshRow = {
  kind: 'fresh',
  name: 'start',
  title: 'spawn to first acknowledged record',
  measures: [
    { key: 'freshMs', label: 'fresh directory', unit: 'ms', goal: { atMost: 1 / 10 } },
    { key: 'oldMs', label: 'old directory, cleanly stopped', unit: 'ms', goal: { atMost: 1 / 10 } },
    { key: 'formattedMs', label: 'fresh, formatting not counted', unit: 'ms', goal: null },
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

const namesOf = (prefix: string, count: number): string[] =>
  Array.from({ length: count }, (_, i) => `${prefix}-${i}`)

async function manyTopics(side: Side, sandbox: Sandbox): Promise<Figures> {
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
    await sleep(SETTLE_MS)
    const [rss, files] = [rssBytesOf(broker), openFilesOf(broker)]
    const names = namesOf('topic', TOPICS)
    const made = await make(client, names)
    await sleep(SETTLE_MS)
    // at least 1: a ratio needs one
    const added = { files: Math.max(1, openFilesOf(broker) - files) }
    const rssMB = (rssBytesOf(broker) - rss) / MB
    const from = performance.now()
    await writeEverywhere(client, names)
    const writtenMs = performance.now() - from
    return { ...made, ...added, rssMB, writtenMs, filesWritten: openFilesOf(broker) - files }
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
  measures: [
    { key: 'usableMs', label: 'until every partition serves', unit: 'ms', goal: { atMost: 1 } },
    { key: 'rssMB', label: 'RSS added', unit: 'MB', goal: { atMost: 1 / 3 } },
    { key: 'files', label: 'file descriptors added', unit: '', goal: { atMost: 1 / 10 } },
    { key: 'answeredMs', label: 'until answered', unit: 'ms', goal: null },
    { key: 'writtenMs', label: 'then a record to each partition', unit: 'ms', goal: null },
    { key: 'filesWritten', label: 'descriptors added after that', unit: '', goal: null },
  ],
  needs: { diskBytes: 2e9, memoryBytes: 3e9 },
  run: manyTopics,
}

/** What a broker has been through when its memory is looked at. */
const MEMORY_LOADS = ['large-batches', 'tiny-batches', 'fan-out'] as const

async function memory(side: Side, sandbox: Sandbox, timing: Timing): Promise<Figures> {
  const directory = sandbox.directory()
  let broker: Broker | null = null
  try {
    broker = (await timeOfStart(side, directory)).broker
    await sleep(SETTLE_MS)
    const idleMB = rssBytesOf(broker) / MB
    const seconds = timing.seconds / 2
    for (const name of MEMORY_LOADS)
      await load(workloadFile(name), { side, broker }, { seconds, warmupSeconds: 0 })
    await sleep(SETTLE_MS)
    return { idleMB, loadedMB: rssBytesOf(broker) / MB }
  } finally {
    await broker?.stop('SIGKILL')
    sandbox.remove(directory)
    await settle()
  }
}

export const memoryRow: FreshRow = {
  kind: 'fresh',
  name: 'memory',
  title: 'RSS of a fresh process, and after large batches, tiny batches and fan-out, 7.5 s each',
  measures: [
    { key: 'idleMB', label: 'RSS idle', unit: 'MB', goal: { atMost: 1 / 3 } },
    { key: 'loadedMB', label: 'RSS after the load', unit: 'MB', goal: { atMost: 1 / 3 } },
  ],
  needs: { diskBytes: 20e9, memoryBytes: 4e9 },
  run: memory,
}
