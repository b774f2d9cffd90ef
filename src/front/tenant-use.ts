/** Where a front counts what each tenant uses: rows of a table that other threads read, given out as tenants come. Front's thread. */
import type { TenantId } from '../base/ids.ts'

/** This thread's own slots. */
export interface UseRows {
  /** Tenants that can have rows of their own. */
  readonly places: number
  /** Of all others together: what is no tenant's yet, tenants that found no place, and those whose place was taken back. */
  readonly shared: Float64Array
  /** Of the tenant in `place`, for what is no broker's. */
  of(place: number): Float64Array
}

/** Places are taken back from idle tenants when fewer than this share of them are free. */
const SHORT = 1 / 8

export class TenantUse {
  readonly #rows: UseRows | null
  readonly #placeOf = new Map<TenantId, number>()
  readonly #free: number[] = []
  #next = 0

  constructor(rows: UseRows | null) {
    this.#rows = rows
  }

  /** Where the tenant's use is counted from now on; undefined: nowhere that others see. */
  take(tenantId: TenantId): Float64Array | undefined {
    const rows = this.#rows
    if (rows === null) return undefined
    const place = this.#placeOf.get(tenantId) ?? this.#free.pop() ?? this.#next
    if (place >= rows.places) return rows.shared
    if (place === this.#next) this.#next++
    this.#placeOf.set(tenantId, place)
    return rows.of(place)
  }

  /** Undefined: it is counted with others. */
  placeOf(tenantId: TenantId): number | undefined {
    return this.#placeOf.get(tenantId)
  }

  /** Idle tenants are to give their places back: others will want them. */
  get isShort(): boolean {
    if (this.#rows === null) return true
    const { places } = this.#rows
    return places - this.#placeOf.size < places * SHORT
  }

  /** Nothing of the tenant's is open or held: what it has used is counted with that of others from now on, so that sums stay what they are. */
  release(tenantId: TenantId): void {
    const place = this.#placeOf.get(tenantId)
    if (place === undefined) return
    const { shared, of } = this.#rows!
    const own = of(place)
    for (let at = 0; at < own.length; at++) shared[at]! += own[at]!
    own.fill(0)
    this.#placeOf.delete(tenantId)
    this.#free.push(place)
  }
}
