/** What the engine says of itself: one state with its reasons, told to the HTTP front whenever it changes. Server's thread. */
export type StateName = 'starting' | 'serving' | 'degraded' | 'failed' | 'stopping'

export class EngineState {
  readonly #tell: (state: StateName, reason: string) => void
  readonly #reasons = new Map<string, string>()
  #phase: 'starting' | 'serving' | 'failed' | 'stopping' = 'starting'

  constructor(tell: (state: StateName, reason: string) => void) {
    this.#tell = tell
  }

  get phase(): StateName {
    return this.#phase === 'serving' && this.#reasons.size > 0 ? 'degraded' : this.#phase
  }

  get reason(): string {
    return [...this.#reasons.values()].join('; ')
  }

  setPhase(phase: 'serving' | 'failed' | 'stopping', reason = ''): void {
    this.#phase = phase
    if (reason !== '') this.#reasons.set('phase', reason)
    this.#publish()
  }

  /** Something is not as it should be while clients are served; null when it is again. */
  setReason(key: string, reason: string | null): void {
    if (reason === null) this.#reasons.delete(key)
    else this.#reasons.set(key, reason)
    this.#publish()
  }

  #publish(): void {
    this.#tell(this.phase, this.reason)
  }
}
