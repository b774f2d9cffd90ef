/** Up to this much is small: what a connection that holds no more asks for comes before what is large. */
export const SMALL_BYTES = 64 * 1024

/** An unfinished frame of which nothing more has come for this long can be cut off for the sake of others. */
export const STUCK_AFTER_MS = 5_000

/** Who may have to wait until bytes come free, and who may be cut off when nothing else helps. */
export interface BudgetMember {
  /** What it waits for. */
  readonly wantedBytes: number
  /** It holds little and wants little. */
  readonly isSmall: boolean
  /** There is room again: go on reading. */
  onBudgetRoom(): void
  /** Cut off for the sake of the others. */
  closeForBudget(reason: string): void
}

/**
 * Bytes of requests of one front: frames that are coming in, whole from the moment their size is known, and those being
 * worked on. Who finds no room stops reading and is called, first come first served, once there is some: so every frame
 * that has been begun has the room to end. The last eighth is for small ones. Belongs to the front's thread.
 */
export class InFlightBudget {
  readonly capacityBytes: number
  /** What large frames may fill, and the largest that ever fits. */
  readonly largeBytesMax: number
  #usedBytes = 0
  readonly #small = new Set<BudgetMember>()
  readonly #large = new Set<BudgetMember>()
  /** Members with an unfinished frame, and when some of it came last; longest ago first. */
  readonly #collecting = new Map<BudgetMember, number>()
  #resuming = false

  constructor(capacityBytes: number) {
    this.capacityBytes = capacityBytes
    this.largeBytesMax = Math.floor((capacityBytes / 8) * 7)
  }

  get usedBytes(): number {
    return this.#usedBytes
  }

  /** Members that wait for room. */
  get waiting(): number {
    return this.#small.size + this.#large.size
  }

  /** Whether `bytes` more may be taken now, past nobody of the same kind who waits already. */
  hasRoom(bytes: number, isSmall: boolean): boolean {
    const waiting = isSmall ? this.#small : this.#large
    const limitBytes = isSmall ? this.capacityBytes : this.largeBytesMax
    return (this.#resuming || waiting.size === 0) && this.#usedBytes + bytes <= limitBytes
  }

  add(bytes: number): void {
    this.#usedBytes += bytes
  }

  remove(bytes: number): void {
    this.#usedBytes -= bytes
    if (bytes === 0) return
    if (this.#small.size > 0 || this.#large.size > 0) this.#resume()
  }

  /** Has `member` called when there may be room for what it wants. */
  await(member: BudgetMember): void {
    const waiting = member.isSmall ? this.#small : this.#large
    waiting.add(member)
  }

  /** Some of a frame for which `member` holds room has come, at `nowMs`. */
  collecting(member: BudgetMember, nowMs: number): void {
    this.#collecting.delete(member)
    this.#collecting.set(member, nowMs)
  }

  /** Its frame is whole. */
  collected(member: BudgetMember): void {
    this.#collecting.delete(member)
  }

  forget(member: BudgetMember): void {
    this.#small.delete(member)
    this.#large.delete(member)
    this.#collecting.delete(member)
  }

  /** Monotonic milliseconds at which {@link relieve} has something to do, or Infinity. */
  get nextReliefAtMs(): number {
    if (this.waiting > 0) {
      for (const sinceMs of this.#collecting.values()) return sinceMs + STUCK_AFTER_MS
    }
    return Number.POSITIVE_INFINITY
  }

  /** Room that is held for frames of which nothing comes is given to those who wait for it; returns how many were cut off. */
  relieve(nowMs: number): number {
    if (this.nextReliefAtMs > nowMs) return 0
    for (const member of this.#collecting.keys()) {
      member.closeForBudget('sends nothing more of its request, while others wait for the room')
      return 1
    }
    return 0
  }

  #resume(): void {
    // A member that resumes may fill the budget again, or free more: one loop does it for all.
    if (this.#resuming) return
    this.#resuming = true
    try {
      this.#resumeFrom(this.#small, this.capacityBytes)
      this.#resumeFrom(this.#large, this.largeBytesMax)
    } finally {
      this.#resuming = false
    }
  }

  #resumeFrom(waiting: Set<BudgetMember>, limitBytes: number): void {
    for (const member of waiting) {
      // In turn: a large frame waits until there is room for it, or small ones would always come first.
      if (this.#usedBytes + member.wantedBytes > limitBytes) return
      waiting.delete(member)
      member.onBudgetRoom()
    }
  }
}
