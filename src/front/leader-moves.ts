import type { BrokerId, PartitionNumber } from '../base/ids.ts'
import type { BrokerProxy } from '../cell/broker-proxy.ts'
import { BrokerQuestions } from '../cell/broker-questions.ts'
import type { ControlPort } from '../link/ports.ts'

/** Told once: an error code, or null where the leader that was asked has died. */
export interface MoveWaiter {
  onMoved(error: number | null): void
}

interface Move {
  readonly leader: BrokerProxy
  readonly to: BrokerId | 0
  readonly waiters: Set<MoveWaiter>
}

/**
 * Leaderships that their leaders were asked to hand over, each of them once, however many wait for it. What is asked waits on the leader's thread: one
 * that hangs is not to find a heap of it. Belongs to the front's thread.
 */
export class LeaderMoves {
  readonly #questions: BrokerQuestions<number>
  readonly #moves = new Map<PartitionNumber, Move>()

  constructor(control: ControlPort) {
    this.#questions = new BrokerQuestions(control)
  }

  /** `to`: who is to lead. */
  ask(leader: BrokerProxy, partition: PartitionNumber, to: BrokerId | 0, waiter: MoveWaiter): void {
    const known = this.#moves.get(partition)
    if (known?.leader === leader && known.to === to) {
      known.waiters.add(waiter)
      return
    }
    // of another leader, which may never answer: it has its own waiters, and is not joined any more
    const move: Move = { leader, to, waiters: new Set([waiter]) }
    this.#moves.set(partition, move)
    this.#questions.ask(
      leader,
      (correlation) => ({ kind: 'move-leadership', correlation, partition, to }),
      (error) => {
        if (this.#moves.get(partition) === move) this.#moves.delete(partition)
        for (const one of move.waiters) one.onMoved(error)
      },
    )
  }

  /** It waits no more. */
  leave(partition: PartitionNumber, waiter: MoveWaiter): void {
    this.#moves.get(partition)?.waiters.delete(waiter)
  }

  onAnswer(correlation: number, error: number): void {
    this.#questions.onAnswer(correlation, error)
  }

  /** Brokers that have died answer nothing any more. */
  failDead(): void {
    this.#questions.failDead()
  }
}
