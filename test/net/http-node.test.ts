import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { LogFields } from '../../src/base/log.ts'
import { HTTP_LIMITS } from '../../src/net/http-interface.ts'
import { NodeHttpServer } from '../../src/net/http-node.ts'
import { HttpRouter } from '../../src/net/http-router.ts'

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
  router.add('GET', '/held', async () => {
    handled++
    await held
    return { status: 200, headers: {}, body: 'held' }
  })
  server = await NodeHttpServer.listen({
    ...{ host: '127.0.0.1', port: 0, router },
    limits: { ...HTTP_LIMITS, connectionsMax: 3, pipelinedMax: 4 },
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

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`
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
