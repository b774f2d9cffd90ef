/** librdkafka and Java over TLS: by certificate, by login, and by the name of a tenant. */
import { lookup } from 'node:dns/promises'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
// the compiled engine: its workers do not run from sources
import { Griot } from '../../dist/index.js'
import { Authority, hasOpenssl, LOCAL_NAMES, type Signed, textOf } from '../server/certificates.ts'
import { missing } from './requirements.ts'
import { run } from './run.ts'

let directory: string
let ca: Authority
let identity: Signed
let griot: Griot
let key: { key: string; secret: string }

beforeAll(async () => {
  if (!hasOpenssl) return
  directory = mkdtempSync(path.join(os.tmpdir(), 'griot-tls-clients-'))
  ca = new Authority(directory)
  identity = ca.sign('billing', { subject: '/O=Acme/CN=billing' })
  // names under localhost lead to this machine
  const names = [...LOCAL_NAMES, 'DNS:*.localhost', 'DNS:acme.localhost']
  const server = ca.sign('server', { names })
  griot = await Griot.start({
    ...{ brokers: 3, logLevel: 'silent', kafkaListen: '127.0.0.1:0,tls', kafkaAnonymous: 'off' },
    ...{ tlsCert: server.cert, tlsKey: server.key, tlsClientCa: ca.file },
    ...{ tlsClientAuth: 'requested', tlsSniDomain: 'localhost' },
    // a super user's name in every tenant
    tlsPrincipalMapping: 'RULE:^CN=billing,O=Acme$/admin/',
  })
  const acme = await griot.createTenant({ name: 'acme' })
  key = await acme.createKey()
}, 60_000)
afterAll(async () => {
  await griot?.close()
  rmSync(directory, { recursive: true, force: true })
})

/** Whether this machine's resolver takes names under localhost for its own (RFC 6761), as not all do. */
const isNameFound = await lookup('acme.localhost').then(
  ({ address }) => address.startsWith('127.'),
  () => false,
)

const at = (host: string) => `${host}:${griot.brokers[0]!.split(':')[1]}`

describe.skipIf(!hasOpenssl || missing('kcat'))('kcat', () => {
  const kcat = (
    host: string,
    properties: readonly string[],
    args: readonly string[],
    stdin = '',
  ) => {
    const ours = [
      'security.protocol=ssl',
      `ssl.ca.location=${ca.file}`,
      'topic.message.timeout.ms=8000',
    ]
    const all = [...ours, ...properties].flatMap((property) => ['-X', property])
    const input = path.join(directory, 'input')
    writeFileSync(input, stdin)
    return run('kcat', ['-b', at(host), ...all, ...args], { stdin: input })
  }
  const certificate = () => [
    `ssl.certificate.location=${identity.cert}`,
    `ssl.key.location=${identity.key}`,
  ]
  const login = (mechanism: string) => [
    ...['security.protocol=sasl_ssl', `sasl.mechanisms=${mechanism}`],
    ...[`sasl.username=${key.key}`, `sasl.password=${key.secret}`],
  ]

  test.each([
    ['a certificate', 'localhost', 'of-default', certificate],
    ['PLAIN', 'localhost', 'of-acme', () => login('PLAIN')],
    ['SCRAM-SHA-256', 'localhost', 'of-acme', () => login('SCRAM-SHA-256')],
    ['a certificate, at its tenant’s name', 'acme.localhost', 'of-acme', certificate],
    [
      'PLAIN and a certificate',
      'acme.localhost',
      'of-acme',
      () => [...login('PLAIN'), ...certificate()],
    ],
  ])(
    'produces and consumes by %s',
    async (_, host, topic, properties) => {
      if (host !== 'localhost' && !isNameFound) return
      const value = `${Math.random()}`
      const produced = await kcat(host, properties(), ['-P', '-t', topic], `${value}\n`)
      expect(produced.code, produced.stderr).toBe(0)
      const consumed = await kcat(host, properties(), ['-C', '-t', topic, '-e', '-q'])
      expect(consumed.code, consumed.stderr).toBe(0)
      expect(consumed.stdout.trim().split('\n')).toContain(value)
      const listed = await kcat(host, properties(), ['-L', '-J'])
      const { topics, brokers } = JSON.parse(listed.stdout)
      expect(topics.map((one: { topic: string }) => one.topic)).toEqual([topic])
      const ports = griot.brokers.map((broker) => broker.split(':')[1])
      const told = host === 'localhost' ? '127.0.0.1' : host
      expect(brokers.map(({ name }: { name: string }) => name)).toEqual(
        ports.map((port) => `${told}:${port}`),
      )
    },
    60_000,
  )

  test('is not let in without', async () => {
    const { code, stderr } = await kcat('localhost', [], ['-L', '-m', '3'])
    expect([code, stderr]).toEqual([1, expect.stringMatching(/Disconnected|Timed out/)])
  })
})

const classPath = `${process.env.GRIOT_KAFKA_LIBS}/*`
describe.skipIf(!hasOpenssl || missing('java'))('Java', () => {
  const properties = (lines: readonly string[]) => {
    const file = path.join(directory, 'client.properties')
    const own = ['ssl.truststore.type=PEM', `ssl.truststore.location=${ca.file}`]
    writeFileSync(file, [...own, ...lines].join('\n'))
    return file
  }
  /** The resolver of Java asks nobody else then. */
  const hosts = () => {
    const file = path.join(directory, 'hosts')
    writeFileSync(file, '127.0.0.1 localhost acme.localhost\n')
    return file
  }
  const tool = (name: string, host: string, lines: readonly string[], args: readonly string[]) =>
    run('java', [
      ...[
        '-cp',
        classPath,
        '-Xmx256m',
        `-Djdk.net.hosts.file=${hosts()}`,
        `org.apache.kafka.tools.${name}`,
      ],
      ...['--bootstrap-server', at(host), '--command-config', properties(lines), ...args],
    ])
  const login = () => [
    ...['security.protocol=SASL_SSL', 'sasl.mechanism=SCRAM-SHA-512'],
    `sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required username="${key.key}" password="${key.secret}";`,
  ]

  test.each([
    ['its tenant’s name', 'acme.localhost'],
    ['the common name', 'localhost'],
  ])(
    'makes and describes topics by login, at %s',
    async (_, host) => {
      const topic = `java-${host}`
      const made = await tool('TopicCommand', host, login(), ['--create', '--topic', topic])
      expect(made.code, made.stderr).toBe(0)
      const described = await tool('TopicCommand', host, login(), ['--describe', '--topic', topic])
      expect(described.stdout).toContain(`Topic: ${topic}`)
    },
    120_000,
  )

  test('comes in by certificate, and not without', async () => {
    const store = path.join(directory, 'billing-store.pem')
    // PKCS#8, as openssl writes it
    writeFileSync(store, textOf(identity.key) + textOf(identity.cert))
    const lines = [
      'security.protocol=SSL',
      'ssl.keystore.type=PEM',
      `ssl.keystore.location=${store}`,
    ]
    const made = await tool('TopicCommand', 'localhost', lines, ['--create', '--topic', 'by-java'])
    expect(made.code, made.stderr).toBe(0)
    const listed = await tool('TopicCommand', 'localhost', lines, ['--list'])
    expect(listed.stdout).toContain('by-java')
    const plain = [
      'security.protocol=SSL',
      'default.api.timeout.ms=4000',
      'request.timeout.ms=3000',
    ]
    const refused = await tool('TopicCommand', 'localhost', plain, ['--list'])
    expect(refused.code).not.toBe(0)
  }, 120_000)
})
