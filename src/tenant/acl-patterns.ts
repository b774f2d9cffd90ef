import {
  type AclBinding,
  aclHost,
  PatternType,
  PermissionType,
  WILDCARD,
  WILDCARD_PRINCIPAL,
} from '../image/acl-binding.ts'

/** What ACLs of one principal from one host say, on one pattern: operations as bits. */
class Rights {
  allowed = 0
  denied = 0
  readonly #bindings: AclBinding[] = []

  get isEmpty(): boolean {
    return this.#bindings.length === 0
  }

  add(binding: AclBinding): void {
    this.#bindings.push(binding)
    this.#count(binding)
  }

  remove(binding: AclBinding): void {
    this.#bindings.splice(this.#bindings.indexOf(binding), 1)
    // another may say the same: the same address, written otherwise
    this.allowed = 0
    this.denied = 0
    for (const left of this.#bindings) this.#count(left)
  }

  #count({ operation, permissionType }: AclBinding): void {
    if (permissionType === PermissionType.DENY) this.denied |= 1 << operation
    else this.allowed |= 1 << operation
  }
}

/** Rights of one principal by host. */
type Hosts = Map<string, Rights>

/** Bits of what {@link Pattern.says}. */
export const ALLOWED = 1
export const DENIED = 2

/** A literal name or a prefix that ACLs of one resource type are about. */
export class Pattern {
  readonly name: string
  readonly isPrefix: boolean
  /** The longest other prefix that this one begins with: whoever matches this one matches that one too. */
  parent: Pattern | null = null
  readonly #principals = new Map<string, Hosts>()

  constructor(name: string, isPrefix: boolean) {
    this.name = name
    this.isPrefix = isPrefix
  }

  get isEmpty(): boolean {
    return this.#principals.size === 0
  }

  names(principal: string): boolean {
    return this.#principals.has(principal)
  }

  /** What the ACLs here say: {@link DENIED} if one denies any of `denying`, else {@link ALLOWED} if one allows any of `allowing`, else 0. */
  says(principal: string, host: string, allowing: number, denying: number): number {
    const own = this.#saysOf(principal, host, allowing, denying)
    return own === DENIED ? own : own | this.#saysOf(WILDCARD_PRINCIPAL, host, allowing, denying)
  }

  #saysOf(principal: string, host: string, allowing: number, denying: number): number {
    const hosts = this.#principals.get(principal)
    if (hosts === undefined) return 0
    const here = hosts.get(host)
    const everywhere = hosts.get(WILDCARD)
    const denied = (here?.denied ?? 0) | (everywhere?.denied ?? 0)
    if ((denied & denying) !== 0) return DENIED
    const allowed = (here?.allowed ?? 0) | (everywhere?.allowed ?? 0)
    return (allowed & allowing) === 0 ? 0 : ALLOWED
  }

  add(binding: AclBinding): void {
    let hosts = this.#principals.get(binding.principal)
    if (hosts === undefined) {
      hosts = new Map()
      this.#principals.set(binding.principal, hosts)
    }
    const host = aclHost(binding)
    let rights = hosts.get(host)
    if (rights === undefined) {
      rights = new Rights()
      hosts.set(host, rights)
    }
    rights.add(binding)
  }

  remove(binding: AclBinding): void {
    const hosts = this.#principals.get(binding.principal)!
    const host = aclHost(binding)
    const rights = hosts.get(host)!
    rights.remove(binding)
    if (!rights.isEmpty) return
    hosts.delete(host)
    if (hosts.size === 0) this.#principals.delete(binding.principal)
  }
}

const NONE: ReadonlySet<Pattern> = new Set()

/**
 * The patterns of one resource type. Literal names are found by hash. Prefixes are sorted, and each knows the longest
 * other that it begins with: of those that a name begins with, the longest is the greatest prefix not above the name or
 * one that this begins with, and the others follow from parent to parent.
 */
export class Patterns {
  readonly #literals = new Map<string, Pattern>()
  /** Sorted by name. */
  readonly #prefixes: Pattern[] = []
  readonly #byPrincipal = new Map<string, Set<Pattern>>()
  /** Of the literal name `*`, which stands for all names. */
  #wildcard: Pattern | null = null

  get wildcard(): Pattern | null {
    return this.#wildcard
  }

  get isEmpty(): boolean {
    return this.#literals.size === 0 && this.#prefixes.length === 0
  }

  literal(name: string): Pattern | undefined {
    return this.#literals.get(name)
  }

  /** Patterns with an ACL of just this principal. */
  of(principal: string): ReadonlySet<Pattern> {
    return this.#byPrincipal.get(principal) ?? NONE
  }

  /** The longest prefix that `name` begins with; the shorter ones are its parents. */
  longestPrefix(name: string): Pattern | null {
    if (this.#prefixes.length === 0) return null
    let pattern = this.#prefixes[this.#above(name) - 1] ?? null
    while (pattern !== null && !name.startsWith(pattern.name)) pattern = pattern.parent
    return pattern
  }

  add(binding: AclBinding): void {
    const pattern = this.#find(binding) ?? this.#insert(binding)
    pattern.add(binding)
    const known = this.#byPrincipal.get(binding.principal)
    if (known !== undefined) known.add(pattern)
    else this.#byPrincipal.set(binding.principal, new Set([pattern]))
  }

  /** `binding` must have been added. */
  remove(binding: AclBinding): void {
    const pattern = this.#find(binding)!
    pattern.remove(binding)
    if (!pattern.names(binding.principal)) {
      const known = this.#byPrincipal.get(binding.principal)!
      known.delete(pattern)
      if (known.size === 0) this.#byPrincipal.delete(binding.principal)
    }
    if (pattern.isEmpty) this.#drop(pattern)
  }

  #find({ patternType, resourceName }: AclBinding): Pattern | undefined {
    if (patternType === PatternType.LITERAL) return this.#literals.get(resourceName)
    const pattern = this.#prefixes[this.#above(resourceName) - 1]
    return pattern?.name === resourceName ? pattern : undefined
  }

  #insert({ patternType, resourceName }: AclBinding): Pattern {
    const pattern = new Pattern(resourceName, patternType === PatternType.PREFIXED)
    if (!pattern.isPrefix) {
      this.#literals.set(resourceName, pattern)
      if (resourceName === WILDCARD) this.#wildcard = pattern
      return pattern
    }
    const at = this.#above(resourceName)
    pattern.parent = this.longestPrefix(resourceName)
    this.#prefixes.splice(at, 0, pattern)
    this.#adopt(at + 1, pattern.name, pattern.parent, pattern)
    return pattern
  }

  #drop(pattern: Pattern): void {
    if (!pattern.isPrefix) {
      this.#literals.delete(pattern.name)
      if (pattern === this.#wildcard) this.#wildcard = null
      return
    }
    const at = this.#above(pattern.name) - 1
    this.#prefixes.splice(at, 1)
    this.#adopt(at, pattern.name, pattern, pattern.parent)
  }

  /** Gives the children of `from` that begin with `name`, which lie from `at` on, to `to`. */
  #adopt(at: number, name: string, from: Pattern | null, to: Pattern | null): void {
    for (let i = at; i < this.#prefixes.length; i++) {
      const child = this.#prefixes[i]!
      if (!child.name.startsWith(name)) return
      if (child.parent === from) child.parent = to
    }
  }

  /** The place of the first prefix above `name`. */
  #above(name: string): number {
    let low = 0
    let high = this.#prefixes.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#prefixes[middle]!.name > name) high = middle
      else low = middle + 1
    }
    return low
  }
}
