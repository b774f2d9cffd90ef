/** `griot key create` of engines whose listeners speak TLS: the files that it prints lead clients in. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Authority, hasOpenssl, LOCAL_NAMES } from '../server/certificates.ts'
import { GriotProcess, griot } from './griot-process.ts'

const hasKcat = spawnSync('kcat', ['-V']).status === 0
const at = (name: string) => path.join(directory, name)

let directory: string
let ca: Authority
let engine: GriotProcess
/** By what `griot start` says of it. */
const address = (what: string) =>
  new RegExp(`(127\\.0\\.0\\.1:\\d+) \\(broker 1${what}\\)`).exec(engine.stdout)![1]!

const key = (tenant: string, ...args: string[]) =>
  griot(['key', 'create', tenant, ...args, '--data-dir', at('data')])

describe.skipIf(!hasOpenssl)('griot key create', () => {
  beforeAll(async () => {
    directory = mkdtempSync(path.join(os.tmpdir(), 'griot-key-'))
    ca = new Authority(directory)
    const { cert, key } = ca.sign('server', { names: LOCAL_NAMES })
    engine = new GriotProcess([
      ...['start', '--data-dir', at('data'), '--memory', '64M', '--brokers', '1'],
      ...['--http-listen', '127.0.0.1:0', '--tls-cert', cert, '--tls-key', key],
      ...['--kafka-listen', '127.0.0.1:0,127.0.0.1:0,tls,127.0.0.1:0,tls,tenant=emca'],
    ])
    await engine.prints(/power loss.*\n/)
    for (const tenant of ['acme', 'emca']) {
      await griot(['tenant', 'create', tenant, '--data-dir', at('data')])
    }
  }, 30_000)
  afterAll(async () => {
    await engine?.kill('SIGKILL')
    rmSync(directory, { recursive: true, force: true })
  })

  test('leads to the listener that speaks TLS, and says how it is trusted', async () => {
    const java = await key('acme', '--properties', 'java', '--ca', ca.file)
    expect([java.code, java.stderr]).toEqual([0, ''])
    expect(java.stdout.split('\n')).toEqual([
      `bootstrap.servers=${address(', TLS')}`,
      'security.protocol=SASL_SSL',
      'sasl.mechanism=PLAIN',
      expect.stringMatching(/^sasl\.jaas\.config=.*PlainLoginModule required username="\w+" /),
      'ssl.truststore.type=PEM',
      `ssl.truststore.location=${ca.file}`,
      '',
    ])
    const librdkafka = await key('acme', '--properties', 'librdkafka')
    expect(librdkafka.stdout).toContain('\nsecurity.protocol=SASL_SSL\n')
    expect(librdkafka.stdout).toMatch(
      /\n# .*--ca FILE.*\n# ssl\.ca\.location=\/path\/to\/ca.pem\n$/,
    )
    const text = await key('acme', '--ca', path.relative(process.cwd(), ca.file))
    const kcat = `kcat -L -b ${address(', TLS')} -X security.protocol=SASL_SSL -X ssl.ca.location=${ca.file} `
    expect(text.stdout).toContain(kcat)
  }, 30_000)

  test.each([
    ['none.pem', 'cannot be read: ENOENT'],
    ['empty.pem', 'no certificate (PEM) is in it'],
  ])(
    'makes no key where no client could use --ca %s',
    async (name, reason) => {
      writeFileSync(at('empty.pem'), 'nothing\n')
      const list = () => griot(['key', 'list', 'acme', '--json', '--data-dir', at('data')])
      const before = await list()
      const { code, stdout, stderr } = await key('acme', '--ca', at(name))
      expect([code, stdout, stderr]).toEqual([2, '', `griot: --ca ${at(name)}: ${reason}\n`])
      expect(await list()).toEqual(before)
    },
    30_000,
  )

  test.skipIf(!hasKcat)(
    'prints a file that kcat comes in with',
    async () => {
      const { stdout } = await key('acme', '--properties', 'librdkafka', '--ca', ca.file)
      writeFileSync(at('acme.conf'), stdout)
      const listed = spawnSync('kcat', ['-F', at('acme.conf'), '-L', '-m', '10'], {
        encoding: 'utf8',
      })
      expect(listed).toMatchObject({ status: 0, stdout: expect.stringContaining(' 1 brokers:') })
    },
    30_000,
  )

  test("leads to a tenant's own listener", async () => {
    const { stdout } = await key('emca', '--properties', 'librdkafka')
    expect(stdout).toContain(`bootstrap.servers=${address(', TLS, the tenant emca')}\n`)
  }, 30_000)
})

test.skipIf(!hasOpenssl)(
  'says where nobody can log in',
  async () => {
    const dataDir = mkdtempSync(path.join(os.tmpdir(), 'griot-key-'))
    const plain = new GriotProcess([
      ...['start', '--data-dir', dataDir, '--memory', '64M', '--brokers', '1'],
      ...['--http-listen', '127.0.0.1:0', '--kafka-listen', '0.0.0.0:0'],
    ])
    try {
      await plain.prints(/power loss.*\n/)
      await griot(['tenant', 'create', 'acme', '--data-dir', dataDir])
      const { code, stderr } = await griot(['key', 'create', 'acme', '--data-dir', dataDir])
      expect([code, stderr]).toEqual([
        0,
        expect.stringMatching(/^griot: no listener .* TLS, or --/),
      ])
    } finally {
      await plain.kill('SIGKILL')
      rmSync(dataDir, { recursive: true, force: true })
    }
  },
  30_000,
)
