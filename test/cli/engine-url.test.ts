/** How commands find an engine and its token. */
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { askEngine, EngineAddressError } from '../../src/cli/engine-url.ts'
import { scrape } from '../../src/cli/top-sample.ts'
import { writeEndpoints } from '../../src/server/endpoints.ts'

const TOKEN = '0123456789abcdef-token'
let directory: string
let url: string
let authorizations: (string | undefined)[]
let close: () => void
const cwd = process.cwd()

beforeEach(async () => {
  directory = mkdtempSync(path.join(os.tmpdir(), 'griot-url-'))
  authorizations = []
  const server = createServer((request, response) => {
    authorizations.push(request.headers.authorization)
    const isIn = request.url === '/health' || request.headers.authorization === `Bearer ${TOKEN}`
    response.writeHead(isIn ? 200 : 401).end('{}')
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  close = () => server.close()
  mkdirSync(path.join(directory, 'griot-data'))
})
afterEach(() => {
  process.chdir(cwd)
  close()
  rmSync(directory, { recursive: true })
})

const tell = (dataDir: string, adminUrl: string | null) =>
  writeEndpoints(dataDir, { kafka: [], httpUrl: adminUrl, adminUrl, pid: process.pid })

test('an engine is found by url, data directory, variables and the default directory, in this order', async () => {
  const dataDir = path.join(directory, 'griot-data')
  tell(dataDir, url)
  const dead = 'http://127.0.0.1:1'
  const found = async (target: object, env: Record<string, string> = {}) =>
    (await askEngine(target, '/health', env)).url
  expect(await found({ url, dataDir: '/none' }, { GRIOT_URL: dead })).toBe(url)
  expect(await found({ dataDir }, { GRIOT_URL: dead })).toBe(url)
  expect(await found({}, { GRIOT_URL: url, GRIOT_DATA_DIR: '/none' })).toBe(url)
  expect(await found({}, { GRIOT_DATA_DIR: dataDir })).toBe(url)
  process.chdir(directory)
  expect(await found({})).toBe(url)
  await expect(askEngine({ dataDir: '/none' }, '/health', {})).rejects.toThrow(
    'no engine runs in data directory /none',
  )
  tell(dataDir, null)
  await expect(askEngine({ dataDir }, '/health', {})).rejects.toThrow('has no HTTP address')
})

test('the token is sent only when it is asked for, and only to whom it belongs', async () => {
  const dataDir = path.join(directory, 'griot-data')
  tell(dataDir, url)
  const file = path.join(dataDir, 'operator-token')
  const ask = async (target: object, env: Record<string, string> = {}) => {
    authorizations.length = 0
    const { status } = await askEngine(target, '/metrics', env)
    return [status, ...authorizations]
  }
  const allowed = [200, undefined, `Bearer ${TOKEN}`]
  expect(await ask({ url }, { GRIOT_TOKEN: TOKEN })).toEqual(allowed)
  expect(await ask({}, { GRIOT_DATA_DIR: dataDir })).toEqual([401, undefined])
  writeFileSync(file, `${TOKEN}\n`)
  expect(await ask({ dataDir })).toEqual(allowed)
  expect(await ask({}, { GRIOT_DATA_DIR: dataDir })).toEqual(allowed)
  expect(await ask({ url, tokenFile: file })).toEqual(allowed)
  expect(await ask({ url }, { GRIOT_TOKEN_FILE: file })).toEqual(allowed)
  process.chdir(directory)
  expect(await ask({})).toEqual(allowed)
  // somebody else's address does not get the token of the directory that happens to be here
  expect(await ask({ url })).toEqual([401, undefined])
  // nor that of the variable, which a container sets for its own engine
  expect(await ask({ url }, { GRIOT_DATA_DIR: dataDir })).toEqual([401, undefined])
  expect(await ask({}, { GRIOT_URL: url, GRIOT_DATA_DIR: dataDir })).toEqual([401, undefined])
  expect(await ask({ url, dataDir })).toEqual(allowed)
  await askEngine({ dataDir }, '/health', {})
  expect(authorizations.at(-1)).toBeUndefined()
  await expect(ask({ url, tokenFile: '/none' })).rejects.toThrow(
    'option --token-file: the operator token in /none',
  )
})

test('griot top sends the token as well, and says why there are no metrics', async () => {
  const missing = async (target: object | null) => (await scrape(target)).missing
  expect(await missing({ url })).toBe(
    `the engine at ${url} asks for the operator token: GRIOT_TOKEN, or --data-dir`,
  )
  const dataDir = path.join(directory, 'griot-data')
  tell(dataDir, url)
  writeFileSync(path.join(dataDir, 'operator-token'), `${TOKEN.toUpperCase()}\n`)
  expect(await missing({ dataDir })).toBe(`the engine at ${url} refused the operator token`)
  writeFileSync(path.join(dataDir, 'operator-token'), `${TOKEN}\n`)
  // let in, but this is not what an engine answers
  expect(await missing({ dataDir })).toContain('what answers is not griot')
  expect(authorizations.at(-1)).toBe(`Bearer ${TOKEN}`)
  expect(await missing({ dataDir: '/none' })).toBe('no engine runs in data directory /none')
  expect(await missing(null)).toContain('--url or --data-dir')
})

test('a port that web clients refuse, and an address that is none, are told plainly', async () => {
  await expect(askEngine({ url: 'http://127.0.0.1:1' }, '/health', {})).rejects.toThrow(
    'no engine answers at http://127.0.0.1:1: web clients refuse that port',
  )
  await expect(askEngine({ url: 'foo' }, '/health', {})).rejects.toThrow(EngineAddressError)
})
