// CPU and memory of an engine whose partitions have three replicas and nothing to do: empty, with all partitions made, with a record in each, and
// once they sleep. Linux. Usage: node native-bench/idle-groups.mjs [PARTITIONS]
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Kafka, logLevel } from 'kafkajs'

const PER_TOPIC = 1_000
const PER_REQUEST = 100
/** A log that nobody touches is closed after a minute. */
const ASLEEP_AFTER_MS = 75_000
const partitions = Number(process.argv[2] ?? 10_000)
const topics = Math.ceil(partitions / PER_TOPIC)

const directory = mkdtempSync(join(tmpdir(), 'griot-idle-'))
const endpoints = join(directory, 'endpoints.json')
const griot = spawn(
  process.execPath,
  [
    join(import.meta.dirname, '../dist/griot.cjs'),
    ...['start', '--brokers', '3', '--data-dir', directory, '--log-level', 'warn'],
    ...['--kafka-listen', '127.0.0.1:0', '--http-listen', '127.0.0.1:0'],
  ],
  { stdio: ['ignore', 'pipe', 'inherit'] },
)
const ended = new Promise((resolve) => griot.once('exit', resolve))

/** CPU of all its threads, in milliseconds; a tick is ten of them. */
function cpuMs() {
  const fields = readFileSync(`/proc/${griot.pid}/stat`, 'utf8').split(') ')[1].split(' ')
  return (Number(fields[11]) + Number(fields[12])) * 10
}

async function measure(what, ms = 15_000) {
  const before = cpuMs()
  await sleep(ms)
  const percent = ((cpuMs() - before) / ms) * 100
  const status = readFileSync(`/proc/${griot.pid}/status`, 'utf8')
  const rss = Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024
  console.log(`${what}: ${percent.toFixed(2)} % of a core, RSS ${rss.toFixed(0)} MB`)
}

try {
  await new Promise((resolve) => griot.stdout.once('data', resolve))
  const brokers = JSON.parse(readFileSync(endpoints, 'utf8')).kafka
  const kafka = new Kafka({ brokers, logLevel: logLevel.NOTHING, requestTimeout: 60_000 })
  await measure('empty')
  const admin = kafka.admin()
  await admin.connect()
  for (let n = 0; n < topics; n++) {
    const topic = { topic: `t${n}`, numPartitions: PER_TOPIC, replicationFactor: 3 }
    await admin.createTopics({ timeout: 60_000, topics: [topic] })
  }
  await admin.disconnect()
  await measure(`${topics * PER_TOPIC} partitions made`)
  const producer = kafka.producer()
  await producer.connect()
  const from = performance.now()
  for (let n = 0; n < topics; n++) {
    for (let first = 0; first < PER_TOPIC; first += PER_REQUEST) {
      const messages = Array.from({ length: PER_REQUEST }, (_, i) => ({
        ...{ partition: first + i, value: 'x' },
      }))
      await producer.send({ topic: `t${n}`, messages })
    }
  }
  await producer.disconnect()
  const seconds = (performance.now() - from) / 1_000
  await measure(`a record in each, written in ${seconds.toFixed(1)} s`)
  await sleep(ASLEEP_AFTER_MS)
  await measure('asleep', 30_000)
} finally {
  griot.kill('SIGTERM')
  await ended
  rmSync(directory, { recursive: true, force: true })
}
