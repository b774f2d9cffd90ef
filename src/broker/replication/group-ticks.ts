import type { ReplicaGroup } from './replica-group.ts'

/** Between two ticks of groups that wait for something; groups that do not are not ticked. */
const TICK_MS = 10
/** Ticks wait while there are messages that were not read: what they would ask for may have been answered. No longer than this at a time. */
const BEHIND_MAX_MS = 1_000
/**
 * Groups ticked in a turn. With thousands that wait for something, time passes more slowly for each, and no more is asked than is heard: else nobody
 * would ever be elected where all have lost their leaders at once.
 */
const TICKS_PER_TURN = 256

/** Which groups of a broker are ticked, and when: those that wait for something. On the broker's thread. */
export class GroupTicks {
  /** Those that were ticked longest ago first. */
  readonly #groups = new Set<ReplicaGroup>()
  /** Of these, how many the round has yet to come to. */
  #roundLeft = 0
  /** Since when there is more to be read than a turn reads; null: there is not. */
  #behindSinceMs: number | null = null
  #nextAtMs = Number.POSITIVE_INFINITY

  /** Monotonic milliseconds at which groups are ticked next. */
  get nextAtMs(): number {
    return this.#nextAtMs
  }

  /** Whether the group waits for something. */
  set(group: ReplicaGroup, needsTicks: boolean, nowMs: number): void {
    if (!needsTicks) {
      this.#groups.delete(group)
      return
    }
    this.#groups.add(group)
    if (this.#nextAtMs === Number.POSITIVE_INFINITY) this.#nextAtMs = nowMs + TICK_MS
  }

  /** Whether more was said than this turn has read. */
  behind(isBehind: boolean, nowMs: number): void {
    this.#behindSinceMs = isBehind ? (this.#behindSinceMs ?? nowMs) : null
  }

  /** Those that are to be ticked now. */
  due(nowMs: number): readonly ReplicaGroup[] {
    if (nowMs < this.#nextAtMs) return []
    if (this.#behindSinceMs !== null) {
      if (nowMs - this.#behindSinceMs < BEHIND_MAX_MS) return []
      this.#behindSinceMs = nowMs
    }
    if (this.#roundLeft === 0) this.#roundLeft = this.#groups.size
    const due: ReplicaGroup[] = []
    for (const group of this.#groups) {
      if (due.length === Math.min(this.#roundLeft, TICKS_PER_TURN)) break
      due.push(group)
    }
    this.#roundLeft = Math.min(this.#roundLeft, this.#groups.size) - due.length
    for (const group of due) {
      // at the back
      this.#groups.delete(group)
      this.#groups.add(group)
    }
    const restMs = this.#roundLeft > 0 ? 0 : TICK_MS
    this.#nextAtMs = due.length > 0 ? nowMs + restMs : Number.POSITIVE_INFINITY
    return due
  }
}
