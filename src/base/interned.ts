/** Equal values are one object: what many have costs memory once. On one thread. */
export class Interned<Value> {
  readonly #max: number
  readonly #known = new Map<string, Value>()

  /** With more than `max`, they are forgotten and kept anew. */
  constructor(max: number) {
    this.#max = max
  }

  /** The one that is kept by `key`: `value`, if there is none yet. */
  of(key: string, value: Value): Value {
    const known = this.#known.get(key)
    if (known !== undefined) return known
    if (this.#known.size >= this.#max) this.#known.clear()
    this.#known.set(key, value)
    return value
  }
}
