import { connect, createServer, type Server, type Socket } from 'node:net'
import { describe, expect, test } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import { silentLogger } from '../../src/base/log.ts'
import type { KafkaConnection } from '../../src/net/connection.ts'
import { ConnectionSet } from '../../src/net/connection-set.ts'
import { InFlightBudget } from '../../src/net/in-flight.ts'
import { KafkaListener } from '../../src/net/kafka-listener.ts'
import { EVERYBODY } from '../../src/net/listener-info.ts'
import { ReplyBudget } from '../../src/net/reply-budget.ts'
import { echoSink } from './echo-sink.ts'

const options = {
  ...EVERYBODY,
  optionName: '--kafka-listen',
  host: '127.0.0.1',
  port: 0,
  nodes: 3,
  advertisedHost: null,
  advertisedPort: null,
}

function echoSet(seen: KafkaConnection[]): ConnectionSet {
  const set: ConnectionSet = new ConnectionSet({
    sink: echoSink(() => set.resumeYielded(), {
      onOpen: (connection) => void seen.push(connection),
    }),
    clock: systemClock,
    logger: silentLogger,
    budget: new InFlightBudget(256 * 2 ** 20),
    replies: new ReplyBudget(256 * 2 ** 20),
  })
  return set
}

/** One that many free ones follow, below those that the system gives to clients. */
async function freePort(): Promise<number> {
  const server = createServer()
  const port = 12_000 + (process.pid % 5_000)
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  await new Promise((resolve) => server.close(resolve))
  return port
}

async function connectAsSoonAsPossible(port: number): Promise<Socket> {
  for (;;) {
    const socket = connect(port, 'localhost')
    const connected = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true))
      socket.once('error', () => resolve(false))
    })
    if (connected) return socket
  }
}

/** Takes a port behind one that is free. */
async function takeBehindFree(): Promise<{ taken: Server; port: number }> {
  for (;;) {
    const taken = createServer()
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve))
    const { port } = taken.address() as { port: number }
    const before = createServer()
    const isFree = await new Promise<boolean>((resolve) => {
      before.once('error', () => resolve(false))
      before.listen(port - 1, '127.0.0.1', () => before.close(() => resolve(true)))
    })
    if (isFree) return { taken, port }
    taken.close()
  }
}

describe('a Kafka listener', () => {
  test('takes a port per node and says over which one a connection came in', async () => {
    const seen: KafkaConnection[] = []
    const set = echoSet(seen)
    const listener = await KafkaListener.listen(options, set)
    expect(new Set(listener.ports).size).toBe(3)
    const body = Buffer.alloc(3_000_000, 'x')
    const size = Buffer.alloc(4)
    size.writeInt32BE(body.length)
    const received = await new Promise<Buffer>((resolve) => {
      const socket = connect(listener.ports[1]!, '127.0.0.1')
      const chunks: Buffer[] = []
      let bytes = 0
      socket.on('data', (chunk) => {
        chunks.push(chunk)
        bytes += chunk.length
        if (bytes === body.length + 4) resolve(Buffer.concat(chunks))
      })
      socket.write(Buffer.concat([size, body]))
    })
    expect(received.subarray(4).equals(body)).toBe(true)
    expect(seen[0]!.listener).toMatchObject({ nodeId: 2, advertisedPorts: listener.ports })
    expect(seen[0]!.localAddress).toBe('127.0.0.1')
    listener.stopAccepting()
    set.closeAll()
    expect(set.size).toBe(0)
  })

  test('serves a client that came in before the last port was open', async () => {
    const port = await freePort()
    const set = echoSet([])
    // a name is looked up for each port, which lets the event loop turn in between
    let isOpen = false
    const opening = KafkaListener.listen(
      { ...options, host: 'localhost', port, nodes: 50 },
      set,
    ).finally(() => {
      isOpen = true
    })
    const socket = await connectAsSoonAsPossible(port)
    expect(isOpen, 'the client was too late to prove anything').toBe(false)
    const frame = Buffer.from([0, 0, 0, 2, 7, 9])
    socket.write(frame)
    const answer = await new Promise<Buffer>((resolve) => socket.once('data', resolve))
    expect(answer.equals(frame)).toBe(true)
    const listener = await opening
    listener.stopAccepting()
    set.closeAll()
    socket.destroy()
  })

  test('names port and option when a port is taken, and leaves none open', async () => {
    const { taken, port } = await takeBehindFree()
    await expect(
      KafkaListener.listen({ ...options, port: port - 1, nodes: 2 }, echoSet([])),
    ).rejects.toThrow(new RegExp(`--kafka-listen: port ${port} on 127.0.0.1 is taken`))
    taken.close()
    const again = await KafkaListener.listen({ ...options, port: port - 1, nodes: 1 }, echoSet([]))
    again.stopAccepting()
  })

  test('listens on IPv6, and tells of it in brackets', async () => {
    const set = echoSet([])
    const listener = await KafkaListener.listen({ ...options, host: '::1', nodes: 1 }, set)
    const port = listener.ports[0]!
    await expect(
      KafkaListener.listen({ ...options, host: '::1', port, nodes: 2 }, set),
    ).rejects.toThrow(
      `--kafka-listen: port ${port} on ::1 is taken by another program ([::1]:${port} takes ports ${port} to ${port + 1}, one for each of 2 brokers)`,
    )
    listener.stopAccepting()
  })

  test('tells connected clients another address once it is advertised', async () => {
    const seen: KafkaConnection[] = []
    const set = echoSet(seen)
    const listener = await KafkaListener.listen({ ...options, advertisedHost: 'a' }, set)
    const socket = connect(listener.ports[2]!, '127.0.0.1')
    await new Promise((resolve) => socket.once('connect', resolve))
    while (seen.length === 0) await new Promise((resolve) => setTimeout(resolve, 5))
    const told = () => {
      const { advertisedHost, advertisedPorts } = seen[0]!.listener
      return [advertisedHost, ...advertisedPorts]
    }
    expect(told()).toEqual(['a', ...listener.ports])
    listener.advertise({ advertisedHost: 'b', advertisedPort: 700 })
    expect(told()).toEqual(['b', 700, 701, 702])
    listener.advertise({ advertisedHost: null, advertisedPort: null })
    expect(told()).toEqual([null, ...listener.ports])
    listener.stopAccepting()
    set.closeAll()
    socket.destroy()
  })
})

test('who does not authenticate is trusted where the listener says so, and nowhere else', async () => {
  for (const trustsAnonymous of [undefined, false, true]) {
    const seen: KafkaConnection[] = []
    const said = trustsAnonymous === undefined ? {} : { trustsAnonymous }
    const listener = await KafkaListener.listen({ ...options, ...said, nodes: 1 }, echoSet(seen))
    const socket = await connectAsSoonAsPossible(listener.ports[0]!)
    await expect.poll(() => seen.length).toBe(1)
    expect(seen[0]!.listener.trustsAnonymous).toBe(trustsAnonymous === true)
    socket.destroy()
    listener.stopAccepting()
  }
})
