import type { BrokerProxy } from '../cell/broker-proxy.ts'
import type { BrokerQuestions } from '../cell/broker-questions.ts'
import type { ControlMessage } from '../link/control.ts'
import type { FrontServices } from './context.ts'
import { Deadline } from './deadlines.ts'

export interface AskedOf<Answer> {
  readonly questions: BrokerQuestions<Answer>
  readonly broker: BrokerProxy
  readonly question: (correlation: number) => ControlMessage
}

class Wait<Answer> extends Deadline {
  readonly #services: FrontServices
  readonly #asked: AskedOf<Answer>
  readonly #done: (answer: Answer | null) => void
  #correlation = 0
  #isDone = false

  constructor(
    services: FrontServices,
    asked: AskedOf<Answer>,
    done: (answer: Answer | null) => void,
  ) {
    super()
    this.#services = services
    this.#asked = asked
    this.#done = done
  }

  ask(): void {
    const { questions, broker, question } = this.#asked
    this.#correlation = questions.ask(broker, question, (answer) => this.#settle(answer))
  }

  onDeadline(): void {
    this.#asked.questions.forget(this.#correlation)
    this.#settle(null)
  }

  #settle(answer: Answer | null): void {
    if (this.#isDone) return
    this.#isDone = true
    this.#services.deadlines.remove(this)
    this.#done(answer)
  }
}

/**
 * Asks, and tells `done` once: the answer, or null when it has not come within `timeoutMs` or will not; it is not waited for any more then. A broker whose
 * thread hangs answers nothing, and is not dead.
 */
export function within<Answer>(
  services: FrontServices,
  timeoutMs: number,
  asked: AskedOf<Answer>,
  done: (answer: Answer | null) => void,
): void {
  const wait = new Wait(services, asked, done)
  const nowMs = services.clock.monotonicMs()
  services.deadlines.add(wait, nowMs + timeoutMs, nowMs)
  wait.ask()
}
