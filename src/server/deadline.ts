/** The time that a stop has. On the server's thread. */
import { hostMonotonicMs, hostTimer } from './host-time.ts'

export interface Deadline {
  /** Resolves when it is reached, or cancelled. */
  readonly reached: Promise<void>
  readonly leftMs: () => number
  readonly isReached: () => boolean
  readonly cancel: () => void
}

export function deadlineIn(ms: number): Deadline {
  const endAtMs = hostMonotonicMs() + ms
  let isReached = false
  let cancel = () => {}
  const reached = new Promise<void>((resolve) => {
    const stopTimer = hostTimer(ms, () => {
      isReached = true
      resolve()
    })
    cancel = () => {
      stopTimer()
      resolve()
    }
  })
  return {
    reached,
    leftMs: () => Math.max(0, endAtMs - hostMonotonicMs()),
    isReached: () => isReached,
    cancel,
  }
}

/** Rejects with the signal's reason once it is aborted. */
export const abortOf = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason)
    signal.addEventListener('abort', () => reject(signal.reason))
  })
