/** `/admin/v1/tenants`: tenants, what they may have and what becomes of them. HTTP front's thread. */
import { ErrorCode } from '../base/error-code.ts'
import type { TenantSettings } from '../image/entry.ts'
import { TENANT_LIMITS, type TenantLimit, tenantLimit } from '../image/tenant-limits.ts'
import { DEFAULT_TENANT_NAME, refuseTenantName } from '../image/tenant-name.ts'
import { INTERNAL_TOPICS } from '../image/topic-name.ts'
import type { MetadataView, TenantView } from '../image/view.ts'
import { type HttpResponse, jsonResponse } from '../net/http-interface.ts'
import { type ApiCall, ApiError, type ApiRoute } from './api-route.ts'
import { PAGE_DEFAULT, PAGE_MAX } from './api-schemas.ts'
import type { JsonSchema } from './json-schema.ts'
import { pageOf } from './name-page.ts'
import {
  checkAnswer,
  imageOf,
  refuseDeleting,
  type TenantApiOptions,
  tenantNamed,
  unknownTenant,
} from './tenant-access.ts'
import { type TenantUses, useBody } from './tenant-use.ts'

export const TENANTS_PATH = '/admin/v1/tenants'
export const TENANT_PATH = `${TENANTS_PATH}/{tenant}`

/** Of what is listed in pages. */
export const pageQuery = (what: string): Readonly<Record<string, JsonSchema>> => ({
  limit: {
    type: 'integer',
    ...{ minimum: 1, maximum: PAGE_MAX, default: PAGE_DEFAULT },
    description: 'how many at most',
  },
  after: { type: 'string', description: `the ${what} after which the page begins` },
})

export function tenantRoutes(options: TenantApiOptions): readonly ApiRoute[] {
  const tenants = new Tenants(options)
  return [
    {
      ...{ method: 'GET', path: TENANTS_PATH, operationId: 'listTenants' },
      ...{ summary: 'Tenants by name', query: pageQuery('name'), problems: [400] },
      success: { status: 200, schemas: ['TenantPage'], description: 'a page of them' },
      handle: (call) => tenants.list(call),
    },
    {
      ...{ method: 'POST', path: TENANTS_PATH, operationId: 'createTenant' },
      summary: 'Make a tenant',
      body: { schema: 'NewTenant', isOptional: false },
      problems: [400, 409],
      success: { status: 201, schemas: ['Tenant'], description: 'it was made' },
      handle: (call) => tenants.create(call),
    },
    {
      ...{ method: 'GET', path: TENANT_PATH, operationId: 'getTenant' },
      summary: 'A tenant; with `verify` also what is left of one that is being deleted',
      query: { verify: { type: 'boolean', description: 'tell what is left' } },
      problems: [400, 404],
      success: {
        ...{ status: 200, schemas: ['Tenant', 'TenantVerification'] },
        description: 'as it is',
      },
      handle: (call) => tenants.get(call),
    },
    {
      ...{ method: 'PATCH', path: TENANT_PATH, operationId: 'changeTenant' },
      summary: 'Change the fields that are given: suspend or resume, plan, limits, access',
      body: { schema: 'TenantChange', isOptional: false },
      problems: [400, 404, 409],
      success: { status: 200, schemas: ['Tenant'], description: 'as it is now' },
      handle: (call) => tenants.change(call),
    },
    {
      ...{ method: 'DELETE', path: TENANT_PATH, operationId: 'deleteTenant' },
      summary: 'Delete a tenant with all that it has; again changes nothing',
      problems: [404, 409],
      success: {
        ...{ status: 202, schemas: ['Tenant'] },
        description: 'its clients are out, and what it has goes bit by bit; 404 once it is gone',
      },
      handle: (call) => tenants.delete(call),
    },
  ]
}

type Limits = Readonly<Record<string, number | null>>
type Access = Partial<Pick<TenantSettings, 'superUsers' | 'allowEveryoneIfNoAcl'>>

interface NewTenant extends Access {
  readonly name: string
  readonly plan?: string | null
  readonly limits?: Limits
}

interface TenantChange extends Access {
  readonly state?: 'active' | 'suspended'
  readonly plan?: string | null
  readonly limits?: Limits
}

const nameOf = ({ params }: ApiCall): string => params.tenant ?? ''

class Tenants {
  readonly #options: TenantApiOptions

  constructor(options: TenantApiOptions) {
    this.#options = options
  }

  list({ query }: ApiCall): HttpResponse {
    const { limit = PAGE_DEFAULT, after = '' } = query as { limit?: number; after?: string }
    const image = imageOf(this.#options)
    const { names, next } = pageOf(namesOf(image.tenants()), after, limit)
    const uses = this.#options.readUses()
    const tenants = names.map((name) => this.#body(image.tenantByName(name)!, uses))
    return jsonResponse(200, { tenants, next })
  }

  get(call: ApiCall): HttpResponse {
    const tenant = tenantNamed(this.#options, nameOf(call))
    const body = this.#body(tenant)
    if (call.query.verify !== true) return jsonResponse(200, body)
    return jsonResponse(200, { ...body, left: leftOf(tenant) })
  }

  async create({ body }: ApiCall): Promise<HttpResponse> {
    const { name, plan = null, limits = {}, superUsers, allowEveryoneIfNoAcl } = body as NewTenant
    const refused = refuseTenantName(name)
    if (refused !== null) throw new ApiError(400, `name: ${refused}`)
    this.#refuseNoPlan(plan)
    const there = imageOf(this.#options).tenantByName(name)
    if (there?.settings.state === 'deleting') {
      const next = 'its name is free once nothing of it is left'
      throw new ApiError(409, `the tenant '${name}' is being deleted`, next)
    }
    const settings = {
      limits: givenLimits(limits),
      ...(plan === null ? {} : { plan }),
      ...accessOf({ superUsers, allowEveryoneIfNoAcl }),
    }
    const tenantId = this.#options.newTenantId()
    const answer = await this.#options.ask(tenantId, { kind: 'create-tenant', name, settings })
    const next = `GET ${TENANTS_PATH}/${name} shows it, PATCH changes it`
    checkAnswer(answer, { field: 'superUsers', conflict: next })
    const made = jsonResponse(201, this.#bodyOf(name))
    return { ...made, headers: { ...made.headers, location: `${TENANTS_PATH}/${name}` } }
  }

  async change(call: ApiCall): Promise<HttpResponse> {
    const { name, tenantId } = this.#living(nameOf(call))
    const { state, plan, limits, superUsers, allowEveryoneIfNoAcl } = call.body as TenantChange
    this.#refuseNoPlan(plan)
    const answer = await this.#options.ask(tenantId, {
      kind: 'alter-tenant',
      settings: {
        ...(state === undefined ? {} : { state }),
        ...accessOf({ superUsers, allowEveryoneIfNoAcl }),
      },
      ...(plan === undefined ? {} : { plan }),
      ...(limits === undefined ? {} : { limits }),
    })
    // it may be on its way out since
    if (answer.error !== ErrorCode.NONE) this.#living(name)
    checkAnswer(answer, { field: 'superUsers' })
    return jsonResponse(200, this.#bodyOf(name))
  }

  async delete(call: ApiCall): Promise<HttpResponse> {
    const { image, readUses } = this.#options
    const tenant = tenantNamed(this.#options, nameOf(call))
    const { name, tenantId } = tenant
    if (name === DEFAULT_TENANT_NAME) {
      const next = 'suspend it instead, by PATCH with {"state": "suspended"}'
      throw new ApiError(409, `the tenant '${name}' stays, clients without a key are its`, next)
    }
    const uses = readUses()
    const before = this.#body(tenant, uses)
    const answer = await this.#options.ask(tenantId, { kind: 'delete-tenant' })
    // one that went meanwhile is what was asked for
    if (answer.error !== ErrorCode.RESOURCE_NOT_FOUND) checkAnswer(answer)
    const now = image.tenant(tenantId)
    // one that had little may be gone by now
    const body = now === undefined ? { ...before, state: 'deleting' } : this.#body(now, uses)
    return jsonResponse(202, body)
  }

  #living(name: string): TenantView {
    const tenant = tenantNamed(this.#options, name)
    refuseDeleting(tenant)
    return tenant
  }

  /** Throws 400. */
  #refuseNoPlan(name: string | null | undefined): void {
    if (name === null || name === undefined) return
    if (imageOf(this.#options).plans.get(name) !== undefined) return
    const next = 'GET /admin/v1/plans lists those that there are'
    throw new ApiError(400, `plan: there is no plan '${name.slice(0, 100)}'`, next)
  }

  #body(tenant: TenantView, uses = this.#options.readUses()): object {
    return tenantBody(this.#options, tenant, uses)
  }

  #bodyOf(name: string): object {
    const { image } = this.#options
    return this.#body(image.tenantByName(name) ?? unknownTenant(name))
  }
}

/** Those that are given. */
const accessOf = ({
  superUsers,
  allowEveryoneIfNoAcl,
}: {
  readonly [Name in keyof Access]: Access[Name] | undefined
}): Access => ({
  ...(superUsers === undefined ? {} : { superUsers }),
  ...(allowEveryoneIfNoAcl === undefined ? {} : { allowEveryoneIfNoAcl }),
})

function* namesOf(tenants: Iterable<TenantView>): IterableIterator<string> {
  for (const { name } of tenants) yield name
}

/** All limits that there are. */
export function byLimit(
  maxOf: (limit: TenantLimit) => number | null,
): Readonly<Record<string, number | null>> {
  const names = Object.keys(TENANT_LIMITS) as TenantLimit[]
  return Object.fromEntries(names.map((limit) => [limit, maxOf(limit)]))
}

/** Without those that are null. */
export const givenLimits = (limits: Limits): Record<string, number> =>
  Object.fromEntries(Object.entries(limits).filter(([, max]) => max !== null)) as Record<
    string,
    number
  >

/** As it is told; of `used`, what is not in the metadata is what `uses` and brokers say. */
export function tenantBody(
  { image, holdings }: Pick<TenantApiOptions, 'image' | 'holdings'>,
  tenant: TenantView,
  uses: TenantUses,
) {
  const { name, tenantId, clusterId, settings, access } = tenant
  const use = uses.of(tenantId)
  const { state, plan = null, limits, superUsers, allowEveryoneIfNoAcl } = settings
  const planLimits = plan === null ? null : (image.plans.get(plan)?.limits ?? null)
  return {
    ...{ name, tenantId, clusterId, state, plan },
    limits: byLimit((limit) => tenantLimit(image, tenantId, limit)),
    planLimits: planLimits && byLimit((limit) => planLimits[limit] ?? null),
    ownLimits: byLimit((limit) => limits[limit] ?? null),
    used: {
      ...ownTopics(image, tenant),
      ...{ connections: use.connections },
      ...{ keys: access?.keyCount ?? 0, users: access?.userCount ?? 0 },
      storageBytes: holdings.storageBytes(tenantId),
      groups: holdings.groups(tenantId),
    },
    use: useBody(use),
    superUsers,
    allowEveryoneIfNoAcl,
  }
}

/** Without the engine's own, which count against no limit. */
function ownTopics(
  image: MetadataView,
  { tenantId, topicCount, partitionCount }: TenantView,
): { readonly topics: number; readonly partitions: number } {
  let [topics, partitions] = [topicCount, partitionCount]
  for (const name of INTERNAL_TOPICS) {
    const topic = image.topicByName(tenantId, name)
    if (topic === undefined) continue
    topics--
    partitions -= topic.partitionCount
  }
  return { topics, partitions }
}

/** Of one that is being deleted, all that the metadata still has; null for others. */
function leftOf({ settings, topicCount, partitionCount, access }: TenantView): object | null {
  if (settings.state !== 'deleting') return null
  const { keyCount = 0, userCount = 0, aclCount = 0 } = access ?? {}
  return {
    ...{ topics: topicCount, partitions: partitionCount },
    ...{ keys: keyCount, users: userCount, acls: aclCount },
  }
}
