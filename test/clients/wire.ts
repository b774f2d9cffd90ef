/** A bare Kafka connection for what no well-behaved client does: never reading, huge batches, exact frames. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { ZERO_TOPIC_ID } from '../../src/base/ids.ts'
import { produce } from '../../src/protocol/00-produce.ts'
import { fetch as fetchApi } from '../../src/protocol/01-fetch.ts'
import { listOffsets } from '../../src/protocol/02-list-offsets.ts'
import { createTopics } from '../../src/protocol/19-create-topics.ts'
import type { Api, RequestInputOf, ResponseOf } from '../../src/protocol/api.ts'
import { decodeResponse, encodeRequest } from '../../src/protocol/codec.ts'

export interface FetchAnswer {
  readonly errorCode: number
  readonly highWatermark: number
  readonly logStartOffset: number
  readonly records: Uint8Array
}

export class Wire {
  readonly socket: Socket
  readonly #waiting: ((frame: Buffer) => void)[] = []
  #chunks: Buffer[] = []
  #bytes = 0
  #correlation = 0

  private constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', (chunk) => this.#take(chunk))
    socket.on('error', () => {})
    socket.setMaxListeners(0)
  }

  static async open(bootstrap: string): Promise<Wire> {
    const [host, port] = bootstrap.split(':') as [string, string]
    const socket = connect({ host, port: Number(port), noDelay: true })
    await once(socket, 'connect')
    return new Wire(socket)
  }

  /** Sends and does not wait; the answer, if ever read, goes to `onFrame`. */
  send<A extends Api>(
    api: A,
    version: number,
    request: RequestInputOf<A>,
    onFrame: (frame: Buffer) => void = () => {},
  ): void {
    this.#waiting.push(onFrame)
    const frame = encodeRequest(api, version, this.#correlation++, 'griot-test', request)
    this.socket.write(Buffer.concat(frame.chunks))
  }

  request<A extends Api>(
    api: A,
    version: number,
    request: RequestInputOf<A>,
  ): Promise<ResponseOf<A>> {
    return new Promise((resolve, reject) => {
      const onClose = () => reject(new Error(`connection closed before ${api.name} was answered`))
      this.socket.once('close', onClose)
      this.send(api, version, request, (frame) => {
        this.socket.off('close', onClose)
        resolve(decodeResponse(api, version, frame).response)
      })
    })
  }

  close(): void {
    this.socket.destroy()
  }

  async createTopic(name: string, numPartitions: number, configs: Record<string, string> = {}) {
    const topic = {
      ...{ name, numPartitions, replicationFactor: 1, assignments: [] },
      configs: Object.entries(configs).map(([name, value]) => ({ name, value })),
    }
    const answer = await this.request(createTopics, 5, { topics: [topic], timeoutMs: 10_000 })
    const { errorCode, errorMessage } = answer.topics[0]!
    if (errorCode !== 0) throw new Error(`${name}: ${errorCode} ${errorMessage}`)
  }

  async produce(topic: string, index: number, records: Uint8Array, acks = -1) {
    const partitionData = [{ index, records }]
    const answer = await this.request(produce, 8, {
      ...{ transactionalId: null, acks, timeoutMs: 30_000 },
      topicData: [{ name: topic, topicId: ZERO_TOPIC_ID, partitionData }],
    })
    return answer.responses[0]!.partitionResponses[0]!
  }

  async fetch(
    topic: string,
    partition: number,
    fetchOffset: number,
    partitionMaxBytes = 1 << 20,
  ): Promise<FetchAnswer> {
    const answer = await this.request(
      fetchApi,
      11,
      fetchRequest(topic, partition, fetchOffset, partitionMaxBytes),
    )
    const { records, ...rest } = answer.responses[0]!.partitions[0]!
    return { ...rest, records: (records as Uint8Array | null) ?? new Uint8Array() }
  }

  async offsetAt(topic: string, partitionIndex: number, timestamp: number): Promise<number> {
    const partitions = [{ partitionIndex, timestamp }]
    const answer = await this.request(listOffsets, 5, {
      ...{ replicaId: -1, isolationLevel: 0, timeoutMs: 0 },
      topics: [{ name: topic, partitions }],
    })
    return answer.topics[0]!.partitions[0]!.offset
  }

  #take(chunk: Buffer): void {
    this.#chunks.push(chunk)
    this.#bytes += chunk.length
    while (this.#bytes >= 4) {
      const head = this.#chunks[0]!.length >= 4 ? this.#chunks[0]! : Buffer.concat(this.#chunks)
      const size = 4 + head.readInt32BE(0)
      if (this.#bytes < size) return
      const all = this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks)
      this.#chunks = all.length > size ? [all.subarray(size)] : []
      this.#bytes -= size
      this.#waiting.shift()!(all.subarray(4, size))
    }
  }
}

export const fetchRequest = (
  topic: string,
  partition: number,
  fetchOffset: number,
  partitionMaxBytes: number,
) => ({
  ...{
    maxWaitMs: 500,
    minBytes: 1,
    maxBytes: 100 << 20,
    sessionEpoch: -1,
    forgottenTopicsData: [],
  },
  topics: [
    { topic, topicId: ZERO_TOPIC_ID, partitions: [{ partition, fetchOffset, partitionMaxBytes }] },
  ],
})
