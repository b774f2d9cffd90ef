/** `griot start` with TLS: what it says on its screen, in the log, in /health and in metrics, and SIGHUP. */
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect as connectTcp } from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { connect, type TLSSocket } from 'node:tls'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Authority, hasOpenssl, LOCAL_NAMES, type Signed, textOf } from '../server/certificates.ts'
import { GriotProcess } from './griot-process.ts'

let directory: string
let ca: Authority
let engine: GriotProcess
const at = (name: string) => path.join(directory, name)

beforeEach(() => {
  directory = mkdtempSync(path.join(os.tmpdir(), 'griot-cli-tls-'))
  if (hasOpenssl) ca = new Authority(directory)
})
afterEach(async () => {
  await engine?.kill('SIGKILL')
  rmSync(directory, { recursive: true, force: true })
})

function start(...args: string[]): GriotProcess {
  engine = new GriotProcess([
    ...['start', '--data-dir', at('data'), '--memory', '64M', '--brokers', '1'],
    ...['--http-listen', '127.0.0.1:0', ...args],
  ])
  return engine
}

function put({ cert, key }: Signed): string[] {
  copyFileSync(cert, at('live.pem'))
  copyFileSync(key, at('live.key'))
  return ['--tls-cert', at('live.pem'), '--tls-key', at('live.key')]
}

const logged = (): Record<string, unknown>[] =>
  engine.stderr
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line))
const reasons = (message: string) =>
  logged().flatMap((line) => (line.message === message ? [line.reason] : []))

/** Connected by TLS; the number of the certificate that was shown. */
async function shown(port: number): Promise<{ socket: TLSSocket; serial: string }> {
  const socket = connect({ port, host: '127.0.0.1', ca: textOf(ca.file) })
  socket.on('error', () => {})
  await new Promise((resolve) => socket.once('secureConnect', resolve))
  return { socket, serial: socket.getPeerCertificate().serialNumber }
}

interface Health {
  readonly status: string
  readonly reasons: readonly string[]
}

describe.skipIf(!hasOpenssl)('griot start with TLS', () => {
  test('says where it is, takes new certificates at SIGHUP, and tells of what goes wrong', async () => {
    const [old, soon] = [
      ca.sign('old', { names: LOCAL_NAMES, days: 90 }),
      ca.sign('soon', { names: LOCAL_NAMES, days: 13 }),
    ]
    start('--kafka-listen', '0.0.0.0:0,tls,127.0.0.1:0,tls,tenant=acme', ...put(old))
    const port = Number((await engine.prints(/Kafka +0\.0\.0\.0:(\d+) \(broker 1, TLS\)/))[1])
    const url = (await engine.prints(/HTTP\s+(http:\S+)/))[1]!
    await engine.prints(/power loss.*\n/)
    expect(engine.stdout).not.toMatch(/Warning|Try/)
    const health = async () => {
      const { status, reasons } = (await (await fetch(`${url}/health`)).json()) as Health
      return [status, ...reasons].join(' ')
    }
    const metric = async (name: string) => {
      const text = await (await fetch(`${url}/metrics`)).text()
      return Number(new RegExp(`^${name}\\{.*\\} (\\S+)$`, 'm').exec(text)![1])
    }
    const expiry = () => metric('griot_tls_certificate_expiry_timestamp_seconds')
    const days = async () => Math.round(((await expiry()) - Date.now() / 1000) / 86_400)
    expect(await days()).toBe(90)

    const first = await shown(port)
    put(soon)
    engine.child.kill('SIGHUP')
    await expect.poll(async () => (await shown(port)).serial).not.toBe(first.serial)
    expect(first.socket.destroyed).toBe(false)
    await expect.poll(days).toBe(13)
    await expect.poll(logged).toContainEqual(
      expect.objectContaining({
        level: 'warn',
        message: 'the TLS certificate expires soon: clients will not come in then',
        file: at('live.pem'),
      }),
    )
    expect(await health()).toMatch(/^serving/)

    writeFileSync(at('live.key'), 'secret words')
    engine.child.kill('SIGHUP')
    await expect.poll(health).toMatch(/^degraded TLS: --tls-key: .*live\.key and .* cannot be used/)
    expect((await shown(port)).serial).not.toBe(first.serial)
    put(old)
    engine.child.kill('SIGHUP')
    await expect.poll(health).toMatch(/^serving/)
    expect((await shown(port)).serial).toBe(first.serial)
    expect(engine.stderr).not.toContain('secret words')

    const plain = connectTcp(port, '127.0.0.1')
    plain.write(Buffer.from('00000015001200030000', 'hex'))
    await new Promise((resolve) => plain.once('close', resolve))
    await expect
      .poll(() => reasons('TLS handshake failed'))
      .toEqual([
        'what came in is not TLS: the client must speak it (security.protocol SSL or SASL_SSL)',
      ])
    const own = Number(
      /127\.0\.0\.1:(\d+) \(broker 1, TLS, the tenant acme\)/.exec(engine.stdout)![1],
    )
    expect((await shown(own)).serial).toBe(first.serial)
    const refused = connect({ port, host: '127.0.0.1' })
    await new Promise((resolve) => refused.once('error', resolve))
    await expect.poll(() => reasons('TLS handshake failed')).toHaveLength(2)
    const failed = 'griot_tls_handshakes_total\\{.*result="failed"'
    const text = await (await fetch(`${url}/metrics`)).text()
    expect(text).toMatch(new RegExp(`^${failed}\\} 2$`, 'm'))
    expect(reasons('connection refused')).toEqual(["there is no tenant 'acme'"])
  }, 60_000)

  test('is refused where a file is not fit, before anything is made for it', async () => {
    const { cert } = ca.sign('one', { names: LOCAL_NAMES })
    const other = ca.sign('other')
    start('--kafka-listen', '127.0.0.1:0,tls', '--tls-cert', cert, '--tls-key', other.key)
    const { code, stderr } = await engine.ended()
    expect([code, stderr]).toEqual([
      1,
      `griot: --tls-key: ${other.key} and ${cert} cannot be used: the key is not that of the certificate\n`,
    ])
    start('--kafka-listen', '127.0.0.1:0,tls')
    const usage = await engine.ended()
    expect([usage.code, usage.stderr]).toEqual([
      2,
      'griot: --kafka-listen 127.0.0.1:0,tls wants a certificate: --tls-cert\n',
    ])
  })
})
