/** Addresses of HTTP and the operator token, of whole engines and of the file. */
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
// the compiled engine: its workers do not run from sources
import { Griot, type GriotOptions } from '../../dist/index.js'
import type { LogFields } from '../../src/base/log.ts'
import { askEngineText } from '../../src/cli/engine-url.ts'
import { readEndpoints, writeEndpoints } from '../../src/server/endpoints.ts'
import { OperatorTokenError, operatorToken } from '../../src/server/operator-token.ts'

let directory: string
const engines: Griot[] = []
beforeEach(() => {
  directory = mkdtempSync(path.join(os.tmpdir(), 'griot-token-'))
})
afterEach(async () => {
  await Promise.all(engines.splice(0).map((griot) => griot.close()))
  rmSync(directory, { recursive: true, force: true })
})

async function start(options: GriotOptions): Promise<Griot> {
  const griot = await Griot.start({ logLevel: 'silent', ...options })
  engines.push(griot)
  return griot
}

const statusOf = async (url: string, token?: string) => {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
  const response = await fetch(url, { headers })
  await response.text()
  return response.status
}

describe('the token of a data directory', () => {
  const logged: [string, LogFields | undefined][] = []
  const logger = {
    log: (_: unknown, message: string, fields?: LogFields) => void logged.push([message, fields]),
  }
  const load = (more: { given?: string; tokenFile?: string; dataDir?: string } = {}) =>
    operatorToken({ given: null, tokenFile: null, dataDir: directory, ...more }, logger)

  test('is made once, long, for the owner only, and never logged', () => {
    const token = load()
    expect(token).toMatch(/^[0-9a-f]{64}$/)
    expect(load()).toBe(token)
    const file = path.join(directory, 'operator-token')
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(JSON.stringify(logged)).not.toContain(token)
    expect(logged.map(([message]) => message)).toEqual([expect.stringContaining('token made')])
    const other = path.join(directory, 'other')
    mkdirSync(other)
    expect(load({ dataDir: other })).not.toBe(token)
  })

  test('is told of when others can read it', () => {
    load()
    logged.length = 0
    chmodSync(path.join(directory, 'operator-token'), 0o644)
    load()
    expect(logged).toEqual([
      [expect.stringContaining('chmod 600'), expect.objectContaining({ mode: '0644' })],
    ])
  })

  test('is not made where one is given', () => {
    const file = path.join(directory, 'given')
    writeFileSync(file, '  a-token-of-ours-0123\r\n')
    expect(load({ given: 'another-token-0123' })).toBe('another-token-0123')
    expect(load({ tokenFile: file })).toBe('a-token-of-ours-0123')
    expect(readdirSync(directory)).toEqual(['given'])
  })

  test.each([
    ['none', null, /option --token-file: the operator token in .*none cannot be read: ENOENT/],
    ['empty', '\n', /option --token-file: what is in .*empty is refused, it wants 16 to 1024/],
    ['two', 'first-token-012345\nsecond-token-01234\n', /what is in .*two is refused/],
  ])('is refused by file, without what is in it: %s', (name, text, message) => {
    const file = path.join(directory, name)
    if (text !== null) writeFileSync(file, text)
    expect(() => load({ tokenFile: file })).toThrow(message)
    expect(() => load({ tokenFile: file })).toThrow(OperatorTokenError)
    expect(() => load({ tokenFile: directory })).toThrow('cannot be read: not a file')
    const large = path.join(directory, 'large')
    writeFileSync(large, ' '.repeat(4_097))
    expect(() => load({ tokenFile: large })).toThrow('cannot be read: larger than 4096 bytes')
    expect(() => load({ tokenFile: file })).not.toThrow(/first-token/)
  })
})

describe('an engine', () => {
  test('has no HTTP and makes no token unless it is asked to', async () => {
    const griot = await start({})
    expect([griot.url, griot.adminUrl]).toEqual([null, null])
    expect(readdirSync(griot.dataDir)).not.toContain('operator-token')
  })

  test('asks for its token on every address but loopback', async () => {
    const griot = await start({ httpListen: '0.0.0.0:0' })
    expect(griot.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
    expect(griot.adminUrl).toBe(griot.url)
    const token = readFileSync(path.join(griot.dataDir, 'operator-token'), 'utf8').trim()
    expect(await statusOf(`${griot.url}/metrics`)).toBe(401)
    expect(await statusOf(`${griot.url}/metrics`, token)).toBe(200)
    expect(await statusOf(`${griot.url}/health`)).toBe(200)
    const local = await start({ httpListen: 'localhost:0' })
    expect(await statusOf(`${local.url}/metrics`)).toBe(200)
  })

  test.each(['0.0.0.0:0', '[::]:0'])(
    'proves to have it to the commands that find it in its data directory: %s',
    async (httpListen) => {
      const { dataDir, url } = await start({ httpListen })
      const answer = await askEngineText({ dataDir }, '/metrics', {})
      expect(answer).toMatchObject({ url, status: 200, hadToken: true })
      writeFileSync(path.join(dataDir, 'operator-token'), 'another-token-0123456')
      await expect(askEngineText({ dataDir }, '/metrics', {})).rejects.toThrow('does not prove')
    },
  )

  test('has health and metrics at an address of their own, and then not with HTTP', async () => {
    const token = 'a-token-of-ours-0123'
    const griot = await start({ httpListen: '127.0.0.1:0', adminListen: '0.0.0.0:0', token })
    const { url, adminUrl } = griot
    expect(adminUrl).not.toBe(url)
    for (const gone of ['/health', '/health/ready', '/metrics']) {
      expect(await statusOf(`${url}${gone}`, token), gone).toBe(404)
    }
    expect(await statusOf(`${url}/health/live`)).toBe(200)
    for (const there of ['/health', '/health/live', '/health/ready']) {
      expect(await statusOf(`${adminUrl}${there}`), there).toBe(200)
    }
    expect(await statusOf(`${adminUrl}/metrics`)).toBe(401)
    expect(await statusOf(`${adminUrl}/metrics`, token)).toBe(200)
    expect(readdirSync(griot.dataDir)).not.toContain('operator-token')
  })

  test('has the admin address alone when HTTP is off', async () => {
    const griot = await start({ adminListen: '127.0.0.1:0' })
    expect(griot.url).toBeNull()
    expect(await statusOf(`${griot.adminUrl}/health`)).toBe(200)
    expect(await statusOf(`${griot.adminUrl}/metrics`)).toBe(200)
  })

  test('leaves the addresses of whoever has taken its data directory meanwhile', async () => {
    const dataDir = path.join(directory, 'data')
    const griot = await start({ dataDir, httpListen: '127.0.0.1:0' })
    const other = { kafka: ['b:1'], httpUrl: null, adminUrl: null, pid: 2, owner: 'another' }
    writeEndpoints(dataDir, other)
    await griot.close()
    expect(readEndpoints(dataDir)).toMatchObject(other)
  })

  test('does not start when the address is taken, or the token cannot be read', async () => {
    const other = await start({ httpListen: '127.0.0.1:0' })
    const taken = new URL(other.url!).host
    const dataDir = path.join(directory, 'data')
    await expect(start({ dataDir, httpListen: '127.0.0.1:0', adminListen: taken })).rejects.toThrow(
      `--admin-listen: ${taken} is taken by another program`,
    )
    await expect(
      start({ dataDir, httpListen: '127.0.0.1:0', tokenFile: `${directory}/none` }),
    ).rejects.toThrow('option --token-file: the operator token in')
    await start({ dataDir, httpListen: '127.0.0.1:0' })
  })

  test('tells those who have its data directory where it is, while it runs', async () => {
    const dataDir = path.join(directory, 'data')
    const griot = await start({ dataDir, httpListen: '0.0.0.0:0', brokers: 2 })
    expect(readEndpoints(dataDir)).toMatchObject({
      kafka: griot.brokers,
      httpUrl: griot.url,
      adminUrl: griot.url,
      pid: process.pid,
    })
    expect(statSync(path.join(dataDir, 'endpoints.json')).mode & 0o777).toBe(0o600)
    await griot.close()
    expect(readEndpoints(dataDir)).toBeNull()
    writeEndpoints(dataDir, { kafka: [], httpUrl: null, adminUrl: null, pid: 1, owner: 'x' })
    const file = path.join(dataDir, 'endpoints.json')
    writeFileSync(file, readFileSync(file, 'utf8').replace('"format": 1', '"format": 2'))
    expect(readEndpoints(dataDir)).toBeNull()
  })
})
