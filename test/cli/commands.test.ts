import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { griotVersion } from '../../src/server/version.ts'
import { GriotProcess, griot, takePort } from './griot-process.ts'

/** An engine that answers `/health` with `body`. */
async function fakeEngine(status: number, body: string) {
  const server = createServer((_, response) => response.writeHead(status).end(body)).listen(
    0,
    '127.0.0.1',
  )
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return { url, close: () => server.closeAllConnections() ?? server.close() }
}

test('griot version prints the version, also as JSON', async () => {
  expect(await griot(['version'])).toMatchObject({ code: 0, stdout: `${griotVersion()}\n` })
  expect((await griot(['--version'])).stdout).toBe(`${griotVersion()}\n`)
  const json = JSON.parse((await griot(['version', '--json'])).stdout)
  expect(json).toEqual({ version: griotVersion(), node: process.version })
})

test('griot example grafana prints the dashboard', async () => {
  const file = new URL('../../src/admin/grafana-dashboard.json', import.meta.url)
  const printed = await griot(['example', 'grafana'])
  expect(printed).toMatchObject({ code: 0, stdout: readFileSync(file, 'utf8') })
})

test('griot health ends with 1 and the reasons when the engine is not well', async () => {
  const engine = await fakeEngine(
    503,
    '{"status": "stopping", "reasons": ["the engine is stopping"]}',
  )
  const asked = await griot(['health', '--url', engine.url])
  expect(asked).toMatchObject({
    code: 1,
    stdout: expect.stringContaining('\n  the engine is stopping'),
  })
  engine.close()
})

test('griot health says where nobody answers, and how to name another engine', async () => {
  const { port, close } = await takePort()
  close()
  const url = `http://127.0.0.1:${port}`
  const asked = await griot(['health', '--url', url])
  expect(asked).toMatchObject({
    code: 1,
    stderr: `griot: no engine answers at ${url}: ECONNREFUSED; \`griot start\` starts one; --url http://HOST:PORT or --data-dir DIR says where another is (or GRIOT_URL, GRIOT_DATA_DIR)\n`,
  })
  const json = await griot(['health', '--url', url, '--json'])
  expect(JSON.parse(json.stdout)).toMatchObject({ status: 'unreachable' })
})

test('griot health refuses a wrong address by name, and what is no engine', async () => {
  expect(await griot(['health', '--url', 'nonsense'])).toMatchObject({
    ...{ code: 2, stderr: expect.stringContaining('option --url: "nonsense" is refused') },
  })
  const env = { GRIOT_URL: 'ftp://x' }
  expect((await griot(['health'], env)).stderr).toContain(
    'environment variable GRIOT_URL: "ftp://x"',
  )
  const other = await fakeEngine(200, '<html>')
  expect((await griot(['health', '--url', other.url])).stderr).toContain(
    'what answers is not griot',
  )
  other.close()
})

test('griot health says when it asked the address that tells of life alone', async () => {
  const server = createServer(({ url }, response) =>
    response.writeHead(url === '/health/live' ? 200 : 404).end('{"status":"live"}'),
  ).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const asked = await griot(['health', '--url', url])
  server.close()
  expect(asked).toMatchObject({
    code: 1,
    stderr: `griot: ${url} tells only /health/live (alive): ask the admin address, or --data-dir\n`,
  })
})

test.each([
  [['--help']],
  [['start', '--help']],
  [['consume', '--help']],
  [['topic', 'create', '--help']],
  [['example', 'grafana']],
  [['version']],
])('griot %s ends quietly when nobody reads', async (args) => {
  const process = new GriotProcess(args)
  process.child.stdout!.destroy()
  expect(await process.ended()).toMatchObject({ code: 0, stderr: '' })
})

test('an unknown command is refused with the nearest', async () => {
  const ended = await griot(['strat'])
  expect([ended.code, ended.stderr]).toEqual([
    2,
    expect.stringMatching(/griot: unknown command 'strat'\n\(Did you mean start\?\)/),
  ])
})

test('help lists every option with its default', async () => {
  const { code, stdout } = await griot(['start', '--help'])
  expect(code).toBe(0)
  for (const name of ['--data-dir', '--memory', '--stop-timeout', '--config'])
    expect(stdout).toContain(name)
})
