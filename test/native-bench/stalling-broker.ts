/** A Kafka broker that keeps nothing, and answers no Produce for a while once it is told to. */
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { ZERO_TOPIC_ID } from '../../src/base/ids.ts'
import { produce } from '../../src/protocol/00-produce.ts'
import { listOffsets } from '../../src/protocol/02-list-offsets.ts'
import { metadata } from '../../src/protocol/03-metadata.ts'
import { apiVersions } from '../../src/protocol/18-api-versions.ts'
import { createTopics } from '../../src/protocol/19-create-topics.ts'
import { deleteTopics } from '../../src/protocol/20-delete-topics.ts'
import type { Api, ResponseInputOf } from '../../src/protocol/api.ts'
import { decodeRequest, encodeResponse } from '../../src/protocol/codec.ts'
import { decodeRequestHeader } from '../../src/protocol/header.ts'

const APIS: readonly Api[] = [
  ...[produce, listOffsets, metadata, apiVersions, createTopics, deleteTopics],
]

export interface StallingBroker {
  readonly bootstrap: string
  readonly produced: number
  /** Holds answers to Produce back from now on. */
  stall(ms: number): void
  close(): void
}

export async function startStallingBroker(): Promise<StallingBroker> {
  const sockets = new Set<Socket>()
  let produced = 0
  let stalledUntil = 0
  const server = createServer((socket) => {
    sockets.add(socket.setNoDelay(true))
    socket.on('error', () => undefined)
    let rest = Buffer.alloc(0)
    socket.on('data', (chunk: Buffer) => {
      rest = Buffer.concat([rest, chunk])
      while (rest.length >= 4 && rest.length >= 4 + rest.readInt32BE(0)) {
        const frame = Buffer.from(rest.subarray(4, 4 + rest.readInt32BE(0)))
        rest = rest.subarray(4 + frame.length)
        const answer = answerTo(frame, port)
        if (frame.readInt16BE(0) !== produce.key) socket.write(answer)
        else {
          produced++
          const waitMs = stalledUntil - performance.now()
          if (waitMs > 0) setTimeout(() => socket.write(answer), waitMs)
          else socket.write(answer)
        }
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
    close: () => {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}

function answerTo(frame: Buffer, port: number): Buffer {
  const api = APIS.find(({ key }) => key === frame.readInt16BE(0))!
  const version = frame.readInt16BE(2)
  const { correlationId, bodyOffset } = decodeRequestHeader(frame)
  const request = decodeRequest(api, version, frame, bodyOffset)
  const { chunks } = encodeResponse(api, version, correlationId, responseTo(api, request, port))
  return Buffer.concat(chunks)
}

// biome-ignore lint/suspicious/noExplicitAny: one function for messages of six shapes
function responseTo(api: Api, request: any, port: number): ResponseInputOf<Api> {
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
      return {
        throttleTimeMs: 0,
        topics: request.topics.map(({ name }: { name: string }) => ({
          name,
          partitions: [{ partitionIndex: 0, errorCode: 0, offset: 0 }],
        })),
      }
    default:
      return {
        responses: request.topicData.map(({ name }: { name: string }) => ({
          ...{ name, topicId: ZERO_TOPIC_ID },
          partitionResponses: [{ index: 0, errorCode: 0, baseOffset: 0, recordErrors: [] }],
        })),
      }
  }
}
