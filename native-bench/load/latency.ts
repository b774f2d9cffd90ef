/** Histograms of latencies, merged over processes. */
import {
  build,
  decodeFromCompressedBase64,
  encodeIntoCompressedBase64,
  type Histogram,
} from 'hdr-histogram-js'
import { type LatencyUs, PLOT_PERCENTILES } from './result.ts'

/** An hour: what takes longer counts as that. */
const MOST_US = 3_600_000_000

export class Latencies {
  readonly #histogram: Histogram = build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: MOST_US,
    numberOfSignificantValueDigits: 3,
  })

  record(us: number, times = 1): void {
    const value = Math.min(MOST_US, Math.max(1, Math.round(us)))
    this.#histogram.recordValueWithCount(value, times)
  }

  get count(): number {
    return this.#histogram.totalCount
  }

  /** For another process. */
  text(): string {
    return encodeIntoCompressedBase64(this.#histogram)
  }

  add(text: string): void {
    this.#histogram.add(decodeFromCompressedBase64(text, 32))
  }

  summary(): LatencyUs {
    const at = (percentile: number) => this.#at(percentile)
    return {
      count: this.count,
      p50: at(50),
      p90: at(90),
      p99: at(99),
      p999: at(99.9),
      max: this.count === 0 ? 0 : this.#histogram.maxValue,
      mean: this.count === 0 ? 0 : this.#histogram.mean,
    }
  }

  plot(): number[] {
    return PLOT_PERCENTILES.map((percentile) => this.#at(percentile))
  }

  #at(percentile: number): number {
    return this.count === 0 ? 0 : this.#histogram.getValueAtPercentile(percentile)
  }
}

export function merged(texts: readonly string[]): Latencies {
  const all = new Latencies()
  for (const text of texts) all.add(text)
  return all
}
