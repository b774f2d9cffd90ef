/** Commands that are run while the engine that they ask is on its way. */
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { awaitStarted } from '../../src/cli/engine-wait.ts'
import { writeEndpoints } from '../../src/server/endpoints.ts'
import { GriotProcess, griot, takePort } from './griot-process.ts'

let directory: string
let dataDir: string
const servers: Server[] = []
beforeEach(() => {
  directory = mkdtempSync(path.join(os.tmpdir(), 'griot-wait-'))
  dataDir = path.join(directory, 'data')
})
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
  rmSync(directory, { recursive: true, force: true })
})

const anyPorts = ['--kafka-listen', '127.0.0.1:0', '--http-listen', '127.0.0.1:0']

test('an engine that starts at the same time is waited for, and has no data directory yet', async () => {
  const args = ['--data-dir', dataDir]
  const made = griot(['tenant', 'create', 'acme', ...args])
  const engine = new GriotProcess(['start', ...args, ...anyPorts, '--memory', '64M'])
  try {
    expect(await made).toMatchObject({ code: 0, stdout: expect.stringContaining('acme: created') })
    const key = await griot(['key', 'create', 'acme', '--properties', 'librdkafka', ...args])
    expect(key.stdout).toMatch(/^bootstrap\.servers=127\.0\.0\.1:\d+,/)
  } finally {
    await engine.kill('SIGKILL')
  }
}, 40_000)

test('where none comes that is said after a second, and after five it fails', async () => {
  const startMs = performance.now()
  const { code, stdout, stderr } = await griot(['tenant', 'list', '--data-dir', dataDir])
  expect(performance.now() - startMs).toBeGreaterThan(5_000)
  const none = `griot: no engine runs in data directory ${dataDir}`
  expect([code, stdout]).toEqual([1, ''])
  expect(stderr.split('\n')).toEqual([
    `${none}; it is waited for, up to 5 s`,
    expect.stringContaining(`${none}; \`griot start\` starts one`),
    '',
  ])
}, 40_000)

test('an address that somebody named is not waited for', async () => {
  const { port, close } = await takePort()
  close()
  const { code, stderr } = await griot(['tenant', 'list', '--url', `http://127.0.0.1:${port}`])
  expect([code, stderr]).toEqual([1, expect.stringMatching(/^griot: no engine answers .*\n$/)])
}, 40_000)

/** An engine whose `/health` says what is next in `states`, and the last one again and again. */
async function health(states: readonly [number, object][]): Promise<() => number> {
  let asked = 0
  const server = createServer((_, response) => {
    const [status, body] = states[Math.min(asked++, states.length - 1)]!
    response.writeHead(status).end(JSON.stringify(body))
  }).listen(0, '127.0.0.1')
  servers.push(server)
  await once(server, 'listening')
  const adminUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  writeEndpoints(directory, { kafka: [], httpUrl: null, adminUrl, pid: 1, owner: 'o' })
  return () => asked
}

test('one that says that it starts is looked at until it has started, once for a command', async () => {
  const starting: [number, object] = [503, { status: 'starting' }]
  const asked = await health([starting, starting, [200, { status: 'serving' }]])
  const target = { dataDir: directory }
  await awaitStarted(target)
  expect(asked()).toBe(3)
  await awaitStarted(target)
  expect(asked()).toBe(3)
})

test.each<[number, object]>([
  [503, { status: 'failed' }],
  [404, { detail: 'nothing at /health' }],
  [401, {}],
])('what is otherwise wrong is not waited for: %i %j', async (status, body) => {
  const asked = await health([[status, body]])
  await awaitStarted({ dataDir: directory })
  expect(asked()).toBe(1)
})
