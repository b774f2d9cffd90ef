import type { PartitionLog } from '../../log/partition-log.ts'

/**
 * What a replica says waits until what it promises with that is durable: its hard state, and where its topic asks for flushes what it found in its log. On the
 * broker's thread.
 */
export class Promises {
  #held: (() => void)[] = []
  /** How many things are not durable that were promised. */
  #unstored = 0
  #isTailUndurable = false

  get areWaiting(): boolean {
    return this.#unstored > 0
  }

  get isTailUndurable(): boolean {
    return this.#isTailUndurable
  }

  /** For one thing more. */
  wait(): void {
    this.#unstored++
  }

  /** One thing is durable; whether all are. */
  stored(): boolean {
    return --this.#unstored <= 0
  }

  say(send: () => void): void {
    if (this.areWaiting) this.#held.push(send)
    else send()
  }

  /** What was held back is said. */
  keep(): void {
    const held = this.#held
    this.#held = []
    for (const send of held) send()
  }

  /**
   * Where the topic asks for flushes, a life before may have written what it did not make durable: this one speaks, and with that promises to have it,
   * when it is. What a leader commits needs the start of its term, whose flush comes after this one. `stored` is called when it is, but where the log fails.
   */
  holdTail(log: PartitionLog, stored: () => void): void {
    const asks = log.config.flushMessages !== Number.MAX_SAFE_INTEGER
    if (!asks || !log.foundPoint.dirty) return
    this.#isTailUndurable = true
    this.wait()
    log.requestFlush((failed) => {
      // else the log has failed, and the group with it
      if (failed === null) stored()
    })
  }

  /** It is, or there is none any more. Whether it was waited for. */
  tailStored(): boolean {
    const wasUndurable = this.#isTailUndurable
    this.#isTailUndurable = false
    return wasUndurable
  }
}
