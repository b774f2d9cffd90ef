import type { FrontServices } from './context.ts'
import { Deadline } from './deadlines.ts'

class Wait<Answer> extends Deadline {
  readonly #services: FrontServices
  #done: ((answer: Answer | null) => void) | null

  constructor(services: FrontServices, done: (answer: Answer | null) => void) {
    super()
    this.#services = services
    this.#done = done
  }

  settle(answer: Answer | null): void {
    const done = this.#done
    if (done === null) return
    this.#done = null
    this.#services.deadlines.remove(this)
    done(answer)
  }

  onDeadline(): void {
    this.settle(null)
  }
}

/**
 * Asks, and tells `done` once: the answer, or null when it has not come within `timeoutMs` or will not. A broker whose thread hangs answers
 * nothing, and is not dead.
 */
export function within<Answer>(
  services: FrontServices,
  timeoutMs: number,
  ask: (done: (answer: Answer | null) => void) => void,
  done: (answer: Answer | null) => void,
): void {
  const wait = new Wait(services, done)
  const nowMs = services.clock.monotonicMs()
  services.deadlines.add(wait, nowMs + timeoutMs, nowMs)
  ask((answer) => wait.settle(answer))
}
