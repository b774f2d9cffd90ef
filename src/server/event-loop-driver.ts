/** Runs an agent on a thread with an event loop: woken by its doorbell, by whatever calls {@link EventLoopDriver.kick}, and by one timer. */
import type { Clock } from '../base/clock.ts'
import type { DoorbellWaiter } from '../shared/doorbell.ts'
import type { ThreadStatusWriter } from '../shared/thread-status.ts'
import type { BriefWait } from './brief-wait.ts'
import { type Agent, HEARTBEAT_MS } from './duty-cycle.ts'

export interface EventLoopDriverOptions {
  readonly agent: Agent
  /** How answers are looked for before the thread falls asleep over them. */
  readonly brief?: BriefWait
  readonly waiter: DoorbellWaiter
  readonly clock: Clock
  readonly status: ThreadStatusWriter
  /** Called twice a second, between turns. */
  readonly onBeat?: (nowMs: number) => void
  /** A turn threw: a bug. The driver has stopped. */
  readonly onFailure: (error: unknown) => void
}

/**
 * One `waitAsync` is pending at a time, without timeout and never raced (both leak). Turns taken for other
 * reasons leave it pending: it stays valid, since the announcement that it belongs to stands.
 */
export class EventLoopDriver {
  readonly #options: EventLoopDriverOptions
  readonly #brief: BriefWait | null
  #looksNext = false
  #armed = false
  #scheduled = false
  #stopped = false
  #timer: NodeJS.Timeout | null = null
  #timerAtMs = Number.POSITIVE_INFINITY
  readonly #heartbeat: NodeJS.Timeout

  constructor(options: EventLoopDriverOptions) {
    this.#options = options
    this.#brief = options.brief ?? null
    this.#heartbeat = setInterval(this.#beat, HEARTBEAT_MS).unref()
  }

  start(): void {
    this.#beat()
    this.kick()
  }

  /** Asks for a turn after the I/O that is pending now. Cheap when one was asked for already. */
  readonly kick = (): void => {
    if (this.#scheduled || this.#stopped) return
    this.#scheduled = true
    setImmediate(this.#turn)
  }

  /** Asks for a turn that looks for an answer, where that is worth it: otherwise whoever answers rings. */
  readonly kickForAnswer = (): void => {
    if (this.#looksNext || this.#stopped || !this.#brief?.isWorthwhile()) return
    this.#looksNext = true
    this.kick()
  }

  stop(): void {
    this.#stopped = true
    clearInterval(this.#heartbeat)
    if (this.#timer !== null) clearTimeout(this.#timer)
    // ends the pending wait, so that nothing of this thread stays referenced
    if (this.#armed) this.#options.waiter.wake()
  }

  readonly #turn = (): void => {
    const brief = this.#looksNext ? this.#brief : null
    this.#scheduled = this.#looksNext = false
    if (this.#stopped) return
    const { agent, clock, status, onFailure } = this.#options
    try {
      const nowMs = clock.monotonicMs()
      status.beginTurn(nowMs)
      let work = agent.doWork(nowMs)
      if (work === 0 && brief !== null && !this.#stopped) work = this.#lookBriefly(brief)
      if (work === 0 && !this.#armed && !this.#stopped) work = this.#fallAsleep()
      status.endTurn(clock.monotonicMs(), work)
      // stopped from within the turn: nothing may be armed any more
      if (this.#stopped) return
      if (work > 0) this.kick()
      this.#setTimer(agent.nextTimerAtMs)
    } catch (error) {
      this.stop()
      onFailure(error)
    }
  }

  /** Stays awake for an answer that is due, so that nobody has to ring; returns the work that was found. */
  #lookBriefly(brief: BriefWait): number {
    const { agent, waiter, clock } = this.#options
    if (this.#armed) waiter.cancel()
    const hasAnswer = brief.look()
    if (this.#armed) waiter.announceAgain()
    return this.#armed || hasAnswer ? agent.doWork(clock.monotonicMs()) : 0
  }

  /** Announces sleep, looks once more, and waits; returns the work that the second look found. */
  #fallAsleep(): number {
    const { agent, waiter, clock } = this.#options
    const sequence = waiter.prepare()
    const work = agent.doWork(clock.monotonicMs())
    if (work > 0) {
      waiter.cancel()
      return work
    }
    this.#armed = true
    void waiter.waitAsync(sequence).then(this.#wake)
    return 0
  }

  readonly #wake = (): void => {
    this.#armed = false
    if (this.#scheduled || this.#stopped) return
    // rung: there is work, so take the turn now
    this.#scheduled = true
    this.#turn()
  }

  #setTimer(atMs: number): void {
    if (atMs === this.#timerAtMs) return
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    this.#timerAtMs = atMs
    if (!Number.isFinite(atMs)) return
    const delayMs = Math.max(0, Math.ceil(atMs - this.#options.clock.monotonicMs()))
    this.#timer = setTimeout(this.#onTimer, Math.min(delayMs, 2 ** 30))
  }

  readonly #onTimer = (): void => {
    this.#timer = null
    this.#timerAtMs = Number.POSITIVE_INFINITY
    this.kick()
  }

  /** Says that this event loop turns, also while there is nothing to do. */
  readonly #beat = (): void => {
    const { clock, status, onBeat } = this.#options
    const nowMs = clock.monotonicMs()
    status.beginTurn(nowMs)
    status.endTurn(nowMs, 0)
    onBeat?.(nowMs)
  }
}
