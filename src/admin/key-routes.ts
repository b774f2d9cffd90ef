/** `/admin/v1/tenants/{tenant}/keys`: API keys of a tenant. A secret is told once, to who asks for the key. HTTP front's thread. */
import { ErrorCode } from '../base/error-code.ts'
import type { ApiKeyView } from '../image/tenant-access.ts'
import { ADMIN_USER } from '../image/tenant-settings.ts'
import { type HttpResponse, jsonResponse } from '../net/http-interface.ts'
import { type ApiCall, ApiError, type ApiRoute } from './api-route.ts'
import { PAGE_DEFAULT } from './api-schemas.ts'
import { pageOf } from './name-page.ts'
import {
  checkAnswer,
  refuseDeleting,
  type TenantApiOptions,
  tenantNamed,
  unknownKey,
} from './tenant-access.ts'
import { pageQuery, TENANT_PATH } from './tenant-routes.ts'

const KEYS_PATH = `${TENANT_PATH}/keys`

/** Keys that are made at a time: each takes threads that also read files. */
const MAKING_MAX = 16

export function keyRoutes(options: TenantApiOptions): readonly ApiRoute[] {
  const keys = new Keys(options)
  return [
    {
      ...{ method: 'GET', path: KEYS_PATH, operationId: 'listKeys' },
      ...{ summary: 'API keys of a tenant', query: pageQuery('key'), problems: [400, 404] },
      success: { status: 200, schemas: ['KeyPage'], description: 'a page of them' },
      handle: (call) => keys.list(call),
    },
    {
      ...{ method: 'POST', path: KEYS_PATH, operationId: 'createKey' },
      summary: 'Make an API key: username and password of Kafka clients',
      body: { schema: 'NewKey', isOptional: true },
      problems: [400, 404, 409],
      success: {
        ...{ status: 201, schemas: ['MadeKey'] },
        description: 'it was made; the secret is told now and never again',
      },
      handle: (call) => keys.create(call),
    },
    {
      ...{ method: 'DELETE', path: `${KEYS_PATH}/{keyId}`, operationId: 'revokeKey' },
      summary: 'Revoke an API key',
      problems: [404],
      success: { status: 200, schemas: ['Key'], description: 'it was revoked' },
      handle: (call) => keys.revoke(call),
    },
  ]
}

class Keys {
  readonly #options: TenantApiOptions
  #making = 0

  constructor(options: TenantApiOptions) {
    this.#options = options
  }

  list({ params, query }: ApiCall): HttpResponse {
    const { limit = PAGE_DEFAULT, after = '' } = query as { limit?: number; after?: string }
    const { access } = tenantNamed(this.#options, params.tenant!)
    if (access === null) return jsonResponse(200, { keys: [], next: null })
    const { names, next } = pageOf(idsOf(access.keys()), after, limit)
    return jsonResponse(200, { keys: names.map((keyId) => keyBody(access.key(keyId)!)), next })
  }

  async create({ params, body }: ApiCall): Promise<HttpResponse> {
    const tenant = tenantNamed(this.#options, params.tenant!)
    refuseDeleting(tenant)
    const { user = ADMIN_USER } = body as { readonly user?: string }
    const { keyId, secret, secrets } = await this.#make()
    const createdAtMs = this.#options.wallMs()
    const { name, tenantId } = tenant
    const key = { keyId, user, createdAtMs, secrets }
    const answer = await this.#options.ask(tenantId, { kind: 'create-key', ...key })
    // it may be on its way out since
    if (answer.error !== ErrorCode.NONE) refuseDeleting(tenantNamed(this.#options, name))
    checkAnswer(answer, {
      field: 'user',
      conflict: `revoke a key, or raise the limit by PATCH of ${TENANT_PATH.replace('{tenant}', name)}`,
      unknown: `whether the key ${keyId} was made is not known, and its secret is lost: revoke it if it is listed, and make another`,
    })
    return jsonResponse(201, { ...keyBody(key), secret })
  }

  async revoke({ params }: ApiCall): Promise<HttpResponse> {
    const { name, tenantId, access } = tenantNamed(this.#options, params.tenant!)
    const keyId = params.keyId!
    const key = access?.key(keyId) ?? unknownKey(name, keyId)
    const answer = await this.#options.ask(tenantId, { kind: 'revoke-key', keyId })
    if (answer.error === ErrorCode.RESOURCE_NOT_FOUND) unknownKey(name, keyId)
    checkAnswer(answer)
    return jsonResponse(200, keyBody(key))
  }

  async #make(): ReturnType<TenantApiOptions['makeKey']> {
    if (this.#making >= MAKING_MAX) {
      throw new ApiError(503, `${MAKING_MAX} keys are being made`, 'ask again in a moment')
    }
    this.#making++
    try {
      return await this.#options.makeKey()
    } finally {
      this.#making--
    }
  }
}

function* idsOf(keys: Iterable<ApiKeyView>): IterableIterator<string> {
  for (const { keyId } of keys) yield keyId
}

const keyBody = ({
  keyId,
  user,
  createdAtMs,
}: Pick<ApiKeyView, 'keyId' | 'user' | 'createdAtMs'>): object => ({
  key: keyId,
  user,
  createdAt: new Date(createdAtMs).toISOString(),
})
