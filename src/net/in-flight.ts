import { FairQueue } from './fair-queue.ts'
import type { Owner } from './owner.ts'
import { isWithinShare } from './share.ts'

/** Up to this much is small: what a connection that holds no more asks for comes before what is large. */
export const SMALL_BYTES = 64 * 1024

/** So much of an unfinished frame is a sign that its client means it. */
export const PROGRESS_BYTES = 64 * 1024

/** An unfinished frame of which nothing more has come for this long can be cut off for the sake of others. */
export const STUCK_AFTER_MS = 5_000

/** Who may have to wait until bytes come free, and who may be cut off when nothing else helps. */
export interface BudgetMember {
  /** Whose share it takes from. */
  readonly owner: Owner
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
 * worked on. Who finds no room stops reading and is called once there is some: one of each owner in turn, and first come
 * first served within one; so every frame that has been begun has the room to end. The last eighth is for small ones, and
 * an owner that has company leaves room for others (`share.ts`). Belongs to the front's thread.
 */
export class InFlightBudget {
  readonly capacityBytes: number
  /** What large frames may fill, and the largest that ever fits. */
  readonly largeBytesMax: number
  #usedBytes = 0
  readonly #small = new FairQueue<BudgetMember>()
  readonly #large = new FairQueue<BudgetMember>()
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

  /** Whether `owner` may take `bytes` more now, past nobody of the same kind whose turn is before. */
  hasRoom(bytes: number, isSmall: boolean, owner: Owner): boolean {
    const waiting = isSmall ? this.#small : this.#large
    if (!this.#resuming && (waiting.isHeld || waiting.has(owner))) return false
    return this.#fits(bytes, isSmall) && this.#isWithinShare(bytes, isSmall, owner)
  }

  add(bytes: number, owner: Owner): void {
    this.#usedBytes += bytes
    owner.addRequestBytes(bytes)
  }

  remove(bytes: number, owner: Owner): void {
    this.#usedBytes -= bytes
    owner.addRequestBytes(-bytes)
    if (bytes === 0) return
    if (this.#small.size > 0 || this.#large.size > 0) this.#resume()
  }

  /** Has `member` called when there may be room for what it wants. */
  await(member: BudgetMember): void {
    const { isSmall, owner, wantedBytes } = member
    const waiting = isSmall ? this.#small : this.#large
    waiting.add(owner, member, !this.#fits(wantedBytes, isSmall))
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
    this.forgetWait(member)
    this.#collecting.delete(member)
  }

  /** It waits no longer. True when it did. */
  forgetWait(member: BudgetMember): boolean {
    const { owner } = member
    return this.#small.delete(owner, member) || this.#large.delete(owner, member)
  }

  /** Monotonic milliseconds at which {@link relieve} has something to do, or Infinity. */
  get nextReliefAtMs(): number {
    if (this.waiting > 0) {
      for (const sinceMs of this.#collecting.values()) return sinceMs + STUCK_AFTER_MS
    }
    return Number.POSITIVE_INFINITY
  }

  /**
   * Room that is held for frames of which nothing comes is given to those who wait for it: it is taken from the owner that holds
   * most. Returns how many were cut off.
   */
  relieve(nowMs: number): number {
    if (this.nextReliefAtMs > nowMs) return 0
    let stuck: BudgetMember | null = null
    for (const [member, sinceMs] of this.#collecting) {
      if (sinceMs + STUCK_AFTER_MS > nowMs) break
      if (stuck === null || member.owner.requestBytes > stuck.owner.requestBytes) stuck = member
    }
    stuck?.closeForBudget('sends nothing more of its request, while others wait for the room')
    return stuck === null ? 0 : 1
  }

  #limitBytes(isSmall: boolean): number {
    return isSmall ? this.capacityBytes : this.largeBytesMax
  }

  #fits(bytes: number, isSmall: boolean): boolean {
    return this.#usedBytes + bytes <= this.#limitBytes(isSmall)
  }

  #isWithinShare(bytes: number, isSmall: boolean, owner: Owner): boolean {
    const capacityBytes = this.#limitBytes(isSmall)
    const freeBytes = capacityBytes - this.#usedBytes
    return isWithinShare(owner, owner.requestBytes, bytes, freeBytes, capacityBytes)
  }

  #resume(): void {
    // A member that resumes may fill the budget again, or free more: one loop does it for all.
    if (this.#resuming) return
    this.#resuming = true
    try {
      this.#resumeFrom(this.#small, true)
      this.#resumeFrom(this.#large, false)
    } finally {
      this.#resuming = false
    }
  }

  #resumeFrom(waiting: FairQueue<BudgetMember>, isSmall: boolean): void {
    waiting.serve((member, owner, leave) => {
      const { wantedBytes } = member
      // In turn: a large frame waits until there is room for it, or small ones would always come first.
      if (!this.#fits(wantedBytes, isSmall)) return 'no-room'
      if (!this.#isWithinShare(wantedBytes, isSmall, owner)) return 'over-share'
      leave()
      member.onBudgetRoom()
      return 'taken'
    })
  }
}
