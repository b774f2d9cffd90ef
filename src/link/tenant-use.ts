/** Where a thread counts what each tenant uses: rows of a table that other threads read, given out as tenants come. On the thread that owns them. */
import type { TenantId } from '../base/ids.ts'

/** This thread's own slots. Broker 0 stands for what is no broker's. */
export interface UseRows {
  readonly shape: { readonly rows: number }
  readonly firstRow: number
  /** By broker, of all others together: what is no tenant's yet, tenants that found no row, and those whose row was taken back. */
  readonly shared: readonly Float64Array[]
  values(row: number): Float64Array
  give(row: number, tenantId: TenantId, brokerId: number): void
  /** Adds what the row has to {@link shared}. */
  takeBack(row: number): void
  /** What a thread before this one has given out. */
  given(): Iterable<{
    readonly row: number
    readonly tenantId: TenantId
    readonly brokerId: number
  }>
}

/** Rows are taken back from idle tenants when fewer than this share of them are free. */
const SHORT = 1 / 8

/** By broker id. */
interface Held {
  readonly rows: number[]
  readonly values: Float64Array[]
}

export class TenantUse {
  readonly #rows: UseRows | null
  readonly #held = new Map<TenantId, Held>()
  readonly #free: number[] = []
  #next: number
  #taken = 0

  constructor(rows: UseRows | null) {
    this.#rows = rows
    this.#next = rows?.firstRow ?? 0
    if (rows === null) return
    for (const { row, tenantId, brokerId } of rows.given()) this.#hold(tenantId, brokerId, row)
    const taken = new Set([...this.#held.values()].flatMap((held) => held.rows))
    for (const row of taken) this.#next = Math.max(this.#next, row + 1)
    for (let row = rows.firstRow; row < this.#next; row++) if (!taken.has(row)) this.#free.push(row)
  }

  /** Where the tenant's use is counted from now on; undefined: nowhere that others see. */
  take(tenantId: TenantId, brokerId = 0): Float64Array | undefined {
    const rows = this.#rows
    if (rows === null) return undefined
    const known = this.#held.get(tenantId)?.values[brokerId]
    if (known !== undefined) return known
    const row = this.#free.pop() ?? this.#next
    if (row >= rows.shape.rows) return rows.shared[brokerId]
    if (row === this.#next) this.#next++
    rows.give(row, tenantId, brokerId)
    return this.#hold(tenantId, brokerId, row)
  }

  /** The same for what can do without: when rows are short it is counted with others. */
  takeIfPlenty(tenantId: TenantId, brokerId: number): Float64Array | undefined {
    const known = this.#held.get(tenantId)?.values[brokerId]
    if (known !== undefined || this.#rows === null) return known
    return this.isShort ? this.#rows.shared[brokerId] : this.take(tenantId, brokerId)
  }

  /** It has rows of its own; false: it is counted with others. */
  has(tenantId: TenantId): boolean {
    return this.#held.has(tenantId)
  }

  /** Those that have rows of their own. */
  tenants(): Iterable<TenantId> {
    return this.#held.keys()
  }

  /** Idle tenants are to give their rows back: others will want them. */
  get isShort(): boolean {
    if (this.#rows === null) return true
    const places = this.#rows.shape.rows - this.#rows.firstRow
    return places - this.#taken < places * SHORT
  }

  /** Nothing of the tenant's is open or held: what it has used is counted with that of others from now on, so that sums stay what they are. */
  release(tenantId: TenantId): void {
    const held = this.#held.get(tenantId)
    if (held === undefined) return
    this.#held.delete(tenantId)
    // brokers may have left gaps
    for (const row of held.rows) {
      if (row === undefined) continue
      this.#rows!.takeBack(row)
      this.#free.push(row)
      this.#taken--
    }
  }

  #hold(tenantId: TenantId, brokerId: number, row: number): Float64Array {
    let held = this.#held.get(tenantId)
    if (held === undefined) {
      held = { rows: [], values: [] }
      this.#held.set(tenantId, held)
    }
    const values = this.#rows!.values(row)
    held.rows[brokerId] = row
    held.values[brokerId] = values
    this.#taken++
    return values
  }
}
