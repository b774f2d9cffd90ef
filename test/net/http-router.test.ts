import { expect, test } from 'vitest'
import type { HttpRequest } from '../../src/net/http-interface.ts'
import { HttpRouter } from '../../src/net/http-router.ts'

const say = (what: string) => (request: HttpRequest) => ({
  ...{ status: 200, headers: {} },
  body: `${what} ${JSON.stringify(request.params)}`,
})
const router = new HttpRouter()
  .add('GET', '/tenants', say('list'))
  .add('GET', '/tenants/{tenant}', say('get'))
  .add('DELETE', '/tenants/{tenant}', say('delete'))
  .add('GET', '/tenants/{tenant}/keys/{key}', say('key'))
  .add('GET', '/tenants/special', say('special'))

const ask = async (method: string, path: string) => {
  const { status, body, headers } = await router.handle({ method, path } as HttpRequest)
  return [status, status === 200 ? body : (headers.allow ?? JSON.parse(`${body}`).detail)]
}

test.each([
  ['GET', '/tenants', 200, 'list {}'],
  ['GET', '/tenants/acme', 200, 'get {"tenant":"acme"}'],
  ['HEAD', '/tenants/acme', 200, 'get {"tenant":"acme"}'],
  ['DELETE', '/tenants/a b%', 200, 'delete {"tenant":"a b%"}'],
  ['GET', '/tenants/acme/keys/K', 200, 'key {"tenant":"acme","key":"K"}'],
  // what is written out goes before what stands for anything
  ['GET', '/tenants/special', 200, 'special {}'],
  ['POST', '/tenants/acme', 405, 'GET, HEAD, DELETE'],
  ['GET', '/tenants/', 404, expect.stringContaining('/tenants/{tenant}/keys/{key}')],
  ['GET', '/tenants/acme/', 404, expect.stringContaining('nothing at /tenants/acme/')],
  ['GET', '/tenants/acme/keys', 404, expect.anything()],
  ['GET', '/tenants//keys/K', 404, expect.anything()],
  ['GET', '/tenants/acme/locks/K', 404, expect.anything()],
])('%s %s is %i', async (method, path, status, said) => {
  expect(await ask(method, path)).toEqual([status, said])
})
