/** A source of random words, passed in wherever ids are drawn, so that tests repeat themselves. */
export interface Random {
  /** A uniform integer in [0, 2^32). */
  uint32(): number
}

/** Xorshift128 (Marsaglia 2003): seeded, fast, not for secrets. */
export class SeededRandom implements Random {
  #x: number
  #y = 362_436_069
  #z = 521_288_629
  #w = 88_675_123

  constructor(seed: number) {
    this.#x = seed >>> 0 || 123_456_789
    for (let i = 0; i < 20; i++) this.uint32()
  }

  uint32(): number {
    const t = this.#x ^ (this.#x << 11)
    this.#x = this.#y
    this.#y = this.#z
    this.#z = this.#w
    this.#w = (this.#w ^ (this.#w >>> 19) ^ (t ^ (t >>> 8))) >>> 0
    return this.#w
  }

  /** A uniform integer in [0, bound). */
  below(bound: number): number {
    return Math.floor((this.uint32() / 2 ** 32) * bound)
  }

  /** True with probability `p`. */
  chance(p: number): boolean {
    return this.uint32() < p * 2 ** 32
  }
}

/** `digits` lower-case hex digits (a multiple of 8). */
export function randomHex(random: Random, digits: number): string {
  let hex = ''
  while (hex.length < digits) hex += random.uint32().toString(16).padStart(8, '0')
  return hex.slice(0, digits)
}
