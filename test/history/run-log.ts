/**
 * Runs of records of one partition in columns, 28 bytes a run (4 more once looked up by number). A run is what one producer wrote
 * with consecutive numbers at consecutive offsets, so that its length does not count.
 */
import type { RecordRun } from './history.ts'

const FIRST_ROOM = 64

/** Names as small numbers. */
export class Names {
  readonly #ids = new Map<string, number>()
  readonly #names: string[] = []

  idOf(name: string): number {
    let id = this.#ids.get(name)
    if (id === undefined) {
      id = this.#names.length
      this.#ids.set(name, id)
      this.#names.push(name)
    }
    return id
  }

  nameOf(id: number): string {
    return this.#names[id]!
  }
}

export class RunLog {
  readonly #names: Names
  #offsets = new Float64Array(FIRST_ROOM)
  #numbers = new Float64Array(FIRST_ROOM)
  #counts = new Uint32Array(FIRST_ROOM)
  #producers = new Uint32Array(FIRST_ROOM)
  #sources = new Uint32Array(FIRST_ROOM)
  #length = 0
  #countMax = 0
  #byNumber: Uint32Array | null = null

  constructor(names: Names) {
    this.#names = names
  }

  get length(): number {
    return this.#length
  }

  /** Joins the last run where it goes on. `source` says who told of it. */
  add(run: RecordRun, source = 0): void {
    this.#byNumber = null
    const producer = this.#names.idOf(run.producer)
    const last = this.#length - 1
    if (
      last >= 0 &&
      this.#producers[last] === producer &&
      this.#sources[last] === source &&
      this.#offsets[last]! + this.#counts[last]! === run.offset &&
      this.#numbers[last]! + this.#counts[last]! === run.number &&
      this.#counts[last]! + run.count < 2 ** 32
    ) {
      this.#counts[last]! += run.count
      this.#countMax = Math.max(this.#countMax, this.#counts[last]!)
      return
    }
    if (this.#length === this.#offsets.length) this.#grow()
    const i = this.#length++
    this.#offsets[i] = run.offset
    this.#numbers[i] = run.number
    this.#counts[i] = run.count
    this.#producers[i] = producer
    this.#sources[i] = source
    this.#countMax = Math.max(this.#countMax, run.count)
  }

  at(i: number): RecordRun {
    return {
      offset: this.#offsets[i]!,
      producer: this.#names.nameOf(this.#producers[i]!),
      number: this.#numbers[i]!,
      count: this.#counts[i]!,
    }
  }

  sourceAt(i: number): number {
    return this.#sources[i]!
  }

  /** The first run that ends behind `offset`; {@link length} when there is none. Wants ascending offsets. */
  firstEndingAfter(offset: number): number {
    let [low, high] = [0, this.#length]
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#offsets[middle]! + this.#counts[middle]! > offset) high = middle
      else low = middle + 1
    }
    return low
  }

  /** The run that holds `offset`, from there on; null when there is a hole. Wants ascending offsets. */
  find(offset: number): RecordRun | null {
    const i = this.firstEndingAfter(offset)
    if (i === this.#length || this.#offsets[i]! > offset) return null
    return from(this.at(i), offset - this.#offsets[i]!)
  }

  /** The run that holds the record with this number, from there on; null when there is none. */
  findNumber(producerName: string, number: number): RecordRun | null {
    const order = (this.#byNumber ??= this.#sortedByNumber())
    const producer = this.#names.idOf(producerName)
    // the last that begins at or before `number`; where records are there twice, a longer one may lie before it
    let [low, high] = [0, order.length]
    while (low < high) {
      const middle = (low + high) >> 1
      const i = order[middle]!
      const isBehind =
        this.#producers[i]! > producer ||
        (this.#producers[i] === producer && this.#numbers[i]! > number)
      if (isBehind) high = middle
      else low = middle + 1
    }
    for (let at = low - 1; at >= 0; at--) {
      const i = order[at]!
      if (this.#producers[i] !== producer || this.#numbers[i]! + this.#countMax <= number) break
      const skipped = number - this.#numbers[i]!
      if (skipped < this.#counts[i]!) return from(this.at(i), skipped)
    }
    return null
  }

  /** Runs in [start, end), cut to it. Wants ascending offsets. */
  *within(start: number, end: number): Generator<RecordRun> {
    for (let i = this.firstEndingAfter(start); i < this.#length; i++) {
      const run = this.at(i)
      if (run.offset >= end) return
      const cut = from(run, Math.max(0, start - run.offset))
      yield { ...cut, count: Math.min(cut.count, end - cut.offset) }
    }
  }

  /** The same by ascending offsets; runs that begin at one offset stay in their order. */
  sorted(): RunLog {
    const order = Uint32Array.from({ length: this.#length }, (_, i) => i)
    order.sort((a, b) => this.#offsets[a]! - this.#offsets[b]! || a - b)
    const sorted = new RunLog(this.#names)
    for (const i of order) sorted.add(this.at(i), this.#sources[i]!)
    return sorted
  }

  #sortedByNumber(): Uint32Array {
    const order = Uint32Array.from({ length: this.#length }, (_, i) => i)
    return order.sort(
      (a, b) =>
        this.#producers[a]! - this.#producers[b]! || this.#numbers[a]! - this.#numbers[b]! || a - b,
    )
  }

  #grow(): void {
    const room = this.#offsets.length * 2
    const copy = <T extends Float64Array | Uint32Array>(to: T, column: T): T => {
      to.set(column as never)
      return to
    }
    this.#offsets = copy(new Float64Array(room), this.#offsets)
    this.#numbers = copy(new Float64Array(room), this.#numbers)
    this.#counts = copy(new Uint32Array(room), this.#counts)
    this.#producers = copy(new Uint32Array(room), this.#producers)
    this.#sources = copy(new Uint32Array(room), this.#sources)
  }
}

/** The run without its first `skipped` records. */
export const from = (run: RecordRun, skipped: number): RecordRun => ({
  offset: run.offset + skipped,
  producer: run.producer,
  number: run.number + skipped,
  count: run.count - skipped,
})
