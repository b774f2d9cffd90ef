/** A fetch that waits for records, as the front's turn sees it. */
export interface ParkedFetch {
  /** Looks again at what woke it, and answers if that is enough. */
  resume(): void
  /** Answers with what there is. */
  answerNow(): void
}

/** Fetches that wait, and those that were woken in this turn. Belongs to the front's thread. */
export class ParkedFetches {
  readonly #parked = new Set<ParkedFetch>()
  #ready: ParkedFetch[] = []

  /** The front stops: nothing is to be parked any more. */
  closing = false

  get size(): number {
    return this.#parked.size
  }

  get hasReady(): boolean {
    return this.#ready.length > 0
  }

  park(fetch: ParkedFetch): void {
    this.#parked.add(fetch)
  }

  unpark(fetch: ParkedFetch): void {
    this.#parked.delete(fetch)
  }

  /** Has `fetch` resumed at the end of the turn: several partitions may wake it at once. */
  wake(fetch: ParkedFetch): void {
    this.#ready.push(fetch)
  }

  resumeReady(): number {
    if (this.#ready.length === 0) return 0
    const ready = this.#ready
    this.#ready = []
    for (const fetch of ready) fetch.resume()
    return ready.length
  }

  /** The front stops: every long poll gets its answer. */
  answerAll(): void {
    this.closing = true
    for (const fetch of [...this.#parked]) fetch.answerNow()
  }
}
