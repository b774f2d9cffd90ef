/** What tenants hold at brokers, as these tell it: bytes of logs, and groups. One on each thread that goes by it. */
import type { PartitionNumber, TenantId } from '../base/ids.ts'
import type { MetadataEntry } from '../image/entry.ts'

/** Broker → fronts and the other brokers of the cell: what has changed since it was told last. */
export interface TenantHoldingsMessage {
  readonly kind: 'tenant-holdings'
  readonly brokerId: number
  /** Of bytes, what was told of this broker before counts no more: it was another life of it. */
  readonly isAnew?: boolean
  /** Bytes of the logs that are counted at this broker. */
  readonly storage: readonly (readonly [TenantId, number])[]
  /** By the partition of `__consumer_offsets` that they are in: who leads it has told last. */
  readonly groups: readonly (readonly [TenantId, PartitionNumber, number])[]
}

export class ToldHoldings {
  /** By broker. */
  readonly #storage = new Map<TenantId, Map<number, number>>()
  readonly #groups = new Map<TenantId, Map<number, number>>()
  readonly #isThere: (tenantId: TenantId) => boolean
  /** Told of while they were not there: they may be about to come, or have just gone. */
  readonly #unknown = new Set<TenantId>()

  /** `isThere`: by this thread's image. */
  constructor(isThere: (tenantId: TenantId) => boolean) {
    this.#isThere = isThere
  }

  onTold({ brokerId, isAnew, storage, groups }: TenantHoldingsMessage): void {
    if (isAnew === true) for (const bytes of this.#storage.values()) bytes.delete(brokerId)
    for (const [tenantId, bytes] of storage) this.#note(this.#storage, tenantId, brokerId, bytes)
    for (const [tenantId, number, count] of groups)
      this.#note(this.#groups, tenantId, number, count)
  }

  /** At all brokers but `except`. */
  storageBytes(tenantId: TenantId, except = 0): number {
    return sumOf(this.#storage.get(tenantId), except)
  }

  /** In all partitions but `except`; null while nobody has told of any. */
  groups(tenantId: TenantId, except = 0): number | null {
    const counts = this.#groups.get(tenantId)
    return counts === undefined ? null : sumOf(counts, except)
  }

  /** As it was told last; undefined: it was not. */
  groupsIn(tenantId: TenantId, number: PartitionNumber): number | undefined {
    return this.#groups.get(tenantId)?.get(number)
  }

  /** Of how many tenants something is kept. */
  get tenants(): number {
    return new Set([...this.#storage.keys(), ...this.#groups.keys()]).size
  }

  /** It is gone; and so is what was told too late of those that went before. */
  forget(tenantId: TenantId): void {
    this.#drop(tenantId)
    for (const unknown of this.#unknown) if (!this.#isThere(unknown)) this.#drop(unknown)
    this.#unknown.clear()
  }

  /** Metadata has been applied. */
  onEntries(entries: readonly MetadataEntry[]): void {
    for (const entry of entries) if (entry.kind === 'tenant-deleted') this.forget(entry.tenantId)
  }

  /** An image that is whole names all that there are. */
  prune(): void {
    for (const tenantId of [...this.#storage.keys(), ...this.#groups.keys()]) {
      if (!this.#isThere(tenantId)) this.#drop(tenantId)
    }
    this.#unknown.clear()
  }

  #drop(tenantId: TenantId): void {
    this.#storage.delete(tenantId)
    this.#groups.delete(tenantId)
  }

  #note(
    all: Map<TenantId, Map<number, number>>,
    tenantId: TenantId,
    key: number,
    value: number,
  ): void {
    if (!this.#isThere(tenantId)) this.#unknown.add(tenantId)
    const own = all.get(tenantId)
    if (own === undefined) all.set(tenantId, new Map([[key, value]]))
    else own.set(key, value)
  }
}

function sumOf(values: ReadonlyMap<number, number> | undefined, except: number): number {
  let sum = 0
  if (values !== undefined) for (const [key, value] of values) if (key !== except) sum += value
  return sum
}
