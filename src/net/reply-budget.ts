import type { Owner } from './owner.ts'
import { shareOf } from './share.ts'

/** Replies that nobody gates (metadata, for one) may fill the budget that many times over while their clients read … */
const OVERFULL = 2
/** … and that many times in any case. */
const BURSTING = 4

/**
 * Bytes of replies of one front that have not left user space, and of memory being gathered for them. Nobody is refused
 * here: whoever makes large replies looks at the room first. Belongs to the front's thread.
 */
export class ReplyBudget {
  readonly capacityBytes: number
  /** Some bytes have come free. */
  onRoom: () => void = () => {}
  #usedBytes = 0

  constructor(capacityBytes: number) {
    this.capacityBytes = capacityBytes
  }

  get usedBytes(): number {
    return this.#usedBytes
  }

  /** So much beyond their budget that those who do not read must go. */
  get isOverfull(): boolean {
    return this.#usedBytes > OVERFULL * this.capacityBytes
  }

  /** So much beyond it that anybody must. */
  get isBursting(): boolean {
    return this.#usedBytes > BURSTING * this.capacityBytes
  }

  get roomBytes(): number {
    return Math.max(0, this.capacityBytes - this.#usedBytes)
  }

  /** The most that `owner` may take of that. */
  roomFor(owner: Owner): number {
    return shareOf(owner, owner.replyBytes, this.roomBytes)
  }

  /** More than half is one owner's, who has company: it gets on only as its replies leave. */
  isHog(owner: Owner): boolean {
    return owner.hasCompany && owner.replyBytes * 2 > this.capacityBytes
  }

  /** Negative: they have come free. */
  add(bytes: number, owner: Owner): void {
    this.#usedBytes += bytes
    owner.addReplyBytes(bytes)
    if (bytes < 0) this.onRoom()
  }
}
