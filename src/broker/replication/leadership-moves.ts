import { ErrorCode } from '../../base/error-code.ts'
import type { ControlPort, PeerName } from '../../link/ports.ts'
import type { Replica } from '../replica.ts'

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

  add(move: LeadershipMove): void {
    this.#moves.push({ move, term: move.replica!.ledTerm })
  }

  refuse({ from, correlation }: LeadershipMove, error: number): void {
    this.#control.post(from, { kind: 'leadership-moved', correlation, error })
  }

  doWork(nowMs: number): number {
    if (this.#moves.length === 0) return 0
    const before = this.#moves.length
    this.#moves = this.#moves.filter(({ move, term }) => {
      const isMoved = move.replica!.ledTerm !== term
      if (!isMoved && nowMs - move.startedAtMs < GIVEN_UP_AFTER_MS) return true
      this.refuse(move, isMoved ? ErrorCode.NONE : ErrorCode.REQUEST_TIMED_OUT)
      return false
    })
    return before - this.#moves.length
  }
}
