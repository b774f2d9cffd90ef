/** Two Kafka nodes in memory that share logs of one partition: one leads, and the other does when told to. As idempotent as Kafka. */
import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { ErrorCode } from '../../src/base/error-code.ts'
import { ZERO_TOPIC_ID } from '../../src/base/ids.ts'
import { produce } from '../../src/protocol/00-produce.ts'
import { listOffsets } from '../../src/protocol/02-list-offsets.ts'
import { metadata } from '../../src/protocol/03-metadata.ts'
import { apiVersions } from '../../src/protocol/18-api-versions.ts'
import { createTopics } from '../../src/protocol/19-create-topics.ts'
import { deleteTopics } from '../../src/protocol/20-delete-topics.ts'
import { initProducerId } from '../../src/protocol/22-init-producer-id.ts'
import type { Api, ResponseInputOf } from '../../src/protocol/api.ts'
import { decodeRequest, encodeResponse } from '../../src/protocol/codec.ts'
import { decodeRequestHeader } from '../../src/protocol/header.ts'
import {
  baseSequenceOf,
  computedCrcOf,
  recordCountOf,
  storedCrcOf,
} from '../../src/record/batch.ts'

const APIS: readonly Api[] = [
  ...[produce, listOffsets, metadata, apiVersions, createTopics, deleteTopics, initProducerId],
]

interface Log {
  /** Sequence of the next batch, which is also how many records there are. */
  next: number
  /** First sequences of batches that are there. */
  readonly known: Set<number>
}

interface Node {
  readonly id: number
  readonly port: number
  readonly server: Server
  readonly sockets: Set<Socket>
}

export interface FailingCluster {
  /** Both nodes, with a comma. */
  readonly bootstrap: string
  /** Records in all logs. */
  readonly records: number
  /** Requests to produce that were answered with each error code. */
  readonly answered: ReadonlyMap<number, number>
  /** The leader takes what comes next `appended` times without an answer, then is gone; the other leads `afterMs` later. */
  killLeader(appended: number, afterMs: number): void
  /** The other node leads from now on; the one of before says so. */
  moveLeader(): void
  /** Every request to produce is answered with it from now on, and not appended. */
  refuse(errorCode: number | null): void
  close(): void
}

export async function startFailingCluster(): Promise<FailingCluster> {
  const cluster = new Cluster()
  await cluster.listen()
  return cluster
}

class Cluster implements FailingCluster {
  readonly #nodes: Node[] = []
  readonly #logs = new Map<string, Log>()
  readonly answered = new Map<number, number>()
  #leader = 0
  #refusal: number | null = null
  /** Requests that are still taken, without an answer, before the leader is gone; null while it lives. */
  #dying: { left: number; readonly afterMs: number } | null = null

  async listen(): Promise<void> {
    for (const id of [0, 1]) {
      const sockets = new Set<Socket>()
      const server = createServer((socket) => this.#serve(id, socket, sockets))
      await once(server.listen(0, '127.0.0.1'), 'listening')
      const { port } = server.address() as AddressInfo
      this.#nodes.push({ id, port, server, sockets })
    }
  }

  get bootstrap(): string {
    return this.#nodes.map(({ port }) => `127.0.0.1:${port}`).join(',')
  }

  get records(): number {
    return [...this.#logs.values()].reduce((sum, { next }) => sum + next, 0)
  }

  killLeader(appended: number, afterMs: number): void {
    this.#dying = { left: appended, afterMs }
    if (appended === 0) this.#die()
  }

  moveLeader(): void {
    this.#leader = 1 - this.#leader
  }

  refuse(errorCode: number | null): void {
    this.#refusal = errorCode
  }

  close(): void {
    for (const node of this.#nodes) end(node)
  }

  #die(): void {
    const { afterMs } = this.#dying!
    end(this.#nodes[this.#leader]!)
    setTimeout(() => {
      this.#dying = null
      this.moveLeader()
    }, afterMs)
  }

  #serve(id: number, socket: Socket, sockets: Set<Socket>): void {
    sockets.add(socket.setNoDelay(true))
    socket.on('error', () => undefined)
    let rest = Buffer.alloc(0)
    socket.on('data', (chunk: Buffer) => {
      rest = Buffer.concat([rest, chunk])
      while (rest.length >= 4 && rest.length >= 4 + rest.readInt32BE(0) && !socket.destroyed) {
        const frame = Buffer.from(rest.subarray(4, 4 + rest.readInt32BE(0)))
        rest = rest.subarray(4 + frame.length)
        const answer = this.#answer(id, frame)
        if (answer !== null) socket.write(answer)
      }
    })
  }

  /** Null: taken, and not answered. */
  #answer(id: number, frame: Buffer): Buffer | null {
    const api = APIS.find(({ key }) => key === frame.readInt16BE(0))!
    const version = frame.readInt16BE(2)
    const { correlationId, bodyOffset } = decodeRequestHeader(frame)
    const request = decodeRequest(api, version, frame, bodyOffset)
    const response = api === produce ? this.#produced(id, request) : this.#responseTo(api, request)
    if (response === null) return null
    return Buffer.concat(encodeResponse(api, version, correlationId, response).chunks)
  }

  // biome-ignore lint/suspicious/noExplicitAny: a request of Produce
  #produced(id: number, request: any): ResponseInputOf<Api> | null {
    const [{ name, partitionData }] = request.topicData
    const errorCode = this.#appended(id, name, Buffer.from(partitionData[0].records))
    if (this.#dying !== null && id === this.#leader) {
      if (--this.#dying.left === 0) this.#die()
      return null
    }
    this.answered.set(errorCode, (this.answered.get(errorCode) ?? 0) + 1)
    const partition = { index: 0, errorCode, baseOffset: 0, recordErrors: [] }
    return { responses: [{ name, topicId: ZERO_TOPIC_ID, partitionResponses: [partition] }] }
  }

  #appended(id: number, topic: string, batch: Buffer): number {
    if (id !== this.#leader) return ErrorCode.NOT_LEADER_OR_FOLLOWER
    if (this.#refusal !== null) return this.#refusal
    if (storedCrcOf(batch, 0) !== computedCrcOf(batch, 0)) return ErrorCode.CORRUPT_MESSAGE
    const log = this.#logs.get(topic) ?? { next: 0, known: new Set() }
    this.#logs.set(topic, log)
    const sequence = baseSequenceOf(batch, 0)
    if (sequence < 0) return 0
    // what is there already is said to be written, as Kafka's broker does for the last five
    if (log.known.has(sequence)) return 0
    if (sequence !== log.next) return ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER
    log.known.add(sequence)
    log.next += recordCountOf(batch, 0)
    return 0
  }

  // biome-ignore lint/suspicious/noExplicitAny: one function for messages of six shapes
  #responseTo(api: Api, request: any): ResponseInputOf<Api> {
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
      case initProducerId:
        return { throttleTimeMs: 0, errorCode: 0, producerId: 4711, producerEpoch: 0 }
      case metadata:
        return this.#metadata(request)
      default:
        return {
          throttleTimeMs: 0,
          topics: request.topics.map(({ name }: { name: string }) => ({
            name,
            partitions: [{ partitionIndex: 0, errorCode: 0, offset: 0 }],
          })),
        }
    }
  }

  // biome-ignore lint/suspicious/noExplicitAny: a request of Metadata
  #metadata(request: any): ResponseInputOf<Api> {
    return {
      brokers: this.#nodes.map(({ id, port }) => ({ nodeId: id, host: '127.0.0.1', port })),
      topics: request.topics.map(({ name }: { name: string }) => ({
        ...{ errorCode: 0, name, topicId: ZERO_TOPIC_ID, topicAuthorizedOperations: 0 },
        partitions: [
          {
            ...{ errorCode: 0, partitionIndex: 0, leaderId: this.#leader, replicaNodes: [0, 1] },
            ...{ isrNodes: [0, 1], offlineReplicas: [] },
          },
        ],
      })),
      ...{ throttleTimeMs: 0, errorCode: 0 },
    }
  }
}

function end({ server, sockets }: Node): void {
  server.close()
  for (const socket of sockets) socket.destroy()
}
