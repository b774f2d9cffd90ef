/** Latency percentiles of Produce and Fetch over the last quarter to half minute. HTTP front's thread. */
import {
  COUNTED_APIS,
  LATENCY_BOUNDS_US,
  LATENCY_FROM,
  RequestCounter,
  requestKind,
} from '../link/counters.ts'
import type { CounterReader } from '../shared/counter-table.ts'
import { tenantRows } from './counter-rows.ts'

/** Percentiles are over this long at least, over twice that at most. */
const WINDOW_MS = 15_000
const BUCKETS = LATENCY_BOUNDS_US.length + 1
const NONE: readonly number[] = new Array(BUCKETS).fill(0)

/** Milliseconds; NaN with no request in that time, as Prometheus has it. */
export interface RecentLatency {
  readonly request: string
  readonly quantileMs: (quantile: number) => number
  /** Since the start. */
  readonly count: number
  readonly sumMs: number
}

/** Call {@link look} now and then. */
export class RecentLatencies {
  readonly #counters: CounterReader
  readonly #windows = LATENCY_FROM.map(() => ({ begun: NONE, before: NONE }))
  #windowMs = Number.NaN

  constructor(counters: CounterReader) {
    this.#counters = counters
  }

  look(nowMs: number): void {
    if (nowMs - this.#windowMs < WINDOW_MS) return
    const isFirst = Number.isNaN(this.#windowMs)
    this.#windowMs = nowMs
    this.#windows.forEach((window, key) => {
      window.before = window.begun
      window.begun = this.#counts(key)
      if (isFirst) window.before = window.begun
    })
  }

  read(): RecentLatency[] {
    return this.#windows.map(({ before }, key) => {
      const now = this.#counts(key)
      const lately = now.map((count, at) => count - before[at]!)
      return {
        request: COUNTED_APIS.find(([counted]) => counted === key)![1],
        quantileMs: (quantile) => quantileUs(lately, quantile) / 1_000,
        count: now.reduce((sum, count) => sum + count, 0),
        sumMs: this.#sum(requestKind(key) + RequestCounter.TIME_US) / 1_000,
      }
    })
  }

  #counts(key: number): readonly number[] {
    return Array.from({ length: BUCKETS }, (_, at) => this.#sum(LATENCY_FROM[key]! + at))
  }

  #sum(kind: number): number {
    let total = 0
    for (const row of tenantRows(0)) total += this.#counters.sum(row, kind)
    return total
  }
}

/** Linear within a bucket, as Prometheus' histogram_quantile; what is above the last bound counts as that bound. */
export function quantileUs(counts: ArrayLike<number>, quantile: number): number {
  let total = 0
  for (let at = 0; at < counts.length; at++) total += counts[at]!
  if (total === 0) return Number.NaN
  const rank = quantile * total
  let below = 0
  for (let at = 0; at < LATENCY_BOUNDS_US.length; at++) {
    const count = counts[at]!
    const upperUs = LATENCY_BOUNDS_US[at]!
    if (count > 0 && below + count >= rank) {
      const lowerUs = at === 0 ? 0 : LATENCY_BOUNDS_US[at - 1]!
      return lowerUs + ((upperUs - lowerUs) * (rank - below)) / count
    }
    below += count
  }
  return LATENCY_BOUNDS_US.at(-1)!
}
