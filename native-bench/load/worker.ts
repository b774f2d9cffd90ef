/** One load process: does one job against one partition and prints a JSON line. Never in the broker's process. */
import { build, type Histogram } from 'hdr-histogram-js'
import { ZERO_TOPIC_ID } from '../../src/base/ids.ts'
import { produce } from '../../src/protocol/00-produce.ts'
import { fetch as fetchApi } from '../../src/protocol/01-fetch.ts'
import { metadata } from '../../src/protocol/03-metadata.ts'
import { createTopics } from '../../src/protocol/19-create-topics.ts'
import { decodeResponse, encodeRequest } from '../../src/protocol/codec.ts'
import { buildBatch } from '../../src/record/builder.ts'
import { WireClient } from './wire-client.ts'

export interface Job {
  readonly kind: 'produce' | 'fetch'
  readonly bootstrap: string
  readonly topic: string
  readonly seconds: number
  readonly recordBytes: number
  readonly recordsPerBatch: number
  /** Requests outstanding at a time (closed loop). */
  readonly inFlight: number
  /** Stop a fetch here rather than by time; 0 = by time. */
  readonly bytesMax: number
}

export interface JobResult {
  readonly kind: Job['kind']
  readonly seconds: number
  readonly requests: number
  readonly bytes: number
  readonly latencyUs: Readonly<Record<'p50' | 'p99' | 'p999' | 'max', number>>
  readonly clientCpuSeconds: number
}

const PRODUCE_VERSION = 7

/**
 * The log is kept small: on a virtual machine that gets its memory from the host page by page, a page cache that only
 * grows measures the host (here a plain dd falls from 2.5 GB/s to 0.25 once it has used up what was touched before).
 */
const configs = [
  { name: 'segment.bytes', value: String(256 << 20) },
  { name: 'retention.bytes', value: String(1024 << 20) },
]
const FETCH_VERSION = 11
const OFFSET_OUT_OF_RANGE = 1

/** Connects to the leader of partition 0, creating the topic with one partition where it is missing. */
async function openLeader(job: Job): Promise<WireClient> {
  const [host, port] = job.bootstrap.split(':') as [string, string]
  const client = await WireClient.open(host, Number(port))
  await client.request(createTopics, 4, {
    topics: [{ name: job.topic, numPartitions: 1, replicationFactor: 1, assignments: [], configs }],
    timeoutMs: 10_000,
  })
  for (let attempt = 0; attempt < 100; attempt++) {
    const answer = await client.request(metadata, 5, {
      topics: [{ topicId: ZERO_TOPIC_ID, name: job.topic }],
      allowAutoTopicCreation: false,
      includeClusterAuthorizedOperations: false,
      includeTopicAuthorizedOperations: false,
    })
    const leader = answer.topics[0]?.partitions[0]?.leaderId ?? -1
    const node = answer.brokers.find((broker) => broker.nodeId === leader)
    if (node !== undefined) {
      client.close()
      return WireClient.open(node.host, node.port)
    }
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(`${job.topic}-0 has no leader`)
}

function produceFrame(job: Job): Buffer {
  const value = Buffer.alloc(job.recordBytes, 'griot ')
  const timestampMs = Date.now()
  const record = { timestampMs, key: null, value }
  const batch = buildBatch(Array.from({ length: job.recordsPerBatch }, () => record))
  const { chunks } = encodeRequest(produce, PRODUCE_VERSION, 1, 'griot-bench', {
    transactionalId: null,
    acks: -1,
    timeoutMs: 30_000,
    topicData: [
      { name: job.topic, topicId: ZERO_TOPIC_ID, partitionData: [{ index: 0, records: batch }] },
    ],
  })
  return Buffer.concat(chunks)
}

async function runProduce(
  job: Job,
  latencies: Histogram,
): Promise<{ requests: number; bytes: number }> {
  const client = await openLeader(job)
  // the same bytes each time: building batches is not what is measured
  const frame = produceFrame(job)
  const endAt = performance.now() + job.seconds * 1000
  let requests = 0
  await new Promise<void>((resolve, reject) => {
    let outstanding = 0
    const send = () => {
      const sentAt = performance.now()
      outstanding++
      client.sendFrame(frame, (answer) => {
        outstanding--
        const now = performance.now()
        latencies.recordValue(Math.max(1, Math.round((now - sentAt) * 1000)))
        if (requests++ % 1000 === 0) {
          const { response } = decodeResponse(produce, PRODUCE_VERSION, answer)
          const error = response.responses[0]!.partitionResponses[0]!.errorCode
          if (error !== 0) return reject(new Error(`produce was answered with error ${error}`))
        }
        if (now < endAt) send()
        else if (outstanding === 0) resolve()
      })
    }
    for (let i = 0; i < job.inFlight; i++) send()
  })
  client.close()
  return { requests, bytes: requests * job.recordsPerBatch * job.recordBytes }
}

/** Offset after the last batch in `records`; −1 when there is no whole batch. */
function nextOffset(records: Uint8Array): number {
  const view = new DataView(records.buffer, records.byteOffset, records.byteLength)
  let next = -1
  for (let at = 0; at + 61 <= records.length; ) {
    const size = 12 + view.getInt32(at + 8)
    if (at + size > records.length) break
    next = Number(view.getBigInt64(at)) + view.getInt32(at + 23) + 1
    at += size
  }
  return next
}

async function runFetch(
  job: Job,
  latencies: Histogram,
): Promise<{ requests: number; bytes: number }> {
  const client = await openLeader(job)
  const endAt = performance.now() + job.seconds * 1000
  let offset = 0
  let requests = 0
  let bytes = 0
  await new Promise<void>((resolve, reject) => {
    const send = () => {
      const { chunks } = encodeRequest(fetchApi, FETCH_VERSION, 1, 'griot-bench', {
        maxWaitMs: 500,
        minBytes: 1,
        maxBytes: 50 << 20,
        sessionEpoch: -1,
        topics: [
          {
            topic: job.topic,
            topicId: ZERO_TOPIC_ID,
            partitions: [{ partition: 0, fetchOffset: offset, partitionMaxBytes: 4 << 20 }],
          },
        ],
        forgottenTopicsData: [],
      })
      const sentAt = performance.now()
      client.sendFrame(Buffer.concat(chunks), (frame) => {
        const now = performance.now()
        latencies.recordValue(Math.max(1, Math.round((now - sentAt) * 1000)))
        const answer = decodeResponse(fetchApi, FETCH_VERSION, frame).response.responses[0]!
          .partitions[0]!
        if (answer.errorCode === OFFSET_OUT_OF_RANGE) {
          offset = answer.logStartOffset
          send()
          return
        }
        if (answer.errorCode !== 0)
          return reject(new Error(`fetch was answered with error ${answer.errorCode}`))
        const records = answer.records as Uint8Array | null
        requests++
        bytes += records?.length ?? 0
        const next = records === null ? -1 : nextOffset(records)
        // the log was read to its end: begin again, so that a short log can be read for as long as asked
        offset = next < 0 || next >= answer.highWatermark ? answer.logStartOffset : next
        if (now < endAt && (job.bytesMax === 0 || bytes < job.bytesMax)) send()
        else resolve()
      })
    }
    send()
  })
  client.close()
  return { requests, bytes }
}

export async function runJob(job: Job): Promise<JobResult> {
  const latencies = build({ lowestDiscernibleValue: 1, highestTrackableValue: 60_000_000 })
  const cpuBefore = process.cpuUsage()
  const start = performance.now()
  const done =
    job.kind === 'produce' ? await runProduce(job, latencies) : await runFetch(job, latencies)
  const cpu = process.cpuUsage(cpuBefore)
  return {
    kind: job.kind,
    seconds: (performance.now() - start) / 1000,
    ...done,
    latencyUs: {
      p50: latencies.getValueAtPercentile(50),
      p99: latencies.getValueAtPercentile(99),
      p999: latencies.getValueAtPercentile(99.9),
      max: latencies.maxValue,
    },
    clientCpuSeconds: (cpu.user + cpu.system) / 1e6,
  }
}
