import { checkVersion, newRegion, type Region, wordsOf } from './region.ts'

/*
 * Doorbell: an eventcount by which one thread sleeps and many wake it.
 *
 *   byte   word       stored by
 *        +-----------+
 *      0 | version   | creator
 *        +-----------+
 *     64 | sleeping  | WAITER: 0 = awake, otherwise the ticket of this sleep
 *        +-----------+
 *    128 | sequence  | every RINGER, by Atomics.add, and the waiter itself (wake). The named exception to
 *        |           | "one thread stores": an add loses nothing, and it runs only when the waiter sleeps
 *        +-----------+
 *
 * No wake-up is lost. All accesses are sequentially consistent, so they have one total order.
 *
 *   waiter: W1 s = sequence   W2 sleeping = t   W3 look at the rings   W4 wait while sequence == s
 *   ringer: R1 publish        R2 load sleeping  R3 if t: sequence += 1, notify
 *
 *   - R2 before W2: then R1 before W3, the waiter finds the record and does not sleep.
 *   - R2 after W2: R3 comes after W1, so sequence != s from then on: W4 returns at once, or, if it was
 *     asleep already, is notified (the check and the queueing of W4 are one step for notify).
 *   W1 must come before W2: were it after, R3 could fall between them and s would include it.
 *
 * A ringer that has rung for ticket t rings no more for it: by the second case that sleep ends. Tickets
 * wrap after 2^32 sleeps, so it also wants the sequence to be as it left it: both the same by chance
 * is beyond reckoning, and a needless ring is harmless.
 */
const DOORBELL_VERSION = 1
const WORD_VERSION = 0
const WORD_SLEEPING = 16
const WORD_SEQUENCE = 32

export const DOORBELL_BYTES = 192

/** Makes `region` a doorbell whose waiter is awake. Creating thread, before anybody opens it. */
export function formatDoorbell(region: Region = newRegion(DOORBELL_BYTES)): Region {
  const words = wordsOf(region)
  words[WORD_SLEEPING] = 0
  Atomics.store(words, WORD_VERSION, DOORBELL_VERSION)
  return region
}

/**
 * The sleeper's side, on the one thread that sleeps: `prepare`, look at every ring once more, then `waitSync`,
 * `waitAsync` or `cancel`.
 */
export class DoorbellWaiter {
  readonly #words: Int32Array
  readonly #defer: (run: () => void) => void
  #ticket = 0

  /** `defer` runs its argument after pending I/O, as setImmediate does. */
  constructor(region: Region, defer: (run: () => void) => void = setImmediate) {
    this.#words = wordsOf(region)
    this.#defer = defer
    checkVersion('doorbell', Atomics.load(this.#words, WORD_VERSION), DOORBELL_VERSION)
  }

  /** Announces sleep and returns the sequence to wait on. The caller must look at its rings after this. */
  prepare(): number {
    const sequence = Atomics.load(this.#words, WORD_SEQUENCE)
    this.#ticket = (this.#ticket + 1) | 0 || 1
    Atomics.store(this.#words, WORD_SLEEPING, this.#ticket)
    return sequence
  }

  /** Takes the announcement back: the caller found work, or has woken. */
  cancel(): void {
    Atomics.store(this.#words, WORD_SLEEPING, 0)
  }

  /** Announces once more the sleep whose {@link waitAsync} is pending, after a {@link cancel}; the caller must look at its rings after this. */
  announceAgain(): void {
    Atomics.store(this.#words, WORD_SLEEPING, this.#ticket)
  }

  /** Blocks this thread until rung or for `timeoutMs`; true when rung. Awake again on return. */
  waitSync(sequence: number, timeoutMs: number = Number.POSITIVE_INFINITY): boolean {
    const result = Atomics.wait(this.#words, WORD_SEQUENCE, sequence, timeoutMs)
    this.cancel()
    return result !== 'timed-out'
  }

  /**
   * Resolves when rung; awake again by then. Rung already: after pending I/O, or a busy ringer would
   * starve this thread's event loop. No timeout, and never race the promise (both leak memory in V8): to end
   * the wait, {@link wake}, never `cancel`: until {@link announceAgain} ringers take this thread for awake. A pending wait does not keep the process alive.
   */
  waitAsync(sequence: number): Promise<void> {
    const wait = Atomics.waitAsync(this.#words, WORD_SEQUENCE, sequence)
    if (wait.async) return wait.value.then(this.#awake)
    return new Promise((resolve) => {
      this.#defer(() => {
        this.cancel()
        resolve()
      })
    })
  }

  /** Ends this thread's own pending {@link waitAsync}. */
  wake(): void {
    Atomics.add(this.#words, WORD_SEQUENCE, 1)
    Atomics.notify(this.#words, WORD_SEQUENCE)
  }

  readonly #awake = (): void => this.cancel()
}

/** The ringer's side, one object per ringing thread: ring after publishing. */
export class DoorbellRinger {
  readonly #words: Int32Array
  #rungTicket = 0
  #rungSequence = 0

  constructor(region: Region) {
    this.#words = wordsOf(region)
    checkVersion('doorbell', Atomics.load(this.#words, WORD_VERSION), DOORBELL_VERSION)
  }

  /** Wakes the waiter if it sleeps; true when it was rung. One load when it is awake. */
  ring(): boolean {
    const words = this.#words
    const ticket = Atomics.load(words, WORD_SLEEPING)
    if (ticket === 0) return false
    if (ticket === this.#rungTicket && Atomics.load(words, WORD_SEQUENCE) === this.#rungSequence) {
      return false
    }
    this.#rungTicket = ticket
    this.#rungSequence = (Atomics.add(words, WORD_SEQUENCE, 1) + 1) | 0
    Atomics.notify(words, WORD_SEQUENCE)
    return true
  }
}
