/** `POST /admin/chaos`: makes brokers fail, of an engine that was started for that. HTTP front's thread. */
import {
  type ChaosAnswer,
  ChaosError,
  type ChaosRefusalReason,
  type ChaosRequest,
  parseChaos,
} from '../base/chaos.ts'
import {
  type HttpHandler,
  type HttpResponse,
  jsonResponse,
  problemResponse,
} from '../net/http-interface.ts'
import type { HttpRouter } from '../net/http-router.ts'

const STATUS: Readonly<Record<ChaosRefusalReason, readonly [status: number, title: string]>> = {
  off: [403, 'Forbidden'],
  invalid: [400, 'Bad Request'],
  conflict: [409, 'Conflict'],
}

/** `guard` decides who may. */
export function addChaosRoute(
  router: HttpRouter,
  guard: (handler: HttpHandler) => HttpHandler,
  ask: (request: ChaosRequest) => Promise<ChaosAnswer>,
): void {
  const chaos: HttpHandler = async ({ body }) => {
    try {
      const { refused, faults } = await ask(parseChaos(parseJson(body)))
      return refused === null
        ? jsonResponse(200, { faults })
        : refuse(refused.reason, refused.detail)
    } catch (error) {
      if (!(error instanceof ChaosError)) throw error
      return refuse(error.reason, error.message)
    }
  }
  router.add('POST', '/admin/chaos', guard(chaos))
}

function parseJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(body).toString())
  } catch {
    throw new ChaosError('invalid', 'the body is no JSON')
  }
}

function refuse(reason: ChaosRefusalReason, detail: string): HttpResponse {
  const [status, title] = STATUS[reason]
  return problemResponse(status, title, detail)
}
