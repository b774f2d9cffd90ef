/** What routes about tenants share: who is asked, which tenant is meant, and refusals as problems. HTTP front's thread. */
import { ErrorCode } from '../base/error-code.ts'
import type { TenantId } from '../base/ids.ts'
import type { StoredSecret } from '../image/entry.ts'
import type { ControllerRequest } from '../image/request.ts'
import type { MetadataView, TenantView } from '../image/view.ts'
import { ApiError, type ProblemStatus } from './api-route.ts'
import type { ReadTenantUses } from './tenant-use.ts'

export type TenantRequest = Extract<
  ControllerRequest,
  {
    readonly kind:
      | 'create-tenant'
      | 'alter-tenant'
      | 'delete-tenant'
      | 'create-key'
      | 'revoke-key'
      | 'create-plan'
      | 'alter-plan'
      | 'delete-plan'
      | 'purge-metadata'
  }
>

export interface Answered {
  readonly error: number
  readonly message: string | null
}

/** A key that nobody knows yet; `secret` is for who asked, and nowhere kept. */
export interface FreshKey {
  readonly keyId: string
  readonly secret: string
  readonly secrets: readonly StoredSecret[]
}

export interface TenantApiOptions {
  /** What the controller has committed is in it before its answer comes. */
  readonly image: MetadataView
  /** What brokers have told. */
  readonly holdings: {
    storageBytes(tenantId: TenantId): number
    /** null: not known yet. */
    groups(tenantId: TenantId): number | null
  }
  /** The image is whole: what it does not name is not there. */
  readonly isImageWhole: () => boolean
  readonly ask: (tenantId: TenantId, request: TenantRequest) => Promise<Answered>
  /** One that no tenant has. */
  readonly newTenantId: () => TenantId
  /** Costs milliseconds of another thread. */
  readonly makeKey: () => Promise<FreshKey>
  readonly wallMs: () => number
  readonly readUses: ReadTenantUses
}

const SHOWN_MAX = 100
const shown = (text: string): string => `'${text.slice(0, SHOWN_MAX)}'`

const AGAIN = 'ask again in a moment'

/** Throws 503 while nobody has said what there is. */
export function imageOf({ image, isImageWhole }: TenantApiOptions): MetadataView {
  if (isImageWhole()) return image
  throw new ApiError(503, 'the engine is starting, and has no metadata yet', AGAIN)
}

/** Throws 404. */
export function tenantNamed(options: TenantApiOptions, name: string): TenantView {
  return imageOf(options).tenantByName(name) ?? unknownTenant(name)
}

export function unknownTenant(name: string): never {
  const next = 'GET /admin/v1/tenants lists those that there are'
  throw new ApiError(404, `there is no tenant ${shown(name)}`, next)
}

/** Throws 404. */
export function unknownPlan(name: string): never {
  const next = 'GET /admin/v1/plans lists those that there are'
  throw new ApiError(404, `there is no plan ${shown(name)}`, next)
}

export function unknownKey(tenant: string, key: string): never {
  const next = `GET /admin/v1/tenants/${tenant}/keys lists those that it has`
  throw new ApiError(404, `the tenant '${tenant}' has no key ${shown(key)}`, next)
}

/** Throws 409 for one on its way out: nothing begins any more for it. */
export function refuseDeleting({ name, settings }: TenantView): void {
  if (settings.state === 'deleting')
    throw new ApiError(409, `the tenant '${name}' is being deleted`)
}

const STATUS: Readonly<Record<number, ProblemStatus>> = {
  [ErrorCode.INVALID_REQUEST]: 400,
  [ErrorCode.RESOURCE_NOT_FOUND]: 404,
  [ErrorCode.DUPLICATE_RESOURCE]: 409,
  [ErrorCode.POLICY_VIOLATION]: 409,
}

export interface RefusalHints {
  /** In front of what is refused as invalid: the field that it is about. */
  readonly field?: string
  /** What to do where a limit, or something that is there already, stands in the way. */
  readonly conflict?: string
  /** What to do where it is not known whether it was done. */
  readonly unknown?: string
}

/** Throws what the controller has refused, or did not answer. */
export function checkAnswer(
  { error, message }: Answered,
  { field, conflict, unknown }: RefusalHints = {},
): void {
  if (error === ErrorCode.NONE) return
  const status = STATUS[error] ?? 503
  const text = (message ?? 'the controller refuses').replace(/\.$/, '')
  if (status === 503) {
    const next = unknown ?? `whether it was done is not known: look, and ${AGAIN}`
    throw new ApiError(503, text, next)
  }
  if (status === 409) throw new ApiError(409, text, conflict ?? null)
  throw new ApiError(status, status === 400 && field !== undefined ? `${field}: ${text}` : text)
}
