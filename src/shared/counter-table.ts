import { invariant } from '../base/assert.ts'
import { alignUp, checkVersion, REGION_ALIGNMENT, type Region, wordsOf } from './region.ts'

/*
 * Counters: a value per (writing thread, row, kind). A row stands for one (tenant, broker); which row that is and
 * what the kinds mean is the business of those who lay the table out. Rows that come and go are in `use-table.ts`.
 *
 *   byte   word                        stored by
 *        +----------------------------+
 *      0 | version                    | creator
 *      4 | threads, 8 rows, 12 kinds  | creator
 *        +----------------------------+
 *    128 | stripe of thread 0:        | THREAD 0   a stripe is rows × kinds float64 values, on lines of its own
 *        |   row 0: kind 0, kind 1 …  |
 *        |   row 1: …                 |
 *        +----------------------------+
 *        | stripe of thread 1         | THREAD 1   limits are written back the same way: in the
 *        +----------------------------+            stripe of the thread that decides them
 *        :                            :
 *
 * Values are float64 stored plainly. They hold counts up to 2^53 and fractional or infinite limits, and an add
 * costs a load and a store where two int32 would cost a carry protocol. No order among counters is promised. The
 * language allows a float64 read to tear; V8 reads and stores an aligned one with a single instruction on every 64-bit
 * machine, and a value torn elsewhere would be off for that one reading: so nothing may be decided by a counter that
 * one bad reading would break for good (a quota delays one request wrongly; it keeps no state from it).
 */
const COUNTER_TABLE_VERSION = 1
const WORD_VERSION = 0
const WORD_THREADS = 1
const WORD_ROWS = 2
const WORD_KINDS = 3
const STRIPES_BYTE = 128

export interface CounterShape {
  readonly threads: number
  readonly rows: number
  readonly kinds: number
}

const stripeBytes = (shape: CounterShape): number =>
  alignUp(shape.rows * shape.kinds * 8, REGION_ALIGNMENT)

export const counterTableBytes = (shape: CounterShape): number =>
  STRIPES_BYTE + shape.threads * stripeBytes(shape)

/** Makes zeroed `region` a table of `shape`. Creating thread, before anybody opens it. */
export function formatCounterTable(region: Region, shape: CounterShape): Region {
  invariant(region.byteLength >= counterTableBytes(shape), 'counter table: region too small')
  const words = wordsOf(region)
  words[WORD_THREADS] = shape.threads
  words[WORD_ROWS] = shape.rows
  words[WORD_KINDS] = shape.kinds
  Atomics.store(words, WORD_VERSION, COUNTER_TABLE_VERSION)
  return region
}

function openTable(region: Region): CounterShape {
  const words = wordsOf(region)
  checkVersion('counter table', Atomics.load(words, WORD_VERSION), COUNTER_TABLE_VERSION)
  return { threads: words[WORD_THREADS]!, rows: words[WORD_ROWS]!, kinds: words[WORD_KINDS]! }
}

const stripeOf = (region: Region, shape: CounterShape, thread: number): Float64Array =>
  new Float64Array(
    region.sab,
    region.byteOffset + STRIPES_BYTE + thread * stripeBytes(shape),
    shape.rows * shape.kinds,
  )

/** One thread's own stripe, on that thread. */
export class CounterWriter {
  readonly #values: Float64Array
  readonly #kinds: number

  constructor(region: Region, thread: number) {
    const shape = openTable(region)
    invariant(thread >= 0 && thread < shape.threads, 'counter table: no stripe for this thread')
    this.#values = stripeOf(region, shape, thread)
    this.#kinds = shape.kinds
  }

  add(row: number, kind: number, amount: number): void {
    this.#values[row * this.#kinds + kind]! += amount
  }

  set(row: number, kind: number, value: number): void {
    this.#values[row * this.#kinds + kind] = value
  }

  get(row: number, kind: number): number {
    return this.#values[row * this.#kinds + kind]!
  }

  /** This thread's values of one row, by kind: for what adds so often that it keeps them at hand. */
  row(row: number): Float64Array {
    return this.#values.subarray(row * this.#kinds, (row + 1) * this.#kinds)
  }
}

/** Reads every thread's values, on any thread. */
export class CounterReader {
  readonly shape: CounterShape
  readonly #stripes: readonly Float64Array[]

  constructor(region: Region) {
    const shape = openTable(region)
    this.shape = shape
    this.#stripes = Array.from({ length: shape.threads }, (_, t) => stripeOf(region, shape, t))
  }

  /** What one thread has put there. */
  value(thread: number, row: number, kind: number): number {
    return this.#stripes[thread]![row * this.shape.kinds + kind]!
  }

  /** The sum over all threads. */
  sum(row: number, kind: number): number {
    const at = row * this.shape.kinds + kind
    let sum = 0
    for (const stripe of this.#stripes) sum += stripe[at]!
    return sum
  }
}
