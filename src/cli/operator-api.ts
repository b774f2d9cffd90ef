/** The admin API of a running engine, as the commands for tenants and keys ask it. */
import { type EngineOptions, refuseUnserved } from './engine-command.ts'
import { type EngineAnswer, tellEngine } from './engine-url.ts'
import { awaitStarted } from './engine-wait.ts'
import { FailedError, UsageError } from './failure.ts'
import { printable } from './table.ts'

export interface Tenant {
  readonly name: string
  readonly tenantId: string
  readonly clusterId: string
  readonly state: 'active' | 'suspended' | 'deleting'
  readonly plan: string | null
  /** null: not limited. */
  readonly limits: Readonly<Record<string, number | null>>
  /** null: it has no plan. */
  readonly planLimits: Readonly<Record<string, number | null>> | null
  /** null: its plan's, or the default. */
  readonly ownLimits: Readonly<Record<string, number | null>>
  /** null: not known yet. */
  readonly used: Readonly<Record<string, number | null>>
  /** Of the engine's threads and network. */
  readonly use: Readonly<Record<string, number>>
  readonly superUsers: readonly string[]
  readonly allowEveryoneIfNoAcl: boolean
}

/** What the metadata still has of a tenant that is being deleted. */
export interface TenantRest {
  readonly topics: number
  readonly partitions: number
  readonly keys: number
  readonly users: number
  readonly acls: number
}

/** What the disk has of a tenant. */
export interface DiskRemains {
  readonly tenantId: string
  /** null: it was deleted, or never was. */
  readonly tenant: string | null
  readonly isNothing: boolean
  readonly directories: readonly string[]
  readonly files: readonly string[]
  readonly looked: number
}

export interface Plan {
  readonly name: string
  /** How many have it. */
  readonly tenants: number
  /** null: the default. */
  readonly limits: Readonly<Record<string, number | null>>
}

export interface ApiKey {
  readonly key: string
  readonly user: string
  readonly createdAt: string
}

/** As many as an engine gives at once. */
const PAGE = 1_000

/** What to do about a refusal, in terms of commands; by status. */
export type NextSteps = Readonly<Record<number, string>>

const BASE = '/admin/v1/tenants'

export const tenantPath = (name: string, rest = ''): string =>
  `${BASE}/${encodeURIComponent(name)}${rest}`

export const remainsPath = (tenantId: string): string => `/admin/v1/remains/${tenantId}`

const PLANS = '/admin/v1/plans'

export const planPath = (name: string): string => `${PLANS}/${encodeURIComponent(name)}`

export const plansPath = (): string => PLANS

export const tenantsPath = (): string => BASE

/** What unknown tenants are answered with, whatever the command. */
export const LIST_TENANTS = '`griot tenant list` shows those that there are'

/** What the engine answers. Throws {@link FailedError}, and {@link UsageError} for what cannot be meant. */
export async function askApi<Answer>(
  options: EngineOptions,
  [method, path, body]: readonly [
    method: Parameters<typeof tellEngine>[1],
    path: string,
    body?: unknown,
  ],
  next: NextSteps = {},
): Promise<Answer> {
  await awaitStarted(options)
  const answer = await tellEngine(options, method, path, body)
  if (answer.status >= 200 && answer.status < 300) return answer.body as Answer
  throw refusalOf(answer, next)
}

/** The same, and null where there is no such thing. */
export async function findInApi<Answer>(
  options: EngineOptions,
  path: string,
): Promise<Answer | null> {
  await awaitStarted(options)
  const answer = await tellEngine(options, 'GET', path)
  if (answer.status === 200) return answer.body as Answer
  refuseUnserved(answer)
  if (answer.status === 404) return null
  throw refusalOf(answer, {})
}

function refusalOf(answer: EngineAnswer, nextSteps: NextSteps): Error {
  refuseUnserved(answer)
  const { url, status, body } = answer
  const { detail, next } = body as { readonly detail?: string; readonly next?: string }
  if (detail === undefined) return new FailedError(`${url} refuses: status ${status}`)
  const step = nextSteps[status] ?? (status === 404 ? LIST_TENANTS : next)
  const message = printable(step === undefined ? detail : `${detail}; ${step}`)
  return status === 400 ? new UsageError(message) : new FailedError(message)
}

/** All pages of a list. */
export async function listAll<Item>(
  options: EngineOptions,
  path: string,
  name: 'tenants' | 'keys' | 'plans',
): Promise<readonly Item[]> {
  const items: Item[] = []
  let after = ''
  for (;;) {
    const query = new URLSearchParams({ limit: String(PAGE), ...(after === '' ? {} : { after }) })
    type Page = Readonly<Record<typeof name, readonly Item[]>> & { readonly next: string | null }
    const page = await askApi<Page>(options, ['GET', `${path}?${query}`])
    items.push(...page[name])
    if (page.next === null) return items
    after = page.next
  }
}
