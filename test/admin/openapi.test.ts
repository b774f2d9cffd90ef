/** What the admin API says of itself. */
import { validate } from '@readme/openapi-parser'
import { expect, test } from 'vitest'
import { ApiWorld } from './api-world.ts'

test('is OpenAPI 3.1 that others can read', async () => {
  const api = await new ApiWorld().openApi()
  expect(api.openapi).toBe('3.1.0')
  expect(await validate(structuredClone(api) as never)).toMatchObject({ valid: true })
  const broken = structuredClone(api) as never as Record<string, unknown>
  delete broken.info
  expect(await validate(broken as never)).toMatchObject({ valid: false })
})

test('names each path that is served, and each operation, once', async () => {
  const world = new ApiWorld()
  const { paths } = await world.openApi()
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  )
  expect(operations).toEqual([
    'GET /admin/v1/tenants',
    'POST /admin/v1/tenants',
    'GET /admin/v1/tenants/{tenant}',
    'PATCH /admin/v1/tenants/{tenant}',
    'DELETE /admin/v1/tenants/{tenant}',
    'GET /admin/v1/tenants/{tenant}/keys',
    'POST /admin/v1/tenants/{tenant}/keys',
    'DELETE /admin/v1/tenants/{tenant}/keys/{keyId}',
    'GET /admin/v1/tenants/{tenant}/listeners',
    'GET /admin/v1/plans',
    'POST /admin/v1/plans',
    'GET /admin/v1/plans/{plan}',
    'PATCH /admin/v1/plans/{plan}',
    'DELETE /admin/v1/plans/{plan}',
    'GET /admin/v1/remains/{tenantId}',
    'DELETE /admin/v1/remains/{tenantId}',
    'GET /admin/v1/openapi.json',
  ])
  const ids = Object.values(paths).flatMap((methods) =>
    Object.values(methods).map((operation) => (operation as { operationId?: string }).operationId),
  )
  expect(new Set(ids).size).toBe(operations.length)
})
