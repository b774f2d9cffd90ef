/** `/admin/v1/plans`: named sets of what tenants may have. HTTP front's thread. */
import { NO_TENANT } from '../base/ids.ts'
import type { PlanView } from '../image/plan-rows.ts'
import { refusePlanName } from '../image/tenant-name.ts'
import { type HttpResponse, jsonResponse } from '../net/http-interface.ts'
import { type ApiCall, ApiError, type ApiRoute } from './api-route.ts'
import { PAGE_DEFAULT } from './api-schemas.ts'
import { pageOf } from './name-page.ts'
import { checkAnswer, imageOf, type TenantApiOptions, unknownPlan } from './tenant-access.ts'
import { byLimit, givenLimits, pageQuery } from './tenant-routes.ts'

const PLANS_PATH = '/admin/v1/plans'
const PLAN_PATH = `${PLANS_PATH}/{plan}`

export function planRoutes(options: TenantApiOptions): readonly ApiRoute[] {
  const plans = new Plans(options)
  return [
    {
      ...{ method: 'GET', path: PLANS_PATH, operationId: 'listPlans' },
      ...{ summary: 'Plans by name', query: pageQuery('name'), problems: [400] },
      success: { status: 200, schemas: ['PlanPage'], description: 'a page of them' },
      handle: (call) => plans.list(call),
    },
    {
      ...{ method: 'POST', path: PLANS_PATH, operationId: 'createPlan' },
      summary: 'Make a plan',
      body: { schema: 'NewPlan', isOptional: false },
      problems: [400, 409],
      success: { status: 201, schemas: ['Plan'], description: 'it was made' },
      handle: (call) => plans.create(call),
    },
    {
      ...{ method: 'GET', path: PLAN_PATH, operationId: 'getPlan' },
      ...{ summary: 'A plan', problems: [404] },
      success: { status: 200, schemas: ['Plan'], description: 'as it is' },
      handle: (call) => plans.get(call),
    },
    {
      ...{ method: 'PATCH', path: PLAN_PATH, operationId: 'changePlan' },
      summary: 'Change the limits that are given, of all tenants that have the plan at once',
      body: { schema: 'PlanChange', isOptional: false },
      problems: [400, 404],
      success: { status: 200, schemas: ['Plan'], description: 'as it is now' },
      handle: (call) => plans.change(call),
    },
    {
      ...{ method: 'DELETE', path: PLAN_PATH, operationId: 'deletePlan' },
      summary: 'Delete a plan that no tenant has',
      problems: [404, 409],
      success: { status: 200, schemas: ['Plan'], description: 'it was deleted' },
      handle: (call) => plans.delete(call),
    },
  ]
}

type Limits = Readonly<Record<string, number | null>>

const nameOf = ({ params }: ApiCall): string => params.plan ?? ''

class Plans {
  readonly #options: TenantApiOptions

  constructor(options: TenantApiOptions) {
    this.#options = options
  }

  list({ query }: ApiCall): HttpResponse {
    const { limit = PAGE_DEFAULT, after = '' } = query as { limit?: number; after?: string }
    const { plans } = imageOf(this.#options)
    const { names, next } = pageOf(namesOf(plans.all()), after, limit)
    const counts = this.#counts()
    const bodies = names.map((name) => planBody(plans.get(name)!, counts))
    return jsonResponse(200, { plans: bodies, next })
  }

  get(call: ApiCall): HttpResponse {
    return jsonResponse(200, this.#body(nameOf(call)))
  }

  async create({ body }: ApiCall): Promise<HttpResponse> {
    const { name, limits = {} } = body as { readonly name: string; readonly limits?: Limits }
    const refused = refusePlanName(name)
    if (refused !== null) throw new ApiError(400, `name: ${refused}`)
    const plan = { name, limits: givenLimits(limits) }
    const answer = await this.#options.ask(NO_TENANT, { kind: 'create-plan', ...plan })
    checkAnswer(answer, { conflict: `GET ${PLANS_PATH}/${name} shows it, PATCH changes it` })
    const made = jsonResponse(201, this.#body(name))
    return { ...made, headers: { ...made.headers, location: `${PLANS_PATH}/${name}` } }
  }

  async change(call: ApiCall): Promise<HttpResponse> {
    const { name } = this.#named(nameOf(call))
    const { limits = {} } = call.body as { readonly limits?: Limits }
    const answer = await this.#options.ask(NO_TENANT, { kind: 'alter-plan', name, limits })
    checkAnswer(answer)
    return jsonResponse(200, this.#body(name))
  }

  async delete(call: ApiCall): Promise<HttpResponse> {
    const plan = this.#named(nameOf(call))
    const { name } = plan
    const answer = await this.#options.ask(NO_TENANT, { kind: 'delete-plan', name })
    checkAnswer(answer, { conflict: 'give them another by PATCH of /admin/v1/tenants/{tenant}' })
    return jsonResponse(200, planBody(plan, new Map()))
  }

  /** Throws 404. */
  #body(name: string): object {
    return planBody(this.#named(name), this.#counts())
  }

  /** How many tenants have which plan. */
  #counts(): ReadonlyMap<string, number> {
    const counts = new Map<string, number>()
    for (const { settings } of imageOf(this.#options).tenants()) {
      const { plan } = settings
      if (plan !== undefined) counts.set(plan, (counts.get(plan) ?? 0) + 1)
    }
    return counts
  }

  /** Throws 404. */
  #named(name: string): PlanView {
    return imageOf(this.#options).plans.get(name) ?? unknownPlan(name)
  }
}

function* namesOf(plans: Iterable<PlanView>): IterableIterator<string> {
  for (const { name } of plans) yield name
}

const planBody = ({ name, limits }: PlanView, counts: ReadonlyMap<string, number>): object => ({
  name,
  tenants: counts.get(name) ?? 0,
  limits: byLimit((limit) => limits[limit] ?? null),
})
