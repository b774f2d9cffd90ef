import { createHmac } from 'node:crypto'
import { connect } from 'node:net'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { EngineHealth, type ThreadBeat } from '../../src/admin/engine-health.ts'
import { addHealthRoutes } from '../../src/admin/health-routes.ts'
import { addMetricsRoute, type MetricSource } from '../../src/admin/metrics-route.ts'
import { OperatorTokenGuard } from '../../src/admin/operator-token.ts'
import { proofText } from '../../src/base/engine-proof.ts'
import type { LogFields, Logger } from '../../src/base/log.ts'
import { HTTP_LIMITS } from '../../src/net/http-interface.ts'
import { NodeHttpServer } from '../../src/net/http-node.ts'
import { HttpRouter } from '../../src/net/http-router.ts'

let beats: ThreadBeat[]
let health: EngineHealth
let guard: OperatorTokenGuard
let server: NodeHttpServer
/** Bound to every address, and asked over loopback. */
let open: NodeHttpServer
let served: number
let offline: number
let nowMs: number
const logged: [string, LogFields | undefined][] = []
const logger: Logger = { log: (_, message, fields) => void logged.push([message, fields]) }

beforeEach(async () => {
  beats = [{ name: 'broker-1-1', silentMs: 100 }]
  served = 3
  offline = 0
  nowMs = 0
  logged.length = 0
  health = new EngineHealth(() => beats)
  const router = new HttpRouter()
  const info = {
    version: '1.2.3',
    pid: 7,
    brokers: 3,
    startedAtMs: 1_000,
    offlinePartitions: async () => offline,
  }
  addHealthRoutes(router, health, info, () => 5_000)
  const sources: MetricSource[] = [
    {
      name: 'kafka_server_brokertopicmetrics_bytesin_total',
      kind: 'counter',
      help: 'Bytes in',
      read: () => [{ labels: { broker: '1' }, value: served++ }],
    },
    {
      name: 'griot_brokers',
      kind: 'gauge',
      help: 'Brokers',
      read: () => [{ labels: {}, value: 3 }],
    },
    {
      name: 'griot_request_duration_seconds',
      kind: 'histogram',
      help: 'Latency',
      read: () => [{ labels: { request: 'Fetch' }, bounds: [0.001, 1], counts: [4, 0, 2], sum: 9 }],
    },
  ]
  guard = new OperatorTokenGuard()
  addMetricsRoute(
    router,
    sources,
    (handler) => guard.beyondLoopback(handler),
    undefined,
    () => nowMs,
  )
  router.add(
    'GET',
    '/secret',
    guard.always(() => ({ status: 200, headers: {}, body: 'told' })),
  )
  router.add('POST', '/echo', ({ body }) => ({ status: 200, headers: {}, body }))
  router.add('GET', '/boom', () => {
    throw new Error('a bug')
  })
  const limits = { ...HTTP_LIMITS, bodyBytesMax: 1_000, headersTimeoutMs: 200 }
  const everywhere = { port: 0, router, limits, logger }
  server = await NodeHttpServer.listen({ host: '127.0.0.1', ...everywhere })
  open = await NodeHttpServer.listen({ host: '0.0.0.0', ...everywhere })
})
afterEach(() => Promise.all([server.close(), open.close()]))

const ask = (path: string, init: RequestInit = {}) =>
  fetch(`http://127.0.0.1:${server.port}${path}`, init)
async function statusOf(path: string) {
  const response = await ask(path)
  const { status, reasons } = (await response.json()) as { status: string; reasons: string[] }
  return [response.status, status, ...reasons]
}

describe('health', () => {
  test('is 503 with the reason until clients are served, and live all the while', async () => {
    expect(await statusOf('/health/ready')).toEqual([503, 'starting', 'the engine is starting'])
    expect(await statusOf('/health/live')).toEqual([200, 'live'])
    health.setState('serving', '')
    expect(await statusOf('/health/ready')).toEqual([200, 'serving'])
  })

  test('is 200 with the reasons while degraded', async () => {
    health.setState('degraded', 'broker 2 died')
    expect(await statusOf('/health')).toEqual([200, 'degraded', 'broker 2 died'])
    health.setState('serving', '')
    beats = [{ name: 'broker-1-3', silentMs: 4_000 }]
    expect(await statusOf('/health')).toEqual([
      200,
      'degraded',
      'thread broker-1-3 has not turned for 4000 ms',
    ])
    expect(await statusOf('/health/live')).toEqual([200, 'live'])
  })

  test('is degraded while partitions have no leader, whatever else it says', async () => {
    health.setState('serving', '')
    offline = 1
    expect(await statusOf('/health')).toEqual([200, 'degraded', '1 partition has no leader'])
    health.setState('degraded', 'broker 2 hangs')
    offline = 40
    const reasons = ['broker 2 hangs', '40 partitions have no leader']
    expect(await statusOf('/health/ready')).toEqual([200, 'degraded', ...reasons])
    health.setState('stopping', 'the engine is stopping')
    expect(await statusOf('/health')).toEqual([503, 'stopping', 'the engine is stopping'])
  })

  test('is not live when a duty cycle stands still', async () => {
    health.setState('serving', '')
    beats = [{ name: 'broker-1-3', silentMs: 16_000 }]
    expect(await statusOf('/health/live')).toEqual([
      503,
      'hung',
      'thread broker-1-3 has not turned for 16000 ms',
    ])
  })

  test('is 503 with the reason while stopping and when failed', async () => {
    health.setState('stopping', 'the engine is stopping')
    expect(await statusOf('/health/ready')).toEqual([503, 'stopping', 'the engine is stopping'])
    health.setState('failed', 'front-0 died')
    expect(await statusOf('/health')).toEqual([503, 'failed', 'front-0 died'])
  })

  test('tells version, brokers and uptime', async () => {
    health.setState('serving', '')
    expect(await (await ask('/health')).json()).toEqual({
      status: 'serving',
      reasons: [],
      version: '1.2.3',
      pid: 7,
      brokers: 3,
      uptimeMs: 4_000,
    })
  })
})

describe('metrics', () => {
  test('show the sources as they stand at each scrape', async () => {
    const first = await ask('/metrics')
    expect(first.headers.get('content-type')).toMatch(/^text\/plain.*version=0\.0\.4/)
    expect(await first.text()).toContain(
      'kafka_server_brokertopicmetrics_bytesin_total{broker="1"} 3\n',
    )
    // for a moment the text serves everybody: a scrape costs what health would wait for
    expect(await (await ask('/metrics')).text()).toContain('bytesin_total{broker="1"} 3')
    nowMs += 100
    const second = await (await ask('/metrics')).text()
    expect(second).toContain('kafka_server_brokertopicmetrics_bytesin_total{broker="1"} 4\n')
    expect(second).toContain('# TYPE griot_brokers gauge\ngriot_brokers 3\n')
    const name = 'griot_request_duration_seconds'
    expect(second).toContain(
      [
        `# TYPE ${name} histogram`,
        `${name}_bucket{request="Fetch",le="0.001"} 4`,
        `${name}_bucket{request="Fetch",le="1"} 4`,
        `${name}_bucket{request="Fetch",le="+Inf"} 6`,
        `${name}_sum{request="Fetch"} 9`,
        `${name}_count{request="Fetch"} 6`,
      ].join('\n'),
    )
  })
})

describe('the operator token', () => {
  const token = 'kW8vT2-secret_of.the~operator+/=='
  const scrape = (authorization?: string, path = '/metrics') =>
    fetch(`http://127.0.0.1:${open.port}${path}`, {
      headers: authorization === undefined ? {} : { authorization },
    })

  test('is wanted where the listener is bound beyond loopback, whoever asks', async () => {
    guard.setToken(token)
    expect([server.onLoopback, open.onLoopback]).toEqual([true, false])
    expect((await ask('/metrics')).status).toBe(200)
    const refused = await scrape()
    expect([refused.status, refused.headers.get('www-authenticate')]).toEqual([
      401,
      'Bearer realm="griot"',
    ])
    expect(await refused.json()).toMatchObject({
      title: 'Unauthorized',
      detail: expect.stringMatching(
        /^\/metrics wants the operator token at this address: send 'Authorization: Bearer TOKEN'.*file operator-token of the engine's data directory/,
      ),
    })
    for (const scheme of ['Bearer ', 'bearer  ']) {
      const allowed = await scrape(`${scheme}${token}`)
      expect([allowed.status, await allowed.text()]).toEqual([
        200,
        expect.stringContaining('griot_brokers 3'),
      ])
    }
    expect((await scrape(undefined, '/health/live')).status).toBe(200)
    expect((await ask('/secret')).status).toBe(401)
    expect((await scrape(`Bearer ${token}`, '/secret')).status).toBe(200)
  })

  test('is proved to have by who asks for it, to who is on this machine and brings a challenge', async () => {
    guard.setToken(token)
    const challenge = 'ab'.repeat(32)
    const proofFor = async (asked: string | null, path = '/metrics') => {
      const headers: Record<string, string> = asked === null ? {} : { 'griot-challenge': asked }
      const response = await fetch(`http://127.0.0.1:${open.port}${path}`, { headers })
      return response.headers.get('griot-proof')
    }
    const text = proofText(challenge, '127.0.0.1', open.port)
    expect(await proofFor(challenge)).toBe(createHmac('sha256', token).update(text).digest('hex'))
    expect(await proofFor('cd'.repeat(32))).not.toBe(await proofFor(challenge))
    for (const bad of [null, '', 'ab', 'zz'.repeat(32), 'ab'.repeat(33)]) {
      expect(await proofFor(bad)).toBeNull()
    }
    expect(await proofFor(challenge, '/health/live')).toBeNull()
    // who is elsewhere could try tokens against it at leisure
    const handler = guard.always(() => ({ status: 200, headers: {}, body: '' }))
    const header = (name: string) => (name === 'griot-challenge' ? challenge : null)
    const asked = async (peerHost: string) => {
      const local = { host: '10.0.0.1', port: 1 }
      const rest = { method: 'GET', path: '/', query: new URLSearchParams(), onLoopback: false }
      return await handler({ ...rest, body: new Uint8Array(), header, local, peerHost })
    }
    expect((await asked('10.0.0.1')).headers['griot-proof']).toMatch(/^[0-9a-f]{64}$/)
    expect((await asked('10.0.0.2')).headers['griot-proof']).toBeUndefined()
  })

  test('lets in nobody with another, says so, and logs neither', async () => {
    guard.setToken(token)
    const wrong = ['', 'x', token.slice(0, -1), `${token}x`, token.toLowerCase()]
    for (const guess of wrong) expect((await scrape(`Bearer ${guess}`)).status).toBe(401)
    expect((await scrape(`Basic ${token}`)).status).toBe(401)
    expect((await scrape(token)).status).toBe(401)
    const refused = await scrape('Bearer nearly')
    expect(refused.headers.get('www-authenticate')).toBe(
      'Bearer realm="griot", error="invalid_token"',
    )
    const said = await refused.text()
    expect(said).toContain('that is not the operator token of this engine')
    expect(said).not.toContain('nearly')
    expect(JSON.stringify(logged)).toBe('[]')
  })

  test('lets in nobody before it is there, and only the new one once it is changed', async () => {
    const early = await scrape('Bearer null')
    expect([early.status, early.headers.get('retry-after')]).toEqual([503, '1'])
    guard.setToken('0123456789abcdef')
    expect((await scrape('Bearer 0123456789abcdef')).status).toBe(200)
    guard.setToken(token)
    expect((await scrape('Bearer 0123456789abcdef')).status).toBe(401)
    expect((await scrape(`Bearer ${token}`)).status).toBe(200)
  })
})

describe('the HTTP server', () => {
  test('answers what it does not know with problems', async () => {
    const missing = await ask('/nothing')
    expect([missing.status, missing.headers.get('content-type')]).toEqual([
      404,
      'application/problem+json',
    ])
    expect(await missing.json()).toMatchObject({ title: 'Not Found', status: 404 })
    const wrong = await ask('/health', { method: 'DELETE' })
    expect([wrong.status, wrong.headers.get('allow')]).toEqual([405, 'GET, HEAD'])
    expect((await ask('/%zz')).status).toBe(400)
  })

  test('answers HEAD without a body', async () => {
    health.setState('serving', '')
    const response = await ask('/health/live', { method: 'HEAD' })
    expect([response.status, await response.text()]).toEqual([200, ''])
  })

  test('takes a body up to its bound', async () => {
    const body = 'x'.repeat(1_000)
    expect(await (await ask('/echo', { method: 'POST', body })).text()).toBe(body)
    expect((await ask('/echo', { method: 'POST', body: `${body}x` })).status).toBe(413)
  })

  test('keeps a failing handler to itself', async () => {
    const response = await ask('/boom')
    expect([response.status, await response.text()]).toEqual([
      500,
      expect.not.stringContaining('bug'),
    ])
    expect(logged[0]?.[0]).toBe('HTTP handler failed')
  })

  test('refuses headers beyond its bound, and cuts off who is slow with them', async () => {
    expect((await ask('/health', { headers: { a: 'x'.repeat(20_000) } })).status).toBe(431)
    const socket = connect(server.port, '127.0.0.1')
    const answered = new Promise<string>((resolve) => {
      let text = ''
      socket.on('data', (chunk) => {
        text += chunk
      })
      socket.on('close', () => resolve(text))
    })
    socket.write('GET /health HTTP/1.1\r\nHost: x\r\n')
    expect(await answered).toContain('408')
  })

  test('closes at once, whoever is connected', async () => {
    const socket = connect(server.port, '127.0.0.1')
    const closed = new Promise((resolve) => socket.on('close', resolve))
    await new Promise((resolve) => socket.on('connect', resolve))
    await server.close()
    await closed
  })
})
