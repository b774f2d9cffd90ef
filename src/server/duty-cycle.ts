/** Runs the agents of a thread that has no event loop: work, and when idle sleep on the thread's doorbell. */
import type { Clock } from '../base/clock.ts'
import type { DoorbellWaiter } from '../shared/doorbell.ts'
import type { ThreadStatusWriter } from '../shared/thread-status.ts'

/** What a thread drives; it never knows which thread. */
export interface Agent {
  /** Does a bounded amount of work and returns how much it did, 0 when there was none. */
  doWork(nowMs: number): number
  /** Monotonic milliseconds of the next deadline, or Infinity. */
  readonly nextTimerAtMs: number
}

/** A sleeping thread still beats this often, so that whoever watches can tell idle from hung. */
export const HEARTBEAT_MS = 500

export interface DutyCycleOptions {
  readonly agents: readonly Agent[]
  readonly waiter: DoorbellWaiter
  readonly clock: Clock
  readonly status: ThreadStatusWriter
  readonly isStopping: () => boolean
}

/** Blocks the calling thread until `isStopping`. */
export function runDutyCycle(options: DutyCycleOptions): void {
  const { agents, waiter, clock, status, isStopping } = options
  while (!isStopping()) {
    const nowMs = clock.monotonicMs()
    status.beginTurn(nowMs)
    let work = turn(agents, nowMs)
    if (work > 0) {
      status.endTurn(clock.monotonicMs(), work)
      continue
    }
    const sequence = waiter.prepare()
    // what arrived before the announcement rang nobody
    work = turn(agents, clock.monotonicMs())
    const endMs = clock.monotonicMs()
    status.endTurn(endMs, work)
    const untilTimerMs = nextTimer(agents) - endMs
    if (work > 0 || untilTimerMs <= 0 || isStopping()) waiter.cancel()
    else waiter.waitSync(sequence, Math.min(untilTimerMs, HEARTBEAT_MS))
  }
}

function turn(agents: readonly Agent[], nowMs: number): number {
  let work = 0
  for (const agent of agents) work += agent.doWork(nowMs)
  return work
}

function nextTimer(agents: readonly Agent[]): number {
  let atMs = Number.POSITIVE_INFINITY
  for (const agent of agents) atMs = Math.min(atMs, agent.nextTimerAtMs)
  return atMs
}
