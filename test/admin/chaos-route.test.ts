import { expect, test } from 'vitest'
import { addChaosRoute } from '../../src/admin/chaos-route.ts'
import { OperatorTokenGuard } from '../../src/admin/operator-token.ts'
import type { ChaosRefusalReason, ChaosRequest } from '../../src/base/chaos.ts'
import { HttpRouter } from '../../src/net/http-router.ts'

const TOKEN = '0123456789abcdef-token'
const asked: ChaosRequest[] = []
let refusal: ChaosRefusalReason | null = null
const guard = new OperatorTokenGuard()
guard.setToken(TOKEN)
const router = new HttpRouter()
addChaosRoute(
  router,
  (handler) => guard.always(handler),
  async (request) => {
    asked.push(request)
    const refused = refusal === null ? null : { reason: refusal, detail: 'not now' }
    return { refused, faults: ['broker 1: its disk fails'] }
  },
)

async function ask(body: unknown, token: string | null = TOKEN, method = 'POST') {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  const response = await router.handle({
    ...{ method, path: '/admin/chaos', query: new URLSearchParams(), body: Buffer.from(text) },
    header: (name) => (name === 'authorization' && token !== null ? `Bearer ${token}` : null),
    ...{ onLoopback: true, local: null, peerHost: null },
  })
  return [response.status, JSON.parse(`${response.body}`)] as const
}

test('an order goes on to the engine, and what is at fault comes back', async () => {
  expect(await ask({ action: 'fail-disk', broker: 1, forMs: 500 })).toEqual([
    200,
    { faults: ['broker 1: its disk fails'] },
  ])
  expect(asked.splice(0)).toEqual([{ action: 'fail-disk', broker: 1, code: 'EIO', forMs: 500 }])
})

test('without the token nothing is asked, on loopback too', async () => {
  expect((await ask({ action: 'heal' }, null))[0]).toBe(401)
  expect((await ask({ action: 'heal' }, 'another-token-0000'))[0]).toBe(401)
  expect((await ask({ action: 'heal' }, TOKEN, 'GET'))[0]).toBe(405)
  expect(asked).toEqual([])
})

test.each([
  ['{', 'the body is no JSON'],
  ['"heal"', 'an object with an action is wanted'],
  [{ action: 'kill-broker', broker: -1 }, 'broker: -1 is refused'],
])('what cannot be meant is refused: %j', async (body, detail) => {
  const [status, problem] = await ask(body)
  expect([status, problem.detail]).toEqual([400, expect.stringContaining(detail)])
  expect(asked).toEqual([])
})

test.each([
  ['off', 403],
  ['invalid', 400],
  ['conflict', 409],
] as const)('what the engine refuses as %s is a %i', async (reason, status) => {
  refusal = reason
  const answer = await ask({ action: 'heal' })
  refusal = null
  asked.length = 0
  expect(answer).toEqual([status, expect.objectContaining({ status, detail: 'not now' })])
})
