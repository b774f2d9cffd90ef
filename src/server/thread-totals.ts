/** What threads say of their turns, as totals that do not wrap, and how busy they were lately. On the watching thread. */
import { LoopCounter } from '../link/counters.ts'
import { CounterReader } from '../shared/counter-table.ts'
import { ThreadState, type ThreadStatus, ThreadStatusReader } from '../shared/thread-status.ts'
import { THREAD_ROW } from './counter-rows.ts'
import type { EngineWiring, ThreadRole } from './wiring.ts'

/** Busy shares are of this long at least, of twice that at most. */
const WINDOW_MS = 15_000

export interface ThreadTotal {
  readonly name: string
  readonly role: ThreadRole
  readonly brokerId: number
  state: ThreadState
  turns: number
  workTurns: number
  busySeconds: number
  /** Of the last quarter to half minute: 0 idle, 1 always at work. */
  busyShare: number
}

/** A thread's counters as last seen, and its busy time at the beginnings of this window and of the one before. */
interface Seen {
  readonly line: ThreadStatus
  busyAtWindow: number
  busyAtWindowBefore: number
}

/** Call {@link look} now and then, far more often than the counters wrap (71 minutes of work). */
export class ThreadTotals {
  readonly #status: ThreadStatusReader
  readonly #counters: CounterReader
  readonly #totals: readonly ThreadTotal[]
  readonly #seen: readonly Seen[]
  readonly #line = emptyLine()
  #windowMs = Number.NaN
  #windowBeforeMs = Number.NaN

  constructor(wiring: Pick<EngineWiring, 'status' | 'counters' | 'threads'>) {
    this.#status = new ThreadStatusReader(wiring.status)
    this.#counters = new CounterReader(wiring.counters)
    this.#totals = wiring.threads.map(({ name, role, brokerId }) => ({
      ...{ name, role, brokerId, state: ThreadState.ABSENT },
      ...{ turns: 0, workTurns: 0, busySeconds: 0, busyShare: 0 },
    }))
    this.#seen = wiring.threads.map(() => ({
      line: emptyLine(),
      busyAtWindow: 0,
      busyAtWindowBefore: 0,
    }))
  }

  /** All threads as of now; the objects are used again. */
  look(nowMs: number): readonly ThreadTotal[] {
    if (Number.isNaN(this.#windowMs)) this.#windowMs = this.#windowBeforeMs = nowMs
    const isNewWindow = nowMs - this.#windowMs >= WINDOW_MS
    this.#totals.forEach((total, thread) => {
      const seen = this.#seen[thread]!
      this.#add(thread, total, seen.line)
      if (isNewWindow) {
        seen.busyAtWindowBefore = seen.busyAtWindow
        seen.busyAtWindow = total.busySeconds
      }
    })
    if (isNewWindow) {
      this.#windowBeforeMs = this.#windowMs
      this.#windowMs = nowMs
    }
    const seconds = (nowMs - this.#windowBeforeMs) / 1_000
    this.#totals.forEach((total, thread) => {
      const busy = total.busySeconds - this.#seen[thread]!.busyAtWindowBefore
      total.busyShare = seconds > 0 ? Math.min(1, Math.max(0, busy / seconds)) : 0
    })
    return this.#totals
  }

  #add(thread: number, total: ThreadTotal, last: ThreadStatus): void {
    const line = this.#status.read(thread, this.#line)
    total.state = line.state
    total.turns += (line.turns - last.turns) >>> 0
    total.workTurns += (line.workTurns - last.workTurns) >>> 0
    const activeUs = this.#counters.value(thread, THREAD_ROW, LoopCounter.ACTIVE_US)
    // where there is an event loop, it works outside of turns too
    if (activeUs > 0) total.busySeconds = activeUs / 1e6
    else total.busySeconds += ((line.busyUs - last.busyUs) >>> 0) / 1e6
    last.turns = line.turns
    last.workTurns = line.workTurns
    last.busyUs = line.busyUs
  }
}

const emptyLine = (): ThreadStatus => ({
  state: ThreadState.ABSENT,
  busy: false,
  turns: 0,
  workTurns: 0,
  busyUs: 0,
  lastTurnMs: 0,
})
