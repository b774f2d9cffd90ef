import { invariant } from '../base/assert.ts'

const NONE = -1

/**
 * Questions that a broker has not answered: who asked, and the asker's token, by a number that comes back in the reply.
 * Nothing is allocated per question once the table has grown to the number that is out at a time.
 */
export class Correlations<Asker> {
  readonly #askers: (Asker | null)[] = []
  readonly #tokens: number[] = []
  /** Free slots, as a list through `#tokens`. */
  #free = NONE
  #size = 0

  get size(): number {
    return this.#size
  }

  add(asker: Asker, token: number): number {
    this.#size++
    const slot = this.#free
    if (slot === NONE) {
      this.#askers.push(asker)
      return this.#tokens.push(token) - 1
    }
    this.#free = this.#tokens[slot]!
    this.#askers[slot] = asker
    this.#tokens[slot] = token
    return slot
  }

  token(slot: number): number {
    return this.#tokens[slot]!
  }

  /** Who asked; the slot is free from now on (read its token before). */
  take(slot: number): Asker {
    const asker = this.#askers[slot]
    invariant(asker !== null && asker !== undefined, 'a reply that nothing asked for')
    this.#askers[slot] = null
    this.#tokens[slot] = this.#free
    this.#free = slot
    this.#size--
    return asker
  }

  /** Slots in use, oldest not necessarily first. */
  slots(): number[] {
    const used: number[] = []
    for (let slot = 0; slot < this.#askers.length; slot++) {
      if (this.#askers[slot] !== null) used.push(slot)
    }
    return used
  }
}
