/** Tenants and keys over the admin API; every answer is checked by the API's own description. */
import { beforeEach, describe, expect, test } from 'vitest'
import type { ClientListener } from '../../src/admin/listener-routes.ts'
import type { PartitionNumber } from '../../src/base/ids.ts'
import { TENANT_LIMITS } from '../../src/image/tenant-limits.ts'
import { ApiWorld, NO_USE } from './api-world.ts'

const TENANTS = '/admin/v1/tenants'
const ACME = `${TENANTS}/acme`
const NO_LIMITS = Object.fromEntries(Object.keys(TENANT_LIMITS).map((name) => [name, null]))

/** As it is told of a tenant that does nothing. */
const NONE = {
  ...{ connectionsLetIn: 0, connectionsRefused: 0, bytesIn: 0, bytesOut: 0, requests: 0 },
  ...{ errors: 0, inFlightBytes: 0, frontMs: 0, partitionChanges: 0, brokerMs: 0 },
}

let world: ApiWorld
beforeEach(() => {
  world = new ApiWorld()
})

describe('a tenant', () => {
  test('is made with what it may have, and shown', async () => {
    const limits = { topics: 10, partitions: null }
    const superUsers = ['User:root', 'User:admin']
    const made = await world.call('POST', TENANTS, { name: 'acme', limits, superUsers })
    expect([made.status, made.headers.location]).toEqual([201, ACME])
    expect(made.headers['cache-control']).toBe('no-store')
    expect(made.body).toEqual({
      ...{ name: 'acme', tenantId: 'aaaaaaaaaaaaaaa1', state: 'active' },
      clusterId: expect.stringMatching(/^[\w-]{22}$/),
      ...{ plan: null, planLimits: null },
      limits: { ...NO_LIMITS, topics: 10, keys: 1_000, users: 1_000 },
      ownLimits: { ...NO_LIMITS, topics: 10 },
      used: {
        ...{ topics: 0, partitions: 0, connections: 0, keys: 0, users: 0 },
        ...{ storageBytes: 0, groups: null },
      },
      use: NONE,
      ...{ superUsers: ['User:admin', 'User:root'], allowEveryoneIfNoAcl: false },
    })
    expect(await world.call('GET', ACME)).toMatchObject({ status: 200, body: made.body })
    expect(await world.refusal('POST', TENANTS, { name: 'acme' })).toEqual([
      409,
      "a tenant 'acme' exists already",
      `GET ${ACME} shows it, PATCH changes it`,
    ])
  })

  test('has used what it made itself, and not what the engine made for it', async () => {
    await world.call('POST', TENANTS, { name: 'acme' })
    world.makeTopics('acme', 3, 'a', 'b', '__consumer_offsets')
    await world.call('POST', `${ACME}/keys`)
    const { tenantId } = world.image.tenantByName('acme')!
    for (const brokerId of [1, 2]) {
      const groups = [[tenantId, 7 as PartitionNumber, 4]] as const
      world.holdings.onTold({
        ...{ kind: 'tenant-holdings', brokerId, groups },
        storage: [[tenantId, 500]],
      })
    }
    const { body } = await world.call('GET', ACME)
    expect(body.used).toEqual({
      ...{ topics: 2, partitions: 6, connections: 0, keys: 1, users: 0 },
      ...{ storageBytes: 1_000, groups: 4 },
    })
  })

  test('has its connections told, and what it uses of the engine', async () => {
    await world.call('POST', TENANTS, { name: 'acme' })
    const { tenantId } = world.image.tenantByName('acme')!
    const at = { ...{ bytesIn: 1, bytesOut: 2, commands: 3, fetches: 4 }, inFlightBytes: 5 }
    const brokers = [1, 2].map((brokerId) => ({ ...at, brokerId, seconds: 0.75 * brokerId }))
    const mine = { ...NO_USE, connections: 3, bytesIn: 1_000, frontSeconds: 0.0123, brokers }
    const uses = { of: (id: string) => (id === tenantId ? mine : NO_USE), has: () => true }
    world.uses = { ...uses, others: NO_USE }
    const { body } = await world.call('GET', ACME)
    expect(body.used.connections).toBe(3)
    expect(body.use).toEqual({ ...NONE, bytesIn: 1_000, frontMs: 12, brokerMs: 2_250 })
    const { tenants } = (await world.call('GET', TENANTS)).body
    expect(tenants.map((one: typeof body) => [one.name, one.use.bytesIn])).toEqual([
      ['acme', 1_000],
      ['default', 0],
    ])
  })

  test('is changed in what is given, and by nothing in nothing', async () => {
    const { body } = await world.call('POST', TENANTS, { name: 'acme', limits: { topics: 3 } })
    const change = { state: 'suspended', limits: { partitions: 5 }, allowEveryoneIfNoAcl: true }
    const limits = { ...body.limits, partitions: 5 }
    const ownLimits = { ...body.ownLimits, partitions: 5 }
    const changed = {
      ...{ ...body, state: 'suspended', limits, ownLimits },
      allowEveryoneIfNoAcl: true,
    }
    expect(await world.call('PATCH', ACME, change)).toMatchObject({ status: 200, body: changed })
    expect((await world.call('PATCH', ACME, {})).body).toEqual(changed)
    const back = { state: 'active', limits: { topics: null }, superUsers: [] }
    expect((await world.call('PATCH', ACME, back)).body).toEqual({
      ...{ ...changed, state: 'active', superUsers: [] },
      ...{ limits: { ...limits, topics: null }, ownLimits: { ...ownLimits, topics: null } },
    })
  })

  test('is deleted bit by bit, which can be watched, and again without harm', async () => {
    await world.call('POST', TENANTS, { name: 'acme' })
    const topics = Array.from({ length: 600 }, (_, at) => `topic-${at}`)
    world.makeTopics('acme', 1, ...topics)
    await world.call('POST', `${ACME}/keys`, { user: 'alice' })
    expect((await world.call('GET', `${ACME}?verify`)).body.left).toBe(null)
    world.turnsPerAsk = 2
    const gone = await world.call('DELETE', ACME)
    expect([gone.status, gone.body.state]).toEqual([202, 'deleting'])
    const left = async () => (await world.call('GET', `${ACME}?verify=true`)).body.left
    expect(await left()).toEqual({ topics: 600, partitions: 600, keys: 1, users: 0, acls: 0 })
    world.turns(1)
    expect(await left()).toEqual({ topics: 100, partitions: 100, keys: 1, users: 0, acls: 0 })
    const deleting = "the tenant 'acme' is being deleted"
    expect(await world.refusal('PATCH', ACME, {})).toEqual([409, deleting])
    expect(await world.refusal('POST', `${ACME}/keys`)).toEqual([409, deleting])
    const free = 'its name is free once nothing of it is left'
    expect(await world.refusal('POST', TENANTS, { name: 'acme' })).toEqual([409, deleting, free])
    expect((await world.call('DELETE', ACME)).status).toBe(202)
    world.turns(3)
    expect((await world.refusal('GET', `${ACME}?verify`))[0]).toBe(404)
    expect((await world.call('POST', TENANTS, { name: 'acme' })).status).toBe(201)
  })

  test('that had nothing may be gone before it is told', async () => {
    await world.call('POST', TENANTS, { name: 'acme' })
    world.turnsPerAsk = 6
    expect(await world.call('DELETE', ACME)).toMatchObject({
      ...{ status: 202, body: { name: 'acme', state: 'deleting' } },
    })
    const next = 'GET /admin/v1/tenants lists those that there are'
    const unknown = [404, "there is no tenant 'acme'", next]
    expect(await world.refusal('GET', ACME)).toEqual(unknown)
    expect(await world.refusal('DELETE', ACME)).toEqual(unknown)
    expect(await world.refusal('PATCH', ACME, {})).toEqual(unknown)
    expect(await world.refusal('GET', `${ACME}/keys`)).toEqual(unknown)
    expect(await world.refusal('POST', `${ACME}/keys`)).toEqual(unknown)
    expect(await world.refusal('DELETE', `${ACME}/keys/KEY1`)).toEqual(unknown)
  })

  test('that clients without a key have stays', async () => {
    expect(await world.refusal('DELETE', `${TENANTS}/default`)).toEqual([
      ...[409, "the tenant 'default' stays, clients without a key are its"],
      expect.stringContaining('suspend it instead'),
    ])
    const suspended = await world.call('PATCH', `${TENANTS}/default`, { state: 'suspended' })
    expect(suspended.body.state).toBe('suspended')
  })
})

describe('tenants', () => {
  test('are listed by name, in pages, whatever goes or comes between them', async () => {
    for (const name of ['d', 'b', 'e', 'a', 'c']) await world.call('POST', TENANTS, { name })
    const page = async (query: string) => {
      const { tenants, next } = (await world.call('GET', `${TENANTS}${query}`)).body
      return [tenants.map(({ name }: { name: string }) => name).join(), next]
    }
    expect(await page('')).toEqual(['a,b,c,d,default,e', null])
    expect(await page('?limit=2')).toEqual(['a,b', 'b'])
    world.turnsPerAsk = 6
    await world.call('DELETE', `${TENANTS}/b`)
    expect(await page('?limit=2&after=b')).toEqual(['c,d', 'd'])
    expect(await page('?after=d&limit=2')).toEqual(['default,e', null])
    expect(await page('?after=e')).toEqual(['', null])
  })

  test.each([
    ['limit=0', 'limit: 0 is refused, it wants a whole number from 1 to 1000'],
    ['limit=1001', 'limit: 1001 is refused, it wants a whole number from 1 to 1000'],
    ['limit=ten', 'limit: "ten" is refused, it wants a whole number from 1 to 1000'],
    ['limit=1&limit=2', 'limit: is given more than once'],
    ['before=a', '"before": there is no such parameter; there is limit, after'],
  ])('are not listed by %s', async (query, detail) => {
    expect(await world.refusal('GET', `${TENANTS}?${query}`)).toEqual([400, detail])
  })
})

describe('a key', () => {
  beforeEach(async () => {
    await world.call('POST', TENANTS, { name: 'acme', limits: { keys: 2 } })
  })

  test('is made, listed without its secret, and revoked', async () => {
    const made = await world.call('POST', `${ACME}/keys`, { user: 'alice' })
    const createdAt = '2027-01-15T08:00:00.000Z'
    const key = { key: 'KEY2', user: 'alice', createdAt }
    expect([made.status, made.body]).toEqual([201, { ...key, secret: 'griot_secret-2' }])
    expect(made.headers['cache-control']).toBe('no-store')
    const { body } = await world.call('POST', `${ACME}/keys`)
    expect(body.user).toBe('admin')
    const listed = await world.call('GET', `${ACME}/keys?limit=1`)
    expect(listed.body).toEqual({ keys: [key], next: 'KEY2' })
    expect((await world.call('GET', `${ACME}/keys?after=KEY2`)).body).toEqual({
      ...{ keys: [{ key: 'KEY3', user: 'admin', createdAt }], next: null },
    })
    expect(await world.call('DELETE', `${ACME}/keys/KEY2`)).toMatchObject({
      ...{ status: 200, body: key },
    })
    expect(await world.refusal('DELETE', `${ACME}/keys/KEY2`)).toEqual([
      404,
      "the tenant 'acme' has no key 'KEY2'",
      `GET ${ACME}/keys lists those that it has`,
    ])
    expect(JSON.stringify(world.lines)).not.toContain('griot_secret')
  })

  test('of another tenant is none', async () => {
    await world.call('POST', TENANTS, { name: 'emca' })
    const { body } = await world.call('POST', `${TENANTS}/emca/keys`)
    expect((await world.refusal('DELETE', `${ACME}/keys/${body.key}`))[0]).toBe(404)
    expect((await world.call('GET', `${ACME}/keys`)).body.keys).toEqual([])
  })

  test('more than the limit is not made, and says what to do', async () => {
    for (let i = 0; i < 2; i++) await world.call('POST', `${ACME}/keys`)
    expect(await world.refusal('POST', `${ACME}/keys`)).toEqual([
      409,
      'The limit of 2 keys of this cluster would be passed: 2 are used, 1 more are asked for',
      `revoke a key, or raise the limit by PATCH of ${ACME}`,
    ])
  })

  test('too many at a time are not made', async () => {
    let release = () => {}
    world.keysHeld = new Promise((resolve) => {
      release = resolve
    })
    await world.call('PATCH', ACME, { limits: { keys: null } })
    const making = Array.from({ length: 16 }, () => world.call('POST', `${ACME}/keys`))
    // they are let in a turn later: their token is compared first
    await new Promise((resolve) => setImmediate(resolve))
    expect(await world.call('POST', `${ACME}/keys`)).toMatchObject({
      ...{ status: 503, headers: { 'retry-after': '1' } },
    })
    release()
    for (const { status } of await Promise.all(making)) expect(status).toBe(201)
    expect((await world.call('POST', `${ACME}/keys`)).status).toBe(201)
  })
})

test('listeners of a tenant are told, once they are open', async () => {
  await world.call('POST', TENANTS, { name: 'acme' })
  expect(await world.refusal('GET', `${ACME}/listeners`)).toEqual([
    ...[503, 'the engine is starting, and does not listen yet'],
  ])
  const listener: ClientListener = {
    brokers: ['127.0.0.1:9092'],
    ...{ tls: true, sasl: true, anonymous: false, clientCertificate: 'none', isOwn: false },
  }
  world.listeners = [listener]
  const { status, body } = await world.call('GET', `${ACME}/listeners`)
  expect([status, body]).toEqual([200, { listeners: [listener] }])
  expect((await world.refusal('GET', `${TENANTS}/nobody/listeners`))[0]).toBe(404)
})

describe('what is asked', () => {
  beforeEach(async () => {
    await world.call('POST', TENANTS, { name: 'acme' })
  })

  const fields = 'name, plan, limits, superUsers, allowEveryoneIfNoAcl'
  const whole = 'it wants a whole number from 0 to 1000000000, or null'
  test.each([
    ['POST', TENANTS, '{', 'the body is no JSON'],
    ['POST', TENANTS, Buffer.from([0x22, 0xff, 0x22]), 'the body is no JSON'],
    ['POST', TENANTS, undefined, 'the body is no JSON'],
    ['POST', TENANTS, [], 'the body: [] is refused, it wants an object'],
    ['POST', TENANTS, {}, 'name: is missing, it wants a string'],
    ['POST', TENANTS, { name: 7 }, 'name: 7 is refused, it wants a string'],
    ['POST', TENANTS, { name: 'A' }, "name: the tenant name 'A' is refused: it wants 1 to 63"],
    [
      'POST',
      TENANTS,
      { name: 'b', limit: {} },
      `limit: there is no such field; there is ${fields}`,
    ],
    ['POST', TENANTS, '{"name": "b", "__proto__": {}}', '__proto__: there is no such field'],
    [
      'POST',
      TENANTS,
      { name: 'b', limits: { topics: '9' } },
      `limits.topics: "9" is refused, ${whole}`,
    ],
    ['POST', TENANTS, { name: 'b', superUsers: ['root'] }, 'The principal "root" has no colon'],
    ['PATCH', ACME, { limits: { topics: -1 } }, `limits.topics: -1 is refused, ${whole}`],
    ['PATCH', ACME, { limits: { topics: 1.5 } }, `limits.topics: 1.5 is refused, ${whole}`],
    [
      'PATCH',
      ACME,
      { limits: { quota: 1 } },
      'limits.quota: there is no such field; there is topics,',
    ],
    ['PATCH', ACME, { limits: null }, 'limits: null is refused, it wants an object'],
    [
      'PATCH',
      ACME,
      { state: 'deleting' },
      'state: "deleting" is refused, it wants "active" or "suspended"',
    ],
    [
      'PATCH',
      ACME,
      { superUsers: 'User:a' },
      'superUsers: "User:a" is refused, it wants a list, each of it a string',
    ],
    [
      'PATCH',
      ACME,
      { superUsers: ['User:a', 3] },
      'superUsers[1]: 3 is refused, it wants a string',
    ],
    ['PATCH', ACME, { superUsers: ['a b'] }, 'The principal "a b" has no colon'],
    [
      'PATCH',
      ACME,
      { allowEveryoneIfNoAcl: 1 },
      'allowEveryoneIfNoAcl: 1 is refused, it wants true or false',
    ],
    ['PATCH', ACME, { name: 'other' }, 'name: there is no such field'],
    ['POST', `${ACME}/keys`, { user: 'a b' }, "user: the user 'a b' is refused"],
    ['POST', `${ACME}/keys`, { user: 'User:b' }, "user: the user 'User:b' is refused: leave out"],
    ['POST', `${ACME}/keys`, { secret: 'mine' }, 'secret: there is no such field; there is user'],
    ['DELETE', ACME, { yes: true }, 'a body came, and none is taken here'],
    [
      'GET',
      `${ACME}?verify=maybe`,
      undefined,
      'verify: "maybe" is refused, it wants true or false',
    ],
  ])('is refused where it is wrong: %s %s %j', async (method, path, body, detail) => {
    const before = world.image.offset
    expect(await world.refusal(method, path, body)).toEqual([400, expect.stringContaining(detail)])
    expect(world.image.offset).toBe(before)
  })

  test('is answered with 503 while nobody can', async () => {
    world.isAnswering = false
    for (const [method, path, body] of [
      ['POST', TENANTS, { name: 'emca' }],
      ['PATCH', ACME, { state: 'suspended' }],
      ['DELETE', ACME, undefined],
    ] as const) {
      const answer = await world.call(method, path, body)
      expect([answer.status, answer.headers['retry-after']]).toEqual([503, '1'])
      expect(answer.body).toMatchObject({
        detail: 'The controller does not answer',
        next: expect.stringContaining('whether it was done is not known'),
      })
    }
    const [, , next] = await world.refusal('POST', `${ACME}/keys`)
    expect(next).toMatch(/whether the key KEY\d+ was made is not known.*revoke it/)
    world.isImageWhole = false
    for (const path of [TENANTS, ACME, `${ACME}/keys`]) {
      expect(await world.refusal('GET', path)).toEqual([
        ...[503, 'the engine is starting, and has no metadata yet', 'ask again in a moment'],
      ])
    }
  })

  test('is not looked at without the token', async () => {
    const { paths } = await world.openApi()
    for (const [path, operations] of Object.entries(paths)) {
      for (const method of Object.keys(operations)) {
        const target = path.replace('{tenant}', 'acme').replace('{keyId}', 'KEY1')
        for (const token of [null, 'another-token-0123456']) {
          const answer = await world.call(method.toUpperCase(), target, '{', token)
          expect(answer.status, `${method} ${path}`).toBe(401)
        }
      }
    }
  })
})

test('what becomes of tenants and keys is a line each in the log, without secrets', async () => {
  world.lines.length = 0
  await world.call('POST', TENANTS, { name: 'acme', limits: { topics: 1 } })
  await world.call('POST', `${ACME}/keys`, { user: 'alice' })
  await world.call('POST', `${ACME}/keys`, { user: 'bob' })
  await world.call('DELETE', `${ACME}/keys/KEY2`)
  await world.call('PATCH', ACME, { limits: { topics: 2 } })
  for (const state of ['suspended', 'suspended', 'active']) {
    await world.call('PATCH', ACME, { state })
  }
  await world.call('DELETE', ACME)
  world.turns(3)
  const tenantId = 'aaaaaaaaaaaaaaa1'
  const tenant = { tenant: 'acme', tenantId }
  expect(world.lines).toEqual([
    ['tenant made', { ...tenant, clusterId: expect.any(String) }],
    ['API key made', { ...tenant, keyId: 'KEY2', user: 'alice' }],
    ['API key made', { ...tenant, keyId: 'KEY3', user: 'bob' }],
    ['API key revoked', { ...tenant, keyId: 'KEY2', user: 'alice' }],
    ['tenant suspended', tenant],
    ['tenant resumed', tenant],
    ['tenant is being deleted', tenant],
    ['tenant deleted', tenant],
  ])
})
