import type { ControlEnvelope, ControlPort } from '../link/ports.ts'

/** The control messages of a broker: each is taken when it may be. On the broker's thread. */
export class ControlInbox {
  readonly #port: ControlPort
  readonly #take: (envelope: ControlEnvelope) => void
  /** Came in the middle of a turn, and wait for the next. */
  readonly #late: ControlEnvelope[] = []

  constructor(port: ControlPort, take: (envelope: ControlEnvelope) => void) {
    this.#port = port
    this.#take = take
  }

  /** Something has come that waits for the next turn. */
  get hasLate(): boolean {
    return this.#late.length > 0
  }

  /** At the beginning of a turn; returns how many were taken, `limit` at most. */
  drain(limit: number): number {
    let count = 0
    while (count < limit) {
      const envelope = this.#late.shift() ?? this.#port.poll()
      if (envelope === undefined) break
      this.#take(envelope)
      count++
    }
    return count
  }

  /**
   * Takes what a command in the middle of a turn may need. All else waits: batches may be staged, and who leads, or whether this broker stops, is not
   * to change before they are written.
   */
  drainMidTurn(): void {
    for (let envelope = this.#port.poll(); envelope !== undefined; envelope = this.#port.poll()) {
      const { kind } = envelope.message
      if (kind === 'metadata' || kind === 'batch-buffer') this.#take(envelope)
      else this.#late.push(envelope)
    }
  }
}
