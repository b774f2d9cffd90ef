/** Orders to make brokers fail, passed on to the server. HTTP front's thread. */
import type { ChaosAnswer, ChaosRequest } from '../base/chaos.ts'
import type { ControlMessage } from '../link/control.ts'
import { type ControlPort, SERVER_PEER } from '../link/ports.ts'

/** Of which none was answered; each takes a death at most. */
const ASKED_MAX = 64

export class ChaosClient {
  readonly #control: ControlPort
  readonly #asked = new Map<number, (answer: ChaosAnswer) => void>()
  #correlation = 0

  constructor(control: ControlPort) {
    this.#control = control
  }

  readonly ask = (request: ChaosRequest): Promise<ChaosAnswer> => {
    if (this.#asked.size >= ASKED_MAX) {
      const detail = `${ASKED_MAX} orders have not been carried out yet: ask again in a moment`
      return Promise.resolve({ refused: { reason: 'conflict', detail }, faults: [] })
    }
    const correlation = ++this.#correlation
    this.#control.post(SERVER_PEER, { kind: 'chaos-request', correlation, request })
    return new Promise((resolve) => {
      this.#asked.set(correlation, resolve)
    })
  }

  onAnswer(message: Extract<ControlMessage, { kind: 'chaos-answer' }>): void {
    this.#asked.get(message.correlation)?.(message)
    this.#asked.delete(message.correlation)
  }
}
