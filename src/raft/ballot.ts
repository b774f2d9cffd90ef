import { FIRST_TERM, firstVoteOf, openingState } from './first-term.ts'
import type { RecoveredLog } from './log-view.ts'
import { type HardState, NO_REPLICA, type ReplicaId, type Term } from './types.ts'

/** Term and vote of one replica: what it must not forget, and what it has done with them. */
export class Ballot {
  /** It has every vote of the first term, and has not led it. */
  mayBegin: boolean
  /** It begins with a vote that it has not stored. */
  readonly isFirst: boolean
  #term: Term
  #vote: ReplicaId
  #isNew: boolean
  #isKept = false
  #awaited: ReplicaId = NO_REPLICA

  constructor(id: ReplicaId, hardState: HardState | null, log: RecoveredLog) {
    const first = firstVoteOf(hardState, log)
    this.isFirst = this.#isNew = first !== null
    this.mayBegin = first?.vote === id
    ;({ term: this.#term, vote: this.#vote } = openingState(hardState, first))
  }

  get term(): Term {
    return this.#term
  }

  get vote(): ReplicaId {
    return this.#vote
  }

  /** What it has voted so far is durable. */
  get isKept(): boolean {
    return this.#isKept
  }

  /** It has given its vote to that replica, and does not know what has become of it; {@link NO_REPLICA}: to none. */
  get awaited(): ReplicaId {
    return this.#awaited
  }

  set(term: Term, vote: ReplicaId): void {
    if (term === this.#term && vote === this.#vote) return
    this.#term = term
    this.#vote = vote
    this.#isNew = true
    this.mayBegin &&= term === FIRST_TERM
  }

  /** In this term. */
  giveTo(candidate: ReplicaId): void {
    this.set(this.#term, candidate)
    this.#awaited = candidate
  }

  /** Who was given the vote leads, or is not waited for any more. */
  awaitNobody(): void {
    this.#awaited = NO_REPLICA
  }

  /** To be stored, since the last time; null where nothing is. */
  take(): HardState | null {
    if (!this.#isNew) return null
    this.#isNew = false
    return { term: this.#term, vote: this.#vote }
  }

  /** All that was taken is durable. */
  stored(): void {
    this.#isKept = !this.#isNew
  }
}
