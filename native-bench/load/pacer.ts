/** Wakes a load process at the times of a constant schedule, closer than the event loop's milliseconds. */
import { Worker } from 'node:worker_threads'
import { nowUs } from './clock.ts'

/** From the thread's wake-up until this thread runs its handler takes about so long; the rest is spun away. */
const LEAD_US = 150
/** A schedule that is closer than this would spin all the time: it is served in bursts of this instead. */
const CLOSEST_US = 400

/** The pacer's thread: sleeps, and says so once for as long as the last word was not heard. */
const THREAD = `
const { parentPort, workerData } = require('node:worker_threads')
const { shared, startUs, periodUs, leadUs } = workerData
const word = new Int32Array(shared)
const now = () => Number(process.hrtime.bigint()) / 1000
for (let slot = 0; ; ) {
  const due = startUs + slot * periodUs - leadUs
  const wait = due - now()
  if (wait > 0) Atomics.wait(word, 1, 0, wait / 1000)
  if (Atomics.load(word, 1) !== 0) break
  if (Atomics.exchange(word, 0, 1) === 0) parentPort.postMessage(0)
  slot = Math.max(slot + 1, Math.ceil((now() + leadUs - startUs) / periodUs))
}
`

export class Pacer {
  readonly #word = new Int32Array(new SharedArrayBuffer(8))
  readonly #startUs: number
  readonly #periodUs: number
  readonly #run: (nowUs: number) => void
  #isStopped = false

  /** Calls `run` at each `startUs` + n × `periodUs`, or soon after, and not once for each that it missed. */
  constructor(startUs: number, periodUs: number, run: (nowUs: number) => void) {
    const isSpun = periodUs >= CLOSEST_US
    this.#startUs = startUs
    this.#periodUs = isSpun ? periodUs : Math.max(periodUs, 100)
    this.#run = run
    const leadUs = isSpun ? LEAD_US : 0
    const thread = new Worker(THREAD, {
      eval: true,
      workerData: { shared: this.#word.buffer, startUs, periodUs: this.#periodUs, leadUs },
    })
    thread.unref()
    thread.on('message', () => {
      if (isSpun) this.#spin(this.#nextDue())
      else this.#tick()
    })
  }

  stop(): void {
    this.#isStopped = true
    Atomics.store(this.#word, 1, 1)
    Atomics.notify(this.#word, 1)
  }

  #nextDue(): number {
    const slot = Math.round((nowUs() - this.#startUs) / this.#periodUs)
    return this.#startUs + Math.max(0, slot) * this.#periodUs
  }

  /** Answers are taken in between. */
  #spin(dueUs: number): void {
    const left = dueUs - nowUs()
    if (left <= 0 || left > 2 * LEAD_US || this.#isStopped) this.#tick()
    else setImmediate(() => this.#spin(dueUs))
  }

  #tick(): void {
    Atomics.store(this.#word, 0, 0)
    if (!this.#isStopped) this.#run(nowUs())
  }
}
