const TICK_MS = 250
const BUCKETS = 512

/** Something with a rough deadline; in at most one {@link Deadlines}. */
export abstract class Deadline {
  deadlineMs = 0
  bucket = -1
  earlier: Deadline | null = null
  later: Deadline | null = null

  abstract onDeadline(nowMs: number): void
}

/**
 * Deadlines that are hardly ever met (request timeouts): adding and removing cost a few stores, and they fire up to a
 * quarter of a second late. Belongs to one thread; monotonic milliseconds.
 */
export class Deadlines {
  readonly #buckets: (Deadline | null)[] = new Array(BUCKETS).fill(null)
  #size = 0
  /** Ticks up to this one have been looked at. */
  #tick = -1
  /** No deadline lies in an earlier tick. */
  #nextTick = Number.POSITIVE_INFINITY

  get size(): number {
    return this.#size
  }

  get nextAtMs(): number {
    return this.#size === 0 ? Number.POSITIVE_INFINITY : this.#nextTick * TICK_MS
  }

  add(deadline: Deadline, atMs: number, nowMs: number): void {
    if (this.#tick < 0) this.#tick = Math.floor(nowMs / TICK_MS) - 1
    const earliest = Math.max(this.#tick, Math.floor(nowMs / TICK_MS)) + 1
    const wanted = Math.max(earliest, Math.ceil(atMs / TICK_MS))
    // Beyond the wheel: looked at once more when it has turned.
    const tick = Math.min(wanted, this.#tick + BUCKETS - 1)
    deadline.deadlineMs = atMs
    deadline.bucket = tick % BUCKETS
    deadline.earlier = null
    deadline.later = this.#buckets[deadline.bucket]!
    if (deadline.later !== null) deadline.later.earlier = deadline
    this.#buckets[deadline.bucket] = deadline
    this.#size++
    if (tick < this.#nextTick) this.#nextTick = tick
  }

  remove(deadline: Deadline): void {
    if (deadline.bucket < 0) return
    const { earlier, later } = deadline
    if (earlier === null) this.#buckets[deadline.bucket] = later
    else earlier.later = later
    if (later !== null) later.earlier = earlier
    deadline.bucket = -1
    deadline.earlier = deadline.later = null
    this.#size--
  }

  /** Fires what is due; returns how many. */
  fireDue(nowMs: number): number {
    const until = Math.floor(nowMs / TICK_MS)
    if (until < this.#nextTick || this.#size === 0) return 0
    let fired = 0
    const from = Math.max(this.#tick + 1, until - BUCKETS + 1)
    this.#tick = until
    for (let tick = from; tick <= until; tick++) fired += this.#fireBucket(tick % BUCKETS, nowMs)
    this.#nextTick = this.#firstFrom(until + 1)
    return fired
  }

  #fireBucket(bucket: number, nowMs: number): number {
    let fired = 0
    let deadline = this.#buckets[bucket] ?? null
    this.#buckets[bucket] = null
    while (deadline !== null) {
      const later: Deadline | null = deadline.later
      deadline.bucket = -1
      deadline.earlier = deadline.later = null
      this.#size--
      if (deadline.deadlineMs <= nowMs) {
        deadline.onDeadline(nowMs)
        fired++
      } else this.add(deadline, deadline.deadlineMs, nowMs)
      deadline = later
    }
    return fired
  }

  #firstFrom(tick: number): number {
    if (this.#size === 0) return Number.POSITIVE_INFINITY
    for (let ahead = 0; ahead < BUCKETS; ahead++) {
      if (this.#buckets[(tick + ahead) % BUCKETS] !== null) return tick + ahead
    }
    return tick
  }
}
