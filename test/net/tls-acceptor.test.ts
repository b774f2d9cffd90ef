/** What happens to sockets whose TLS does not come about, over real ones. */
import { mkdtempSync, rmSync } from 'node:fs'
import { connect as connectTcp, type Socket } from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { connect, type SecureContext, type TLSSocket } from 'node:tls'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import type { Logger } from '../../src/base/log.ts'
import { ConnectionCount } from '../../src/net/connection-counts.ts'
import { ConnectionSet, defaultLimits } from '../../src/net/connection-set.ts'
import { InFlightBudget } from '../../src/net/in-flight.ts'
import { KafkaListener } from '../../src/net/kafka-listener.ts'
import { type ClientAuth, EVERYBODY } from '../../src/net/listener-info.ts'
import { ReplyBudget } from '../../src/net/reply-budget.ts'
import { SniContexts } from '../../src/net/sni-contexts.ts'
import { TlsAcceptor } from '../../src/net/tls-acceptor.ts'
import { Authority, hasOpenssl, LOCAL_NAMES, type Signed, textOf } from '../server/certificates.ts'
import { echoSink } from './echo-sink.ts'

let directory: string
let ca: Authority
let server: Signed
beforeAll(() => {
  if (!hasOpenssl) return
  directory = mkdtempSync(path.join(os.tmpdir(), 'griot-acceptor-'))
  ca = new Authority(directory)
  server = ca.sign('server', { names: LOCAL_NAMES })
})
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const ends: (() => void)[] = []
afterEach(() => {
  for (const end of ends.splice(0)) end()
})

interface WorldOptions {
  readonly clientAuth?: ClientAuth
  readonly handshakeMs?: number
  readonly connectionsMax?: number
  /** Until each answer. */
  readonly answerMs?: number
}

const loggerTo = (lines: string[]): Logger => ({
  log: (_level, message, fields) => void lines.push(`${message}: ${fields?.reason}`),
})

/** A listener whose connections answer each frame with itself. */
async function open(options: WorldOptions = {}) {
  const { clientAuth = 'none', handshakeMs, connectionsMax, answerMs = 0 } = options
  const lines: string[] = []
  const principals: (string | null)[] = []
  const set: ConnectionSet = new ConnectionSet({
    sink: echoSink(() => set.resumeYielded(), {
      onOpen: ({ listener }) => void principals.push(listener.principal),
      answerIn(answer) {
        if (answerMs === 0) answer()
        else {
          setTimeout(() => {
            answer()
            set.flush()
          }, answerMs)
        }
      },
    }),
    clock: systemClock,
    logger: loggerTo(lines),
    budget: new InFlightBudget(64 * 2 ** 20),
    replies: new ReplyBudget(64 * 2 ** 20),
    limits: { ...defaultLimits, ...(connectionsMax === undefined ? {} : { connectionsMax }) },
  })
  const tls = await TlsAcceptor.create({
    ...{ set, clientAuth, principalOf: (der) => `User:${der.length > 100}` },
    ...(handshakeMs === undefined ? {} : { handshakeMs }),
    material: {
      ...{
        cert: textOf(server.cert),
        key: textOf(server.key),
        passphrase: null,
        crl: null,
        named: [],
      },
      clientCa: clientAuth === 'none' ? null : textOf(ca.file),
    },
  })
  const listener = await KafkaListener.listen(
    {
      ...{ ...EVERYBODY, optionName: '--kafka-listen', host: '127.0.0.1', port: 0, nodes: 1 },
      ...{ advertisedHost: null, advertisedPort: null, tls },
    },
    set,
  )
  const port = listener.ports[0]!
  ends.push(() => {
    listener.stopAccepting()
    tls.close()
    set.closeAll()
  })
  const tcp = (bytes: readonly number[] | string = []): Socket => {
    const socket = connectTcp(port, '127.0.0.1')
    socket.on('error', () => {})
    if (bytes.length > 0) socket.write(Buffer.from(bytes as number[]))
    ends.push(() => socket.destroy())
    return socket
  }
  const secure = (identity?: Signed): TLSSocket => {
    const own = identity && { cert: textOf(identity.cert), key: textOf(identity.key) }
    const socket = connect({ port, host: '127.0.0.1', ca: textOf(ca.file), ...own })
    socket.on('error', () => {})
    ends.push(() => socket.destroy())
    return socket
  }
  return { set, lines, principals, tcp, secure, count: (at: number) => set.counts[at]! }
}

const closed = (socket: Socket) => new Promise<void>((resolve) => socket.once('close', resolve))

function frame(bytes: number): Buffer {
  const whole = Buffer.alloc(4 + bytes, 7)
  whole.writeInt32BE(bytes)
  return whole
}

/** What comes back for `sent`; null: the connection closed before it was all. */
const echo = (socket: Socket, sent: Buffer) =>
  new Promise<Buffer | null>((resolve) => {
    let got = Buffer.alloc(0)
    socket.on('data', (bytes) => {
      got = Buffer.concat([got, bytes])
      if (got.length >= sent.length) resolve(got)
    })
    socket.once('close', () => resolve(null))
    socket.write(sent)
  })

describe.skipIf(!hasOpenssl)('a socket', () => {
  test('that shakes hands is a connection, whatever the size of its frames', async () => {
    const { secure, set, lines, count } = await open()
    for (const bytes of [8, 100_000, 3_000_000]) {
      const socket = secure()
      expect((await echo(socket, frame(bytes)))?.equals(frame(bytes))).toBe(true)
      socket.destroy()
    }
    await expect.poll(() => set.size).toBe(0)
    expect([set.handshaking, lines]).toEqual([0, []])
    expect(count(ConnectionCount.HANDSHAKES)).toBe(3)
    expect(count(ConnectionCount.HANDSHAKES_FAILED)).toBe(0)
  })

  test('whose client sends no more is answered first', async () => {
    const { secure } = await open({ answerMs: 100 })
    const socket = secure()
    const answered = echo(socket, frame(500_000))
    socket.end()
    expect((await answered)?.length).toBe(500_004)
    await closed(socket)
  })

  test.each([
    [
      'Kafka without TLS',
      [0, 0, 0, 21, 0, 18, 0, 3, 0, 0, 0, 0],
      'what came in is not TLS: the client must speak it (security.protocol SSL or SASL_SSL)',
    ],
    [
      'HTTP',
      'GET / HTTP/1.1\r\n\r\n',
      'what came in is HTTP without TLS: this is a Kafka listener',
    ],
  ])('that brings %s is closed with a line that says so', async (_, bytes, reason) => {
    const { tcp, set, lines, count } = await open()
    await closed(tcp(bytes))
    expect(lines).toEqual([`TLS handshake failed: ${reason}`])
    expect([set.size, set.handshaking, count(ConnectionCount.HANDSHAKES_FAILED)]).toEqual([0, 0, 1])
  })

  test('that goes away is told of if it had said something', async () => {
    const { tcp, set, lines } = await open()
    tcp().end()
    const socket = tcp([0x16, 3, 1])
    await expect.poll(() => set.handshaking).toBe(1)
    socket.end()
    await expect
      .poll(() => [set.handshaking, lines])
      .toEqual([
        0,
        [
          'TLS handshake failed: the client went away in the middle: it may not trust the certificate',
        ],
      ])
  })

  test('that dawdles is closed, though it goes on sending', async () => {
    const { tcp, lines, set } = await open({ handshakeMs: 400 })
    const [silent, slow] = [tcp(), tcp([0x16, 3, 1, 2, 0, 1])]
    const sending = setInterval(() => slow.write(Buffer.from([0])), 50)
    const startedMs = performance.now()
    await Promise.all([closed(silent), closed(slow)])
    clearInterval(sending)
    expect(performance.now() - startedMs).toBeGreaterThan(350)
    expect(lines).toEqual(Array(2).fill('TLS handshake failed: it took too long'))
    expect(set.handshaking).toBe(0)
  })

  test('that has not shaken hands yet counts as a connection, up to a quarter of them', async () => {
    const { tcp, secure, set, lines, count } = await open({ connectionsMax: 40 })
    const users = Array.from({ length: 25 }, () => secure())
    await Promise.all(users.map((socket) => echo(socket, frame(10))))
    const flood = Array.from({ length: 30 }, () => tcp([0x16, 3, 1]))
    await expect.poll(() => count(ConnectionCount.HANDSHAKES_FAILED)).toBe(20)
    expect([set.size, set.handshaking]).toEqual([25, 10])
    expect(lines[0]).toBe(
      'TLS handshake failed: it took longer than the 10 others that may be under way',
    )
    // one more takes the place of the oldest, and comes in
    expect(await echo(secure(), frame(10))).not.toBeNull()
    const more = Array.from({ length: 4 }, () => secure())
    await Promise.all(more.map((socket) => echo(socket, frame(10))))
    expect(set.size).toBe(30)
    expect(set.handshaking).toBeLessThan(10)
    // together they are all that there may be
    flood.push(...Array.from({ length: 10 }, () => tcp([0x16, 3, 1])))
    await expect.poll(() => set.handshaking).toBe(10)
    const begun = count(ConnectionCount.HANDSHAKES)
    await closed(tcp([0x16, 3, 1]))
    expect(count(ConnectionCount.HANDSHAKES)).toBe(begun)
    expect([set.size, set.handshaking]).toEqual([30, 10])
    for (const socket of flood) socket.destroy()
    await expect.poll(() => set.handshaking).toBe(0)
    expect(await Promise.all(users.map((socket) => echo(socket, frame(20))))).not.toContain(null)
  })
})

describe.skipIf(!hasOpenssl)('a certificate of a client', () => {
  test('is asked for, looked at and told', async () => {
    const client = ca.sign('client')
    const foreign = new Authority(directory, 'foreign').sign('foreigner')
    const expired = ca.sign('expired', { days: -1 })
    const wanted = await open({ clientAuth: 'required' })
    expect(await echo(wanted.secure(client), frame(9))).not.toBeNull()
    for (const identity of [undefined, foreign, expired, server]) {
      expect(await echo(wanted.secure(identity), frame(9))).toBeNull()
    }
    expect(wanted.principals).toEqual(['User:true'])
    expect(wanted.lines).toEqual([
      'TLS handshake failed: the client has shown no certificate, and --tls-client-auth is required',
      "TLS handshake failed: the client's certificate is not trusted by --tls-client-ca: UNABLE_TO_VERIFY_LEAF_SIGNATURE",
      "TLS handshake failed: the client's certificate is not trusted by --tls-client-ca: CERT_HAS_EXPIRED",
      "TLS handshake failed: the client's certificate is not trusted by --tls-client-ca: INVALID_PURPOSE",
    ])
    expect(wanted.set.handshaking).toBe(0)
    const asked = await open({ clientAuth: 'requested' })
    for (const identity of [client, undefined]) {
      expect(await echo(asked.secure(identity), frame(9))).not.toBeNull()
    }
    expect(await echo(asked.secure(foreign), frame(9))).toBeNull()
    expect(asked.principals).toEqual(['User:true', null])
    const none = await open()
    expect(await echo(none.secure(foreign), frame(9))).not.toBeNull()
    expect(none.principals).toEqual([null])
  })
})

test('a name has its own certificate, else that of its domain, one label deep', () => {
  const contexts = new SniContexts((options) => options?.cert as unknown as SecureContext)
  const named = [
    { name: 'acme.test', cert: 'acme', key: '' },
    { name: '*.test', cert: 'any', key: '' },
  ]
  contexts.set({ cert: 'all', key: '', passphrase: null, clientCa: null, crl: null, named })
  const names = ['ACME.test', 'other.test', 'a.other.test', 'test', '']
  expect(names.map((name) => contexts.of(name))).toEqual(['acme', 'any', ...Array(3)])
})
