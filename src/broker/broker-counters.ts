import type { TenantId } from '../base/ids.ts'
import { BrokerCounter } from '../link/counters.ts'
import { errorClassOf } from '../link/error-class.ts'
import type { CounterWriter } from '../shared/counter-table.ts'

/** Where a broker's counters go: the rows are given out by another thread. */
export interface CounterRows {
  readonly writer: Pick<CounterWriter, 'add' | 'set'>
  /** The row of (tenant, this broker); −1 for none, and then nothing is counted. */
  rowOf(tenantId: TenantId): number
  /** The row that stands for the broker itself. */
  readonly brokerRow: number
}

/** A broker's counters, by tenant and its own; the kinds are in `link/counters.ts`. On the broker's thread. */
export class BrokerCounters {
  readonly #rows: CounterRows | null
  /** Most calls in a row are for one tenant. */
  #tenantId: TenantId | null = null
  #row = -1

  constructor(rows: CounterRows | null) {
    this.#rows = rows
  }

  add(tenantId: TenantId, kind: number, amount: number): void {
    if (this.#rows === null) return
    if (tenantId !== this.#tenantId || this.#row < 0) {
      this.#tenantId = tenantId
      this.#row = this.#rows.rowOf(tenantId)
    }
    if (this.#row >= 0) this.#rows.writer.add(this.#row, kind, amount)
  }

  /** `count` produces of a tenant were refused with `error`. */
  refused(tenantId: TenantId, error: number, count = 1): void {
    this.add(tenantId, BrokerCounter.PRODUCES_REFUSED + errorClassOf(error), count)
  }

  /** Of the broker as a whole. */
  addOwn(kind: number, amount: number): void {
    if (this.#rows !== null) this.#rows.writer.add(this.#rows.brokerRow, kind, amount)
  }

  setOwn(kind: number, value: number): void {
    if (this.#rows !== null) this.#rows.writer.set(this.#rows.brokerRow, kind, value)
  }
}
