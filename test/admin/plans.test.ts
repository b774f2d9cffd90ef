/** Plans over the admin API; every answer is checked by the API's own description. */
import { beforeEach, expect, test } from 'vitest'
import { ApiWorld } from './api-world.ts'

const PLANS = '/admin/v1/plans'
const SMALL = `${PLANS}/small`
const ACME = '/admin/v1/tenants/acme'

let world: ApiWorld
beforeEach(async () => {
  world = new ApiWorld()
  const made = await world.call('POST', PLANS, { name: 'small', limits: { topics: 3, keys: null } })
  expect([made.status, made.headers.location]).toEqual([201, SMALL])
})

test('a plan is made, listed, shown, changed, and deleted once nobody has it', async () => {
  const small = (await world.call('GET', SMALL)).body
  expect(small).toMatchObject({ name: 'small', tenants: 0, limits: { topics: 3, keys: null } })
  await world.call('POST', PLANS, { name: 'large' })
  await world.call('POST', '/admin/v1/tenants', { name: 'acme', plan: 'small' })
  const { body } = await world.call('GET', `${PLANS}?limit=1&after=large`)
  expect(body).toEqual({ plans: [{ ...small, tenants: 1 }], next: null })
  expect((await world.call('PATCH', SMALL, { limits: { users: 7 } })).body).toMatchObject({
    ...{ tenants: 1, limits: { topics: 3, users: 7 } },
  })
  expect(await world.refusal('DELETE', SMALL)).toEqual([
    ...[409, "1 tenant has the plan 'small': acme"],
    'give them another by PATCH of /admin/v1/tenants/{tenant}',
  ])
  await world.call('PATCH', ACME, { plan: 'large' })
  expect((await world.call('DELETE', SMALL)).status).toBe(200)
  const next = 'GET /admin/v1/plans lists those that there are'
  expect(await world.refusal('GET', SMALL)).toEqual([404, "there is no plan 'small'", next])
})

test('a tenant shows what holds, and where it comes from', async () => {
  const limits = { topics: 5 }
  const made = await world.call('POST', '/admin/v1/tenants', {
    name: 'acme',
    plan: 'small',
    limits,
  })
  expect(made.body).toMatchObject({ plan: 'small', limits: { topics: 5, keys: 1_000 } })
  expect(made.body).toMatchObject({ ownLimits: { topics: 5 }, planLimits: { topics: 3 } })
  const changed = await world.call('PATCH', ACME, { limits: { topics: null } })
  expect(changed.body).toMatchObject({ plan: 'small', limits: { topics: 3 } })
  await world.call('PATCH', SMALL, { limits: { topics: 9 } })
  expect((await world.call('GET', ACME)).body).toMatchObject({ limits: { topics: 9 } })
  const none = await world.call('PATCH', ACME, { plan: null })
  expect(none.body).toMatchObject({ plan: null, planLimits: null, limits: { topics: null } })
})

test('what is no plan is refused by name', async () => {
  const next = 'GET /admin/v1/plans lists those that there are'
  const refused = [400, "plan: there is no plan 'x'", next]
  expect(await world.refusal('POST', '/admin/v1/tenants', { name: 'a', plan: 'x' })).toEqual(
    refused,
  )
  expect(await world.refusal('PATCH', '/admin/v1/tenants/default', { plan: 'x' })).toEqual(refused)
  expect((await world.refusal('POST', PLANS, { name: 'Small' }))[1]).toContain(
    'name: the plan name',
  )
  expect((await world.refusal('POST', PLANS, { name: 'small' }))[0]).toBe(409)
  expect((await world.refusal('POST', PLANS, { name: 'p', limits: { x: 1 } }))[1]).toContain(
    'limits.x: there is no such field',
  )
})
