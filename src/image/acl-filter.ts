import { ErrorCode } from '../base/error-code.ts'
import {
  type AclBinding,
  AclOperation,
  PatternType,
  PermissionType,
  ResourceType,
  WILDCARD,
} from './acl-binding.ts'
import { type Refusal, refuse } from './results.ts'

/** Which ACLs DescribeAcls shows and DeleteAcls removes; null and ANY leave open. */
export interface AclFilter {
  readonly resourceType: number
  readonly resourceName: string | null
  readonly patternType: number
  readonly principal: string | null
  readonly host: string | null
  readonly operation: number
  readonly permissionType: number
}

/** Of one DeleteAcls: each filter looks at all ACLs of the tenant, on the front's thread. */
export const FILTERS_PER_REQUEST_MAX = 1_000

const NUMBERS = [
  ['resource type', 'resourceType', ResourceType],
  ['pattern type', 'patternType', PatternType],
  ['operation', 'operation', AclOperation],
  ['permission type', 'permissionType', PermissionType],
] as const

/** Null when `filter` can be asked for, else INVALID_REQUEST, as Kafka says of UNKNOWN and of numbers that it has no name for. */
export function refuseFilter(filter: AclFilter): Refusal | null {
  for (const [what, field, numbers] of NUMBERS) {
    const given = filter[field]
    if (given !== 0 && (Object.values(numbers) as number[]).includes(given)) continue
    const most = Math.max(...Object.values(numbers))
    const text = `The filter's ${what} ${given} is UNKNOWN: it must be from 1 (ANY) to ${most}`
    return refuse(ErrorCode.INVALID_REQUEST, text)
  }
  return null
}

/** Null when one request may have `count` filters. */
export function refuseFilterCount(count: number): Refusal | null {
  if (count <= FILTERS_PER_REQUEST_MAX) return null
  const text = `${count} filters in one request, more than the limit of ${FILTERS_PER_REQUEST_MAX}`
  return refuse(ErrorCode.INVALID_REQUEST, text)
}

/** Whether `filter` matches `binding` (org.apache.kafka.common.acl.AclBindingFilter). */
export const filterMatches = (filter: AclFilter, binding: AclBinding): boolean =>
  patternMatches(filter, binding) && entryMatches(filter, binding)

function entryMatches(filter: AclFilter, binding: AclBinding): boolean {
  const { principal, host, operation, permissionType } = filter
  return (
    (principal === null || principal === binding.principal) &&
    (host === null || host === binding.host) &&
    (operation === AclOperation.ANY || operation === binding.operation) &&
    (permissionType === PermissionType.ANY || permissionType === binding.permissionType)
  )
}

function patternMatches(filter: AclFilter, binding: AclBinding): boolean {
  const { resourceType, resourceName, patternType } = filter
  if (resourceType !== ResourceType.ANY && resourceType !== binding.resourceType) return false
  const isMatch = patternType === PatternType.MATCH
  const isOpen = isMatch || patternType === PatternType.ANY
  if (!isOpen && patternType !== binding.patternType) return false
  if (resourceName === null || resourceName === binding.resourceName) return true
  if (!isMatch) return false
  return binding.patternType === PatternType.PREFIXED
    ? resourceName.startsWith(binding.resourceName)
    : binding.resourceName === WILDCARD
}

/** The ACLs of one pattern, as DescribeAcls tells them. */
export interface DescribedResource {
  readonly resourceType: number
  readonly resourceName: string
  readonly patternType: number
  readonly acls: AclBinding[]
}

/** `bindings` by their patterns, in the order in which these come first. */
export function byPattern(bindings: Iterable<AclBinding>): DescribedResource[] {
  const described = new Map<string, DescribedResource>()
  for (const binding of bindings) {
    const { resourceType, resourceName, patternType } = binding
    const key = `${resourceType},${patternType},${resourceName}`
    const known = described.get(key)
    if (known !== undefined) known.acls.push(binding)
    else described.set(key, { resourceType, resourceName, patternType, acls: [binding] })
  }
  return [...described.values()]
}
