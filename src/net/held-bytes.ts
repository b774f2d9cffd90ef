import type { InFlightBudget } from './in-flight.ts'
import type { Owner } from './owner.ts'
import { OwnerCount } from './owner-counts.ts'
import type { ReplyBudget } from './reply-budget.ts'

/** What one connection holds of its front's budgets, counted as its owner's. Front's thread. */
export class HeldBytes {
  readonly #requests: InFlightBudget
  readonly #replies: ReplyBudget
  #owner: Owner
  /** Of requests that are being worked on. */
  #requestBytes = 0
  /** Of the frame that is coming in, once there is room for it: 0 between frames. */
  #reservedBytes = 0
  /** Of replies that have not left user space, and of memory that is being gathered for them. */
  #replyBytes = 0

  constructor(requests: InFlightBudget, replies: ReplyBudget, owner: Owner) {
    this.#requests = requests
    this.#replies = replies
    this.#owner = owner
  }

  get owner(): Owner {
    return this.#owner
  }

  get requestBytes(): number {
    return this.#requestBytes
  }

  get reservedBytes(): number {
    return this.#reservedBytes
  }

  get replyBytes(): number {
    return this.#replyBytes
  }

  get bytes(): number {
    return this.#requestBytes + this.#reservedBytes + this.#replyBytes
  }

  /** All of it counts as another's from now on. */
  moveTo(owner: Owner): void {
    const requestBytes = this.#requestBytes + this.#reservedBytes
    this.#owner.addRequestBytes(-requestBytes)
    this.#owner.addReplyBytes(-this.#replyBytes)
    owner.addRequestBytes(requestBytes)
    owner.addReplyBytes(this.#replyBytes)
    this.#owner = owner
  }

  /** Takes room for a frame that is to come. */
  reserve(bytes: number): void {
    this.#reservedBytes = bytes
    this.#requests.add(bytes, this.#owner)
  }

  /** The frame is whole: what was reserved is a request's. Returns that. */
  begin(): number {
    const bytes = this.#reservedBytes
    this.#reservedBytes = 0
    this.#requestBytes += bytes
    this.#owner.counts[OwnerCount.REQUESTS]!++
    return bytes
  }

  grow(bytes: number): void {
    this.#requestBytes += bytes
    this.#requests.add(bytes, this.#owner)
  }

  /** A request is answered. */
  answered(bytes: number): void {
    this.#requestBytes -= bytes
    this.#requests.remove(bytes, this.#owner)
  }

  /** What a request went on holding after its connection had gone. */
  giveUp(bytes: number): void {
    this.#requests.remove(bytes, this.#owner)
  }

  /** Counts more or fewer bytes of replies. */
  charge(bytes: number): void {
    if (bytes === 0) return
    this.#replyBytes += bytes
    this.#replies.add(bytes, this.#owner)
  }

  /** The connection has gone, and holds nothing but `lingeringBytes`: first its own figures are right, then others are told of the room. */
  close(lingeringBytes: number, told: () => void): void {
    const requestBytes = this.#requestBytes + this.#reservedBytes - lingeringBytes
    const replyBytes = this.#replyBytes
    this.#requestBytes = this.#reservedBytes = this.#replyBytes = 0
    told()
    this.#requests.remove(requestBytes, this.#owner)
    this.#replies.add(-replyBytes, this.#owner)
  }
}
