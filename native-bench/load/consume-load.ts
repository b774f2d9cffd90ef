/** One process's consumers. */
import { nowUs } from './clock.ts'
import type { Consumer, ConsumerEvents } from './consume-connection.ts'
import type { Reader } from './fetch-frames.ts'
import { Latencies } from './latency.ts'
import { type ChildResult, type Due, type Job, keyOf, type Times } from './messages.ts'
import { Tally } from './tally.ts'
import type { ConsumeGroup } from './workload.ts'

/** After the producers have ended. */
const DRAIN_MS = 10_000

export class ConsumeLoad implements Pick<ConsumerEvents, 'onFetched' | 'onBatch'> {
  readonly #job: Job
  readonly #group: ConsumeGroup
  readonly #consumers: readonly Consumer[]
  readonly #times: Times
  readonly #tally: Tally
  readonly #latencies = new Latencies()
  readonly #done: (result: ChildResult) => void
  #ended = 0
  #isOver = false
  #due: Due = {}

  constructor(
    job: Job,
    group: ConsumeGroup,
    consumers: readonly Consumer[],
    times: Times,
    done: (result: ChildResult) => void,
  ) {
    this.#job = job
    this.#group = group
    this.#consumers = consumers
    this.#times = times
    this.#tally = new Tally(times)
    this.#done = done
  }

  get counts() {
    return this.#tally.total
  }

  begin(): void {
    for (const consumer of this.#consumers) consumer.begin()
    if (this.#job.drains) return
    setTimeout(() => this.#finish(false), (this.#times.toUs - nowUs()) / 1000)
  }

  /** The producers have ended; `due` is what was to come. */
  finish(due: Due): void {
    if (!this.#job.drains) return
    this.#due = due
    for (const consumer of this.#consumers) consumer.stopAtEnd()
    setTimeout(() => this.#finish(true), DRAIN_MS)
  }

  onFetched(sentUs: number, now: number, records: number, wireBytes: number): void {
    if (this.#isOver) return
    this.#tally.add(now, 1, records, records * this.#job.recordBytes, wireBytes)
    // one that found nothing has only waited
    if (!this.#group.endToEnd && records > 0 && this.#tally.isMeasured(sentUs)) {
      this.#latencies.record(now - sentUs)
    }
  }

  onBatch(timestamp: number, now: number, reader: Reader): void {
    const intendedUs = this.#times.startUs + timestamp
    if (this.#isOver || !this.#tally.isMeasured(intendedUs)) return
    this.#latencies.record(now - intendedUs)
    reader.measured++
    reader.lastDueUs = Math.max(reader.lastDueUs, intendedUs)
  }

  onEnd(): void {
    if (++this.#ended === this.#consumers.length) this.#finish(false)
  }

  #finish(isGivenUp: boolean): void {
    if (this.#isOver) return
    this.#isOver = true
    const { name } = this.#group
    const notes: string[] = []
    if (isGivenUp) {
      notes.push(`${name}: not all was read ${DRAIN_MS / 1000} s after the last was written`)
    }
    const readers = this.#consumers.flatMap((consumer) => consumer.readers)
    const skipped = readers.reduce((sum, reader) => sum + reader.skipped, 0)
    if (skipped > 0) {
      notes.push(
        `${name}: ${skipped} records were gone before they were read, retention was faster`,
      )
    }
    this.#recordOpen()
    const unanswered = this.#group.endToEnd ? this.#recordMissing(readers) : 0
    this.#done({
      ...this.#tally.result(),
      latency: this.#latencies.text(),
      sendLag: null,
      ...{ unanswered, skipped, longestGapUs: null, resent: 0, due: {}, notes },
    })
  }

  /**
   * Batches of the window that never came are as late as they can be: due when the last one that came from their partition was,
   * or when the window began, where records in between were skipped.
   */
  #recordMissing(readers: readonly Readonly<Reader>[]): number {
    const now = nowUs()
    let count = 0
    for (const reader of readers) {
      const missing = (this.#due[keyOf(reader)] ?? 0) - reader.measured
      if (missing <= 0) continue
      const sinceUs = reader.skipped > 0 ? 0 : reader.lastDueUs
      this.#latencies.record(now - Math.max(this.#times.fromUs, sinceUs), missing)
      count += missing
    }
    return count
  }

  /** A read that goes on is as late as it is by now, at least; one that may only wait for records is not late at all. */
  #recordOpen(): void {
    if (!this.#group.rewind) return
    const now = nowUs()
    for (const sentUs of this.#consumers.flatMap((consumer) => consumer.open())) {
      if (this.#tally.isMeasured(sentUs) && sentUs <= now) this.#latencies.record(now - sentUs)
    }
  }
}
