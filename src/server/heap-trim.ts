/** Gives back what a thread's heap took while much metadata came: at a start, or while many tenants or topics were made. */
import type { MetadataView } from '../image/view.ts'
import { collectGarbage } from './collect-garbage.ts'
import type { Agent } from './duty-cycle.ts'

/** Of less, the garbage is little. */
const ENTRIES_MIN = 5_000
/** Nothing more has come for so long: whoever makes topics one after another is not stopped in between. */
const QUIET_MS = 2_000
/**
 * The first collects what is dead, which leaves pages half empty; the second puts together what is left in them, and shrinks the young generation: V8 does
 * that only where little was allocated in the 5 seconds before.
 */
const COLLECTIONS = 2
const BETWEEN_MS = 6_000

export interface HeapTrimOptions {
  /** Of this thread: how far it has applied the metadata log. */
  readonly image: Pick<MetadataView, 'offset'>
  readonly collect?: () => void
}

/**
 * V8 leaves a heap as large as it was while it filled, and collects what died in the old generation when it has doubled: a thread that has loaded 10,000 tenants in a second and is
 * idle from then on keeps half as much again in garbage, for good. Each collection stops the thread, 30 to 50 ms where 35 MB live, so it is done only after much has
 * come, when nothing more comes.
 */
export class HeapTrim implements Agent {
  readonly #options: HeapTrimOptions
  readonly #collect: () => void
  #offset = 0
  #trimmedAt = 0
  #left = 0
  #dueMs = Number.POSITIVE_INFINITY

  constructor(options: HeapTrimOptions) {
    this.#options = options
    this.#collect = options.collect ?? collectGarbage
  }

  get nextTimerAtMs(): number {
    return this.#dueMs
  }

  /** Collects where it is due; cheap else. */
  doWork(nowMs: number): number {
    const { offset } = this.#options.image
    if (offset !== this.#offset) {
      this.#offset = offset
      const isMuch = Math.abs(offset - this.#trimmedAt) >= ENTRIES_MIN
      if (isMuch) this.#left = COLLECTIONS
      if (this.#left > 0) this.#dueMs = nowMs + QUIET_MS
    }
    if (nowMs < this.#dueMs) return 0
    this.#collect()
    this.#trimmedAt = offset
    this.#left--
    this.#dueMs = this.#left > 0 ? nowMs + BETWEEN_MS : Number.POSITIVE_INFINITY
    return 1
  }
}
