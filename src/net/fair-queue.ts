import type { Owner } from './owner.ts'

/** Of owners that have had their share, so many are passed over in one go. */
const PASSED_MAX = 16

/** What is to be done with the first that waits of one owner. */
export type Turn = 'taken' | 'over-share' | 'no-room'

/**
 * Who waits, by owner: one of each in turn, first come first served within one. A queue of one owner is a plain queue.
 * Belongs to the front's thread.
 */
export class FairQueue<T> {
  /** In the order of their turns; none is empty. */
  readonly #byOwner = new Map<Owner, Set<T>>()
  #size = 0
  #isHeld = false

  get size(): number {
    return this.#size
  }

  /** Who is next waits for what everybody shares, and not for its own share: nobody is to go ahead. */
  get isHeld(): boolean {
    return this.#isHeld && this.#size > 0
  }

  has(owner: Owner): boolean {
    return this.#byOwner.has(owner)
  }

  /** `isHeld`: it waits for want of room that all share. */
  add(owner: Owner, waiter: T, isHeld: boolean): void {
    let own = this.#byOwner.get(owner)
    if (own === undefined) this.#byOwner.set(owner, (own = new Set()))
    if (own.has(waiter)) return
    own.add(waiter)
    this.#size++
    if (isHeld) this.#isHeld = true
  }

  delete(owner: Owner, waiter: T): boolean {
    const own = this.#byOwner.get(owner)
    if (own === undefined || !own.delete(waiter)) return false
    if (own.size === 0) this.#byOwner.delete(owner)
    this.#size--
    return true
  }

  /**
   * Serves those that wait, one of each owner after the other, until there is no room for the next. `serve` calls `leave` before
   * it does anything from which others might be served: then it is no longer waiting.
   */
  serve(serve: (waiter: T, owner: Owner, leave: () => void) => Turn): void {
    this.#isHeld = false
    let passed = 0
    while (this.#size > 0 && passed < Math.min(PASSED_MAX, this.#byOwner.size)) {
      const [owner, own] = first(this.#byOwner)
      const [waiter] = own as Iterable<T> as [T]
      const turn = serve(waiter, owner, () => {
        if (this.delete(owner, waiter)) this.#toTheEnd(owner)
      })
      if (turn === 'no-room') {
        this.#isHeld = true
        return
      }
      if (turn === 'taken') passed = 0
      else {
        passed++
        this.#toTheEnd(owner)
      }
    }
  }

  #toTheEnd(owner: Owner): void {
    const own = this.#byOwner.get(owner)
    if (own === undefined) return
    this.#byOwner.delete(owner)
    this.#byOwner.set(owner, own)
  }
}

function first<T>(map: ReadonlyMap<Owner, Set<T>>): [Owner, Set<T>] {
  for (const entry of map) return entry
  throw new RangeError('nobody waits')
}
