import { isIP } from 'node:net'
import { ErrorCode } from '../base/error-code.ts'
import { hostAddress } from './host-address.ts'
import { type Refusal, refuse } from './results.ts'
import { TOPIC_NAME_LENGTH_MAX } from './topic-name.ts'

/** Kafka's numbers (org.apache.kafka.common.resource.ResourceType). */
export const ResourceType = {
  UNKNOWN: 0,
  ANY: 1,
  TOPIC: 2,
  GROUP: 3,
  CLUSTER: 4,
  TRANSACTIONAL_ID: 5,
  DELEGATION_TOKEN: 6,
  USER: 7,
} as const
export type ResourceType = (typeof ResourceType)[keyof typeof ResourceType]

/** Kafka's numbers (org.apache.kafka.common.resource.PatternType): ANY and MATCH are for filters only. */
export const PatternType = { UNKNOWN: 0, ANY: 1, MATCH: 2, LITERAL: 3, PREFIXED: 4 } as const
export type PatternType = (typeof PatternType)[keyof typeof PatternType]

/** Kafka's numbers (org.apache.kafka.common.acl.AclOperation): each is a bit in a set of operations too. */
export const AclOperation = {
  UNKNOWN: 0,
  ANY: 1,
  ALL: 2,
  READ: 3,
  WRITE: 4,
  CREATE: 5,
  DELETE: 6,
  ALTER: 7,
  DESCRIBE: 8,
  CLUSTER_ACTION: 9,
  DESCRIBE_CONFIGS: 10,
  ALTER_CONFIGS: 11,
  IDEMPOTENT_WRITE: 12,
  CREATE_TOKENS: 13,
  DESCRIBE_TOKENS: 14,
  TWO_PHASE_COMMIT: 15,
} as const
export type AclOperation = (typeof AclOperation)[keyof typeof AclOperation]

/** Kafka's numbers (org.apache.kafka.common.acl.AclPermissionType). */
export const PermissionType = { UNKNOWN: 0, ANY: 1, DENY: 2, ALLOW: 3 } as const
export type PermissionType = (typeof PermissionType)[keyof typeof PermissionType]

/** One ACL: who, from where, may or may not do what with the resources that a pattern names (KIP-11, KIP-290). */
export interface AclBinding {
  readonly resourceType: number
  readonly resourceName: string
  readonly patternType: number
  /** `User:name`, or `User:*` for everybody. */
  readonly principal: string
  /** An IP address, or `*` for all. */
  readonly host: string
  readonly operation: number
  readonly permissionType: number
}

/** The only resource of type CLUSTER. */
export const CLUSTER_NAME = 'kafka-cluster'
/** A literal name or a host that stands for all. */
export const WILDCARD = '*'
export const WILDCARD_PRINCIPAL = 'User:*'

/** Kafka has no limit; they lie in memory on the front's thread, and a filter looks at all of them. */
export const ACLS_PER_TENANT_MAX = 10_000
/** Of those that a snapshot names, and of a tenant that is deleted. */
export const ACLS_PER_ENTRY = 500
/** Of a group id, as the coordinator has it, and of whatever else is no topic. */
export const RESOURCE_NAME_LENGTH_MAX = 1_024
export const PRINCIPAL_LENGTH_MAX = 1_024
const QUOTED_LENGTH_MAX = 100

const bit = (operation: number): number => 1 << operation
const { READ, WRITE, CREATE, DELETE, ALTER, DESCRIBE, CLUSTER_ACTION } = AclOperation
const { DESCRIBE_CONFIGS, ALTER_CONFIGS, IDEMPOTENT_WRITE } = AclOperation
const { CREATE_TOKENS, DESCRIBE_TOKENS, TWO_PHASE_COMMIT } = AclOperation

const bits = (...operations: AclOperation[]): number =>
  operations.reduce<number>((set, operation) => set | bit(operation), 0)

/** By resource type, the operations that it knows, as bits (org.apache.kafka.security.authorizer.AclEntry). */
const SUPPORTED: ReadonlyMap<number, number> = new Map([
  [
    ResourceType.TOPIC,
    bits(READ, WRITE, CREATE, DESCRIBE, DELETE, ALTER, DESCRIBE_CONFIGS, ALTER_CONFIGS),
  ],
  [ResourceType.GROUP, bits(READ, DESCRIBE, DELETE, DESCRIBE_CONFIGS, ALTER_CONFIGS)],
  [
    ResourceType.CLUSTER,
    bits(CREATE, CLUSTER_ACTION, DESCRIBE_CONFIGS, ALTER_CONFIGS, IDEMPOTENT_WRITE) |
      bits(ALTER, DESCRIBE),
  ],
  [ResourceType.TRANSACTIONAL_ID, bits(DESCRIBE, WRITE, TWO_PHASE_COMMIT)],
  [ResourceType.DELEGATION_TOKEN, bits(DESCRIBE)],
  [ResourceType.USER, bits(CREATE_TOKENS, DESCRIBE_TOKENS)],
])

/** The operations that resources of a type know, as bits; 0 for what is no type of its own. */
export const supportedOperations = (resourceType: number): number =>
  SUPPORTED.get(resourceType) ?? 0

const namesOf = (numbers: Readonly<Record<string, number>>): ReadonlyMap<number, string> =>
  new Map(Object.entries(numbers).map(([name, number]) => [number, name]))
const TYPE_NAMES = namesOf(ResourceType)
const OPERATION_NAMES = namesOf(AclOperation)
const PATTERN_NAMES = namesOf(PatternType)
const PERMISSION_NAMES = namesOf(PermissionType)

const named = (names: ReadonlyMap<number, string>, number: number): string =>
  `${number} (${names.get(number) ?? 'UNKNOWN'})`

const quoted = (text: string): string =>
  text.length <= QUOTED_LENGTH_MAX
    ? `"${text}"`
    : `"${text.slice(0, QUOTED_LENGTH_MAX)}…" of ${text.length} characters`

const invalid = (message: string): Refusal => refuse(ErrorCode.INVALID_REQUEST, message)

/** The longest name that a resource of `resourceType` may have, in characters. */
export const resourceNameLengthMax = (resourceType: number): number =>
  resourceType === ResourceType.TOPIC ? TOPIC_NAME_LENGTH_MAX : RESOURCE_NAME_LENGTH_MAX

/** Null when `binding` may be created, else Kafka's error code and what is wrong with it (AclControlManager). */
export function refuseBinding(binding: AclBinding): Refusal | null {
  return (
    refuseNumbers(binding) ??
    refuseResourceName(binding) ??
    refusePrincipal(binding.principal) ??
    refuseHost(binding.host)
  )
}

function refuseNumbers(binding: AclBinding): Refusal | null {
  const { resourceType, patternType, operation, permissionType } = binding
  const supported = SUPPORTED.get(resourceType)
  if (supported === undefined) {
    return invalid(`Resource type ${named(TYPE_NAMES, resourceType)} is not one an ACL can have`)
  }
  if (patternType !== PatternType.LITERAL && patternType !== PatternType.PREFIXED) {
    const given = named(PATTERN_NAMES, patternType)
    return invalid(`Pattern type ${given} is neither LITERAL (3) nor PREFIXED (4)`)
  }
  if (permissionType !== PermissionType.DENY && permissionType !== PermissionType.ALLOW) {
    const given = named(PERMISSION_NAMES, permissionType)
    return invalid(`Permission type ${given} is neither DENY (2) nor ALLOW (3)`)
  }
  // a shift takes its count modulo 32, so that a number without a name must not get there
  if (operation !== AclOperation.ALL) {
    if (!OPERATION_NAMES.has(operation) || (supported & bit(operation)) === 0) {
      const given = named(OPERATION_NAMES, operation)
      const type = named(TYPE_NAMES, resourceType)
      return invalid(`Operation ${given} is not one of resource type ${type}: ${known(supported)}`)
    }
  }
  return null
}

function known(supported: number): string {
  const names = [...OPERATION_NAMES].filter(([number]) => (supported & bit(number)) !== 0)
  return ['ALL', ...names.map(([, name]) => name)].join(', ')
}

function refuseResourceName({ resourceType, resourceName }: AclBinding): Refusal | null {
  if (resourceName === '') return invalid('The resource name is empty')
  const max = resourceNameLengthMax(resourceType)
  if (resourceName.length > max) {
    return invalid(
      `The resource name ${quoted(resourceName)} is longer than the limit of ${max} of resource type ${named(TYPE_NAMES, resourceType)}`,
    )
  }
  if (resourceType === ResourceType.CLUSTER && resourceName !== CLUSTER_NAME) {
    return invalid(
      `The resource name ${quoted(resourceName)} is not ${CLUSTER_NAME}, the only one of resource type CLUSTER`,
    )
  }
  return null
}

/** Null when `principal` may stand in an ACL or among the super users, else why not. */
export function refusePrincipal(principal: string): Refusal | null {
  if (principal.length > PRINCIPAL_LENGTH_MAX) {
    return invalid(
      `The principal ${quoted(principal)} is longer than the limit of ${PRINCIPAL_LENGTH_MAX}`,
    )
  }
  const colon = principal.indexOf(':')
  if (colon === -1) {
    return invalid(`The principal ${quoted(principal)} has no colon between type and name`)
  }
  if (principal.slice(0, colon) !== 'User') {
    return refuse(
      ErrorCode.INVALID_PRINCIPAL_TYPE,
      `The principal ${quoted(principal)} is not of type User, the only one that clients have here`,
    )
  }
  if (colon === principal.length - 1) {
    return invalid(`The principal ${quoted(principal)} has no name behind the colon`)
  }
  return null
}

function refuseHost(host: string): Refusal | null {
  if (host === WILDCARD) return null
  // a zone is a name of the machine that the engine runs on, not of the client
  if (isIP(host) !== 0 && !host.includes('%')) return null
  return invalid(`The host ${quoted(host)} is neither ${WILDCARD} nor an IP address`)
}

/** Null when a tenant may have `count` ACLs. */
export function refuseAclCount(count: number): Refusal | null {
  if (count <= ACLS_PER_TENANT_MAX) return null
  return refuse(
    ErrorCode.POLICY_VIOLATION,
    `There would be ${count} ACLs, more than the limit of ${ACLS_PER_TENANT_MAX}`,
  )
}

/** Equal for equal ACLs, and for no others, whatever their names contain: the key to keep them under. */
export function aclKey(binding: AclBinding): string {
  const { resourceType, patternType, operation, permissionType } = binding
  const { resourceName, principal, host } = binding
  const numbers = `${resourceType},${patternType},${operation},${permissionType}`
  return `${numbers},${resourceName.length},${principal.length},${resourceName}${principal}${host}`
}

/** The host of `binding` in the form that clients' addresses are compared in. */
export const aclHost = (binding: AclBinding): string =>
  binding.host === WILDCARD ? WILDCARD : hostAddress(binding.host)
