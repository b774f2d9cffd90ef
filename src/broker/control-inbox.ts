import type { ControlEnvelope, ControlPort } from '../link/ports.ts'

/** A broker's control messages: between turns all of them, in the midst of one only what its commands need. On the broker's thread. */
export class ControlInbox {
  readonly #control: ControlPort
  readonly #onMessage: (envelope: ControlEnvelope) => void
  /** Messages that came within a turn, for the beginning of the next. */
  #deferred: ControlEnvelope[] = []

  constructor(control: ControlPort, onMessage: (envelope: ControlEnvelope) => void) {
    this.#control = control
    this.#onMessage = onMessage
  }

  /** Takes what was deferred, and up to `limit` messages with that; returns how many. */
  drain(limit: number): number {
    const deferred = this.#deferred
    if (deferred.length > 0) this.#deferred = []
    for (const envelope of deferred) this.#onMessage(envelope)
    let count = deferred.length
    while (count < limit) {
      const envelope = this.#control.poll()
      if (envelope === undefined) break
      this.#onMessage(envelope)
      count++
    }
    return count
  }

  /**
   * In the midst of a turn's commands. Batches may be staged, and not written, of groups that take them; so what may change who leads (a move, a peer
   * that is gone) waits for the next turn.
   */
  drainWithinTurn(): void {
    for (let next = this.#control.poll(); next !== undefined; next = this.#control.poll()) {
      const { kind } = next.message
      if (kind === 'metadata' || kind === 'batch-buffer' || kind === 'stop') this.#onMessage(next)
      else this.#deferred.push(next)
    }
  }
}
