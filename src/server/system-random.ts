/** Randomness of the system for ids, drawn in blocks. Any thread. */
import { randomFillSync } from 'node:crypto'
import type { Random } from '../base/random.ts'

const WORDS = 64

export class SystemRandom implements Random {
  readonly #words = new Uint32Array(WORDS)
  #next = WORDS

  uint32(): number {
    if (this.#next === WORDS) {
      randomFillSync(this.#words)
      this.#next = 0
    }
    return this.#words[this.#next++]!
  }
}
