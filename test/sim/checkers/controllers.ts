/** A term has one controller, whoever publishes when. */
import type { BrokerId } from '../../../src/base/ids.ts'
import { safe } from '../sim-error.ts'

export class ControllersChecker {
  readonly #brokers = new Map<number, BrokerId>()

  /** So far. */
  get terms(): number {
    return this.#brokers.size
  }

  published(epoch: number, broker: BrokerId): void {
    const known = this.#brokers.get(epoch) ?? broker
    safe(known === broker, () => `brokers ${known} and ${broker} are controllers of term ${epoch}`)
    this.#brokers.set(epoch, broker)
  }
}
