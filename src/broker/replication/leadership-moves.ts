import { ErrorCode } from '../../base/error-code.ts'
import type { ControlPort, PeerName } from '../../link/ports.ts'
import type { ReplicaId } from '../../raft/types.ts'
import type { Replica } from '../replica.ts'
import type { ReplicaGroup } from './replica-group.ts'

export interface LeadershipMove {
  /** Who has asked. */
  readonly from: PeerName
  readonly correlation: number
  readonly replica: Replica | null
  readonly startedAtMs: number
}

/** Raft gives a transfer up after 100 ms. */
const GIVEN_UP_AFTER_MS = 500

/** Those who have asked for another leader, until there is one or it is given up. On the broker's thread. */
export class LeadershipMoves {
  readonly #control: ControlPort
  #moves: { readonly move: LeadershipMove; readonly term: number }[] = []

  constructor(control: ControlPort) {
    this.#control = control
  }

  get nextTimerAtMs(): number {
    const first = this.#moves[0]
    if (first === undefined) return Number.POSITIVE_INFINITY
    return first.move.startedAtMs + GIVEN_UP_AFTER_MS
  }

  /** Hands leadership over to the replica `to`; the group for which that has begun, or null where whoever has asked is told why not. */
  begin(move: LeadershipMove, to: ReplicaId): ReplicaGroup | null {
    const group = move.replica?.group ?? null
    const term = move.replica?.ledTerm ?? 0
    if (group === null || term === 0) this.#answer(move, ErrorCode.NOT_LEADER_OR_FOLLOWER)
    else if (group.raft.transferTo(to)) {
      this.#moves.push({ move, term })
      return group
    } else this.#answer(move, ErrorCode.PREFERRED_LEADER_NOT_AVAILABLE)
    return null
  }

  #answer({ from, correlation }: LeadershipMove, error: number): void {
    this.#control.post(from, { kind: 'leadership-moved', correlation, error })
  }

  doWork(nowMs: number): number {
    if (this.#moves.length === 0) return 0
    const before = this.#moves.length
    this.#moves = this.#moves.filter(({ move, term }) => {
      const isMoved = move.replica!.ledTerm !== term
      if (!isMoved && nowMs - move.startedAtMs < GIVEN_UP_AFTER_MS) return true
      this.#answer(move, isMoved ? ErrorCode.NONE : ErrorCode.REQUEST_TIMED_OUT)
      return false
    })
    return before - this.#moves.length
  }
}
