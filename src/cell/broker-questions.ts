import type { ControlMessage } from '../link/control.ts'
import { brokerPeer, type ControlPort } from '../link/ports.ts'
import type { BrokerProxy } from './broker-proxy.ts'

interface Question<Answer> {
  readonly broker: BrokerProxy
  /** null: the broker is gone. */
  readonly done: (answer: Answer | null) => void
}

/**
 * Asks brokers by control message what is asked rarely, and whose answers are of any length: one kind of question and its answers. On the
 * front's thread.
 */
export class BrokerQuestions<Answer> {
  readonly #control: ControlPort
  readonly #waiting = new Map<number, Question<Answer>>()
  #next = 1

  constructor(control: ControlPort) {
    this.#control = control
  }

  /** How many are not answered. */
  get size(): number {
    return this.#waiting.size
  }

  /** Returns what {@link forget} takes. */
  ask(
    broker: BrokerProxy,
    question: (correlation: number) => ControlMessage,
    done: (answer: Answer | null) => void,
  ): number {
    if (!broker.alive) {
      done(null)
      return 0
    }
    const correlation = this.#next++
    this.#waiting.set(correlation, { broker, done })
    this.#control.post(brokerPeer(broker.cellId, broker.brokerId), question(correlation))
    return correlation
  }

  /** Nobody waits for the answer any more. */
  forget(correlation: number): void {
    this.#waiting.delete(correlation)
  }

  onAnswer(correlation: number, answer: Answer): void {
    const question = this.#waiting.get(correlation)
    this.#waiting.delete(correlation)
    question?.done(answer)
  }

  /** Brokers that have died answer nothing any more. */
  failDead(): void {
    for (const [correlation, { broker, done }] of [...this.#waiting]) {
      if (broker.alive) continue
      this.#waiting.delete(correlation)
      done(null)
    }
  }
}
