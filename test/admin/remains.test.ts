/** What is left of a tenant on disk, over the admin API. */
import { expect, test } from 'vitest'
import { ApiWorld } from './api-world.ts'

const ACME = 'aaaaaaaaaaaaaaa1'
const PATH = `/admin/v1/remains/${ACME}`

test('is told whether it is there or not, and purged once it is not', async () => {
  const world = new ApiWorld()
  await world.call('POST', '/admin/v1/tenants', { name: 'acme' })
  world.remains = { directories: ['broker-1/x'], files: ['broker-1/metadata/y'], looked: 4 }
  const told = { tenantId: ACME, isNothing: false, ...world.remains }
  expect((await world.call('GET', PATH)).body).toEqual({ ...told, tenant: 'acme' })
  expect(await world.refusal('DELETE', PATH)).toEqual([
    ...[409, "that is the tenant 'acme', which is there"],
    'DELETE /admin/v1/tenants/acme, and then wait until that is 404',
  ])
  world.turnsPerAsk = 6
  await world.call('DELETE', '/admin/v1/tenants/acme')
  const { offset } = world.image
  expect(await world.call('DELETE', PATH)).toMatchObject({
    ...{ status: 202, body: { ...told, tenant: null } },
  })
  expect(world.image.offset).toBe(offset + 1)
  world.remains = { directories: [], files: [], looked: 3 }
  expect((await world.call('DELETE', PATH)).body).toMatchObject({ isNothing: true, looked: 3 })
  expect(world.image.offset).toBe(offset + 1)
  expect((await world.refusal('GET', '/admin/v1/remains/acme'))[1]).toContain('16 hex digits')
})
