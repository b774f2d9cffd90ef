/** A seeded stream of numbers (mulberry32): a failure is repeated by its seed. */
export class Prng {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /** From 0 (included) to 1 (excluded). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let t = this.#state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }

  /** From 0 to `bound` − 1. */
  below(bound: number): number {
    return Math.floor(this.next() * bound)
  }

  pick<T>(values: readonly T[]): T {
    return values[this.below(values.length)]!
  }

  bytes(length: number): Buffer {
    const made = Buffer.allocUnsafe(length)
    for (let i = 0; i < length; i++) made[i] = this.below(256)
    return made
  }
}

/** `HOSTILE_SEED`, else a fresh one in long runs, else always the same. */
export function seedOf(fixed: number): number {
  const given = process.env.HOSTILE_SEED
  if (given !== undefined) return Number(given)
  return process.env.GRIOT_TEST_LONG === '1' ? (Date.now() ^ (process.pid << 8)) >>> 0 : fixed
}
