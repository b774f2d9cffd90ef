import type { Clock } from '../base/clock.ts'

/** Batches that a broker has not answered, while several tenants write there: enough to keep it busy for some milliseconds. */
const SHARED_BYTES_MAX = 4 * 2 ** 20
/** A batch takes a broker as long as so many bytes more: thousands of small ones are as much before it as a few large ones. */
const BATCH_BYTES = 8 * 1024
/** They do as long as it is no longer ago than this that another one did. */
const COMPANY_MS = 10_000

/**
 * How many bytes of batches a broker has before it. It takes them as they come, so what one tenant has sent already everybody
 * waits for; what is held back here goes out in turn. One tenant alone is not held back. Belongs to the front's thread.
 */
export class BatchesOut {
  readonly #clock: Clock
  /** By correlation. */
  readonly #sizes: number[] = []
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

  hasRoom(bytes: number): boolean {
    const wanted = bytes + BATCH_BYTES
    if (this.#bytes === 0 || this.#bytes + wanted <= SHARED_BYTES_MAX) return true
    return this.#clock.monotonicMs() - this.#companyAtMs >= COMPANY_MS
  }

  sent(correlation: number, bytes: number): void {
    this.#sizes[correlation] = bytes + BATCH_BYTES
    this.#bytes += bytes + BATCH_BYTES
  }

  /** Something else was sent under that number. */
  other(correlation: number): void {
    this.#sizes[correlation] = 0
  }

  answered(correlation: number): void {
    this.#bytes -= this.#sizes[correlation]!
  }
}
