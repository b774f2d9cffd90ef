/** Bounds how many passwords are hashed at once: that takes threads of libuv's pool, which reads files as well. On the front's thread. */

export interface LoginJob {
  /** `loginSource` of the client's address. */
  readonly source: string
  /** Begins; calls `done` once when the thread is free again, at once or later. Must not throw. */
  readonly run: (done: () => void) => void
  /** Instead of `run`: the queue is full, and this one's source has more in it than any other. */
  readonly drop: () => void
}

export interface LoginQueueOptions {
  readonly runningMax?: number
  readonly waitingMax?: number
}

/**
 * Runs logins in turn: one of each source, then the next of each, so that a source with a thousand of them holds up the
 * others by one. When the queue is full, the source with the most gives up its last.
 */
export class LoginQueue {
  readonly #runningMax: number
  readonly #waitingMax: number
  /** In the order of their turns; none is empty. */
  readonly #waiting = new Map<string, LoginJob[]>()
  #waitingCount = 0
  #running = 0
  #isStarting = false

  constructor({ runningMax = 2, waitingMax = 1_000 }: LoginQueueOptions = {}) {
    this.#runningMax = runningMax
    this.#waitingMax = waitingMax
  }

  get running(): number {
    return this.#running
  }

  get waiting(): number {
    return this.#waitingCount
  }

  /** May call `run` or `drop`, of this job or `drop` of another, before it returns. */
  submit(job: LoginJob): void {
    const own = this.#waiting.get(job.source)
    if (own === undefined) this.#waiting.set(job.source, [job])
    else own.push(job)
    this.#waitingCount++
    this.#start()
    if (this.#waitingCount > this.#waitingMax) this.#dropOne()
  }

  /** Forgets a job that has not begun, without a call; does nothing if it has. */
  cancel(job: LoginJob): void {
    const jobs = this.#waiting.get(job.source)
    const at = jobs?.indexOf(job) ?? -1
    if (at < 0) return
    jobs!.splice(at, 1)
    this.#waitingCount--
    if (jobs!.length === 0) this.#waiting.delete(job.source)
  }

  #start(): void {
    // what finishes at once must not begin the next one from within
    if (this.#isStarting) return
    this.#isStarting = true
    try {
      while (this.#running < this.#runningMax) {
        const job = this.#next()
        if (job === undefined) break
        this.#running++
        job.run(this.#finisher())
      }
    } finally {
      this.#isStarting = false
    }
  }

  #finisher(): () => void {
    let isDone = false
    return () => {
      if (isDone) return
      isDone = true
      this.#running--
      this.#start()
    }
  }

  #next(): LoginJob | undefined {
    for (const [source, jobs] of this.#waiting) {
      this.#waiting.delete(source)
      const job = jobs.shift()!
      // its next turn comes after all others
      if (jobs.length > 0) this.#waiting.set(source, jobs)
      this.#waitingCount--
      return job
    }
    return undefined
  }

  #dropOne(): void {
    let longest: LoginJob[] = []
    // of equals the last: the first have waited the longest and are about to run
    for (const jobs of this.#waiting.values()) if (jobs.length >= longest.length) longest = jobs
    const job = longest.at(-1)!
    this.cancel(job)
    job.drop()
  }
}
