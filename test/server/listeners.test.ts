/** Listeners of a whole engine: what clients of each are told. */
import { connect, createServer } from 'node:net'
import { Kafka, logLevel } from 'kafkajs'
import { afterEach, describe, expect, test } from 'vitest'
// the compiled engine: its workers do not run from sources
import { Griot, type GriotOptions } from '../../dist/index.js'

const engines: Griot[] = []
afterEach(async () => {
  await Promise.all(engines.splice(0).map((griot) => griot.close()))
})

async function start(options: GriotOptions): Promise<Griot> {
  const griot = await Griot.start({ logLevel: 'silent', ...options })
  engines.push(griot)
  return griot
}

/** Where each node is, as a client of `bootstrap` is told; whatever it is told, it goes on over `bootstrap`. */
async function nodesAt(bootstrap: string): Promise<string[]> {
  const [, host, port] = /^\[?(.*?)\]?:(\d+)$/.exec(bootstrap)!
  const kafka = new Kafka({
    brokers: ['engine.invalid:1'],
    logLevel: logLevel.NOTHING,
    socketFactory: ({ onConnect }) => connect({ host: host!, port: Number(port) }, onConnect),
  })
  const admin = kafka.admin()
  await admin.connect()
  const { brokers } = await admin.describeCluster()
  await admin.disconnect()
  return brokers.map((node) => `${node.nodeId} ${node.host} ${node.port}`)
}

/** `count` consecutive ports that are free on every address now. */
async function freePorts(count: number): Promise<number> {
  for (;;) {
    const first = 12_000 + Math.floor(Math.random() * 18_000)
    const servers = Array.from({ length: count }, () => createServer())
    const opened = await Promise.all(
      servers.map(
        (server, i) =>
          new Promise<boolean>((resolve) => {
            server.once('error', () => resolve(false))
            server.listen(first + i, '0.0.0.0', () => resolve(true))
          }),
      ),
    )
    await Promise.all(servers.map((server) => new Promise((done) => server.close(done))))
    if (!opened.includes(false)) return first
  }
}

const hasIpv6 = await new Promise<boolean>((resolve) => {
  const server = createServer()
  server.once('error', () => resolve(false))
  server.listen(0, '::1', () => server.close(() => resolve(true)))
})

describe('an engine of several listeners', () => {
  test('names every node at the listener that a client used', async () => {
    const first = await freePorts(8)
    const griot = await start({
      brokers: 2,
      kafkaListen: [
        `127.0.0.1:${first}`,
        `127.0.0.2:${first}=kafka.example`,
        `127.0.0.1:${first + 2}=[fd00::7]:29092`,
        `0.0.0.0:${first + 4},anonymous=on`,
      ],
    })
    expect(griot.brokers).toEqual([`127.0.0.1:${first}`, `127.0.0.1:${first + 1}`])
    expect(await nodesAt(`127.0.0.1:${first + 1}`)).toEqual([
      `1 127.0.0.1 ${first}`,
      `2 127.0.0.1 ${first + 1}`,
    ])
    expect(await nodesAt(`127.0.0.2:${first}`)).toEqual([
      `1 kafka.example ${first}`,
      `2 kafka.example ${first + 1}`,
    ])
    expect(await nodesAt(`127.0.0.1:${first + 2}`)).toEqual(['1 fd00::7 29092', '2 fd00::7 29093'])
    // listening everywhere, each client is told the address that it came in on
    for (const host of ['127.0.0.1', '127.0.0.3']) {
      expect(await nodesAt(`${host}:${first + 4}`)).toEqual([
        `1 ${host} ${first + 4}`,
        `2 ${host} ${first + 5}`,
      ])
    }
  })

  test('takes free ports for each, and gives --kafka-advertise to the one that names none', async () => {
    const griot = await start({
      brokers: 2,
      kafkaListen: '127.0.0.1:0,127.0.0.1:0=inner.example:1000',
      kafkaAdvertise: 'outer.example:2000',
    })
    expect(new Set(griot.brokers).size).toBe(2)
    expect(await nodesAt(griot.brokers[1]!)).toEqual([
      '1 outer.example 2000',
      '2 outer.example 2001',
    ])
  })

  test('opens all or none, and names the port that is taken', async () => {
    const first = await freePorts(6)
    const taken = createServer()
    await new Promise<void>((resolve) => taken.listen(first + 4, '127.0.0.1', resolve))
    const options = { brokers: 3, kafkaListen: [`127.0.0.1:${first}`, `127.0.0.1:${first + 3}`] }
    await expect(start(options)).rejects.toThrow(
      `--kafka-listen: port ${first + 4} on 127.0.0.1 is taken by another program ` +
        `(127.0.0.1:${first + 3} takes ports ${first + 3} to ${first + 5}, one for each of 3 brokers)`,
    )
    taken.close()
    await start(options)
  })
})

test.skipIf(!hasIpv6)(
  'IPv6 clients are told IPv6 addresses, also where :: is listened on',
  async () => {
    const [one, all] = await Promise.all([
      start({ kafkaListen: '[::1]:0' }),
      start({ kafkaListen: '[::]:0', kafkaAnonymous: 'on' }),
    ])
    expect(one!.bootstrapServers).toMatch(/^\[::1\]:\d+$/)
    const [, port] = one!.bootstrapServers.split(']:')
    expect(await nodesAt(one!.bootstrapServers)).toEqual([`1 ::1 ${port}`])
    const [, anyPort] = all!.bootstrapServers.split(']:')
    expect(await nodesAt(all!.bootstrapServers)).toEqual([`1 ::1 ${anyPort}`])
    expect(await nodesAt(`127.0.0.1:${anyPort}`)).toEqual([`1 127.0.0.1 ${anyPort}`])
  },
)
