/** `/admin/v1/remains`: what the disk still has of a tenant, whether it is there or was deleted, and the order that nothing is to be left. HTTP front's thread. */
import { asTenantId, NO_TENANT, type TenantId } from '../base/ids.ts'
import { type HttpResponse, jsonResponse } from '../net/http-interface.ts'
import { type ApiCall, ApiError, type ApiRoute } from './api-route.ts'
import { checkAnswer, imageOf, type TenantApiOptions } from './tenant-access.ts'

const REMAINS_PATH = '/admin/v1/remains/{tenantId}'

/** Paths below the data directory, and how many files were looked at. */
export interface TenantRemains {
  readonly directories: readonly string[]
  readonly files: readonly string[]
  readonly looked: number
}

export interface RemainsOptions extends TenantApiOptions {
  /** Reads all files below the data directory but those of other tenants. */
  readonly remainsOf: (tenantId: TenantId) => Promise<TenantRemains>
}

/** Of either kind in an answer. */
const PATHS_MAX = 100
const TENANT_ID = /^[0-9a-f]{16}$/

export function remainsRoutes(options: RemainsOptions): readonly ApiRoute[] {
  const remains = new Remains(options)
  const success = { status: 200, schemas: ['Remains'] } as const
  return [
    {
      ...{ method: 'GET', path: REMAINS_PATH, operationId: 'getRemains' },
      summary: 'What the disk has of the tenant with that id, as its bytes show',
      problems: [400],
      success: { ...success, description: 'as it is' },
      handle: (call) => remains.get(call),
    },
    {
      ...{ method: 'DELETE', path: REMAINS_PATH, operationId: 'purgeRemains' },
      summary:
        'Have the metadata forget a tenant that was deleted, and tell what is left; to be asked again until nothing is',
      problems: [400, 409],
      success: { ...success, status: 202, description: 'what is left now' },
      handle: (call) => remains.purge(call),
    },
  ]
}

class Remains {
  readonly #options: RemainsOptions
  #isLooking = false

  constructor(options: RemainsOptions) {
    this.#options = options
  }

  async get({ params }: ApiCall): Promise<HttpResponse> {
    return jsonResponse(200, await this.#look(idOf(params.tenantId)))
  }

  async purge({ params }: ApiCall): Promise<HttpResponse> {
    const tenantId = idOf(params.tenantId)
    const tenant = imageOf(this.#options).tenant(tenantId)
    if (tenant !== undefined) {
      const { name } = tenant
      const next = `DELETE /admin/v1/tenants/${name}, and then wait until that is 404`
      throw new ApiError(409, `that is the tenant '${name}', which is there`, next)
    }
    const before = await this.#look(tenantId)
    if (before.isNothing) return jsonResponse(202, before)
    checkAnswer(await this.#options.ask(NO_TENANT, { kind: 'purge-metadata' }))
    return jsonResponse(202, await this.#look(tenantId))
  }

  async #look(tenantId: TenantId) {
    const name = imageOf(this.#options).tenant(tenantId)?.name ?? null
    if (this.#isLooking) {
      throw new ApiError(503, 'the files are being looked at for somebody else', 'ask again')
    }
    this.#isLooking = true
    try {
      const { directories, files, looked } = await this.#options.remainsOf(tenantId)
      return {
        ...{ tenantId, tenant: name, looked },
        isNothing: name === null && directories.length === 0 && files.length === 0,
        directories: directories.slice(0, PATHS_MAX),
        files: files.slice(0, PATHS_MAX),
      }
    } finally {
      this.#isLooking = false
    }
  }
}

function idOf(text = ''): TenantId {
  if (TENANT_ID.test(text)) return asTenantId(text)
  const next = '`tenantId` of GET /admin/v1/tenants/{tenant} is one'
  throw new ApiError(
    400,
    `the tenant id '${text.slice(0, 100)}' is refused, it wants 16 hex digits`,
    next,
  )
}
