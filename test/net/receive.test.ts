import { connect, createServer, type Server, type Socket } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { receiveInto } from '../../src/net/receive.ts'

let server: Server | null = null
afterEach(() => void server?.close())

/** A client and the socket that its server accepted. */
async function pair(): Promise<{ client: Socket; accepted: Socket }> {
  server = createServer({ pauseOnConnect: true, allowHalfOpen: true })
  const accepting = new Promise<Socket>((resolve) => server!.once('connection', resolve))
  await new Promise<void>((resolve) => server!.listen(0, '127.0.0.1', resolve))
  const client = connect({ ...(server.address() as { port: number }), host: '127.0.0.1' })
  return { client, accepted: await accepting }
}

const eventually = async (isSo: () => boolean) => {
  for (const untilMs = Date.now() + 5_000; !isSo() && Date.now() < untilMs; ) {
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
  expect(isSo()).toBe(true)
}

/** What Node 20 to 24 have under a socket, and what a Node that has changed might have. */
describe.each(['own', 'another'])('receiving, with a handle that is Node’s: %s', (kind) => {
  const prepared = (accepted: Socket): Socket => {
    const handle = Reflect.get(accepted, '_handle')
    if (kind === 'another') Object.assign(handle, { useUserBuffer: undefined })
    return accepted
  }

  test('bytes come in the shared buffer, where there is a handle, and whatever their number', async () => {
    const { client, accepted } = await pair()
    const buffer = new Uint8Array(1000)
    const got: Buffer[] = []
    let shared = 0
    const socket = receiveInto(prepared(accepted), {
      readInto: buffer,
      onBytes: (bytes) => {
        if (bytes.buffer === buffer.buffer) shared++
        got.push(Buffer.from(bytes))
      },
    })
    const sent = Buffer.from(Array.from({ length: 100_000 }, (_, i) => i * 7))
    client.write(sent)
    await eventually(() => Buffer.concat(got).length >= sent.length)
    expect(Buffer.concat(got).equals(sent)).toBe(true)
    expect(shared).toBe(kind === 'own' ? got.length : 0)
    expect(socket.remotePort).toBe(client.localPort)
    client.destroy()
    socket.destroy()
  })

  test('each read goes where it is wanted, shared memory too, and nothing is written beyond or afterwards', async () => {
    const { client, accepted } = await pair()
    const all = new Uint8Array(new SharedArrayBuffer(200_000))
    const start = new Uint8Array(1_000)
    let at = 0
    let inPlace = 0
    const socket = receiveInto(prepared(accepted), {
      get readInto() {
        // by turns, and never more than fits
        return at % 3 === 0 ? start : all.subarray(at, Math.min(at + 50_000, all.length - 1))
      },
      onBytes: (bytes) => {
        if (bytes.buffer === all.buffer) inPlace += bytes.length
        else all.set(bytes, at)
        at += bytes.length
      },
    })
    const sent = Buffer.from(Array.from({ length: 150_000 }, (_, i) => i * 7))
    client.write(sent)
    await eventually(() => at === sent.length)
    expect(Buffer.from(all.slice(0, at)).equals(sent)).toBe(true)
    expect(all.subarray(at).every((byte) => byte === 0)).toBe(true)
    if (kind === 'own') expect(inPlace).toBeGreaterThan(50_000)
    else expect(inPlace).toBe(0)
    client.destroy()
    socket.destroy()
  })

  test('a pause holds bytes back, an end is told and leaves the other way open, then it closes once', async () => {
    const { client, accepted } = await pair()
    let bytesIn = 0
    const events: string[] = []
    const socket = receiveInto(prepared(accepted), {
      readInto: new Uint8Array(4096),
      onBytes: (bytes) => {
        bytesIn += bytes.length
      },
    })
    for (const event of ['end', 'close']) socket.on(event, () => void events.push(event))
    client.write('one')
    await eventually(() => bytesIn === 3)
    socket.pause()
    client.write('four')
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(bytesIn).toBe(3)
    socket.resume()
    await eventually(() => bytesIn === 7)
    client.end()
    await eventually(() => events.includes('end'))
    let answer = ''
    client.on('data', (bytes) => {
      answer += bytes
    })
    socket.write('answer')
    await eventually(() => answer === 'answer')
    socket.end()
    await eventually(() => events.includes('close'))
    expect(events).toEqual(['end', 'close'])
  })

  test('a reset closes it, and its errors are its own', async () => {
    const { client, accepted } = await pair()
    const socket = receiveInto(prepared(accepted), {
      readInto: new Uint8Array(4096),
      onBytes: () => {},
    })
    let closed = 0
    socket.on('error', () => {})
    socket.on('close', () => void closed++)
    client.resetAndDestroy()
    await eventually(() => closed === 1)
    expect(socket.destroyed).toBe(true)
  })
})
