/** Which threads have gone silent: every one turns at least twice a second, also when idle. On the watching thread. */
import type { ThreadBeat } from '../admin/engine-health.ts'
import { ThreadState, type ThreadStatus, ThreadStatusReader } from '../shared/thread-status.ts'
import type { EngineWiring } from './wiring.ts'

/** Judges by its own clock only: call {@link look} about as often as threads beat. */
export class BeatWatch {
  readonly #reader: ThreadStatusReader
  readonly #names: readonly string[]
  readonly #turns: number[]
  readonly #changedAtMs: number[]
  readonly #line: ThreadStatus = {
    state: ThreadState.ABSENT,
    busy: false,
    turns: 0,
    workTurns: 0,
    busyUs: 0,
    lastTurnMs: 0,
  }

  constructor(wiring: Pick<EngineWiring, 'status' | 'threads'>) {
    this.#reader = new ThreadStatusReader(wiring.status)
    this.#names = wiring.threads.map((thread) => thread.name)
    this.#turns = this.#names.map(() => -1)
    this.#changedAtMs = this.#names.map(() => Number.NEGATIVE_INFINITY)
  }

  look(nowMs: number): void {
    this.#names.forEach((_, thread) => {
      const { turns } = this.#reader.read(thread, this.#line)
      if (turns === this.#turns[thread]) return
      this.#turns[thread] = turns
      this.#changedAtMs[thread] = nowMs
    })
  }

  /** How long each running thread has been silent; those that have stopped or failed are told elsewhere. */
  beats(nowMs: number): ThreadBeat[] {
    this.look(nowMs)
    return this.#names.flatMap((name, thread) => {
      const { state } = this.#reader.read(thread, this.#line)
      if (state !== ThreadState.RUNNING) return []
      return [{ name, silentMs: nowMs - this.#changedAtMs[thread]! }]
    })
  }
}
