/** TLS listeners of a whole engine: real sockets, kafkajs. */
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect as connectTcp, isIP } from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls'
import { type Admin, Kafka, type KafkaConfig, logLevel, type SASLOptions } from 'kafkajs'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
// the compiled engine: its workers do not run from sources
import { Griot, type GriotOptions } from '../../dist/index.js'
import { Authority, hasOpenssl, LOCAL_NAMES, type Signed, textOf } from './certificates.ts'

const engines: Griot[] = []
let directory: string
let ca: Authority
let server: Signed

beforeAll(() => {
  if (!hasOpenssl) return
  directory = mkdtempSync(path.join(os.tmpdir(), 'griot-tls-'))
  ca = new Authority(directory)
  server = ca.sign('server', { names: [...LOCAL_NAMES, 'DNS:*.kafka.test'] })
})
afterAll(() => rmSync(directory, { recursive: true, force: true }))
afterEach(async () => {
  await Promise.all(engines.splice(0).map((griot) => griot.close()))
})

async function start(options: GriotOptions = {}): Promise<Griot> {
  const griot = await Griot.start({
    ...{ logLevel: 'silent', kafkaListen: '127.0.0.1:0,tls' },
    ...{ tlsCert: server.cert, tlsKey: server.key, ...options },
  })
  engines.push(griot)
  return griot
}

interface Client {
  readonly identity?: Signed
  readonly sasl?: SASLOptions
}

const trusting = ({ identity }: Client): ConnectionOptions => ({
  ca: textOf(ca.file),
  ...(identity === undefined ? {} : { cert: textOf(identity.cert), key: textOf(identity.key) }),
})

/** All names lead to this machine. */
function open(broker: string, client: Client = {}): Kafka {
  const config: KafkaConfig = {
    ...{ brokers: [broker], logLevel: logLevel.NOTHING, retry: { retries: 0 } },
    ssl: trusting(client),
    socketFactory: ({ host, port, ssl, onConnect }) =>
      connect(
        { ...ssl, host: '127.0.0.1', port, ...(isIP(host) === 0 ? { servername: host } : {}) },
        onConnect,
      ),
    ...(client.sasl === undefined ? {} : { sasl: client.sasl }),
  }
  return new Kafka(config)
}

async function asAdmin<Result>(kafka: Kafka, ask: (admin: Admin) => Promise<Result>) {
  const admin = kafka.admin()
  try {
    await admin.connect()
    return await ask(admin)
  } catch (error) {
    return (error as Error).message
  } finally {
    await admin.disconnect()
  }
}

/** What a client that asks for the topics has met: them, or the error of its last try. */
const meets = (broker: string, client: Client = {}) =>
  asAdmin(open(broker, client), (admin) => admin.listTopics())
const make = (broker: string, topic: string, client: Client = {}) =>
  asAdmin(open(broker, client), (admin) => admin.createTopics({ topics: [{ topic }] }))

const nodesAt = (broker: string) =>
  asAdmin(open(broker), async (admin) => {
    const { brokers } = await admin.describeCluster()
    return brokers.map(({ host, port }) => `${host}:${port}`)
  })

const portOf = (broker: string): number => Number(broker.split(':').at(-1))
const OUT = expect.stringMatching(/disconnected|Closed connection|ECONNRESET|socket hang up/)

/** Connected by TLS; rejects with what stopped it. */
const handshake = (broker: string, options: ConnectionOptions = {}): Promise<TLSSocket> =>
  new Promise((resolve, reject) => {
    const socket = connect({ port: portOf(broker), host: '127.0.0.1', ...trusting({}), ...options })
    socket.once('secureConnect', () => resolve(socket))
    socket.once('error', reject)
  })

const serialOf = async (broker: string): Promise<string> => {
  const socket = await handshake(broker)
  const { serialNumber } = socket.getPeerCertificate()
  socket.destroy()
  return serialNumber
}

/** As the admin API tells them. */
async function listenersOf({ url, dataDir }: Griot) {
  const token = readFileSync(path.join(dataDir, 'operator-token'), 'utf8').trim()
  const asked = await fetch(`${url}/admin/v1/tenants/default/listeners`, {
    headers: { authorization: `Bearer ${token}` },
  })
  type Listener = { readonly brokers: readonly string[]; readonly clientCertificate: string }
  return ((await asked.json()) as { readonly listeners: readonly Listener[] }).listeners
}

async function saslOf(griot: Griot, name: string): Promise<SASLOptions> {
  const { key, secret } = await (await griot.tenant(name)).createKey()
  return { mechanism: 'plain', username: key, password: secret }
}

describe.skipIf(!hasOpenssl)('a TLS listener', () => {
  test('carries records of every size both ways, beside one without TLS', async () => {
    const griot = await start({ kafkaListen: '127.0.0.1:0,tls,127.0.0.1:0', brokers: 2 })
    const kafka = open(griot.brokers[0]!)
    const values = Array.from({ length: 60 }, (_, i) => `${i} ${'x'.repeat(2 ** (i % 20))}`)
    expect(await make(griot.brokers[0]!, 'orders')).toBe(true)
    const producer = kafka.producer()
    await producer.connect()
    for (const value of values) {
      await producer.send({ topic: 'orders', messages: [{ key: 'k', value }] })
    }
    await producer.disconnect()
    const consumer = kafka.consumer({ groupId: 'readers' })
    await consumer.connect()
    await consumer.subscribe({ topic: 'orders', fromBeginning: true })
    const read: string[] = []
    await new Promise<void>((resolve) => {
      void consumer.run({
        eachMessage: async ({ message }) => {
          read.push(message.value!.toString())
          if (read.length === values.length) resolve()
        },
      })
    })
    await consumer.disconnect()
    expect(read).toEqual(values)
    expect(await nodesAt(griot.brokers[0]!)).toEqual(griot.brokers)
  })

  test('takes logins beyond loopback, and no others', async () => {
    const griot = await start({ kafkaListen: '0.0.0.0:0,tls' })
    await griot.createTenant({ name: 'acme' })
    const sasl = await saslOf(griot, 'acme')
    expect(await meets(griot.brokers[0]!)).toEqual(OUT)
    expect(await meets(griot.brokers[0]!, { sasl })).toEqual([])
  })

  test('speaks no version of TLS before 1.2', async () => {
    const griot = await start()
    const versions = async (version: 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3') => {
      const options = { minVersion: version, maxVersion: version, ciphers: 'DEFAULT@SECLEVEL=0' }
      const socket = await handshake(griot.brokers[0]!, options).catch((error) => error.code)
      if (typeof socket === 'string') return socket
      const protocol = socket.getProtocol()
      socket.destroy()
      return protocol
    }
    expect(await versions('TLSv1.1')).toBe('ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION')
    expect(await versions('TLSv1.2')).toBe('TLSv1.2')
    expect(await versions('TLSv1.3')).toBe('TLSv1.3')
  })

  test('is served while a thousand handshakes do not go on, and these end', async () => {
    const griot = await start()
    const broker = griot.brokers[0]!
    const sockets = Array.from({ length: 1_000 }, (_, index) => {
      const socket = connectTcp(portOf(broker), '127.0.0.1')
      socket.on('error', () => {})
      // half of them have begun to say something
      if (index % 2 === 0) socket.write(Buffer.from([0x16, 3, 1, 2, 0, 1]))
      return socket
    })
    const closed = sockets.map((socket) => new Promise((resolve) => socket.on('close', resolve)))
    await Promise.all(sockets.map((one) => new Promise((resolve) => one.once('connect', resolve))))
    const startedMs = performance.now()
    expect(await make(broker, 'orders')).toBe(true)
    expect(await meets(broker)).toEqual(['orders'])
    expect(performance.now() - startedMs).toBeLessThan(5_000)
    await Promise.all(closed)
    expect(performance.now() - startedMs).toBeLessThan(20_000)
  }, 40_000)
})

describe.skipIf(!hasOpenssl)('a certificate that is replaced', () => {
  test('is that of new connections, and those that are there stay', async () => {
    const at = (end: string) => path.join(directory, `replaced.${end}`)
    const put = ({ cert, key }: Signed) => {
      copyFileSync(cert, at('pem'))
      copyFileSync(key, at('key'))
    }
    const renewed = ca.sign('renewed', { names: LOCAL_NAMES })
    put(server)
    const griot = await start({ tlsCert: at('pem'), tlsKey: at('key') })
    const broker = griot.brokers[0]!
    const old = await serialOf(broker)
    const producer = open(broker).producer()
    await producer.connect()
    const send = () => producer.send({ topic: 'orders', messages: [{ value: 'x' }] })
    let left = 0
    producer.on('producer.disconnect', () => left++)
    await send()
    put(renewed)
    await expect.poll(() => serialOf(broker), { timeout: 15_000 }).not.toBe(old)
    await send()
    const kept = await serialOf(broker)
    // what cannot be used is not
    writeFileSync(at('key'), textOf(server.key))
    await new Promise((resolve) => setTimeout(resolve, 5_000))
    expect(await serialOf(broker)).toBe(kept)
    put(server)
    await expect.poll(() => serialOf(broker), { timeout: 15_000 }).toBe(old)
    await send()
    await producer.disconnect()
    expect(left).toBe(1)
  }, 60_000)
})

describe.skipIf(!hasOpenssl)('a certificate for a name', () => {
  test('is shown to who looks for it, and replaced as the others are', async () => {
    const file = path.join(directory, 'named.pem')
    const put = ({ cert, key }: Signed) => writeFileSync(file, textOf(cert) + textOf(key))
    const own = ca.sign('own', { names: ['DNS:acme.kafka.test', 'DNS:one.wild.test'] })
    put(own)
    const tlsSniCert = [`acme.kafka.test=${file}`, `*.wild.test=${file}`]
    const griot = await start({ tlsSniCert, tlsSniDomain: 'kafka.test' })
    const broker = griot.brokers[0]!
    const shownTo = async (servername: string) => {
      const socket = await handshake(broker, { servername })
      const { CN } = socket.getPeerCertificate().subject
      socket.destroy()
      return CN
    }
    expect(await shownTo('ACME.kafka.test')).toBe('own')
    expect(await shownTo('one.wild.test')).toBe('own')
    expect(await shownTo('emca.kafka.test')).toBe('server')
    expect(await shownTo('')).toBe('server')
    await griot.createTenant({ name: 'acme' })
    const at = `acme.kafka.test:${portOf(broker)}`
    expect(await make(at, 'orders')).toBe(true)
    put(ca.sign('next', { names: ['DNS:acme.kafka.test'] }))
    await expect.poll(() => shownTo('acme.kafka.test'), { timeout: 15_000 }).toBe('next')
    expect(await shownTo('emca.kafka.test')).toBe('server')
    expect(await meets(at)).toEqual(['orders'])
  }, 30_000)

  test('goes with certificates of clients', async () => {
    const file = path.join(directory, 'both.pem')
    const own = ca.sign('both', { names: ['DNS:acme.kafka.test'] })
    writeFileSync(file, textOf(own.cert) + textOf(own.key))
    const griot = await start({
      ...{ tlsSniCert: `acme.kafka.test=${file}`, tlsSniDomain: 'kafka.test' },
      ...{ tlsClientCa: ca.file, kafkaAnonymous: 'off' },
    })
    await griot.createTenant({ name: 'acme' })
    const at = `acme.kafka.test:${portOf(griot.brokers[0]!)}`
    const identity = ca.sign('admin', { subject: '/CN=admin' })
    expect(await meets(at)).toEqual(OUT)
    expect(await meets(at, { identity })).toEqual([])
    const stranger = new Authority(directory, 'fourth-ca').sign('fourth')
    expect(await meets(at, { identity: stranger })).toEqual(OUT)
  })
})

describe.skipIf(!hasOpenssl)('a certificate of a client', () => {
  const asked = () => ({ tlsClientCa: ca.file, kafkaAnonymous: 'off' as const })

  test('lets it in, and nobody without', async () => {
    const griot = await start(asked())
    const broker = griot.brokers[0]!
    const billing = ca.sign('billing')
    expect(await meets(broker, { identity: billing })).toEqual([])
    expect(await meets(broker)).toEqual(OUT)
    const other = new Authority(directory, 'other-ca').sign('stranger')
    expect(await meets(broker, { identity: other })).toEqual(OUT)
    // a server's certificate is none of a client
    expect(await meets(broker, { identity: server })).toEqual(OUT)
  })

  test('may be left out where it is only requested, but not be a wrong one', async () => {
    const griot = await start({ ...asked(), tlsClientAuth: 'requested' })
    const broker = griot.brokers[0]!
    await griot.createTenant({ name: 'acme' })
    const sasl = await saslOf(griot, 'acme')
    const identity = ca.sign('reporting')
    expect(await make(broker, 'of-default', { identity })).toBe(true)
    expect(await meets(broker)).toEqual(OUT)
    // a login says more than a certificate
    expect(await meets(broker, { sasl })).toEqual([])
    expect(await meets(broker, { sasl, identity })).toEqual([])
    const stranger = new Authority(directory, 'third-ca').sign('third')
    expect(await meets(broker, { sasl, identity: stranger })).toEqual(OUT)
  })

  test('is asked for by one listener, and not by another', async () => {
    const kafkaListen = ['none', 'requested', 'required'].map(
      (mode) => `127.0.0.1:0,tls,client-auth=${mode}`,
    )
    const griot = await start({ ...asked(), kafkaListen, httpListen: '127.0.0.1:0' })
    const identity = ca.sign('lone')
    const found = new Map<string, unknown[]>()
    for (const { brokers, clientCertificate } of await listenersOf(griot)) {
      const [broker] = brokers as [string]
      found.set(clientCertificate, [await meets(broker), await meets(broker, { identity })])
    }
    // who is not asked for one has to log in
    expect(Object.fromEntries(found)).toEqual({
      ...{ none: [OUT, OUT], requested: [OUT, []], required: [OUT, []] },
    })
  })

  test('that was called back is none, from when the list says so', async () => {
    const [billing, reporting] = [ca.sign('gone'), ca.sign('stays')]
    copyFileSync(ca.revoke(), path.join(directory, 'live.crl'))
    const griot = await start({ ...asked(), tlsCrl: path.join(directory, 'live.crl') })
    const broker = griot.brokers[0]!
    for (const identity of [billing, reporting])
      expect(await meets(broker, { identity })).toEqual([])
    copyFileSync(ca.revoke(billing), path.join(directory, 'live.crl'))
    await expect.poll(() => meets(broker, { identity: billing }), { timeout: 15_000 }).toEqual(OUT)
    expect(await meets(broker, { identity: reporting })).toEqual([])
  }, 30_000)

  test('of several authorities is looked for in the lists of all of them', async () => {
    const second = mkdtempSync(path.join(directory, 'second-'))
    const others = new Authority(second, 'others')
    const [mine, theirs, back] = [ca.sign('mine'), others.sign('theirs'), others.sign('back')]
    const both = (name: string, files: readonly string[]) => {
      writeFileSync(path.join(second, name), files.map(textOf).join(''))
      return path.join(second, name)
    }
    const griot = await start({
      ...asked(),
      tlsClientCa: both('both.pem', [ca.file, others.file]),
      tlsCrl: both('both.crl', [ca.revoke(), others.revoke(back)]),
    })
    const broker = griot.brokers[0]!
    for (const identity of [mine, theirs]) expect(await meets(broker, { identity })).toEqual([])
    expect(await meets(broker, { identity: back })).toEqual(OUT)
  }, 30_000)

  test('that no rule names is not enough', async () => {
    const rules = 'RULE:^CN=(.*),OU=Payments$/$1/L'
    const griot = await start({ ...asked(), tlsPrincipalMapping: rules })
    const named = ca.sign('named', { subject: '/OU=Payments/CN=Named' })
    const unnamed = ca.sign('unnamed', { subject: '/OU=Sales/CN=Unnamed' })
    expect(await meets(griot.brokers[0]!, { identity: named })).toEqual([])
    expect(await meets(griot.brokers[0]!, { identity: unnamed })).toEqual(OUT)
  })
})

describe.skipIf(!hasOpenssl)('the name that a client looks for', () => {
  test('chooses its tenant, whose clients are told the same name', async () => {
    const griot = await start({ tlsSniDomain: 'kafka.test', brokers: 2 })
    const broker = griot.brokers[0]!
    await griot.createTenant({ name: 'acme' })
    await griot.createTenant({ name: 'emca' })
    const at = (host: string) => griot.brokers.map((one) => `${host}:${portOf(one)}`)
    const [acme, emca] = [at('acme.kafka.test'), at('emca.kafka.test')]
    expect(await make(broker, 'of-default')).toBe(true)
    expect(await make(acme[0]!, 'of-acme')).toBe(true)
    expect(await make(emca[1]!, 'of-emca')).toBe(true)
    expect(await meets(broker)).toEqual(['of-default'])
    expect(await meets(acme[1]!)).toEqual(['of-acme'])
    expect(await meets(at('ACME.Kafka.test')[0]!)).toEqual(['of-acme'])
    expect(await meets(emca[0]!)).toEqual(['of-emca'])
    expect(await nodesAt(acme[0]!)).toEqual(acme)
    expect(await nodesAt(broker)).toEqual(griot.brokers)
    expect(await meets(at('localhost')[0]!)).toEqual(['of-default'])
    expect(await meets(at('nobody.kafka.test')[0]!)).toEqual(OUT)
    // a login of another tenant is none here
    expect(await meets(acme[0]!, { sasl: await saslOf(griot, 'acme') })).toEqual(['of-acme'])
    expect(await meets(acme[0]!, { sasl: await saslOf(griot, 'emca') })).toMatch(
      /Invalid username or password/,
    )
  })

  test('says nothing where anonymous access is off, nor without a domain', async () => {
    const griot = await start({ tlsSniDomain: 'kafka.test', kafkaAnonymous: 'off' })
    const plain = await start()
    await griot.createTenant({ name: 'acme' })
    await plain.createTenant({ name: 'acme' })
    const at = (one: Griot) => `acme.kafka.test:${portOf(one.brokers[0]!)}`
    expect(await meets(at(griot))).toEqual(OUT)
    expect(await meets(at(griot), { sasl: await saslOf(griot, 'acme') })).toEqual([])
    expect(await make(at(plain), 'of-default')).toBe(true)
    expect(await meets(plain.brokers[0]!)).toEqual(['of-default'])
  })
})

describe.skipIf(!hasOpenssl)('the port of a tenant', () => {
  test('refuses until there is that tenant, and is its own then', async () => {
    const kafkaListen = '127.0.0.1:0,tls,tenant=acme,127.0.0.1:0'
    const griot = await start({ kafkaListen, tlsSniDomain: 'kafka.test' })
    const own = griot.brokers[0]!
    const port = portOf(own)
    expect(await meets(own)).toEqual(OUT)
    await griot.createTenant({ name: 'acme' })
    await griot.createTenant({ name: 'emca' })
    expect(await make(own, 'of-acme')).toBe(true)
    expect(await meets(`acme.kafka.test:${port}`)).toEqual(['of-acme'])
    expect(await meets(`emca.kafka.test:${port}`)).toEqual(OUT)
    expect(await meets(own, { sasl: await saslOf(griot, 'emca') })).toMatch(
      /Invalid username or password/,
    )
    await (await griot.tenant('acme')).delete()
    expect(await meets(own)).toEqual(OUT)
  })
})
