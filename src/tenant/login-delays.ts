/** How long logins wait after others have failed. On the front's thread. */

export interface LoginDelaysOptions {
  /** After the first failure; doubles with each further one. */
  readonly firstMs?: number
  readonly longestMs?: number
  /** So long after its last failure a source is forgotten. */
  readonly forgottenAfterMs?: number
  /** How many are remembered: beyond that, those whose last failure is the longest ago are forgotten. */
  readonly sourcesMax?: number
}

interface Failures {
  readonly count: number
  readonly lastAtMs: number
}

/**
 * How long logins wait, by where they come from (`loginSource` of their address, or that and whose they are) and monotonic
 * milliseconds. A success takes nothing back: whoever has one good account would guess at others between two logins of its own.
 */
export class LoginDelays {
  readonly #firstMs: number
  readonly #longestMs: number
  readonly #forgottenAfterMs: number
  readonly #sourcesMax: number
  /** In the order of their last failures. */
  readonly #failures = new Map<string, Failures>()

  constructor({
    firstMs = 100,
    longestMs = 5_000,
    forgottenAfterMs = 60_000,
    sourcesMax = 10_000,
  }: LoginDelaysOptions = {}) {
    this.#firstMs = firstMs
    this.#longestMs = longestMs
    this.#forgottenAfterMs = forgottenAfterMs
    this.#sourcesMax = sourcesMax
  }

  /** Sources that are remembered. */
  get size(): number {
    return this.#failures.size
  }

  /**
   * Milliseconds that a login from `source` waits, 0 for most. Ask once for each login and wait so long: asked again
   * afterwards, one that others' failures keep pushing back would never be served.
   */
  waitMs(source: string, nowMs: number): number {
    const failures = this.#failures.get(source)
    if (failures === undefined) return 0
    const delayMs = Math.min(this.#longestMs, this.#firstMs * 2 ** (failures.count - 1))
    // a failure that is yet to be answered must not add its own wait to that of others
    return Math.min(delayMs, Math.max(0, failures.lastAtMs + delayMs - nowMs))
  }

  /**
   * To be told of credentials that were wrong and of tokens that were broken, not of logins that the server had no time for. `atMs`: when
   * the client is told; that may be yet to come.
   */
  failed(source: string, atMs: number): void {
    const before = this.#failures.get(source)
    const isNew = before === undefined || this.#isForgotten(before, atMs)
    this.#failures.delete(source)
    this.#failures.set(source, { count: isNew ? 1 : before.count + 1, lastAtMs: atMs })
    for (const [oldest, failures] of this.#failures) {
      if (this.#failures.size <= this.#sourcesMax && !this.#isForgotten(failures, atMs)) break
      this.#failures.delete(oldest)
    }
  }

  #isForgotten(failures: Failures, nowMs: number): boolean {
    return nowMs - failures.lastAtMs >= this.#forgottenAfterMs
  }
}
