/**
 * Time on a thread that is not ours: in a test, whoever calls the embedded engine may have replaced Date, performance and
 * timers, before this file was loaded or after. What is used here, test frameworks leave alone. The starting thread.
 */
import { performance } from 'node:perf_hooks'

/** Fractional. */
export const hostMonotonicMs = (): number => performance.now()

/** Fractional; as the process's start plus monotonic time, so it does not follow a clock that is set later. */
export const hostWallMs = (): number => performance.timeOrigin + performance.now()

/**
 * Calls `onTime` after `ms` unless the returned function is called before. Does not keep the process alive. A few hundred
 * bytes stay until the time is over, also when it is cancelled: for what is rare.
 */
export function hostTimer(ms: number, onTime: () => void): () => void {
  const word = new Int32Array(new SharedArrayBuffer(4))
  const wait = Atomics.waitAsync(word, 0, 0, Math.max(1, ms))
  void Promise.resolve(wait.value).then((how) => {
    if (how === 'timed-out') onTime()
  })
  return () => void Atomics.notify(word, 0)
}

export const hostSleep = (ms: number): Promise<void> =>
  new Promise((resolve) => {
    hostTimer(ms, resolve)
  })
