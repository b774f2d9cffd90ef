/** Trying again, with pauses that grow, until it works, cannot work, or takes too long. */
import { setTimeout as sleep } from 'node:timers/promises'
import { isRetriable } from './errors.ts'

export interface RetryOptions {
  /** From the first try; what fails after it is thrown. */
  readonly timeoutMs: number
  readonly backoffMs?: number
  readonly backoffMaxMs?: number
  /** Which errors are worth another try; by default {@link isRetriable}. */
  readonly isRetriable?: (error: unknown) => boolean
  /** Before each further try: to look up what may have moved. Its own errors count as those of the try. */
  readonly before?: (error: unknown) => Promise<unknown>
}

/** The pause before try `attempt` (1, 2, …), with up to a fifth of jitter. */
export function backoffOf(attempt: number, backoffMs = 50, backoffMaxMs = 1_000): number {
  const full = Math.min(backoffMaxMs, backoffMs * 2 ** (attempt - 1))
  return full * (0.8 + Math.random() * 0.4)
}

export async function retry<T>(attempt: () => Promise<T>, options: RetryOptions): Promise<T> {
  const deadline = performance.now() + options.timeoutMs
  const mayRetry = options.isRetriable ?? isRetriable
  let before: (() => Promise<unknown>) | null = null
  for (let tries = 1; ; tries++) {
    try {
      await before?.()
      return await attempt()
    } catch (error) {
      const pauseMs = backoffOf(tries, options.backoffMs, options.backoffMaxMs)
      if (!mayRetry(error) || performance.now() + pauseMs > deadline) throw error
      await sleep(pauseMs)
      before = options.before === undefined ? null : () => options.before!(error)
    }
  }
}
