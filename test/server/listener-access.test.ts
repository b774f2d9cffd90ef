/** Who gets in at listeners of a whole engine: over real sockets, with kafkajs. */
import { Kafka, logLevel, type SASLOptions } from 'kafkajs'
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

/** What a client that asks for the topics has met: `in`, or the error of its last try. */
async function meets(broker: string, sasl?: SASLOptions): Promise<string> {
  const kafka = new Kafka({
    ...{ brokers: [broker], logLevel: logLevel.NOTHING, retry: { retries: 0 } },
    ...(sasl === undefined ? {} : { sasl }),
  })
  const admin = kafka.admin()
  try {
    await admin.connect()
    await admin.listTopics()
    return 'in'
  } catch (error) {
    return (error as Error).message
  } finally {
    await admin.disconnect()
  }
}

const GONE = /Closed connection|ECONNRESET|socket hang up/
const REFUSED = /does not support the requested SASL mechanism/

async function logins(griot: Griot) {
  const tenant = await griot.createTenant()
  const { key, secret } = await tenant.createKey()
  const as = (mechanism: string) =>
    ({ mechanism, username: key, password: secret }) as unknown as SASLOptions
  return { plain: as('plain'), scram: as('scram-sha-256') }
}

describe('a listener', () => {
  test('on loopback takes both kinds of client', async () => {
    const griot = await start({})
    const { plain, scram } = await logins(griot)
    expect(await meets(griot.brokers[0]!)).toBe('in')
    expect(await meets(griot.brokers[0]!, plain)).toBe('in')
    expect(await meets(griot.brokers[0]!, scram)).toBe('in')
  })

  test('on loopback takes only those that log in where anonymous access is off', async () => {
    const griot = await start({ kafkaAnonymous: 'off' })
    const { plain } = await logins(griot)
    expect(await meets(griot.brokers[0]!)).toMatch(GONE)
    expect(await meets(griot.brokers[0]!, plain)).toBe('in')
    // so do the addresses of tenants
    const { brokers } = await griot.createTenant()
    expect(await meets(brokers[0]!)).toMatch(GONE)
  })

  test('on every address takes nobody unless it is told to, from loopback neither', async () => {
    const griot = await start({ kafkaListen: ['0.0.0.0:0', '127.0.0.1:0'] })
    const { plain, scram } = await logins(griot)
    expect(await meets(griot.brokers[0]!)).toMatch(GONE)
    expect(await meets(griot.brokers[0]!, plain)).toMatch(REFUSED)
    expect(await meets(griot.brokers[0]!, scram)).toMatch(REFUSED)
  })

  test('on every address takes who does not log in with anonymous access', async () => {
    const griot = await start({ kafkaListen: '0.0.0.0:0', kafkaAnonymous: true })
    const { plain } = await logins(griot)
    expect(await meets(griot.brokers[0]!)).toBe('in')
    expect(await meets(griot.brokers[0]!, plain)).toMatch(REFUSED)
  })

  test('on every address takes logins without TLS once the risk is taken', async () => {
    const griot = await start({ kafkaListen: '0.0.0.0:0', kafkaAllowPlaintextSasl: true })
    const { plain, scram } = await logins(griot)
    expect(await meets(griot.brokers[0]!)).toMatch(GONE)
    expect(await meets(griot.brokers[0]!, plain)).toBe('in')
    expect(await meets(griot.brokers[0]!, scram)).toBe('in')
  })
})
