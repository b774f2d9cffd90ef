/** One process's consumers. */
import { nowUs } from './clock.ts'
import type { Consumer, ConsumerEvents } from './consume-connection.ts'
import { Latencies } from './latency.ts'
import type { ChildResult, Job, Times } from './messages.ts'
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

  /** The producers have ended. */
  finish(): void {
    if (!this.#job.drains) return
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

  onBatch(timestamp: number, now: number): void {
    const intendedUs = this.#times.startUs + timestamp
    if (this.#tally.isMeasured(intendedUs)) this.#latencies.record(now - intendedUs)
  }

  onEnd(): void {
    if (++this.#ended === this.#consumers.length) this.#finish(false)
  }

  #finish(isGivenUp: boolean): void {
    if (this.#isOver) return
    this.#isOver = true
    const notes = isGivenUp
      ? [`${this.#group.name}: not all was read ${DRAIN_MS / 1000} s after the last was written`]
      : []
    this.#recordOpen()
    this.#done({
      ...this.#tally.result(),
      latency: this.#latencies.text(),
      sendLag: null,
      unanswered: 0,
      notes,
    })
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
