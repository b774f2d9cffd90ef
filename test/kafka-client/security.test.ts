/** Logins and TLS of the client: against a broker of a few answers, whose SCRAM is that of the engine. */
import { mkdtempSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import {
  type ClientSecurity,
  KafkaConnection,
  NO_SECURITY,
} from '../../src/kafka-client/connection.ts'
import { type ConnectionError, isRetriable } from '../../src/kafka-client/errors.ts'
import type { SaslLogin, SaslMechanism } from '../../src/kafka-client/sasl-login.ts'
import { ScramClient } from '../../src/kafka-client/scram-client.ts'
import type { ClientTls } from '../../src/kafka-client/sockets.ts'
import { metadata } from '../../src/protocol/03-metadata.ts'
import { saslHandshake } from '../../src/protocol/17-sasl-handshake.ts'
import { apiVersions } from '../../src/protocol/18-api-versions.ts'
import { saslAuthenticate } from '../../src/protocol/36-sasl-authenticate.ts'
import { deriveCredential, type ScramCredential } from '../../src/tenant/scram-credential.ts'
import { ScramExchange } from '../../src/tenant/scram-exchange.ts'
import { Authority, hasOpenssl, LOCAL_NAMES, textOf } from '../server/certificates.ts'
import { seededCrypto } from '../tenant/scram-client.ts'
import { type Asked, FakeBroker, versionsUpTo } from './fake-broker.ts'

const USERNAME = 'ada=,lovelace'
const PASSWORD = 'pass wörd'

const brokers: FakeBroker[] = []
const connections: KafkaConnection[] = []
afterEach(() => {
  for (const connection of connections.splice(0)) connection.close()
  for (const broker of brokers.splice(0)) broker.close()
})

async function start(...tls: Parameters<typeof FakeBroker.start>): Promise<FakeBroker> {
  const broker = await FakeBroker.start(...tls)
  brokers.push(broker)
  const versions = versionsUpTo({ 3: 12, 17: 1, 18: 3, 36: 2 })
  broker.onRequest = ({ api, answer }) => answer(api === apiVersions ? versions : NO_TOPICS)
  return broker
}

async function open(
  broker: Pick<FakeBroker, 'address'>,
  security: Partial<ClientSecurity>,
): Promise<KafkaConnection> {
  const connection = await KafkaConnection.open(broker.address, {
    ...{ clientId: 'test', connectTimeoutMs: 2_000, requestTimeoutMs: 2_000 },
    ...{ responseBytesMax: 1 << 20, security: { ...NO_SECURITY, ...security } },
  })
  connections.push(connection)
  return connection
}

const NO_TOPICS = { throttleTimeMs: 0, brokers: [], topics: [], errorCode: 0, clusterId: null }
const ASK_ALL = {
  ...{ topics: null, allowAutoTopicCreation: false },
  ...{ includeClusterAuthorizedOperations: false, includeTopicAuthorizedOperations: false },
}

/** What looks at tokens; a text refuses. */
type Verifier = (token: Uint8Array) => Uint8Array | string

interface LoginOptions {
  readonly mechanisms?: readonly string[]
  readonly lifetimeMs?: number
}

/** Its verifier is made anew for each handshake. */
function takeLogins(
  broker: FakeBroker,
  verifier: (mechanism: SaslMechanism) => Verifier,
  { mechanisms = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'], lifetimeMs = 0 }: LoginOptions = {},
): void {
  const others = broker.onRequest
  let verify: Verifier = () => 'no handshake'
  broker.onRequest = (asked: Asked) => {
    if (asked.api === saslHandshake) {
      const { mechanism } = asked.request as { readonly mechanism: SaslMechanism }
      const isKnown = mechanisms.includes(mechanism)
      if (isKnown) verify = verifier(mechanism)
      asked.answer({ errorCode: isKnown ? 0 : 33, mechanisms })
    } else if (asked.api === saslAuthenticate) {
      const answer = verify((asked.request as { readonly authBytes: Uint8Array }).authBytes)
      const isRefused = typeof answer === 'string'
      asked.answer({
        ...{ errorCode: isRefused ? 58 : 0, errorMessage: isRefused ? answer : null },
        ...{ authBytes: isRefused ? Buffer.alloc(0) : answer, sessionLifetimeMs: lifetimeMs },
      })
    } else others(asked)
  }
}

const byPlain = (): Verifier => (token) =>
  Buffer.from(token).toString() === `\0${USERNAME}\0${PASSWORD}` ? Buffer.alloc(0) : 'wrong'

/** As the engine has it. `spoil` changes what proves that it knows the password. */
function byScram(spoil = (token: Uint8Array) => token) {
  return (mechanism: SaslMechanism): Verifier => {
    if (mechanism === 'PLAIN') throw new Error('PLAIN')
    const crypto = seededCrypto()
    let credential: ScramCredential | undefined
    const salt = Buffer.from('some salt')
    const parameters = { mechanism, salt, iterations: 4_096 }
    deriveCredential(crypto, parameters, Buffer.from(PASSWORD), (made) => {
      if (!(made instanceof Error)) credential = made
    })
    let username = ''
    const exchange = new ScramExchange({
      ...{ mechanism, crypto, serverNonce: 'server' },
      credentialOf: (name) => {
        username = name
        return credential!
      },
    })
    let round = 0
    return (token) => {
      if (round++ === 0) return exchange.first(token)
      const { isProven, token: proof } = exchange.final(token)
      return isProven && username === USERNAME ? spoil(proof) : 'Authentication failed'
    }
  }
}

const loginBy = (mechanism: SaslMechanism, password = PASSWORD): { sasl: SaslLogin } => ({
  sasl: { mechanism, username: USERNAME, password },
})

describe('a login', () => {
  test.each(['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'] as const)('by %s', async (mechanism) => {
    const broker = await start()
    takeLogins(broker, mechanism === 'PLAIN' ? byPlain : byScram())
    const connection = await open(broker, loginBy(mechanism))
    await connection.request(metadata, ASK_ALL)
    const wrong = await open(broker, loginBy(mechanism, 'other')).catch((error) => error)
    expect(wrong).toMatchObject({ codeName: 'SASL_AUTHENTICATION_FAILED' })
    expect(wrong.message).toContain(`login by ${mechanism}`)
    expect(wrong.message).not.toContain('other')
    expect(isRetriable(wrong)).toBe(false)
  })

  test('is as RFC 7677 has it', async () => {
    const login = { mechanism: 'SCRAM-SHA-256', username: 'user', password: 'pencil' } as const
    const client = new ScramClient(login, 'rOprNGfwEbeRWgbNEkqO')
    expect(`${client.first()}`).toBe('n,,n=user,r=rOprNGfwEbeRWgbNEkqO')
    const nonce = 'rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0'
    const first = Buffer.from(`r=${nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096`)
    expect(`${await client.final(first)}`).toBe(
      `c=biws,r=${nonce},p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=`,
    )
    client.verify(Buffer.from('v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4='))
    for (const other of ['v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G8=', 'v=', 'e=other']) {
      expect(() => client.verify(Buffer.from(other))).toThrow('has not proven')
    }
  })

  test.each([
    ['r=othernonce,s=c2FsdA==,i=4096', 'is not that of this login'],
    ['r=mine,s=c2FsdA==,i=4096', 'is not that of this login'],
    ['r=mine1,s=c2FsdA==,i=4095', '4095 iterations, 4096 to 1000000 are'],
    ['r=mine1,s=c2FsdA==,i=1000001', '1000001 iterations'],
    ['m=ext,r=mine1,s=c2FsdA==,i=4096', 'is no SCRAM-SHA-512'],
    ['', 'is no SCRAM-SHA-512'],
  ])('takes no %j for a challenge', async (challenge, reason) => {
    const login = { mechanism: 'SCRAM-SHA-512', username: 'u', password: 'p' } as const
    await expect(new ScramClient(login, 'mine').final(Buffer.from(challenge))).rejects.toThrow(
      reason,
    )
  })

  test('ends where the broker does not know the password itself', async () => {
    const broker = await start()
    takeLogins(
      broker,
      byScram((proof) => proof.map((byte, i) => (i === 5 ? byte ^ 1 : byte))),
    )
    await expect(open(broker, loginBy('SCRAM-SHA-256'))).rejects.toThrow('has not proven')
    expect(broker.asked.some(({ api }) => api === metadata)).toBe(false)
  })

  test('that the broker does not offer says what it does', async () => {
    const broker = await start()
    takeLogins(broker, byPlain, { mechanisms: ['PLAIN', 'OAUTHBEARER'] })
    await expect(open(broker, loginBy('SCRAM-SHA-256'))).rejects.toThrow(
      'login by SCRAM-SHA-256: UNSUPPORTED_SASL_MECHANISM (it offers PLAIN, OAUTHBEARER)',
    )
  })

  test('is renewed before its time is over, and nothing is asked meanwhile', async () => {
    const broker = await start()
    takeLogins(broker, byScram(), { lifetimeMs: 600 })
    const connection = await open(broker, loginBy('SCRAM-SHA-256'))
    const until = performance.now() + 1_500
    while (performance.now() < until) {
      await connection.request(metadata, ASK_ALL)
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    const keys = broker.asked.map(({ api }) => api.key)
    const logins = keys.join(' ').match(/17 36 36/g)!
    // after 400 ms, and twice more
    expect(logins).toHaveLength(4)
    expect(keys.filter((key) => key === 17)).toHaveLength(4)
    expect(connection.isOpen).toBe(true)
  })

  test('that cannot be renewed ends the connection with the reason', async () => {
    const broker = await start()
    takeLogins(broker, byPlain, { lifetimeMs: 100 })
    const connection = await open(broker, loginBy('PLAIN'))
    takeLogins(broker, () => () => 'the key is revoked')
    await expect.poll(() => connection.isOpen).toBe(false)
    await expect(connection.request(metadata, ASK_ALL)).rejects.toThrow('the key is revoked')
  })
})

describe.skipIf(!hasOpenssl)('TLS', () => {
  let directory: string
  let ca: Authority
  let other: Authority
  beforeAll(() => {
    directory = mkdtempSync(path.join(os.tmpdir(), 'griot-client-tls-'))
    ca = new Authority(directory)
    other = new Authority(directory, 'other')
  })
  afterAll(() => rmSync(directory, { recursive: true, force: true }))

  const tlsOf = (given: Partial<ClientTls> = {}): { tls: ClientTls } => ({
    tls: {
      ...{ ca: textOf(ca.file), cert: null, key: null, passphrase: null },
      ...{ checksHost: true, checksCertificate: true },
      ...{ minVersion: 'TLSv1.2', maxVersion: 'TLSv1.3', ...given },
    },
  })
  const startTls = (names: readonly string[], more = {}) => {
    const { cert, key } = ca.sign(`server-${names.length}`, { names })
    return start({ cert: textOf(cert), key: textOf(key), ...more })
  }
  const faultOf = async (opening: Promise<unknown>) => {
    const error = (await opening.catch((error: unknown) => error)) as ConnectionError
    return [error.reason, error.message.replace(/^127\.0\.0\.1:\d+: /, ''), isRetriable(error)]
  }

  test('is spoken with a broker whose certificate is trusted and of its host', async () => {
    const broker = await startTls(LOCAL_NAMES)
    const connection = await open(broker, tlsOf())
    await connection.request(metadata, ASK_ALL)
    expect(await faultOf(open(broker, tlsOf({ ca: textOf(other.file) })))).toEqual([
      ...['CERTIFICATE', expect.stringContaining('(UNABLE_TO_VERIFY_LEAF_SIGNATURE)'), false],
    ])
    const any = { ca: textOf(other.file), checksCertificate: false }
    await (await open(broker, tlsOf(any))).request(metadata, ASK_ALL)
    const { port } = broker.address
    const byName = await open({ address: { host: 'localhost', port } }, tlsOf())
    await byName.request(metadata, ASK_ALL)
  })

  test('of another host is refused, unless that does not matter', async () => {
    const broker = await startTls(['DNS:kafka.example.org'])
    expect(await faultOf(open(broker, tlsOf()))).toEqual([
      'CERTIFICATE_NAME',
      "the certificate is of another host: IP: 127.0.0.1 is not in the cert's list: ",
      false,
    ])
    await (await open(broker, tlsOf({ checksHost: false }))).request(metadata, ASK_ALL)
  })

  test('with a broker that does not speak it, and none with one that does', async () => {
    const plain = await start()
    expect(await faultOf(open(plain, tlsOf()))).toEqual([
      ...['NOT_TLS', 'what listens there does not speak TLS', false],
    ])
    // one that is neither Kafka nor TLS
    plain.onRequest = ({ answer }) => answer(null)
    expect(await faultOf(open(plain, tlsOf()))).toEqual([
      ...['HANDSHAKE', 'it closed the connection in the middle of the TLS handshake', true],
    ])
    const tls = await startTls(LOCAL_NAMES)
    expect(await faultOf(open(tls, {}))).toEqual(['IS_TLS', 'what listens there speaks TLS', false])
  })

  test('shows a certificate where the broker wants one', async () => {
    const client = { ca: [textOf(ca.file)], requestCert: true }
    const broker = await startTls(LOCAL_NAMES, client)
    const { cert, key } = ca.sign('client', { passphrase: 'secret' })
    const own = { cert: textOf(cert), key: textOf(key), passphrase: 'secret' }
    await (await open(broker, tlsOf(own))).request(metadata, ASK_ALL)
    const [reason, message] = await faultOf(open(broker, tlsOf()))
    expect([reason, message]).toEqual(['TLS', expect.stringContaining('certificate required')])
  })

  test('and a login together', async () => {
    const broker = await startTls(LOCAL_NAMES)
    takeLogins(broker, byScram(), { lifetimeMs: 150 })
    const connection = await open(broker, { ...tlsOf(), ...loginBy('SCRAM-SHA-512') })
    await new Promise((resolve) => setTimeout(resolve, 300))
    await connection.request(metadata, ASK_ALL)
    expect(broker.asked.filter(({ api }) => api === saslHandshake).length).toBeGreaterThan(1)
  })
})
