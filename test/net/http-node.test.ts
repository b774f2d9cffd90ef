import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { LogFields } from '../../src/base/log.ts'
import { HTTP_LIMITS } from '../../src/net/http-interface.ts'
import { NodeHttpServer } from '../../src/net/http-node.ts'
import { HttpRouter } from '../../src/net/http-router.ts'

/** More than the kernel takes for a socket that nobody reads. */
const LARGE = 32 * 2 ** 20

let server: NodeHttpServer
let handled: number
let release: () => void
const lines: [string, LogFields | undefined][] = []
const sockets: Socket[] = []

beforeEach(async () => {
  handled = 0
  lines.length = 0
  const held = new Promise<void>((resolve) => (release = resolve))
  const router = new HttpRouter()
  router.add('GET', '/now', () => ({ status: 200, headers: {}, body: 'now' }))
  router.add('GET', '/large', () => ({ status: 200, headers: {}, body: Buffer.alloc(LARGE) }))
  router.add('GET', '/held', async () => {
    handled++
    await held
    return { status: 200, headers: {}, body: 'held' }
  })
  server = await NodeHttpServer.listen({
    ...{ host: '127.0.0.1', port: 0, router },
    limits: {
      ...{ ...HTTP_LIMITS, connectionsMax: 3, pipelinedMax: 4 },
      ...{ unreadTimeoutMs: 500, unsentBytesMax: 2.15 * LARGE },
    },
    logger: { log: (_level, message, fields) => void lines.push([message, fields]) },
  })
})

afterEach(async () => {
  release()
  for (const socket of sockets.splice(0)) socket.destroy()
  await server.close()
})

async function open(): Promise<{ socket: Socket; text: () => string }> {
  const socket = connect(server.port, '127.0.0.1')
  sockets.push(socket)
  let all = ''
  socket.on('data', (chunk) => (all += chunk)).on('error', () => {})
  await once(socket, 'connect')
  return { socket, text: () => all }
}

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`
const until = async (what: () => boolean) => {
  for (let i = 0; i < 500 && !what(); i++) await new Promise((resolve) => setTimeout(resolve, 10))
  expect(what()).toBe(true)
}

describe('too many connections', () => {
  test('cost the one that has been without a request for longest, and nobody is kept out', async () => {
    const busy = await open()
    busy.socket.write(get('/held'))
    await until(() => handled === 1)
    const idle = await open()
    const other = await open()
    const more = await open()
    more.socket.write(get('/now'))
    await until(() => more.text().endsWith('now'))
    await until(() => idle.socket.destroyed)
    expect([busy.socket.destroyed, other.socket.destroyed]).toEqual([false, false])
    expect(lines).toEqual([['HTTP connection closed: there are too many', { max: 3 }]])
    release()
    await until(() => busy.text().endsWith('held'))
  })
})

test('a connection that is kept and asked over and over leaves nothing behind for each response', async () => {
  const warnings: string[] = []
  const onWarning = ({ name }: Error) => void warnings.push(name)
  process.on('warning', onWarning)
  const { socket, text } = await open()
  for (let i = 1; i <= 30; i++) {
    socket.write(get('/now'))
    await until(() => text().split('HTTP/1.1 200').length === i + 1)
  }
  await new Promise((resolve) => setImmediate(resolve))
  process.off('warning', onWarning)
  expect(warnings).not.toContain('MaxListenersExceededWarning')
})

describe('a pipeline without end', () => {
  test('is cut at its limit', async () => {
    const within = await open()
    within.socket.write(get('/held').repeat(4))
    await until(() => handled === 4)
    const beyond = await open()
    beyond.socket.write(get('/held').repeat(50))
    await until(() => beyond.socket.destroyed)
    expect(handled).toBe(8)
    release()
    await until(() => within.text().split('held').length === 5)
  })
})

describe('responses that are not read', () => {
  async function deaf(path: string, requests = 1): Promise<Socket> {
    const { socket } = await open()
    socket.pause()
    socket.write(get(path).repeat(requests))
    return socket
  }
  /** Bytes that come when it is read after all, until nothing more does. */
  async function rest(socket: Socket): Promise<number> {
    let bytes = 0
    socket.on('data', (chunk) => (bytes += chunk.length)).resume()
    for (let before = -1; before !== bytes; ) {
      before = bytes
      await new Promise((resolve) => setTimeout(resolve, 200))
    }
    return bytes
  }
  const cut = () => lines.filter(([message]) => message.includes('does not read')).length

  test('cost the connection once nothing of them was taken for a while, whatever is asked meanwhile', async () => {
    const socket = await deaf('/large')
    const asking = setInterval(() => socket.write('\r\n'), 50)
    await until(() => cut() === 1)
    clearInterval(asking)
    expect(lines).toEqual([
      [
        'HTTP connection closed: it does not read its responses',
        { client: '127.0.0.1', bytes: expect.any(Number) },
      ],
    ])
    expect(await rest(socket)).toBeLessThan(LARGE)
  })

  test('cost nothing as long as they are read, slowly, nor while one before them is being made', async () => {
    const held = await deaf('/held')
    held.write(get('/large'))
    const { socket } = await open()
    let bytes = 0
    socket.removeAllListeners('data').pause()
    socket.write(get('/large'))
    const startMs = performance.now()
    while (bytes < LARGE) {
      expect(socket.destroyed).toBe(false)
      bytes += (socket.read() as Buffer | null)?.length ?? 0
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    expect(performance.now() - startMs).toBeGreaterThan(1_000)
    expect(lines).toEqual([])
    release()
    expect(await rest(held)).toBeGreaterThan(LARGE)
  })

  test('are bounded together: who holds them for longest gives way, others are answered', async () => {
    const first = await deaf('/large')
    await new Promise((resolve) => setTimeout(resolve, 50))
    const second = await deaf('/large')
    await new Promise((resolve) => setTimeout(resolve, 50))
    const reader = await deaf('/large')
    await until(() => cut() === 1)
    const [of1, of2, of3] = await Promise.all([first, second, reader].map(rest))
    expect(of1).toBeLessThan(LARGE)
    expect(of2).toBeGreaterThan(LARGE)
    expect(of3).toBeGreaterThan(LARGE)
  })

  test('are bounded of one connection as well', async () => {
    const greedy = await deaf('/large', 4)
    await until(() => cut() === 1)
    expect(await rest(greedy)).toBeLessThan(LARGE)
  })
})

describe('what is no HTTP', () => {
  test.each([
    ['TLS', Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc]), 'looks like TLS'],
    ['Kafka', Buffer.from([0, 0, 0, 20, 0, 18, 0, 3, 0, 0, 0, 1]), 'looks like the Kafka protocol'],
    ['neither', Buffer.from('nonsense\r\n\r\n'), 'HPE_'],
  ])('%s is refused with a line that says so', async (_, bytes, words) => {
    const { socket, text } = await open()
    socket.write(bytes)
    await until(() => socket.destroyed || socket.readableEnded)
    expect(text()).toContain('400 Bad Request')
    expect(lines).toEqual([
      [
        'HTTP connection closed because of what came in over it',
        { client: '127.0.0.1', reason: expect.stringContaining(words) },
      ],
    ])
  })
})

describe('the Host of a request', () => {
  const ask = async (port: number, host: string | null, version = '1.1') => {
    const socket = connect(port, '127.0.0.1')
    sockets.push(socket)
    let text = ''
    socket.on('data', (chunk) => (text += chunk)).on('error', () => {})
    const header = host === null ? '' : `Host: ${host}\r\n`
    socket.write(`GET /now HTTP/${version}\r\n${header}Connection: close\r\n\r\n`)
    await once(socket, 'close')
    return text
  }
  const statusOf = async (port: number, host: string | null, version = '1.1') =>
    Number((await ask(port, host, version)).split(' ')[1])
  const listen = (host: string, allowHosts: readonly string[]) =>
    NodeHttpServer.listen({
      ...{ host, port: 0, limits: HTTP_LIMITS, allowHosts, logger: { log: () => {} } },
      router: new HttpRouter().add('GET', '/now', () => ({ status: 200, headers: {}, body: '' })),
    })

  test('is one that only this machine has, or that was allowed, on loopback', async () => {
    const local = await listen('localhost', ['griot.example', '.lan'])
    try {
      const allowed = [
        ...['localhost', 'LocalHost:8082', 'localhost.', 'metrics.localhost:1', '127.0.0.1:8082'],
        ...[
          '192.168.0.1',
          '[::1]:8082',
          '[::1]',
          'griot.example:80',
          'GRIOT.example',
          'a.b.lan',
          'lan',
        ],
      ]
      const refused = [
        ...['evil.example', 'evil.example:8082', 'localhost.evil.example', 'xlocalhost', ''],
        ...[
          '127.0.0.1.evil.example',
          'a.griot.example',
          'xlan',
          'lan.evil',
          '[::1].evil',
          '[x]',
          'a b',
        ],
      ]
      const port = local.port
      for (const host of allowed) expect(await statusOf(port, host), host).toBe(200)
      for (const host of refused) expect(await statusOf(port, host), host).toBe(421)
      // no browser asks so
      expect(await statusOf(port, null, '1.0')).toBe(200)
      const said = await ask(port, `evil.example${'x'.repeat(300)}`)
      expect(said).toMatch(/evil\.examplex+….* no name of this machine.*--http-allow-host/)
      expect(said).not.toContain('x'.repeat(200))
    } finally {
      await local.close()
    }
  })

  test('is not looked at beyond loopback, where names are the network’s', async () => {
    const open = await listen('0.0.0.0', [])
    try {
      expect(await statusOf(open.port, 'griot:8082')).toBe(200)
    } finally {
      await open.close()
    }
  })
})
