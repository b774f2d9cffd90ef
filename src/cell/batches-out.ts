import type { Clock } from '../base/clock.ts'
import { COMMAND_COST_BYTES } from './parked-commands.ts'

/** Batches that a broker has not answered, while several tenants write there: enough to keep it busy for about a millisecond. */
const SHARED_BYTES_MAX = 2 ** 20
/** Whoever has less than this before the broker need not wait for those who have more. */
const OWN_BYTES_MAX = SHARED_BYTES_MAX / 8
/** They do as long as it is no longer ago than this that another one did. */
const COMPANY_MS = 10_000

/**
 * How many bytes of batches a broker has before it, each with what looking at it takes. It takes them as they come, so what one tenant has sent already everybody
 * waits for; what is held back here goes out in turn. One tenant alone is not held back. Belongs to the front's thread.
 */
export class BatchesOut {
  readonly #clock: Clock
  /** By correlation. */
  readonly #sizes: number[] = []
  readonly #tenants: string[] = []
  readonly #bytesOf = new Map<string, number>()
  #bytes = 0
  #tenant: string | null = null
  #companyAtMs = Number.NEGATIVE_INFINITY

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Notes who writes. */
  note(tenant: string): void {
    if (tenant === this.#tenant) return
    if (this.#tenant !== null) this.#companyAtMs = this.#clock.monotonicMs()
    this.#tenant = tenant
  }

  hasRoom(tenant: string, bytes: number): boolean {
    const cost = bytes + COMMAND_COST_BYTES
    if (this.#bytes === 0 || this.#bytes + cost <= SHARED_BYTES_MAX) return true
    if ((this.#bytesOf.get(tenant) ?? 0) + cost <= OWN_BYTES_MAX) return true
    return this.#clock.monotonicMs() - this.#companyAtMs >= COMPANY_MS
  }

  sent(correlation: number, tenant: string, bytes: number): void {
    const cost = bytes + COMMAND_COST_BYTES
    this.#sizes[correlation] = cost
    this.#tenants[correlation] = tenant
    this.#add(tenant, cost)
  }

  /** Something else was sent under that number. */
  other(correlation: number): void {
    this.#sizes[correlation] = 0
  }

  answered(correlation: number): void {
    const bytes = this.#sizes[correlation]!
    if (bytes > 0) this.#add(this.#tenants[correlation]!, -bytes)
  }

  #add(tenant: string, bytes: number): void {
    this.#bytes += bytes
    const own = (this.#bytesOf.get(tenant) ?? 0) + bytes
    if (own === 0) this.#bytesOf.delete(tenant)
    else this.#bytesOf.set(tenant, own)
  }
}
