/** How long producers had to wait: the longest time between acknowledgements around each mark of a history. */

import { type MarkOperation, type ProduceOperation, placeText } from './history.ts'
import type { HistorySource } from './history-file.ts'

export interface GapOptions {
  /** How long after a mark its gap counts; where marks follow each other faster, each counts until then all the same. */
  readonly windowMs: number
  /** Marks that count; all of them by default. */
  readonly isEvent?: (name: string) => boolean
  /** Clients that count; all of them by default. */
  readonly isClient?: (client: string) => boolean
}

export interface GapOfMark {
  readonly name: string
  readonly atMs: number
  /** The longest over all partitions: of the time between two acknowledgements of one partition that overlaps the window. */
  readonly gapMs: number
  /** Where that was. */
  readonly place: string
}

export interface Gaps {
  readonly marks: readonly GapOfMark[]
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
}

export interface GapReport {
  readonly idempotent: Gaps
  /** Their own back-off counts, too. */
  readonly plain: Gaps
}

const EMPTY: Gaps = { marks: [], p50Ms: 0, p99Ms: 0, maxMs: 0 }

/** Nearest rank; 0 of nothing. */
export function percentile(values: readonly number[], p: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil((p / 100) * sorted.length) - 1)] ?? 0
}

/** The acknowledgements of one kind of producers, of all partitions. */
class Acknowledgements {
  readonly #marks: readonly MarkOperation[]
  readonly #windowMs: number
  readonly #lastMs = new Map<string, number>()
  readonly #gaps: { gapMs: number; place: string }[]

  constructor(marks: readonly MarkOperation[], windowMs: number) {
    this.#marks = marks
    this.#windowMs = windowMs
    this.#gaps = marks.map(() => ({ gapMs: 0, place: '' }))
  }

  get isEmpty(): boolean {
    return this.#lastMs.size === 0
  }

  /** By time, per partition. The first that is waited for counts from when it was asked for. */
  add(place: string, askedMs: number, atMs: number): void {
    const before = this.#lastMs.get(place) ?? askedMs
    if (atMs <= before) return
    this.#between(place, before, atMs)
    this.#lastMs.set(place, atMs)
  }

  /** What nobody answered any more until the end counts as well. */
  end(atMs: number): Gaps {
    if (this.isEmpty) return EMPTY
    for (const [place, before] of this.#lastMs) this.#between(place, before, atMs)
    const marks = this.#marks.map(({ name, atMs: at }, i) => ({
      name,
      atMs: at,
      ...this.#gaps[i]!,
    }))
    const gaps = marks.map(({ gapMs }) => gapMs)
    return {
      ...{ marks, p50Ms: percentile(gaps, 50), p99Ms: percentile(gaps, 99) },
      maxMs: Math.max(0, ...gaps),
    }
  }

  #between(place: string, fromMs: number, toMs: number): void {
    for (let i = this.#firstWithin(fromMs); i < this.#marks.length; i++) {
      if (this.#marks[i]!.atMs >= toMs) return
      if (toMs - fromMs > this.#gaps[i]!.gapMs) this.#gaps[i] = { gapMs: toMs - fromMs, place }
    }
  }

  /** The first mark whose window ends behind `atMs`. */
  #firstWithin(atMs: number): number {
    let [low, high] = [0, this.#marks.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#marks[middle]!.atMs + this.#windowMs > atMs) high = middle
      else low = middle + 1
    }
    return low
  }
}

/**
 * Reads a history twice. The end of the run, for partitions that were not acknowledged any more, is the last acknowledgement of any
 * producer: a run that stops its producers must not have marks within the last window.
 */
export async function measureGaps(
  source: HistorySource,
  { windowMs, isEvent = () => true, isClient = () => true }: GapOptions,
): Promise<GapReport> {
  const marks: MarkOperation[] = []
  const idempotentNames = new Set<string>()
  for await (const piece of source()) {
    for (const operation of piece) {
      if (operation.kind === 'mark' && isEvent(operation.name)) marks.push(operation)
      if (operation.kind === 'producer' && operation.isIdempotent) {
        idempotentNames.add(operation.producer)
      }
    }
  }
  marks.sort((a, b) => a.atMs - b.atMs)
  const idempotent = new Acknowledgements(marks, windowMs)
  const plain = new Acknowledgements(marks, windowMs)
  let endMs = 0
  for await (const piece of source()) {
    for (const operation of piece) {
      if (operation.kind !== 'produce' || operation.result.kind !== 'ok') continue
      if (!isClient(operation.client)) continue
      endMs = Math.max(endMs, operation.completeMs)
      const kind = idempotentNames.has(operation.producer) ? idempotent : plain
      kind.add(keyOf(operation), operation.invokeMs, operation.completeMs)
    }
  }
  return { idempotent: idempotent.end(endMs), plain: plain.end(endMs) }
}

/** Per producer as well (`name#2` goes on for `name`): another's acknowledgements do not shorten one's wait. */
const keyOf = (operation: ProduceOperation): string =>
  `${operation.producer.split('#')[0]} ${placeText(operation)}`

export const describeGaps = (name: string, { marks, p50Ms, p99Ms, maxMs }: Gaps): string =>
  `${name}: ${marks.length} events, longest gap p50 ${p50Ms.toFixed(1)}, p99 ${p99Ms.toFixed(1)}, max ${maxMs.toFixed(1)} ms`
