/**
 * The process that floods: gets a `FloodOrder` as its argument, prints a line once it is under way, goes on until its
 * standard input ends, and prints a `FloodReport`.
 */
import { connect, type Socket } from 'node:net'
import { ZERO_TOPIC_ID } from '../../src/base/ids.ts'
import { produce } from '../../src/protocol/00-produce.ts'
import { fetch } from '../../src/protocol/01-fetch.ts'
import { metadata } from '../../src/protocol/03-metadata.ts'
import { saslHandshake } from '../../src/protocol/17-sasl-handshake.ts'
import { apiVersions } from '../../src/protocol/18-api-versions.ts'
import { saslAuthenticate } from '../../src/protocol/36-sasl-authenticate.ts'
import type { Api, RequestInputOf } from '../../src/protocol/api.ts'
import { encodeRequest, joinFrame } from '../../src/protocol/codec.ts'
import { buildBatch } from '../../src/record/builder.ts'
import type { FloodOrder, FloodReport } from './floods.ts'

const order = JSON.parse(process.argv[2]!) as FloodOrder
/** So many connections are being opened at a time, … */
const OPENING_MAX = 200
/** … and what is pipelined without end has so much on its way on each. */
const PIPELINED_BYTES = 32 * 1024
const RECORD_BYTES = 100
const BATCH_BYTES = 900_000
const STARTED_AFTER_MS = 3_000

let connects = 0
let refused = 0
let sentBytes = 0
let receivedBytes = 0
let isOver = false

const frame = <A extends Api>(api: A, version: number, request: RequestInputOf<A>): Buffer =>
  joinFrame(encodeRequest(api, version, 1, 'flood', request))

const hello = frame(apiVersions, 0, { clientSoftwareName: '', clientSoftwareVersion: '' })

function produceOf(bytes: number): Buffer {
  const records = buildBatch([
    { timestampMs: Date.now(), key: null, value: Buffer.alloc(bytes, 7) },
  ])
  const partitionData = [{ index: 0, records }]
  const topicData = [{ name: order.sink, topicId: ZERO_TOPIC_ID, partitionData }]
  return frame(produce, 3, { transactionalId: null, acks: -1, timeoutMs: 30_000, topicData })
}

const fetchAll = () =>
  frame(fetch, 4, {
    ...{ replicaId: -1, maxWaitMs: 0, minBytes: 1, maxBytes: 1 << 20, isolationLevel: 0 },
    forgottenTopicsData: [],
    topics: [
      {
        topic: order.topic,
        topicId: ZERO_TOPIC_ID,
        partitions: [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1 << 20 }],
      },
    ],
  })

const everything = () =>
  frame(metadata, 1, {
    topics: null,
    includeClusterAuthorizedOperations: false,
    includeTopicAuthorizedOperations: false,
  })

const login = (): Buffer =>
  Buffer.concat([
    frame(saslHandshake, 1, { mechanism: 'PLAIN' }),
    frame(saslAuthenticate, 0, { authBytes: Buffer.from(`\0${order.username}\0wrong`) }),
  ])

/** One connection to `port`; null: it was not to be had, or is over at once. */
function open(port = order.port): Promise<Socket | null> {
  return new Promise((resolve) => {
    const socket = connect({ host: order.host, port, noDelay: true })
    socket.once('connect', () => {
      connects++
      resolve(socket)
    })
    socket.on('error', () => {})
    socket.once('close', () => {
      if (socket.bytesRead === 0 && socket.bytesWritten === 0) refused++
      resolve(null)
    })
  })
}

function send(socket: Socket, bytes: Uint8Array): void {
  if (socket.destroyed) return
  sentBytes += bytes.length
  socket.write(bytes)
}

const closed = (socket: Socket) => new Promise<void>((done) => socket.once('close', () => done()))

/** Has `bytes` (one request or several) on the way `ahead` times, and again with each as many bytes as its answer. */
async function pipeline(socket: Socket, bytes: Buffer, ahead: number, requests: number) {
  let answers = 0
  let skip = 0
  let prefix = Buffer.alloc(0)
  const onAnswer = () => {
    if (++answers % requests === 0) send(socket, bytes)
  }
  socket.on('data', (chunk) => {
    receivedBytes += chunk.length
    let at = 0
    while (at < chunk.length) {
      if (skip > 0) {
        const take = Math.min(skip, chunk.length - at)
        skip -= take
        at += take
        if (skip === 0) onAnswer()
        continue
      }
      const need = 4 - prefix.length
      prefix = Buffer.concat([prefix, chunk.subarray(at, at + need)])
      at += need
      if (prefix.length < 4) continue
      skip = prefix.readInt32BE()
      prefix = Buffer.alloc(0)
    }
  })
  for (let i = 0; i < ahead; i++) send(socket, bytes)
  await closed(socket)
}

const many = (bytes: Buffer): [Buffer, number] => {
  const count = Math.max(1, Math.floor(PIPELINED_BYTES / 2 / bytes.length))
  return [Buffer.concat(Array<Buffer>(count).fill(bytes)), count]
}

async function onto(bytes: Buffer): Promise<void> {
  const socket = await open()
  if (socket === null) return
  const [batch, count] = many(bytes)
  await pipeline(socket, batch, 2, count)
}

const each: Record<FloodOrder['flood'], () => () => Promise<void>> = {
  spin: () => async () => {
    const until = performance.now() + 20
    while (performance.now() < until);
    await new Promise((resolve) => setImmediate(resolve))
  },
  tiny: () => () => onto(hello),
  records: () => {
    const bytes = produceOf(RECORD_BYTES)
    return () => onto(bytes)
  },
  produces: () => {
    const bytes = produceOf(BATCH_BYTES)
    return async () => {
      const socket = await open()
      if (socket !== null) await pipeline(socket, bytes, 2, 1)
    }
  },
  fetches: () => {
    const bytes = fetchAll()
    return async () => {
      const socket = await open()
      if (socket !== null) await pipeline(socket, bytes, 2, 1)
    }
  },
  metadata: () => {
    const bytes = everything()
    return async () => {
      const socket = await open()
      if (socket !== null) await pipeline(socket, bytes, 4, 1)
    }
  },
  idle: () => async () => {
    const socket = await open()
    socket?.resume()
    if (socket !== null) await closed(socket)
  },
  churn: () => async () => {
    const socket = await open()
    if (socket === null) return
    send(socket, hello)
    await new Promise<void>((done) => {
      socket.once('data', () => done())
      socket.once('close', () => done())
    })
    socket.destroy()
  },
  malformed: () => {
    const bytes = Buffer.concat([hello, Buffer.from([0, 0, 0, 9, 0, 3, 0, 1, 0, 0, 0, 1, 255])])
    return async () => {
      const socket = await open()
      if (socket === null) return
      socket.resume()
      send(socket, bytes)
      await closed(socket)
    }
  },
  half: () => {
    const bytes = produceOf(BATCH_BYTES).subarray(0, 1000)
    return async () => {
      const socket = await open()
      if (socket === null) return
      socket.resume()
      send(socket, bytes)
      await closed(socket)
    }
  },
  unread: () => {
    const [bytes] = many(everything())
    return async () => {
      const socket = await open()
      if (socket === null) return
      socket.pause()
      send(socket, bytes)
      // paused sockets hear of no end: whoever was cut off comes again after a while
      await new Promise((resolve) => setTimeout(resolve, 5_000))
      socket.destroy()
    }
  },
  logins: () => async () => {
    const socket = await open(order.loginPort)
    if (socket === null) return
    socket.resume()
    send(socket, login())
    await closed(socket)
  },
}

const one = each[order.flood]()
const opening = { count: 0 }

async function worker(): Promise<void> {
  while (!isOver) {
    while (opening.count >= OPENING_MAX && !isOver) await new Promise((r) => setTimeout(r, 1))
    opening.count++
    const before = connects + refused
    const done = one()
    // what is not open after a while is waited for no more
    for (let i = 0; i < 20 && connects + refused === before; i++) {
      await new Promise((r) => setTimeout(r, 1))
    }
    opening.count--
    await done
  }
}

const workers = order.flood === 'spin' ? 1 : order.connections
for (let i = 0; i < workers; i++) void worker()
const startedMs = performance.now()
while (connects < workers && performance.now() - startedMs < STARTED_AFTER_MS) {
  await new Promise((resolve) => setTimeout(resolve, 20))
}
process.stdout.write('under way\n')
process.stdin.resume()
process.stdin.once('end', () => {
  isOver = true
  const report: FloodReport = { connects, refused, sentBytes, receivedBytes }
  process.stdout.write(`${JSON.stringify(report)}\n`, () => process.exit())
})
