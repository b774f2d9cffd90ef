import { CLUSTER_NAME, type ResourceType, supportedOperations } from '../image/acl-binding.ts'
import { hostAddress } from '../image/host-address.ts'
import type { Acls } from './authorizer.ts'
import { type Authorizers, aclsNow, type TenantAcls } from './authorizers.ts'
import { isAllowed, type RequiredAcl } from './required-acls.ts'
import type { Session } from './session.ts'

/**
 * What the client of one connection may do. Asked for each topic of each request: allocates nothing, and for whom
 * everything is allowed looks at two fields. On the front's thread.
 */
export class ClientRights {
  readonly #authorizers: Authorizers
  readonly #session: Session
  readonly #remoteAddress: string
  #kept: TenantAcls
  #isSuper = false
  /** Made when it is first compared. */
  #host: string | null = null

  /** `remoteAddress`: HOST:PORT, or [HOST]:PORT. */
  constructor(authorizers: Authorizers, session: Session, remoteAddress: string) {
    this.#authorizers = authorizers
    this.#session = session
    this.#remoteAddress = remoteAddress
    this.#kept = authorizers.of(session.tenantId)
    this.#isSuper = session.isTrusted || aclsNow(this.#kept).isSuperUser(session.principal)
  }

  /** Whether it has the right `required` on `name`; without a name, on the cluster. */
  may(required: RequiredAcl, name: string = CLUSTER_NAME): boolean {
    const acls = this.#acls()
    if (this.#isSuper || acls.isOpen) return true
    return isAllowed(acls, this.#session.principal, this.#hostNow(), required, name)
  }

  /** What it may do with a resource, as the bit field of KIP-430. */
  operationsOn(resourceType: ResourceType, name: string = CLUSTER_NAME): number {
    const acls = this.#acls()
    if (this.#isSuper || acls.isOpen) return supportedOperations(resourceType)
    const { principal } = this.#session
    return acls.authorisedOperations(principal, this.#hostNow(), resourceType, name)
  }

  #acls(): Acls {
    const { acls } = this.#kept
    if (acls === null) return this.#lookAgain()
    this.#kept.isUsed = true
    return acls
  }

  #lookAgain(): Acls {
    const { tenantId, principal, isTrusted } = this.#session
    this.#kept = this.#authorizers.of(tenantId)
    const acls = aclsNow(this.#kept)
    this.#isSuper = isTrusted || acls.isSuperUser(principal)
    return acls
  }

  #hostNow(): string {
    this.#host ??= hostAddress(hostOf(this.#remoteAddress))
    return this.#host
  }
}

/** Without port and brackets. */
const hostOf = (address: string): string =>
  address.slice(0, address.lastIndexOf(':')).replace(/^\[|\]$/g, '')
