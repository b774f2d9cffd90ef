/** Reads the fields of a JSON object one by one, with defaults, and says what is wrong with one by its place. */

/** For who wrote the file: its message is all that is shown. */
export class WorkloadError extends Error {
  override readonly name = 'WorkloadError'
}

const show = (value: unknown): string => {
  const text = JSON.stringify(value) ?? 'nothing'
  return text.length > 60 ? `${text.slice(0, 57)}…` : text
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Every method throws {@link WorkloadError} for a field that holds something else. */
export class Fields {
  readonly #from: Readonly<Record<string, unknown>>
  readonly #where: string
  readonly #known = new Set<string>()

  private constructor(from: Record<string, unknown>, where: string) {
    this.#from = from
    this.#where = where
  }

  static of(json: unknown, where: string): Fields {
    if (isObject(json)) return new Fields(json, where)
    throw new WorkloadError(`${where}: is ${show(json)}, but must be an object`)
  }

  has(name: string): boolean {
    return this.#from[name] !== undefined
  }

  refuse(name: string, why: string): never {
    throw new WorkloadError(`${this.#where}: ${name} ${why}`)
  }

  /** After all fields were read: one that nobody knows is a slip of the pen. */
  done(): void {
    for (const name of Object.keys(this.#from)) {
      if (this.#known.has(name)) continue
      this.refuse(name, `is no field here; there are ${[...this.#known].join(', ')}`)
    }
  }

  text(name: string, otherwise: string | undefined, pattern?: RegExp): string {
    const value = this.#read(name) ?? otherwise
    if (typeof value !== 'string' || pattern?.test(value) === false) {
      this.#expected(name, pattern === undefined ? 'a text' : `a text like ${pattern.source}`)
    }
    return value
  }

  flag(name: string, otherwise: boolean): boolean {
    const value = this.#read(name) ?? otherwise
    if (typeof value !== 'boolean') this.#expected(name, 'true or false')
    return value
  }

  whole(name: string, otherwise: number, min: number, max: number): number {
    const value = this.#read(name) ?? otherwise
    if (!Number.isInteger(value) || !within(value as number, min, max)) {
      this.#expected(name, `a whole number from ${min} to ${max}`)
    }
    return value as number
  }

  numberOrNull(name: string, otherwise: number | null, min: number, max: number): number | null {
    const value = this.#read(name) ?? otherwise
    if (value === null) return null
    if (typeof value !== 'number' || !within(value, min, max)) {
      this.#expected(name, `a number from ${min} to ${max}, or null`)
    }
    return value
  }

  oneOf<const T extends string | number>(name: string, values: readonly T[], otherwise: T): T {
    const value = (this.#read(name) ?? otherwise) as T
    if (!values.includes(value)) this.#expected(name, `one of ${values.map(show).join(', ')}`)
    return value
  }

  /** Objects by themselves or in a list. */
  list(name: string, isRequired: boolean): Fields[] {
    const value = this.#read(name)
    if (value === undefined && !isRequired) return []
    const all = Array.isArray(value) ? value : [value]
    if (all.length === 0 || !all.every(isObject)) {
      this.#expected(name, 'an object, or a list of at least one')
    }
    const place = (at: number) => (Array.isArray(value) ? `${name}[${at}]` : name)
    return all.map((item, at) => new Fields(item, `${this.#where}: ${place(at)}`))
  }

  /** Numbers and flags are taken as texts too, since that is what they become. */
  texts(name: string): Record<string, string> {
    const value = this.#read(name) ?? {}
    if (!isObject(value) || Object.values(value).some((v) => typeof v === 'object')) {
      this.#expected(name, 'an object of texts')
    }
    return Object.fromEntries(Object.entries(value).map(([key, v]) => [key, String(v)]))
  }

  #read(name: string): unknown {
    this.#known.add(name)
    return this.#from[name]
  }

  #expected(name: string, what: string): never {
    const value = this.#from[name]
    const found = value === undefined ? 'is missing' : `is ${show(value)}`
    return this.refuse(name, `${found}, but must be ${what}`)
  }
}

const within = (value: number, min: number, max: number): boolean => value >= min && value <= max
