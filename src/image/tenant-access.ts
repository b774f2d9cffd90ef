/** What the users of one tenant prove themselves with (API keys, whose ids no other tenant has, and SCRAM users by name), and what they may do. */
import { type AclBinding, aclKey } from './acl-binding.ts'
import type { MetadataEntry, StoredSecret } from './entry.ts'
import { packSecrets, unpackSecrets } from './packed-secrets.ts'
import { ADMIN_USER } from './tenant-settings.ts'

type Entry<Kind extends MetadataEntry['kind']> = Extract<MetadataEntry, { kind: Kind }>

export interface ApiKeyView {
  readonly keyId: string
  readonly user: string
  readonly createdAtMs: number
  readonly secrets: readonly StoredSecret[]
}

const NO_SECRETS: readonly StoredSecret[] = []

class ApiKey implements ApiKeyView {
  readonly keyId: string
  readonly user: string
  readonly createdAtMs: number
  readonly #packed: string

  constructor({ keyId, user, createdAtMs, secrets }: Entry<'api-key'>) {
    this.keyId = keyId
    // every decoded entry carries a copy of the name that most have
    this.user = user === ADMIN_USER ? ADMIN_USER : user
    this.createdAtMs = createdAtMs
    this.#packed = packSecrets(secrets)
  }

  get secrets(): readonly StoredSecret[] {
    return unpackSecrets(this.#packed)
  }
}

export class TenantAccess {
  // maps are made at the first use: an empty one takes 200 bytes, and most of many tenants have one key and nothing else
  #onlyKey: ApiKey | null = null
  /** Where it has more than one, or had. */
  #keys: Map<string, ApiKey> | null = null
  /** Their secrets, packed. */
  #users: Map<string, string> | null = null
  /** By {@link aclKey}. */
  #acls: Map<string, AclBinding> | null = null

  get isEmpty(): boolean {
    return this.keyCount === 0 && this.userCount === 0 && (this.#acls?.size ?? 0) === 0
  }

  get keyCount(): number {
    return this.#keys?.size ?? (this.#onlyKey === null ? 0 : 1)
  }

  get userCount(): number {
    return this.#users?.size ?? 0
  }

  get aclCount(): number {
    return this.#acls?.size ?? 0
  }

  key(keyId: string): ApiKeyView | undefined {
    if (this.#keys !== null) return this.#keys.get(keyId)
    return this.#onlyKey?.keyId === keyId ? this.#onlyKey : undefined
  }

  keys(): Iterable<ApiKeyView> {
    return this.#keys?.values() ?? (this.#onlyKey === null ? [] : [this.#onlyKey])
  }

  /** By user. */
  *users(): IterableIterator<readonly [string, readonly StoredSecret[]]> {
    for (const [user, packed] of this.#users ?? []) yield [user, unpackSecrets(packed)]
  }

  secretsOf(user: string): readonly StoredSecret[] {
    const packed = this.#users?.get(user)
    return packed === undefined ? NO_SECRETS : unpackSecrets(packed)
  }

  acls(): Iterable<AclBinding> {
    return this.#acls?.values() ?? []
  }

  addAcls({ acls }: Entry<'acls-added'>): void {
    this.#acls ??= new Map()
    for (const acl of acls) this.#acls.set(aclKey(acl), acl)
  }

  removeAcls({ acls }: Entry<'acls-removed'>): void {
    for (const acl of acls) this.#acls?.delete(aclKey(acl))
  }

  addKey(entry: Entry<'api-key'>): void {
    const key = new ApiKey(entry)
    if (this.keyCount === 0) {
      this.#onlyKey = key
      this.#keys = null
      return
    }
    this.#keys ??= new Map([[this.#onlyKey!.keyId, this.#onlyKey!]])
    this.#onlyKey = null
    this.#keys.set(key.keyId, key)
  }

  revokeKey(keyId: string): void {
    this.#keys?.delete(keyId)
    if (this.#onlyKey?.keyId === keyId) this.#onlyKey = null
  }

  setUser({ user, secrets }: Entry<'user-secrets'>): void {
    this.#users ??= new Map()
    if (secrets.length === 0) this.#users.delete(user)
    else this.#users.set(user, packSecrets(secrets))
  }
}
