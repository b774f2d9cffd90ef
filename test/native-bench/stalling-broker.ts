/** A Kafka broker of one partition a topic, in memory, that answers no Produce, or no Fetch, for a while once it is told to. */
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { ErrorCode } from '../../src/base/error-code.ts'
import { ZERO_TOPIC_ID } from '../../src/base/ids.ts'
import { produce } from '../../src/protocol/00-produce.ts'
import { fetch } from '../../src/protocol/01-fetch.ts'
import { listOffsets } from '../../src/protocol/02-list-offsets.ts'
import { metadata } from '../../src/protocol/03-metadata.ts'
import { apiVersions } from '../../src/protocol/18-api-versions.ts'
import { createTopics } from '../../src/protocol/19-create-topics.ts'
import { deleteTopics } from '../../src/protocol/20-delete-topics.ts'
import type { Api, ResponseInputOf } from '../../src/protocol/api.ts'
import { decodeRequest, encodeResponse } from '../../src/protocol/codec.ts'
import { decodeRequestHeader } from '../../src/protocol/header.ts'
import { recordCountOf } from '../../src/record/batch.ts'

const APIS: readonly Api[] = [
  ...[produce, fetch, listOffsets, metadata, apiVersions, createTopics, deleteTopics],
]
const FETCH_WAIT_MS = 10
const EARLIEST = -2

export interface StallingBroker {
  readonly bootstrap: string
  readonly produced: number
  /** Holds answers to Produce back from now on. */
  stall(ms: number): void
  /** Holds answers to Fetch back from now on. */
  stallFetch(ms: number): void
  /** Removes what the logs have. */
  forget(): void
  close(): void
}

export async function startStallingBroker(): Promise<StallingBroker> {
  const sockets = new Set<Socket>()
  let produced = 0
  let stalledUntil = 0
  let fetchStalledUntil = 0
  const logs = new Map<string, Log>()
  const server = createServer((socket) => {
    sockets.add(socket.setNoDelay(true))
    socket.on('error', () => undefined)
    let rest = Buffer.alloc(0)
    socket.on('data', (chunk: Buffer) => {
      rest = Buffer.concat([rest, chunk])
      while (rest.length >= 4 && rest.length >= 4 + rest.readInt32BE(0)) {
        const frame = Buffer.from(rest.subarray(4, 4 + rest.readInt32BE(0)))
        rest = rest.subarray(4 + frame.length)
        const answer = () => void socket.write(answerTo(frame, port, logs))
        const key = frame.readInt16BE(0)
        const now = performance.now()
        if (key === produce.key) {
          produced++
          after(stalledUntil - now, answer)
        } else if (key === fetch.key)
          after(Math.max(FETCH_WAIT_MS, fetchStalledUntil - now), answer)
        else answer()
      }
    })
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  return {
    bootstrap: `127.0.0.1:${port}`,
    get produced() {
      return produced
    },
    stall: (ms) => {
      stalledUntil = performance.now() + ms
    },
    stallFetch: (ms) => {
      fetchStalledUntil = performance.now() + ms
    },
    forget: () => {
      for (const log of logs.values()) log.batches.splice(0)
    },
    close: () => {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}

function after(ms: number, run: () => void): void {
  if (ms > 0) setTimeout(run, ms).unref()
  else run()
}

interface Log {
  readonly batches: { readonly from: number; readonly bytes: Buffer }[]
  end: number
}

function logOf(logs: Map<string, Log>, topic: string): Log {
  const log = logs.get(topic) ?? { batches: [], end: 0 }
  logs.set(topic, log)
  return log
}

function append(log: Log, records: Uint8Array): void {
  const bytes = Buffer.from(records)
  bytes.writeBigInt64BE(BigInt(log.end), 0)
  log.batches.push({ from: log.end, bytes })
  log.end += recordCountOf(bytes, 0)
}

/** As Kafka answers: it does not say where the log begins. */
const outOfRange = {
  ...{ partitionIndex: 0, errorCode: ErrorCode.OFFSET_OUT_OF_RANGE, highWatermark: -1 },
  ...{ lastStableOffset: -1, logStartOffset: -1, abortedTransactions: null, records: null },
}

const startOf = ({ batches, end }: Log): number => batches[0]?.from ?? end

function read(log: Log, from: number) {
  const { batches, end } = log
  const logStartOffset = startOf(log)
  if (from < logStartOffset) return outOfRange
  const found = batches.filter((batch) => batch.from >= from)
  return {
    partitionIndex: 0,
    errorCode: 0,
    ...{ highWatermark: end, lastStableOffset: end, logStartOffset, abortedTransactions: null },
    records: Buffer.concat(found.map(({ bytes }) => bytes)),
  }
}

function answerTo(frame: Buffer, port: number, logs: Map<string, Log>): Buffer {
  const api = APIS.find(({ key }) => key === frame.readInt16BE(0))!
  const version = frame.readInt16BE(2)
  const { correlationId, bodyOffset } = decodeRequestHeader(frame)
  const request = decodeRequest(api, version, frame, bodyOffset)
  const { chunks } = encodeResponse(
    api,
    version,
    correlationId,
    responseTo(api, request, port, logs),
  )
  return Buffer.concat(chunks)
}

// biome-ignore lint/suspicious/noExplicitAny: a request of ListOffsets
function offsetsOf(request: any, logs: Map<string, Log>) {
  return {
    throttleTimeMs: 0,
    // biome-ignore lint/suspicious/noExplicitAny: as above
    topics: request.topics.map(({ name, partitions }: any) => {
      const log = logOf(logs, name)
      const offset = Number(partitions[0].timestamp) === EARLIEST ? startOf(log) : log.end
      return { name, partitions: [{ partitionIndex: 0, errorCode: 0, offset }] }
    }),
  }
}

// biome-ignore lint/suspicious/noExplicitAny: a request of Fetch
function fetched(request: any, logs: Map<string, Log>) {
  return {
    ...{ throttleTimeMs: 0, errorCode: 0, sessionId: 0 },
    // biome-ignore lint/suspicious/noExplicitAny: as above
    responses: request.topics.map(({ topic, partitions }: any) => ({
      ...{ topic, topicId: ZERO_TOPIC_ID },
      partitions: [read(logOf(logs, topic), Number(partitions[0].fetchOffset))],
    })),
  }
}

function responseTo(
  api: Api,
  // biome-ignore lint/suspicious/noExplicitAny: one function for messages of seven shapes
  request: any,
  port: number,
  logs: Map<string, Log>,
): ResponseInputOf<Api> {
  switch (api) {
    case apiVersions:
      return {
        errorCode: 0,
        apiKeys: APIS.map(({ key, validVersions: { min, max } }) => ({
          ...{ apiKey: key, minVersion: min, maxVersion: max },
        })),
        ...{ throttleTimeMs: 0, supportedFeatures: [], finalizedFeatures: [] },
      }
    case createTopics:
      return {
        throttleTimeMs: 0,
        topics: request.topics.map(({ name }: { name: string }) => ({
          ...{ name, topicId: ZERO_TOPIC_ID, errorCode: 0, errorMessage: null },
          ...{ topicConfigErrorCode: 0, configs: [] },
        })),
      }
    case deleteTopics:
      return { throttleTimeMs: 0, responses: [] }
    case metadata:
      return {
        brokers: [{ nodeId: 1, host: '127.0.0.1', port }],
        topics: request.topics.map(({ name }: { name: string }) => ({
          ...{ errorCode: 0, name, topicId: ZERO_TOPIC_ID, topicAuthorizedOperations: 0 },
          partitions: [
            {
              ...{ errorCode: 0, partitionIndex: 0, leaderId: 1, replicaNodes: [1] },
              ...{ isrNodes: [1], offlineReplicas: [] },
            },
          ],
        })),
        ...{ throttleTimeMs: 0, errorCode: 0 },
      }
    case listOffsets:
      return offsetsOf(request, logs)
    case fetch:
      return fetched(request, logs)
    default:
      for (const { name, partitionData } of request.topicData) {
        append(logOf(logs, name), partitionData[0].records)
      }
      return {
        responses: request.topicData.map(({ name }: { name: string }) => ({
          ...{ name, topicId: ZERO_TOPIC_ID },
          partitionResponses: [{ index: 0, errorCode: 0, baseOffset: 0, recordErrors: [] }],
        })),
      }
  }
}
