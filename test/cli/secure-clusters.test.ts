/** The Kafka commands against listeners that speak TLS, want logins, or both: one engine, as users run it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Authority, hasOpenssl, LOCAL_NAMES } from '../server/certificates.ts'
import { GriotProcess, griot } from './griot-process.ts'
import { LiveGriot, runGriot } from './run-griot.ts'

let directory: string
let ca: Authority
let engine: GriotProcess
let key: { key: string; secret: string }
const at = (name: string) => path.join(directory, name)

/** Plain, TLS, TLS with certificates of clients. */
const ports = () => [...engine.stdout.matchAll(/127\.0\.0\.1:(\d+) \(broker 1/g)].map(([, p]) => p!)
const plain = () => `127.0.0.1:${ports()[0]}`
const tls = () => `127.0.0.1:${ports()[1]}`

const operator = (...args: string[]) => griot([...args, '--data-dir', at('data')])

async function fileFor(client: 'java' | 'librdkafka', ...more: string[]): Promise<string> {
  const made = await operator('key', 'create', 'acme', '--properties', client, ...more)
  expect([made.code, made.stderr]).toEqual([0, ''])
  writeFileSync(at(`${client}.conf`), made.stdout)
  return at(`${client}.conf`)
}

function startEngine(...args: string[]): GriotProcess {
  const { cert, key } = ca.sign('server', { names: LOCAL_NAMES })
  return new GriotProcess([
    ...['start', '--data-dir', at('data'), '--memory', '64M', '--brokers', '1'],
    ...['--http-listen', '127.0.0.1:0', '--tls-cert', cert, '--tls-key', key],
    ...['--broker-config', 'connections.max.reauth.ms=1500', ...args],
  ])
}

describe.skipIf(!hasOpenssl)('a cluster with TLS and logins', () => {
  beforeAll(async () => {
    directory = mkdtempSync(path.join(os.tmpdir(), 'griot-secure-'))
    ca = new Authority(directory)
    engine = startEngine(
      '--kafka-listen',
      '127.0.0.1:0,anonymous=off,127.0.0.1:0,tls,anonymous=off',
    )
    await engine.prints(/power loss.*\n/)
    await operator('tenant', 'create', 'acme')
    key = JSON.parse((await operator('key', 'create', 'acme', '--json')).stdout)
  }, 30_000)
  afterAll(async () => {
    await engine?.kill('SIGKILL')
    rmSync(directory, { recursive: true, force: true })
  })

  test.each(['java', 'librdkafka'] as const)(
    'takes the file for %s',
    async (client) => {
      const file = await fileFor(client, '--ca', ca.file)
      const topic = `of-${client}`
      const made = await griot(['topic', 'create', topic, '-p', '1', '--command-config', file])
      expect([made.code, made.stderr]).toEqual([0, ''])
      const written = await runGriot(['produce', topic, '--command-config', file, '-q'], 'a\nb\n')
      expect([written.code, written.stderr]).toEqual([0, ''])
      const read = await griot(['consume', topic, '-e', '-q', '--command-config', file])
      expect([read.code, read.stdout, read.stderr]).toEqual([0, 'a\nb\n', ''])
      const group = await griot(['group', 'list', '--command-config', file])
      expect([group.code, group.stderr]).toEqual([0, 'no groups\n'])
      const top = await griot(['top', '--once', '--json', '--command-config', file])
      expect(top).toMatchObject({ code: 0, stdout: expect.stringContaining(topic) })
    },
    40_000,
  )

  test('takes a key of the environment or of options, plain and by TLS', async () => {
    const env = { GRIOT_KEY: key.key, GRIOT_SECRET: key.secret }
    const made = await griot(['topic', 'create', 'own', '-b', plain()], env)
    expect([made.code, made.stderr]).toEqual([0, ''])
    const options = ['--api-key', key.key, '--secret', key.secret]
    const listed = await griot(['topic', 'list', '-b', tls(), '--ca', ca.file, ...options])
    expect(listed).toMatchObject({ code: 0, stdout: expect.stringContaining('own') })
    const { port } = { port: ports()[1] }
    const x = ['security.protocol=sasl_ssl', `ssl.ca.location=${ca.file}`, 'sasl.mechanisms=PLAIN']
    const login = [`sasl.username=${key.key}`, `sasl.password=${key.secret}`]
    const byX = [...x, ...login].flatMap((one) => ['-X', one])
    const named = await griot(['topic', 'list', '-b', `localhost:${port}`, ...byX])
    expect(named).toMatchObject({ code: 0, stdout: expect.stringContaining('own') })
  }, 30_000)

  test('is read for longer than a login holds', async () => {
    const env = { GRIOT_KEY: key.key, GRIOT_SECRET: key.secret }
    await griot(['topic', 'create', 'long', '-p', '1', '-b', plain()], env)
    const secured = ['-b', tls(), '--ca', ca.file, '--api-key', key.key, '--secret', key.secret]
    const reader = new LiveGriot(['consume', 'long', ...secured])
    const member = new LiveGriot(['consume', 'long', '-g', 'readers', ...secured])
    for (let i = 0; i < 5; i++) {
      await runGriot(['produce', 'long', '--value', `record ${i}`, ...secured, '-q'])
      await reader.printsLines(i + 1)
      await member.printsLines(i + 1)
      await new Promise((resolve) => setTimeout(resolve, 800))
    }
    for (const one of [reader, member]) {
      one.child.kill('SIGINT')
      const { code, stderr } = await one.ended
      expect([code, stderr]).toEqual([0, expect.not.stringMatching(/griot:/)])
    }
    expect(engine.stderr).not.toContain('expired')
  }, 60_000)

  const fails = async (args: string[], text: RegExp, env = {}) => {
    const { code, stdout, stderr } = await griot(args, env)
    expect([code, stdout, stderr]).toEqual([1, '', expect.stringMatching(text)])
    expect(stderr).not.toContain(key.secret)
  }

  test('says what is wrong with key, listener and certificate, and what to do', async () => {
    const list = ['topic', 'list', '-b']
    const wrong = { GRIOT_KEY: key.key, GRIOT_SECRET: 'griot_wrong' }
    const right = { GRIOT_KEY: key.key, GRIOT_SECRET: key.secret }
    const refused = /^griot: login by SCRAM-SHA-256: SASL_AUTHENTICATION_FAILED \(.*`griot key list/
    await fails([...list, plain()], refused, wrong)
    await fails([...list, tls(), '--ca', ca.file], refused, wrong)
    await fails(
      [...list, plain()],
      /at the first request: it lets nobody in without a login: GRIOT/,
    )
    await fails([...list, tls()], /: what listens there speaks TLS: --tls, and --ca FILE/, right)
    await fails(
      [...list, plain(), '--tls'],
      /: what listens there does not speak TLS: leave/,
      right,
    )
    await fails(
      [...list, tls(), '--tls'],
      /not trusted: .*\(UNABLE_TO_.*\): --ca FILE names/,
      right,
    )
    const other = ['-X', 'sasl.mechanism=PLAIN', '-X', 'sasl.username=acme/nobody']
    const password = ['-X', 'sasl.password=x', '-X', 'security.protocol=SASL_PLAINTEXT']
    await fails(
      [...list, plain(), ...other, ...password],
      /login by PLAIN: SASL_AUTH.*TENANT\/USER/,
    )
    const consumed = ['consume', 'own', '-e', '-b', plain()]
    await fails(consumed, refused, wrong)
    await fails(['produce', 'own', '--value', 'x', '-b', tls(), '--ca', ca.file], refused, wrong)
  }, 60_000)

  test('refuses what it cannot do by name', async () => {
    writeFileSync(at('bad.conf'), 'security.protocol=SSL\nssl.truststore.location=x.jks\n')
    const args = ['topic', 'list', '--command-config', at('bad.conf')]
    const { code, stderr } = await griot(args)
    expect([code, stderr]).toEqual([2, expect.stringContaining('ssl.truststore.type: JKS')])
    const json = await griot([...args, '--json'])
    expect(JSON.parse(json.stdout).error.message).toContain('PEM is')
  })
})

test.skipIf(!hasOpenssl)(
  'a certificate of the client is a login',
  async () => {
    directory = mkdtempSync(path.join(os.tmpdir(), 'griot-mtls-'))
    ca = new Authority(directory)
    engine = startEngine('--kafka-listen', '127.0.0.1:0,tls', '--tls-client-ca', ca.file)
    try {
      await engine.prints(/power loss.*\n/)
      const { cert, key } = ca.sign('client')
      const lines = [
        ...['security.protocol=SSL', `ssl.ca.location=${ca.file}`],
        ...[`ssl.certificate.location=${cert}`, `ssl.key.location=${key}`],
      ]
      writeFileSync(at('mtls.conf'), lines.join('\n'))
      const list = ['topic', 'list', '-b', plain()]
      expect(await griot([...list, '--command-config', at('mtls.conf')])).toMatchObject({
        ...{ code: 0, stderr: expect.not.stringContaining('griot:') },
      })
      expect(await griot([...list, '--ca', ca.file])).toMatchObject({
        ...{ code: 1, stderr: expect.stringContaining('wants a certificate of its clients') },
      })
    } finally {
      await engine.kill('SIGKILL')
      rmSync(directory, { recursive: true, force: true })
    }
  },
  30_000,
)
