/** What the HTTP front knows of the engine's health, and how `/health*` tells it. HTTP front's thread. */

export type EngineState = 'starting' | 'serving' | 'degraded' | 'failed' | 'stopping'

/** How long since a thread last said that it turns; Infinity before its first word. */
export interface ThreadBeat {
  readonly name: string
  readonly silentMs: number
}

/** A thread is hung for /health/live after this long: longer than a slow disk call, shorter than patience. */
export const LIVE_SILENCE_MS_MAX = 15_000
/** A silence that is worth telling in /health. */
export const NOTED_SILENCE_MS = 3_000

export interface HealthReport {
  readonly status: EngineState | 'hung'
  readonly reasons: readonly string[]
}

/** Collects state and reasons; `beats` reads the threads' heartbeats when asked. */
export class EngineHealth {
  #state: EngineState = 'starting'
  #reason = 'the engine is starting'
  readonly #beats: () => readonly ThreadBeat[]

  constructor(beats: () => readonly ThreadBeat[]) {
    this.#beats = beats
  }

  setState(state: EngineState, reason: string): void {
    this.#state = state
    this.#reason = reason
  }

  /** Names of the threads whose duty cycle stands still. */
  hungThreads(): readonly ThreadBeat[] {
    if (this.#state === 'starting') return []
    return this.#beats().filter((beat) => beat.silentMs > LIVE_SILENCE_MS_MAX)
  }

  /** `offline`: so many partitions have no leader. */
  report(offline = 0): HealthReport {
    const reasons = this.#reason === '' ? [] : [this.#reason]
    if (this.#state !== 'serving' && this.#state !== 'degraded') {
      return { status: this.#state, reasons }
    }
    if (offline > 0) {
      reasons.push(`${offline === 1 ? '1 partition has' : `${offline} partitions have`} no leader`)
    }
    const silent = this.#beats().filter((beat) => beat.silentMs > NOTED_SILENCE_MS)
    reasons.push(...silent.map(describe))
    return { status: reasons.length > 0 ? 'degraded' : 'serving', reasons }
  }
}

export const describe = (beat: ThreadBeat): string =>
  Number.isFinite(beat.silentMs)
    ? `thread ${beat.name} has not turned for ${Math.round(beat.silentMs)} ms`
    : `thread ${beat.name} has not started to turn`
