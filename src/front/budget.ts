import type { KafkaConnection } from '../net/connection.ts'
import type { InFlightBudget } from '../net/in-flight.ts'

/** A stretch of a ring log that a socket still holds. */
export interface Pin {
  readonly connection: KafkaConnection
  readonly bytes: number
  readonly sinceMs: number
}

/** A pin may be this old before its socket can be closed for the sake of others. */
const GRACE_MS = 5_000

/**
 * Ring memory that sockets hold without a copy: while too much of it is out, tail reads are copied, and when bytes in
 * flight are over their cap the socket with the oldest pin is closed. Belongs to the front's thread.
 */
export class PinLedger {
  readonly #budget: InFlightBudget
  readonly #pinnedBytesMax: number
  /** Oldest first. */
  readonly #pins = new Set<Pin>()
  #pinnedBytes = 0

  constructor(budget: InFlightBudget, pinnedBytesMax: number) {
    this.#budget = budget
    this.#pinnedBytesMax = pinnedBytesMax
  }

  get pinnedBytes(): number {
    return this.#pinnedBytes
  }

  mayPin(bytes: number): boolean {
    return this.#pinnedBytes + bytes <= this.#pinnedBytesMax
  }

  add(pin: Pin): void {
    this.#pins.add(pin)
    this.#pinnedBytes += pin.bytes
  }

  remove(pin: Pin): void {
    if (this.#pins.delete(pin)) this.#pinnedBytes -= pin.bytes
  }

  /** The last resort, tried every turn: returns how many sockets it has closed. */
  relieve(nowMs: number): number {
    if (this.#budget.hasRoom) return 0
    for (const pin of this.#pins) {
      if (nowMs - pin.sinceMs < GRACE_MS) return 0
      pin.connection.closeForBudget('does not read, while others wait for its memory')
      return 1
    }
    return 0
  }
}
