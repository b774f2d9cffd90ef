/** A fetch that waits for records, as the front's turn sees it. */
export interface ParkedFetch {
  /** Counted as a request in flight while it waits. */
  readonly heldBytes: number
  /** Looks again at what woke it, and answers if that is enough. */
  resume(): void
  /** Answers with what there is. */
  answerNow(): void
}

const ANSWERED_PER_TURN = 256
/** One produce may wake any number: sockets have their turn in between. */
const RESUMED_PER_TURN = 512

/** Fetches that wait, and those that were woken in this turn. Belongs to the front's thread. */
export class ParkedFetches {
  readonly #parked = new Set<ParkedFetch>()
  #ready: ParkedFetch[] = []
  #heldBytes = 0

  /** The front stops: nothing is to be parked any more. */
  closing = false

  get size(): number {
    return this.#parked.size
  }

  /** What all that wait hold of the budget for requests. */
  get heldBytes(): number {
    return this.#heldBytes
  }

  get hasReady(): boolean {
    return this.#ready.length > 0
  }

  park(fetch: ParkedFetch): void {
    this.#parked.add(fetch)
    this.#heldBytes += fetch.heldBytes
  }

  unpark(fetch: ParkedFetch): void {
    if (this.#parked.delete(fetch)) this.#heldBytes -= fetch.heldBytes
  }

  /** Gives those who have waited for longest their answer until the others hold `bytesMax` at most; returns how many, so many a turn. */
  answerOldest(bytesMax: number): number {
    let answered = 0
    for (const fetch of this.#parked) {
      if (this.#heldBytes <= bytesMax || answered === ANSWERED_PER_TURN) break
      fetch.answerNow()
      answered++
    }
    return answered
  }

  /** Has `fetch` resumed at the end of the turn: several partitions may wake it at once. */
  wake(fetch: ParkedFetch): void {
    this.#ready.push(fetch)
  }

  resumeReady(): number {
    if (this.#ready.length === 0) return 0
    const ready = this.#ready.splice(0, RESUMED_PER_TURN)
    for (const fetch of ready) fetch.resume()
    return ready.length
  }

  /** The front stops: every long poll gets its answer. */
  answerAll(): void {
    this.closing = true
    for (const fetch of [...this.#parked]) fetch.answerNow()
  }
}
