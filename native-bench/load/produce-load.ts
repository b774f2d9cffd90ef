/** One process's producers: as fast as answers come, or by a constant schedule. */
import { nowUs } from './clock.ts'
import { Latencies } from './latency.ts'
import type { LoadProducer } from './load-producer.ts'
import { LongestGap } from './longest-gap.ts'
import { type ChildResult, type Job, mergedDue, type Times } from './messages.ts'
import { Pacer } from './pacer.ts'
import { Tally } from './tally.ts'
import type { ProduceGroup } from './workload.ts'

/** After the window: answers that take longer count as this late. */
const DRAIN_US = 10e6

export class ProduceLoad {
  readonly #job: Job
  readonly #group: ProduceGroup
  readonly #producers: readonly LoadProducer[]
  readonly #latencies = new Latencies()
  readonly #lags = new Latencies()
  readonly #times: Times
  readonly #tally: Tally
  readonly #gap: LongestGap
  readonly #valueBytes: number
  readonly #done: (result: ChildResult) => void
  #pacer: Pacer | null = null
  #started = 0
  #isEnding = false
  #isOver = false

  constructor(
    job: Job,
    group: ProduceGroup,
    producers: readonly LoadProducer[],
    times: Times,
    done: (result: ChildResult) => void,
  ) {
    this.#job = job
    this.#group = group
    this.#producers = producers
    this.#times = times
    this.#tally = new Tally(times)
    this.#gap = new LongestGap(times)
    this.#valueBytes = group.recordBytes * group.recordsPerBatch
    this.#done = done
  }

  get counts() {
    return this.#tally.total
  }

  begin(): void {
    for (const producer of this.#producers) {
      producer.begin(this.#times)
      producer.answeredUs = this.#times.startUs
    }
    if (this.#job.batchesMax === null) {
      setTimeout(() => this.#end(), (this.#times.toUs - nowUs()) / 1000)
    }
    if (this.#group.rate === null) {
      for (const producer of this.#producers) this.#fill(producer)
      return
    }
    const everyUs = this.#connectionPeriodUs / this.#producers.length
    this.#pacer = new Pacer(this.#dueUs(this.#producers[0]!), everyUs, (now) => {
      for (const producer of this.#producers) this.#catchUp(producer, now)
    })
  }

  /** Called by each producer; it sends again in the same go. */
  answered(producer: LoadProducer, intendedUs: number, doneUs: number, wireBytes: number): void {
    if (this.#isOver) return
    const { recordsPerBatch, acks } = this.#group
    this.#gap.add(producer.answeredUs, doneUs)
    producer.answeredUs = doneUs
    this.#tally.add(doneUs, 1, recordsPerBatch, this.#valueBytes, wireBytes)
    if (acks !== 0 && this.#tally.isMeasured(intendedUs)) {
      this.#latencies.record(doneUs - intendedUs)
    }
    if (this.#isEnding) this.#endIfIdle()
    else if (this.#group.rate === null) this.#fill(producer)
    else this.#catchUp(producer, doneUs)
  }

  /** Microseconds between two requests of one connection. */
  get #connectionPeriodUs(): number {
    const { rate, recordsPerBatch, connections } = this.#group
    return (1e6 * connections * recordsPerBatch) / rate!
  }

  /** Connections take turns over all processes. */
  #dueUs(producer: LoadProducer): number {
    const turn = producer.scheduled + producer.index / this.#group.connections
    return this.#times.startUs + turn * this.#connectionPeriodUs
  }

  #fill(producer: LoadProducer): void {
    const { batchesMax } = this.#job
    while (producer.outstanding < this.#group.inFlight) {
      if (batchesMax !== null && this.#started >= batchesMax) {
        this.#isEnding = true
        break
      }
      this.#started++
      producer.send(nowUs())
    }
    producer.flush()
    if (this.#isEnding) this.#endIfIdle()
  }

  /** Sends all that is due and that may be in flight; the rest waits, and is late. */
  #catchUp(producer: LoadProducer, now: number): void {
    if (this.#isEnding) return
    while (producer.outstanding < this.#group.inFlight) {
      const dueUs = this.#dueUs(producer)
      if (dueUs > now || dueUs >= this.#times.toUs) break
      producer.scheduled++
      if (this.#tally.isMeasured(dueUs)) this.#lags.record(nowUs() - dueUs)
      producer.send(dueUs)
    }
    producer.flush()
  }

  #end(): void {
    // what was due since the last tick is not late yet
    if (this.#group.rate !== null) {
      for (const producer of this.#producers) this.#catchUp(producer, this.#times.toUs)
    }
    this.#isEnding = true
    this.#pacer?.stop()
    this.#endIfIdle()
    if (!this.#isOver) setTimeout(() => this.#finish(), DRAIN_US / 1000)
  }

  #endIfIdle(): void {
    if (this.#producers.every(({ outstanding }) => outstanding === 0)) this.#finish()
  }

  #finish(): void {
    if (this.#isOver) return
    this.#isOver = true
    const unanswered = this.#recordOpen()
    const isOpenLoop = this.#group.rate !== null
    this.#done({
      ...this.#tally.result(),
      latency: this.#group.acks === 0 ? null : this.#latencies.text(),
      sendLag: isOpenLoop ? this.#lags.text() : null,
      ...{ unanswered, skipped: 0, notes: [] },
      longestGapUs: this.#group.acks === 0 ? null : this.#gap.us,
      resent: this.#producers.reduce((sum, { resent }) => sum + resent, 0),
      due: mergedDue(this.#producers.map((producer) => producer.due())),
    })
  }

  /** What has no answer, or was not even sent: as late as it is by now, at least. */
  #recordOpen(): number {
    const now = nowUs()
    let count = 0
    const late = (intendedUs: number) => {
      if (!this.#tally.isMeasured(intendedUs)) return
      count++
      if (this.#group.acks !== 0) this.#latencies.record(now - intendedUs)
    }
    for (const producer of this.#producers) {
      if (producer.outstanding > 0) this.#gap.add(producer.answeredUs, now)
      for (const intendedUs of producer.open()) late(intendedUs)
      if (this.#group.rate === null) continue
      for (; this.#dueUs(producer) < this.#times.toUs; producer.scheduled++) {
        late(this.#dueUs(producer))
        producer.leaveOut(this.#dueUs(producer))
      }
    }
    return count
  }
}
