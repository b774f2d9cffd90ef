/** What commands do with an engine that has much to delete, and much to list. */
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { griot } from './griot-process.ts'

let server: Server
let asked: string[]
/** What is answered, in turn: status and body. */
let answers: [number, object][]
beforeEach(async () => {
  asked = []
  answers = []
  server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`)
    const [status, body] = answers.shift() ?? [404, { detail: 'there is no tenant' }]
    response.writeHead(status, { 'content-type': 'application/json' })
    response.end(JSON.stringify(body))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
})
afterEach(() => void server.close())

const run = (...args: string[]) =>
  griot(['tenant', ...args, '--url', `http://127.0.0.1:${(server.address() as AddressInfo).port}`])

const tenant = (state: string, tenantId = 'a') => ({
  ...{ name: 'acme', tenantId, clusterId: 'c', state, superUsers: [], allowEveryoneIfNoAcl: false },
  ...{ limits: {}, used: { topics: 900, partitions: 900, keys: 2 } },
})
const left = (topics: number) => ({
  ...tenant('deleting'),
  left: { topics, partitions: topics, keys: 2, users: 0, acls: 0 },
})
const PATH = '/admin/v1/tenants/acme'
const VERIFY = `GET ${PATH}?verify`

/** With so many files that name it, and a directory where there are any. */
const disk = (files: number) => ({
  ...{ tenantId: 'a', tenant: null, isNothing: files === 0, looked: 9 },
  directories: files === 0 ? [] : ['b/a'],
  files: Array.from({ length: files }, (_, at) => `m/${at}`),
})
const REMAINS = '/admin/v1/remains/a'

test('a purge that gets no further ends, and says what is left', async () => {
  answers = [
    [200, tenant('active')],
    [202, tenant('deleting')],
    [404, { detail: 'gone' }],
  ]
  for (let i = 0; i < 9; i++) answers.push([202, disk(2)])
  const { code, stderr } = await run('delete', 'acme', '--yes', '--purge', '--timeout', '1s')
  expect([code, stderr]).toEqual([
    1,
    expect.stringMatching(
      /is deleted, with 1 directories and 2 files .* nothing changes any more: b\/a, m\/0, m\/1\. /,
    ),
  ])
})

test('a purge is asked for until nothing is left', async () => {
  answers = [
    [200, tenant('active')],
    [202, tenant('deleting')],
    [404, { detail: 'there is no tenant' }],
    [202, disk(4)],
    [202, disk(1)],
    [202, disk(0)],
  ]
  const { code, stdout } = await run('delete', 'acme', '--yes', '--purge')
  expect([code, stdout]).toEqual([
    0,
    'tenant acme (id a): deleted, and nothing of it is left on disk: no directory, and none of 9 files names a\n',
  ])
  const purge = `DELETE ${REMAINS}`
  expect(asked.slice(2)).toEqual([VERIFY, purge, purge, purge])
  expect(await run('delete', 'acme', '--yes', '--purge', '--no-wait')).toMatchObject({ code: 2 })
})

test('a deletion is waited for until the tenant is gone', async () => {
  answers = [
    [200, tenant('active')],
    [202, tenant('deleting')],
    [200, left(900)],
    [200, left(400)],
  ]
  const { code, stdout } = await run('delete', 'acme', '--yes')
  expect([code, stdout]).toEqual([0, 'tenant acme (id a): deleted\n'])
  expect(asked).toEqual([`GET ${PATH}`, `DELETE ${PATH}`, VERIFY, VERIFY, VERIFY])
})

test('another tenant that has its name by now is not waited for', async () => {
  answers = [
    [200, tenant('active')],
    [202, tenant('deleting')],
    [200, { ...tenant('active', 'b'), left: null }],
  ]
  expect(await run('delete', 'acme', '--yes')).toMatchObject({
    stdout: 'tenant acme (id a): deleted\n',
  })
})

test('with --no-wait it is looked at once', async () => {
  answers = [
    [200, tenant('active')],
    [202, tenant('deleting')],
    [200, left(900)],
  ]
  const { code, stdout } = await run('delete', 'acme', '--yes', '--no-wait')
  const text = 'tenant acme (id a): being deleted, 900 topics and 2 keys left\n'
  expect([code, stdout, asked.at(-1)]).toEqual([0, text, VERIFY])
})

test('what is left of one on its way out is listed, and nothing is deleted for that', async () => {
  answers = [
    [200, tenant('deleting')],
    [200, left(400)],
    [200, disk(2)],
  ]
  const { code, stdout } = await run('delete', 'acme', '--verify')
  expect([code, asked]).toEqual([0, [`GET ${PATH}`, VERIFY, `GET ${REMAINS}`]])
  expect(stdout).toMatch(/\ndirectories +1 +brokers remove them/)
  expect(stdout).toMatch(
    /\nmetadata files that name it +2 +when .*\n\n {2}b\/a\n {2}m\/0\n {2}m\/1\n$/,
  )
  expect(stdout).toMatch(/^tenant acme \(id a\): being deleted, 400 topics and 2 keys left\n/)
  expect(stdout).toMatch(/\ntopics +400 +now, some hundreds at a time\nkeys +2 +now/)
})

test.each([
  ['active', []],
  ['suspended', ['--purge']],
])(
  '--verify deletes nothing, whatever else is said: one that is %s is there',
  async (state, more) => {
    answers = [[200, tenant(state)]]
    const ended = await run('delete', 'acme', '--verify', '--yes', ...more)
    expect(ended).toMatchObject({ code: 1, stdout: '' })
    expect(ended.stderr).toBe(
      `griot: tenant acme (id a) is there, ${state}: 900 topics with 900 partitions and 2 keys; \`griot tenant delete acme\`, without --verify, deletes it\n`,
    )
    expect(asked).toEqual([`GET ${PATH}`])
  },
)

test('--verify with --purge looks, and has nothing purged', async () => {
  answers = [
    [200, tenant('deleting')],
    [200, left(400)],
    [200, disk(2)],
  ]
  expect((await run('delete', 'acme', '--verify', '--purge')).code).toBe(0)
  expect(asked).toEqual([`GET ${PATH}`, VERIFY, `GET ${REMAINS}`])
})

const ID = '0123456789abcdef'
const OF_ID = `GET /admin/v1/remains/${ID}`
const diskOfId = (files: number, name: string | null = null) => ({
  ...{ ...disk(files), tenantId: ID, tenant: name },
})

test('of an id that nothing names it is not said that it was deleted', async () => {
  const missing: [number, object] = [404, { detail: 'there is no tenant' }]
  answers = [missing, [200, diskOfId(0)], missing, [200, diskOfId(0)]]
  const text = `tenant ${ID}: nothing of such a tenant was found: no directory, and none of 9 files names ${ID}\n`
  const purged = await run('delete', ID, '--purge')
  expect([purged.code, purged.stdout]).toEqual([0, text])
  const { stdout } = await run('delete', ID, '--verify', '--json')
  expect(JSON.parse(stdout)).toMatchObject({ tenantId: ID, status: 'unknown', left: null })
  expect(asked.filter((request) => request.startsWith('DELETE'))).toEqual([])
})

test('one that is gone is purged by its id, and one that is there is not', async () => {
  const missing: [number, object] = [404, { detail: 'there is no tenant' }]
  answers = [missing, [200, diskOfId(2)], [202, diskOfId(0)]]
  const { stdout } = await run('delete', ID, '--purge', '--json')
  expect(JSON.parse(stdout)).toMatchObject({ tenantId: ID, status: 'deleted', left: null })
  expect(asked.slice(1)).toEqual([OF_ID, `DELETE /admin/v1/remains/${ID}`])
  asked = []
  answers = [missing, [200, diskOfId(2, 'acme')], [200, tenant('active', ID)]]
  const there = await run('delete', ID, '--purge', '--yes')
  expect([there.code, there.stderr]).toEqual([1, expect.stringContaining('is there, active')])
  expect(asked.slice(1)).toEqual([OF_ID, `GET ${PATH}`])
})

test('all pages are listed', async () => {
  answers = [
    [200, { tenants: [tenant('active')], next: 'a&c' }],
    [200, { tenants: [tenant('suspended')], next: null }],
  ]
  const { stdout } = await run('list', '--json')
  expect(JSON.parse(stdout).map(({ state }: { state: string }) => state)).toEqual([
    'active',
    'suspended',
  ])
  const list = 'GET /admin/v1/tenants?limit=1000'
  expect(asked).toEqual([list, `${list}&after=a%26c`])
})

test('an engine that has no such API is told from one that has no such tenant', async () => {
  answers = [[404, { detail: 'nothing at /admin/v1/tenants/acme; there is /health' }]]
  expect(await run('delete', 'acme', '--yes')).toMatchObject({
    ...{ code: 1, stderr: expect.stringContaining('takes no such orders: ask the admin address') },
  })
})
