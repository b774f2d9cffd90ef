/** How commands find an engine and its token. */
import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, request as httpRequest, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { proofText } from '../../src/base/engine-proof.ts'
import { askEngine, EngineAddressError } from '../../src/cli/engine-url.ts'
import { scrape } from '../../src/cli/top-sample.ts'
import { writeEndpoints } from '../../src/server/endpoints.ts'

const TOKEN = '0123456789abcdef-token'
let directory: string
let url: string
let authorizations: (string | undefined)[]
let close: () => void
const cwd = process.cwd()

/** As an engine with {@link TOKEN}; replaced where somebody else has its port. */
let proofOf: (request: IncomingMessage) => Record<string, string>
const engineProof = ({ headers, socket }: IncomingMessage): Record<string, string> => {
  const challenge = headers['griot-challenge']
  if (typeof challenge !== 'string') return {}
  const text = proofText(challenge, socket.localAddress!, socket.localPort!)
  return { 'griot-proof': createHmac('sha256', TOKEN).update(text).digest('hex') }
}

beforeEach(async () => {
  proofOf = engineProof
  directory = mkdtempSync(path.join(os.tmpdir(), 'griot-url-'))
  authorizations = []
  const server = createServer((request, response) => {
    authorizations.push(request.headers.authorization)
    const isIn = request.url === '/health' || request.headers.authorization === `Bearer ${TOKEN}`
    response.writeHead(isIn ? 200 : 401, proofOf(request)).end('{}')
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
  writeEndpoints(dataDir, { kafka: [], httpUrl: adminUrl, adminUrl, pid: process.pid, owner: 'o' })

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

test('the token is sent to nobody who does not prove to be the engine, whatever token it is', async () => {
  const dataDir = path.join(directory, 'griot-data')
  tell(dataDir, url)
  const file = path.join(dataDir, 'operator-token')
  writeFileSync(file, `${TOKEN}\n`)
  const other = createHmac('sha256', 'another token').update('x').digest('hex')
  const proofs = [{}, { 'griot-proof': '' }, { 'griot-proof': other }] as Record<string, string>[]
  process.chdir(directory)
  for (const proof of proofs) {
    proofOf = () => proof
    for (const [target, env] of [
      [{ dataDir }, {}],
      [{ dataDir }, { GRIOT_TOKEN: TOKEN }],
      [{ dataDir, tokenFile: file }, {}],
      [{}, { GRIOT_DATA_DIR: dataDir }],
      [{}, {}],
      [{ url, isAssumed: true }, { GRIOT_TOKEN: TOKEN }],
    ] as const) {
      await expect(askEngine(target, '/metrics', env)).rejects.toThrow(
        `what answers at ${url} asks for the operator token, but does not prove that it has it`,
      )
    }
  }
  expect(authorizations.filter((authorization) => authorization !== undefined)).toEqual([])
  // who names the address vouches for it
  expect((await askEngine({ url, dataDir }, '/metrics', {})).status).toBe(200)
})

test('a proof that is fetched from the engine at its new port does not help whoever has its old one', async () => {
  const dataDir = path.join(directory, 'griot-data')
  writeFileSync(path.join(dataDir, 'operator-token'), `${TOKEN}\n`)
  const seen: (string | undefined)[] = []
  const relay = createServer((incoming, outgoing) => {
    seen.push(incoming.headers.authorization)
    const { headers } = incoming
    httpRequest(new URL(incoming.url!, url), { headers }, (answer) => {
      outgoing.writeHead(answer.statusCode!, answer.headers)
      answer.pipe(outgoing)
    }).end()
  }).listen(0, '127.0.0.1')
  await once(relay, 'listening')
  try {
    tell(dataDir, `http://127.0.0.1:${(relay.address() as AddressInfo).port}`)
    await expect(askEngine({ dataDir }, '/metrics', {})).rejects.toThrow('does not prove')
    expect(seen).toEqual([undefined])
  } finally {
    relay.close()
    relay.closeAllConnections()
  }
})

test('the token goes over the connection that brought the proof, or not at all', async () => {
  const dataDir = path.join(directory, 'griot-data')
  tell(dataDir, url)
  writeFileSync(path.join(dataDir, 'operator-token'), `${TOKEN}\n`)
  // as one that dies once it has answered, and whose port another takes at once
  proofOf = (request) => ({ ...engineProof(request), connection: 'close' })
  await expect(askEngine({ dataDir }, '/metrics', {})).rejects.toThrow('closed the connection')
  expect(authorizations).toEqual([undefined])
})

test('griot top sends the token as well, and says why there are no metrics', async () => {
  const missing = async (target: object | null) => (await scrape(target)).missing
  expect(await missing({ url })).toBe(
    `the engine at ${url} asks for the operator token: GRIOT_TOKEN, or --data-dir`,
  )
  const dataDir = path.join(directory, 'griot-data')
  tell(dataDir, url)
  writeFileSync(path.join(dataDir, 'operator-token'), `${TOKEN.toUpperCase()}\n`)
  expect(await missing({ dataDir })).toContain('does not prove that it has it')
  expect(await missing({ url, dataDir })).toBe(`the engine at ${url} refused the operator token`)
  writeFileSync(path.join(dataDir, 'operator-token'), `${TOKEN}\n`)
  // let in, but this is not what an engine answers
  expect(await missing({ dataDir })).toContain('what answers is not griot')
  expect(authorizations.at(-1)).toBe(`Bearer ${TOKEN}`)
  expect(await missing({ dataDir: '/none' })).toContain('no engine runs in data directory /none; ')
  expect(await missing(null)).toContain('--url or --data-dir')
})

test('a port that web clients refuse, and an address that is none, are told plainly', async () => {
  await expect(askEngine({ url: 'http://127.0.0.1:1' }, '/health', {})).rejects.toThrow(
    'no engine answers at http://127.0.0.1:1: web clients refuse that port',
  )
  await expect(askEngine({ url: 'foo' }, '/health', {})).rejects.toThrow(EngineAddressError)
})
