/** What the engine says of itself: one state with its reasons, told to the HTTP front whenever it changes. Server's thread. */
import type { ControlMessage } from '../link/control.ts'

export type StateName = 'starting' | 'serving' | 'degraded' | 'failed' | 'stopping'

type Filling = Extract<ControlMessage, { kind: 'filling' }>

const STARTING = 'the engine is starting'

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

  /** A broker's thread has ended; `key` is that of the reason, for when it is started anew. */
  setDied(key: string, brokerId: number): void {
    // its successor says so again
    this.setReason(`filling ${brokerId}`, null)
    const what =
      'until it is started anew, partitions that it alone has are not served; those with most of their replicas elsewhere are led there'
    this.setReason(key, `broker ${brokerId} died: ${what}`)
  }

  /**
   * A broker's directory is another than before: so many replicas lack what they had, of so many partitions nobody was found to lead, and of so many what they had is lost, which is
   * told until the next start.
   */
  setFilling({ brokerId, left, leaderless, emptied }: Filling): void {
    const reasons: string[] = []
    if (left > 0) reasons.push(`${replicas(left)} not filled anew yet`)
    if (leaderless > 0) {
      const of = partitions(leaderless)
      reasons.push(`of ${of} too few replicas are left, or reachable, to elect a leader`)
    }
    if (emptied > 0) {
      const of = partitions(emptied)
      reasons.push(
        `of ${of} it had the only replica, and what that had is lost (the log names them)`,
      )
    }
    const what = `broker ${brokerId} has another directory than before: ${reasons.join('; ')}`
    this.setReason(`filling ${brokerId}`, reasons.length === 0 ? null : what)
  }

  #publish(): void {
    const isStarting = this.phase === 'starting'
    this.#tell(
      this.phase,
      isStarting ? [STARTING, this.reason].filter(Boolean).join('; ') : this.reason,
    )
  }
}

const replicas = (count: number): string => (count === 1 ? '1 replica is' : `${count} replicas are`)
const partitions = (count: number): string => (count === 1 ? '1 partition' : `${count} partitions`)
