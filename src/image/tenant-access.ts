/** What the users of one tenant prove themselves with (API keys, whose ids no other tenant has, and SCRAM users by name), and what they may do. */
import { type AclBinding, aclKey } from './acl-binding.ts'
import type { MetadataEntry, StoredSecret } from './entry.ts'

type Entry<Kind extends MetadataEntry['kind']> = Extract<MetadataEntry, { kind: Kind }>

export interface ApiKeyView {
  readonly keyId: string
  readonly user: string
  readonly createdAtMs: number
  readonly secrets: readonly StoredSecret[]
}

const NO_SECRETS: readonly StoredSecret[] = []

export class TenantAccess {
  readonly #keys = new Map<string, ApiKeyView>()
  readonly #users = new Map<string, readonly StoredSecret[]>()
  /** By {@link aclKey}. */
  readonly #acls = new Map<string, AclBinding>()

  get isEmpty(): boolean {
    return this.#keys.size === 0 && this.#users.size === 0 && this.#acls.size === 0
  }

  get keyCount(): number {
    return this.#keys.size
  }

  get userCount(): number {
    return this.#users.size
  }

  get aclCount(): number {
    return this.#acls.size
  }

  key(keyId: string): ApiKeyView | undefined {
    return this.#keys.get(keyId)
  }

  keys(): Iterable<ApiKeyView> {
    return this.#keys.values()
  }

  /** By user. */
  users(): Iterable<readonly [string, readonly StoredSecret[]]> {
    return this.#users
  }

  secretsOf(user: string): readonly StoredSecret[] {
    return this.#users.get(user) ?? NO_SECRETS
  }

  acls(): Iterable<AclBinding> {
    return this.#acls.values()
  }

  addAcls({ acls }: Entry<'acls-added'>): void {
    for (const acl of acls) this.#acls.set(aclKey(acl), acl)
  }

  removeAcls({ acls }: Entry<'acls-removed'>): void {
    for (const acl of acls) this.#acls.delete(aclKey(acl))
  }

  addKey({ keyId, user, createdAtMs, secrets }: Entry<'api-key'>): void {
    this.#keys.set(keyId, { keyId, user, createdAtMs, secrets })
  }

  revokeKey(keyId: string): void {
    this.#keys.delete(keyId)
  }

  setUser({ user, secrets }: Entry<'user-secrets'>): void {
    if (secrets.length === 0) this.#users.delete(user)
    else this.#users.set(user, secrets)
  }
}
