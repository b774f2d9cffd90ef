/** griot-bench against a listener with TLS that lets nobody in without a login. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { GriotProcess, griot } from '../cli/griot-process.ts'
import { Authority, hasOpenssl, LOCAL_NAMES } from '../server/certificates.ts'

const PROGRAM = path.join(import.meta.dirname, '../../dist/griot-bench.cjs')

let directory: string
let engine: GriotProcess
const at = (name: string) => path.join(directory, name)

const bench = (...args: string[]) =>
  spawnSync(process.execPath, [PROGRAM, 'run', ...args], { encoding: 'utf8', timeout: 60_000 })

describe.skipIf(!hasOpenssl)('griot-bench', () => {
  beforeAll(async () => {
    directory = mkdtempSync(path.join(os.tmpdir(), 'griot-bench-'))
    const ca = new Authority(directory)
    const { cert, key } = ca.sign('server', { names: LOCAL_NAMES })
    engine = new GriotProcess([
      ...['start', '--data-dir', at('data'), '--memory', '64M', '--brokers', '1'],
      ...['--http-listen', '127.0.0.1:0', '--tls-cert', cert, '--tls-key', key],
      ...['--kafka-listen', '127.0.0.1:0,tls,anonymous=off'],
    ])
    await engine.prints(/power loss.*\n/)
    const operator = (...args: string[]) => griot([...args, '--data-dir', at('data')])
    await operator('tenant', 'create', 'acme')
    const properties = ['--properties', 'librdkafka', '--ca', ca.file]
    const made = await operator('key', 'create', 'acme', ...properties)
    writeFileSync(at('acme.conf'), made.stdout)
  }, 30_000)
  afterAll(async () => {
    await engine?.kill('SIGKILL')
    rmSync(directory, { recursive: true, force: true })
  })

  test('comes in by --command-config, and its load too', () => {
    const small = ['--seconds', '1', '--warmup', '0', '--set', 'topics.replicationFactor=1']
    const config = ['--command-config', at('acme.conf'), '--json', at('result.json')]
    const ended = bench('large-batches', ...config, ...small)
    expect([ended.status, ended.stderr]).toEqual([0, expect.not.stringContaining('griot-bench:')])
    const { result } = JSON.parse(readFileSync(at('result.json'), 'utf8'))
    for (const { records, unanswered } of result.groups) {
      expect([records > 0, unanswered]).toEqual([true, 0])
    }
    expect(readFileSync(at('result.json'), 'utf8')).not.toContain('griot_')
  }, 60_000)

  test('says what is missing', () => {
    const ended = bench('large-batches')
    expect([ended.status, ended.stderr]).toEqual([
      1,
      expect.stringContaining('-b HOST:PORT, or boot'),
    ])
    const wrong = bench('large-batches', '--command-config', at('none'))
    expect([wrong.status, wrong.stderr]).toEqual([
      1,
      expect.stringContaining('cannot be read: ENOENT'),
    ])
  })
})
