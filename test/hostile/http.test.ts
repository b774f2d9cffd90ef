import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { reportOf, sleep, Target } from './target.ts'

describe.skipIf(process.platform !== 'linux')('hostile HTTP clients', () => {
  let target: Target
  const sockets: Socket[] = []

  beforeAll(async () => {
    target = await Target.start()
  })

  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.destroy()
    expect(target.bugs).toEqual([])
  })

  afterAll(() => target?.stop())

  async function open(): Promise<Socket> {
    const socket = connect({ host: target.host, port: target.httpPort })
    sockets.push(socket)
    socket.on('error', () => {}).on('data', () => {})
    await once(socket, 'connect')
    return socket
  }

  const many = (count: number) => Promise.all(Array.from({ length: count }, open))

  async function statusOf(text: string): Promise<string> {
    const socket = await open()
    let answer = ''
    socket.on('data', (chunk) => (answer += chunk))
    socket.write(text)
    await Promise.race([once(socket, 'close'), sleep(1_000)])
    return answer.split('\r\n')[0]!
  }

  it('unknown methods, targets, bodies and headers get the status that is theirs', async () => {
    const get = (line: string, more = '') =>
      statusOf(`${line} HTTP/1.1\r\nHost: localhost\r\n${more}\r\n`)
    expect(await get('DELETE /health')).toContain('405')
    expect(await get('BREW /health')).toContain('400')
    expect(await get('GET /nothing')).toContain('404')
    expect(await get('GET /%zz')).toContain('400')
    expect(await get('GET /health', `X-Huge: ${'x'.repeat(17_000)}\r\n`)).toContain('431')
    expect(await get(`GET /${'x'.repeat(17_000)}`)).toContain('431')
    expect(await get('POST /health', 'Content-Length: 99999999999\r\n')).toContain('413')
    expect(await get('POST /health', 'Content-Length: -1\r\n')).toContain('400')
    expect(
      await get('POST /health', 'Transfer-Encoding: chunked\r\nContent-Length: 4\r\n'),
    ).toContain('400')
  })

  it('thousands of connections that say nothing, little, or more than they read, keep health from nobody', async () => {
    const before = await target.settledRssMb()
    const probe = target.probe()
    const idle = await many(1_100)
    const slow = await many(200)
    for (const socket of slow) socket.write('GET /health HTTP/1.1\r\nHost: localhost\r\nX-Slow: ')
    const bodies = await many(200)
    for (const socket of bodies) {
      socket.write('POST /health HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\nx')
    }
    const scrapers = await many(20)
    for (const socket of scrapers) {
      socket.pause()
      socket.write('GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(500))
    }
    for (let i = 0; i < 20; i++) {
      for (const socket of slow) if (!socket.destroyed) socket.write('x')
      await sleep(100)
    }
    const seen = await probe.end()
    for (const socket of [...idle, ...slow, ...bodies, ...scrapers]) socket.destroy()
    const gauges = await target.whenQuiet(0)
    const after = await target.settledRssMb()
    console.log(
      `1,520 HTTP connections: RSS ${before.toFixed(0)} → ${after.toFixed(0)} MB, descriptors ${gauges.files}; ${reportOf(seen)}`,
    )
    expect(seen.faults).toEqual([])
    expect(seen.healthMax).toBeLessThan(10_000)
    expect(gauges.files).toBeLessThan(200)
    expect(after - before).toBeLessThan(150)
  }, 55_000)
})
