/** Plans: named sets of what tenants may have. Looks at the state and returns entries; changes nothing. */
import { ErrorCode } from '../base/error-code.ts'
import type { MetadataEntry } from '../image/entry.ts'
import { planOf } from '../image/plan-rows.ts'
import type { ControllerRequest } from '../image/request.ts'
import { type Refusal, refuse } from '../image/results.ts'
import { changedLimits, refuseLimits } from '../image/tenant-limits.ts'
import { refusePlanName } from '../image/tenant-name.ts'
import type { ControllerState } from './state.ts'

const KINDS = ['create-plan', 'alter-plan', 'delete-plan'] as const
export type PlanRequest = Extract<ControllerRequest, { kind: (typeof KINDS)[number] }>
type Request<Kind extends PlanRequest['kind']> = Extract<PlanRequest, { kind: Kind }>
type Planned = readonly MetadataEntry[] | Refusal

/** Of one engine: every thread holds them. */
export const PLANS_MAX = 1_000
/** Tenants that a refusal names. */
const NAMED_MAX = 3

export const isAboutPlans = (request: ControllerRequest): request is PlanRequest =>
  (KINDS as readonly string[]).includes(request.kind)

/** Entries for what the operator asks about plans, or why not. */
export function planPlans(state: ControllerState, request: PlanRequest): Planned {
  switch (request.kind) {
    case 'create-plan':
      return planCreate(state, request)
    case 'alter-plan':
      return planAlter(state, request)
    case 'delete-plan':
      return planDelete(state, request)
    default:
      request satisfies never
      throw new TypeError('unreachable')
  }
}

const invalid = (message: string): Refusal => refuse(ErrorCode.INVALID_REQUEST, message)
const unknown = (name: string): Refusal =>
  refuse(ErrorCode.RESOURCE_NOT_FOUND, `there is no plan '${name.slice(0, 100)}'`)

const isSame = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b)

function planCreate({ tenants }: ControllerState, request: Request<'create-plan'>): Planned {
  const { name, isRepeat } = request
  const there = tenants.plans.get(name)
  const refused = refusePlanName(name) ?? refuseLimits(request.limits)
  if (refused !== null) return invalid(refused)
  const plan = planOf(request)
  if (there !== undefined) {
    if (isRepeat === true && isSame(there, plan)) return []
    return refuse(ErrorCode.DUPLICATE_RESOURCE, `a plan '${name}' exists already`)
  }
  if (tenants.plans.size >= PLANS_MAX) {
    const message = `${PLANS_MAX} plans exist, and one engine holds no more`
    return refuse(ErrorCode.POLICY_VIOLATION, message)
  }
  return [{ kind: 'plan', ...plan }]
}

function planAlter({ tenants }: ControllerState, { name, limits }: Request<'alter-plan'>): Planned {
  const before = tenants.plans.get(name)
  if (before === undefined) return unknown(name)
  const now = planOf({ ...before, limits: changedLimits(before.limits, limits) })
  const refused = refuseLimits(now.limits)
  if (refused !== null) return invalid(refused)
  return isSame(now, before) ? [] : [{ kind: 'plan', ...now }]
}

/** What a tenant may have must not change because its plan is gone. */
function planDelete(
  { tenants }: ControllerState,
  { name, isRepeat }: Request<'delete-plan'>,
): Planned {
  if (!tenants.plans.has(name)) return isRepeat === true ? [] : unknown(name)
  const having = tenants.withPlan(name)
  if (having.length === 0) return [{ kind: 'plan-deleted', name }]
  const named = having.slice(0, NAMED_MAX).join(', ')
  const more = having.length > NAMED_MAX ? ` and ${having.length - NAMED_MAX} more` : ''
  const count = having.length === 1 ? '1 tenant has' : `${having.length} tenants have`
  const message = `${count} the plan '${name}': ${named}${more}`
  return refuse(ErrorCode.POLICY_VIOLATION, message)
}
