import type { KafkaConnection } from '../net/connection.ts'
import type { InFlightBudget } from '../net/in-flight.ts'

/** Memory that a reply refers to until its socket has sent it. */
export interface Pin {
  readonly connection: KafkaConnection
  /** Of it in ring logs, held without a copy. */
  readonly ringBytes: number
  readonly sinceMs: number
}

/** A pin may be this old before its socket can be closed for the sake of others. */
const GRACE_MS = 5_000

/**
 * Memory that sockets hold: while too much of it is in ring logs, tail reads are copied; and when others starve, the
 * socket that has held some for longest is closed. Belongs to the front's thread.
 */
export class PinLedger {
  readonly #budget: InFlightBudget
  readonly #ringBytesMax: number
  /** Oldest first. */
  readonly #pins = new Set<Pin>()
  #ringBytes = 0
  /** Whether somebody waits for buffers that these pins hold. */
  starving: () => boolean = () => false

  constructor(budget: InFlightBudget, ringBytesMax: number) {
    this.#budget = budget
    this.#ringBytesMax = ringBytesMax
  }

  /** Bytes of ring logs that sockets hold. */
  get ringBytes(): number {
    return this.#ringBytes
  }

  mayPin(bytes: number): boolean {
    return this.#ringBytes + bytes <= this.#ringBytesMax
  }

  add(pin: Pin): void {
    this.#pins.add(pin)
    this.#ringBytes += pin.ringBytes
  }

  remove(pin: Pin): void {
    if (this.#pins.delete(pin)) this.#ringBytes -= pin.ringBytes
  }

  /** Monotonic milliseconds at which {@link relieve} has something to do, or Infinity. */
  get nextAtMs(): number {
    if (!this.#isShort) return Number.POSITIVE_INFINITY
    for (const pin of this.#pins) return pin.sinceMs + GRACE_MS
    return Number.POSITIVE_INFINITY
  }

  /** The last resort, tried every turn: returns how many sockets it has closed. */
  relieve(nowMs: number): number {
    if (!this.#isShort) return 0
    for (const pin of this.#pins) {
      if (nowMs - pin.sinceMs < GRACE_MS) return 0
      pin.connection.closeForBudget('does not read, while others wait for its memory')
      return 1
    }
    return 0
  }

  get #isShort(): boolean {
    return !this.#budget.hasRoom || this.starving()
  }
}
