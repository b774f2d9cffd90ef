/** What each tenant uses: rows that a thread gives out itself, and that say whose they are. */
import { invariant } from '../base/assert.ts'
import type { TenantId } from '../base/ids.ts'
import { alignUp, checkVersion, REGION_ALIGNMENT, type Region, wordsOf } from './region.ts'

/*
 * Every thread has a stripe of its own, and gives the rows of that to tenants as they come: there is no directory that
 * threads would have to agree on. Who reads finds in the row's label whose it is.
 *
 *   byte   word                          stored by
 *        +------------------------------+
 *      0 | version                      | creator
 *      4 | threads, 8 rows, 12 kinds,   | creator
 *     16 | brokers                      |
 *        +------------------------------+
 *    128 | stripe of thread 0:          | THREAD 0
 *        |   rows that were ever taken  |
 *        |   label of row 0, row 1 …    |  16 bytes: sequence, odd while the row changes hands; the tenant's id,
 *        |                              |  two words; the broker + 1, 0 for a row that is nobody's
 *        |   row 0: kind 0, kind 1 …    |  float64, as in `counter-table.ts`, with what is said there of tearing
 *        |   row 1: …                   |
 *        +------------------------------+
 *        | stripe of thread 1           | THREAD 1
 *        :                              :
 *
 * The first rows, one for what is no broker's and one for each broker, have no labels: they are for all that have no row of
 * their own there. A reader that meets an odd sequence, or another one after
 * it has read the values than before, reads again: what it hands over is one tenant's. Pages that no row was taken of are
 * never touched, so that a table for thousands of tenants costs what those take that are there.
 */
const USE_TABLE_VERSION = 1
const WORD_VERSION = 0
const WORD_THREADS = 1
const WORD_ROWS = 2
const WORD_KINDS = 3
const WORD_BROKERS = 4
const STRIPES_BYTE = 128
const TAKEN_BYTES = 128
const LABEL_WORDS = 4
const L_SEQUENCE = 0
const L_TENANT = 1
const L_BROKER = 3
/** A writer that stands still between two stores is waited for no longer than this. */
const READS_MAX = 3

export interface UseShape {
  readonly threads: number
  /** Of each thread; the first, 1 + `brokers`, for all that have none of their own. */
  readonly rows: number
  readonly kinds: number
  readonly brokers: number
}

const labelsBytes = ({ rows }: UseShape): number =>
  alignUp(rows * LABEL_WORDS * 4, REGION_ALIGNMENT)

const stripeBytes = (shape: UseShape): number =>
  TAKEN_BYTES + labelsBytes(shape) + alignUp(shape.rows * shape.kinds * 8, REGION_ALIGNMENT)

export const useTableBytes = (shape: UseShape): number =>
  STRIPES_BYTE + shape.threads * stripeBytes(shape)

/** Makes zeroed `region` a table of `shape`. Creating thread, before anybody opens it. */
export function formatUseTable(region: Region, shape: UseShape): Region {
  invariant(region.byteLength >= useTableBytes(shape), 'use table: region too small')
  const words = wordsOf(region)
  words[WORD_THREADS] = shape.threads
  words[WORD_ROWS] = shape.rows
  words[WORD_KINDS] = shape.kinds
  words[WORD_BROKERS] = shape.brokers
  Atomics.store(words, WORD_VERSION, USE_TABLE_VERSION)
  return region
}

function openTable(region: Region): UseShape {
  const words = wordsOf(region)
  checkVersion('use table', Atomics.load(words, WORD_VERSION), USE_TABLE_VERSION)
  return {
    ...{ threads: words[WORD_THREADS]!, rows: words[WORD_ROWS]! },
    ...{ kinds: words[WORD_KINDS]!, brokers: words[WORD_BROKERS]! },
  }
}

/** One thread's part of a table. */
class Stripe {
  readonly taken: Int32Array
  readonly labels: Int32Array
  readonly #region: Region
  readonly #valuesByte: number
  readonly #kinds: number

  constructor(region: Region, shape: UseShape, thread: number) {
    const from = region.byteOffset + STRIPES_BYTE + thread * stripeBytes(shape)
    this.taken = new Int32Array(region.sab, from, 1)
    this.labels = new Int32Array(region.sab, from + TAKEN_BYTES, shape.rows * LABEL_WORDS)
    this.#region = region
    this.#valuesByte = from + TAKEN_BYTES + labelsBytes(shape)
    this.#kinds = shape.kinds
  }

  values(row: number): Float64Array {
    const from = this.#valuesByte + row * this.#kinds * 8
    return new Float64Array(this.#region.sab, from, this.#kinds)
  }
}

/** Whose a row is. */
export interface UseLabel {
  /** null: all that have no row of their own. */
  readonly tenantId: TenantId | null
  /** 0: what is no broker's. */
  readonly brokerId: number
}

interface GivenLabel extends UseLabel {
  readonly tenantId: TenantId
}

interface GivenRow extends GivenLabel {
  readonly row: number
}

/** One thread's own rows, on that thread. */
export class UseTableWriter {
  readonly shape: UseShape
  /** By broker, 0 for what is no broker's: of all that have no row of their own there. */
  readonly shared: readonly Float64Array[]
  /** From which row on rows are given. */
  readonly firstRow: number
  readonly #stripe: Stripe

  constructor(region: Region, thread: number) {
    const shape = openTable(region)
    invariant(thread >= 0 && thread < shape.threads, 'use table: no stripe for this thread')
    this.shape = shape
    this.#stripe = new Stripe(region, shape, thread)
    this.firstRow = 1 + shape.brokers
    this.shared = Array.from({ length: this.firstRow }, (_, row) => this.#stripe.values(row))
    const { taken } = this.#stripe
    if (taken[0] === 0) Atomics.store(taken, 0, this.firstRow)
  }

  /** This thread's values of one row, by kind. */
  values(row: number): Float64Array {
    return this.#stripe.values(row)
  }

  /** The row was nobody's: it begins at nothing. */
  give(row: number, tenantId: TenantId, brokerId: number): void {
    const { taken } = this.#stripe
    this.#change(row, (labels, at) => {
      labels[at + L_TENANT] = Number.parseInt(tenantId.slice(0, 8), 16)
      labels[at + L_TENANT + 1] = Number.parseInt(tenantId.slice(8), 16)
      labels[at + L_BROKER] = brokerId + 1
    })
    if (row >= taken[0]!) Atomics.store(taken, 0, row + 1)
  }

  /** Nobody's again: what was counted is counted with all that have no row, so that sums stay what they are. */
  takeBack(row: number): void {
    this.#change(row, (labels, at) => {
      const own = this.values(row)
      const shared = this.shared[Math.max(0, labels[at + L_BROKER]! - 1)]!
      for (let kind = 0; kind < own.length; kind++) shared[kind]! += own[kind]!
      own.fill(0)
      labels.fill(0, at + L_TENANT, at + LABEL_WORDS)
    })
  }

  /** The rows that a thread before this one has given out in this stripe. */
  *given(): IterableIterator<GivenRow> {
    const { taken, labels } = this.#stripe
    for (let row = this.firstRow; row < taken[0]!; row++) {
      const label = labelAt(labels, row * LABEL_WORDS)
      if (label !== null) yield { row, ...label }
      else if (labels[row * LABEL_WORDS]! & 1) this.takeBack(row)
    }
  }

  #change(row: number, change: (labels: Int32Array, at: number) => void): void {
    const { labels } = this.#stripe
    const at = row * LABEL_WORDS
    // already odd: a thread before this one has ended while it changed this very row
    const odd = labels[at + L_SEQUENCE]! | 1
    Atomics.store(labels, at + L_SEQUENCE, odd)
    // keeps the plain stores behind it
    Atomics.load(labels, at + L_SEQUENCE)
    change(labels, at)
    Atomics.store(labels, at + L_SEQUENCE, (odd + 1) | 0)
  }
}

/** Reads every thread's rows, on any thread. */
export class UseTableReader {
  readonly shape: UseShape
  readonly #stripes: readonly Stripe[]
  readonly #fence = new Int32Array(1)
  readonly #values: Float64Array

  constructor(region: Region) {
    const shape = openTable(region)
    this.shape = shape
    this.#stripes = Array.from({ length: shape.threads }, (_, t) => new Stripe(region, shape, t))
    this.#values = new Float64Array(shape.kinds)
  }

  /** Every row that is somebody's or all others', thread by thread; `values` is used again for the next. */
  each(onRow: (label: UseLabel, values: Float64Array, thread: number) => void): void {
    this.#stripes.forEach((stripe, thread) => {
      const taken = Atomics.load(stripe.taken, 0)
      for (let row = 0; row < taken; row++) {
        const label = this.#read(stripe, row)
        if (label !== null) onRow(label, this.#values, thread)
      }
    })
  }

  /** Its values are in `#values` then. null: it is nobody's, or its thread stands still while it changes hands. */
  #read(stripe: Stripe, row: number): UseLabel | null {
    const { labels } = stripe
    if (row <= this.shape.brokers) {
      this.#values.set(stripe.values(row))
      return { tenantId: null, brokerId: row }
    }
    const at = row * LABEL_WORDS + L_SEQUENCE
    for (let reads = 0; reads < READS_MAX; reads++) {
      const sequence = Atomics.load(labels, at)
      if (sequence & 1) continue
      const label = labelAt(labels, row * LABEL_WORDS)
      if (label === null) return null
      this.#values.set(stripe.values(row))
      // keeps the plain loads before it
      Atomics.store(this.#fence, 0, 0)
      if (Atomics.load(labels, at) === sequence) return label
    }
    return null
  }
}

/** null: it is nobody's, or changes hands at this moment. */
function labelAt(labels: Int32Array, at: number): GivenLabel | null {
  const broker = labels[at + L_BROKER]!
  if (broker === 0 || (labels[at + L_SEQUENCE]! & 1) !== 0) return null
  const hex = (word: number) => (word >>> 0).toString(16).padStart(8, '0')
  const tenantId = `${hex(labels[at + L_TENANT]!)}${hex(labels[at + L_TENANT + 1]!)}`
  return { tenantId: tenantId as TenantId, brokerId: broker - 1 }
}
