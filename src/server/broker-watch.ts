/**
 * Which brokers hang, as a front sees it by their beats (`link/broker-liveness.ts`). The Kafka front's thread: the server's own may be a test's in an embedded engine,
 * which is blocked whenever that is.
 */
import { BrokerLiveness } from '../link/broker-liveness.ts'
import { BeatReader } from '../shared/broker-beats.ts'
import { DoorbellRinger } from '../shared/doorbell.ts'
import { brokerBells } from './thread.ts'
import type { EngineWiring } from './wiring.ts'

export type OnHung = (brokerId: number, isHung: boolean) => void

export class BrokerWatch {
  readonly #liveness: BrokerLiveness
  readonly #beats: BeatReader
  readonly #isHung: boolean[]
  readonly #onHung: OnHung

  /** `onHung` is called from within {@link look}: of one that hangs, and when it turns again or is gone. */
  constructor(wiring: Pick<EngineWiring, 'beats' | 'bells' | 'threads'>, onHung: OnHung) {
    const ringers = brokerBells(wiring).map((bell) => new DoorbellRinger(bell))
    this.#beats = new BeatReader(wiring.beats)
    this.#isHung = ringers.map(() => false)
    this.#onHung = onHung
    this.#liveness = new BrokerLiveness({
      brokers: ringers.length,
      self: -1,
      listener: {
        onReachable: () => {},
        onUnreachable: () => {},
        probe: (broker) => ringers[broker]!.ring(),
      },
    })
  }

  /** Monotonic milliseconds of the next look that is due: two a second, more often only while a broker is asked whether it turns. */
  get nextLookAtMs(): number {
    return this.#liveness.nextLookAtMs
  }

  /** Call it in every turn: most calls are one comparison. Returns how much has changed. */
  look(nowMs: number): number {
    const changes = this.#liveness.look(nowMs, this.#beats)
    if (changes === 0) return 0
    this.#isHung.forEach((was, broker) => {
      const isHung = this.#liveness.statusOf(broker) === 'hung'
      if (isHung === was) return
      this.#isHung[broker] = isHung
      this.#onHung(broker + 1, isHung)
    })
    return changes
  }
}
