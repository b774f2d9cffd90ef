/** Who may have to wait until bytes come free, and who may be cut off when nothing else helps. */
export interface BudgetMember {
  /** There is room again: go on reading. */
  onBudgetRoom(): void
  /** Bytes of a frame that has not come whole. */
  readonly partialBytes: number
  /** Cut off for the sake of the others. */
  closeForBudget(reason: string): void
}

/**
 * Bytes in flight of one front: frames collected or worked on, and replies that have not left user space. A member
 * that finds no room stops reading and is called, first come first served, once use is back under seven eighths.
 * Belongs to the front's thread.
 */
export class InFlightBudget {
  readonly capacityBytes: number
  readonly #resumeBelowBytes: number
  #usedBytes = 0
  #partialBytes = 0
  readonly #waiting = new Set<BudgetMember>()
  readonly #collecting = new Set<BudgetMember>()
  #resuming = false

  constructor(capacityBytes: number) {
    this.capacityBytes = capacityBytes
    this.#resumeBelowBytes = Math.floor((capacityBytes / 8) * 7)
  }

  get usedBytes(): number {
    return this.#usedBytes
  }

  get hasRoom(): boolean {
    return this.#usedBytes < this.capacityBytes
  }

  /** Members that wait for room. */
  get waiting(): number {
    return this.#waiting.size
  }

  add(bytes: number): void {
    this.#usedBytes += bytes
  }

  remove(bytes: number): void {
    this.#usedBytes -= bytes
    if (this.#waiting.size > 0 && this.#usedBytes < this.#resumeBelowBytes) this.#resume()
  }

  /** Says how many bytes of unfinished frame `member` holds now; they count as used. */
  partial(member: BudgetMember, beforeBytes: number, bytes: number): void {
    this.#partialBytes += bytes - beforeBytes
    if (bytes > 0) this.#collecting.add(member)
    else this.#collecting.delete(member)
    if (bytes > beforeBytes) this.add(bytes - beforeBytes)
    else this.remove(beforeBytes - bytes)
  }

  await(member: BudgetMember): void {
    this.#waiting.add(member)
    // Unfinished frames free nothing by themselves: when they alone fill the budget, the largest has to go.
    if (this.#partialBytes >= this.#resumeBelowBytes) this.#closeLargestPartial()
  }

  forget(member: BudgetMember): void {
    this.#waiting.delete(member)
  }

  #resume(): void {
    // A member that resumes may fill the budget again, or free more: one loop does it for all.
    if (this.#resuming) return
    this.#resuming = true
    for (const member of this.#waiting) {
      if (this.#usedBytes >= this.#resumeBelowBytes) break
      this.#waiting.delete(member)
      member.onBudgetRoom()
    }
    this.#resuming = false
  }

  #closeLargestPartial(): void {
    let largest: BudgetMember | null = null
    for (const member of this.#collecting) {
      if (largest === null || member.partialBytes > largest.partialBytes) largest = member
    }
    largest?.closeForBudget('unfinished requests fill the memory for bytes in flight')
  }
}
