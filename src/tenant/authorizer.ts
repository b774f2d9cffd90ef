import {
  type AclBinding,
  AclOperation,
  aclKey,
  ResourceType,
  supportedOperations,
  WILDCARD_PRINCIPAL,
} from '../image/acl-binding.ts'
import { type AuthorizerSettings, defaultAuthorizerSettings } from '../image/authorizer-settings.ts'
import { ALLOWED, DENIED, type Pattern, Patterns } from './acl-patterns.ts'

const ALL = 1 << AclOperation.ALL

/** By operation, the operations of which one in an ACL that allows is enough, as bits. */
const ENOUGH: readonly number[] = Object.values(AclOperation).map((operation) => {
  const enough = ALL | (1 << operation)
  switch (operation) {
    case AclOperation.DESCRIBE: {
      const { READ, WRITE, DELETE, ALTER } = AclOperation
      return enough | (1 << READ) | (1 << WRITE) | (1 << DELETE) | (1 << ALTER)
    }
    case AclOperation.DESCRIBE_CONFIGS:
      return enough | (1 << AclOperation.ALTER_CONFIGS)
    default:
      return enough
  }
})

/** Kafka asks for this name to find super users; so an ACL on just it, or on a prefix of it, decides as well. */
const HARDCODED_NAME = 'hardcode'

/**
 * The ACLs of one tenant, and what they allow: Kafka's StandardAuthorizer (KIP-801). Changed by `add` and `remove`
 * only; on the front's thread. Asked for each topic of each request: it allocates nothing, and its time does not grow
 * with the number of ACLs but for the depth of a search among sorted prefixes and one step for each prefix that matches.
 */
export class Acls {
  readonly #superUsers: ReadonlySet<string>
  readonly #allowEveryone: boolean
  readonly #bindings = new Map<string, AclBinding>()
  /** By resource type; one without ACLs has none. */
  readonly #patterns: (Patterns | undefined)[] = new Array(ResourceType.USER + 1).fill(undefined)

  constructor(settings: AuthorizerSettings = defaultAuthorizerSettings) {
    this.#superUsers = new Set(settings.superUsers)
    this.#allowEveryone = settings.allowEveryoneIfNoAclFound
  }

  get size(): number {
    return this.#bindings.size
  }

  /** Everybody may do everything: there are no ACLs, and nobody wants any. */
  get isOpen(): boolean {
    return this.#allowEveryone && this.#bindings.size === 0
  }

  /** May do everything, whatever the ACLs say. */
  isSuperUser(principal: string): boolean {
    return this.#superUsers.has(principal)
  }

  /** In the order in which they were added. */
  bindings(): IterableIterator<AclBinding> {
    return this.#bindings.values()
  }

  has(binding: AclBinding): boolean {
    return this.#bindings.has(aclKey(binding))
  }

  /** False when it is there already. `binding` must be one that `refuseBinding` has let pass. */
  add(binding: AclBinding): boolean {
    const key = aclKey(binding)
    if (this.#bindings.has(key)) return false
    this.#bindings.set(key, binding)
    const patterns = this.#patterns[binding.resourceType] ?? new Patterns()
    this.#patterns[binding.resourceType] = patterns
    patterns.add(binding)
    return true
  }

  /** False when it is not there. */
  remove(binding: AclBinding): boolean {
    const key = aclKey(binding)
    const known = this.#bindings.get(key)
    if (known === undefined) return false
    this.#bindings.delete(key)
    const patterns = this.#patterns[known.resourceType]!
    patterns.remove(known)
    if (patterns.isEmpty) this.#patterns[known.resourceType] = undefined
    return true
  }

  /**
   * Whether `principal` may do `operation` with the resource; `host` is the client's address as `hostAddress` writes it.
   * Super users may; else one ACL that denies forbids it; else one that allows is enough; else it is as
   * `allow.everyone.if.no.acl.found` says where no ACL, of whomever, is about the resource.
   */
  authorise(
    principal: string,
    host: string,
    operation: AclOperation,
    resourceType: ResourceType,
    resourceName: string,
  ): boolean {
    if (this.#superUsers.has(principal)) return true
    const patterns = this.#patterns[resourceType]
    if (patterns === undefined) return this.#allowEveryone
    const allowing = ENOUGH[operation]!
    const denying = ALL | (1 << operation)
    let isAbout = false
    let said = 0
    const { wildcard } = patterns
    if (wildcard !== null) {
      isAbout = true
      said = wildcard.says(principal, host, allowing, denying)
      if (said >= DENIED) return false
    }
    const literal = patterns.literal(resourceName)
    if (literal !== undefined) {
      isAbout = true
      said |= literal.says(principal, host, allowing, denying)
      if (said >= DENIED) return false
    }
    let prefix = patterns.longestPrefix(resourceName)
    for (; prefix !== null; prefix = prefix.parent) {
      isAbout = true
      said |= prefix.says(principal, host, allowing, denying)
      if (said >= DENIED) return false
    }
    return isAbout ? said === ALLOWED : this.#allowEveryone
  }

  /**
   * Whether `principal` may do `operation` with at least one resource of a type, existing or not (KIP-679): where an ACL
   * allows it that no ACL dominates which denies it: the same pattern, a prefix of it, or `*`. No operation implies
   * another here. In time it goes over the principal's own patterns and those of `User:*`.
   */
  authoriseByResourceType(
    principal: string,
    host: string,
    operation: AclOperation,
    resourceType: ResourceType,
  ): boolean {
    if (this.authorise(principal, host, operation, resourceType, HARDCODED_NAME)) return true
    const patterns = this.#patterns[resourceType]
    if (patterns === undefined) return false
    const asked = ALL | (1 << operation)
    const { wildcard } = patterns
    if (wildcard !== null) {
      const said = wildcard.says(principal, host, asked, asked)
      if (said !== 0) return said === ALLOWED
    }
    const isFree = (pattern: Pattern): boolean =>
      // before the prefixes are gone through: most patterns allow nothing, or are denied themselves
      pattern.says(principal, host, asked, 0) === ALLOWED &&
      !isDominated(patterns, pattern, principal, host, asked)
    for (const pattern of patterns.of(principal)) if (isFree(pattern)) return true
    for (const pattern of patterns.of(WILDCARD_PRINCIPAL)) if (isFree(pattern)) return true
    return false
  }

  /** What `principal` may do with the resource, as the bit field of Metadata, DescribeCluster and DescribeGroups (KIP-430). */
  authorisedOperations(
    principal: string,
    host: string,
    resourceType: ResourceType,
    resourceName: string,
  ): number {
    const supported = supportedOperations(resourceType)
    let authorised = 0
    for (const operation of Object.values(AclOperation)) {
      if ((supported & (1 << operation)) === 0) continue
      if (this.authorise(principal, host, operation, resourceType, resourceName)) {
        authorised |= 1 << operation
      }
    }
    return authorised
  }
}

/** Whether an ACL that denies forbids all that `pattern` names. */
function isDominated(
  patterns: Patterns,
  pattern: Pattern,
  principal: string,
  host: string,
  denying: number,
): boolean {
  if (pattern.says(principal, host, 0, denying) === DENIED) return true
  let prefix = pattern.isPrefix ? pattern.parent : patterns.longestPrefix(pattern.name)
  for (; prefix !== null; prefix = prefix.parent) {
    if (prefix.says(principal, host, 0, denying) === DENIED) return true
  }
  return false
}
