/**
 * Which brokers hang, as a front sees it by their beats (`link/broker-liveness.ts`). The Kafka front's thread: the server's own may be a test's in an embedded engine,
 * which is blocked whenever that is.
 */
import { BrokerLiveness } from '../link/broker-liveness.ts'
import { BeatReader } from '../shared/broker-beats.ts'
import { DoorbellRinger } from '../shared/doorbell.ts'
import { HEARTBEAT_MS } from './duty-cycle.ts'
import { brokerBells } from './thread.ts'
import type { EngineWiring } from './wiring.ts'

export type OnHung = (brokerId: number, isHung: boolean) => void

export class BrokerWatch {
  readonly #liveness: BrokerLiveness
  readonly #beats: BeatReader
  readonly #isHung: boolean[]
  readonly #onHung: OnHung
  #nextLookAtMs = Number.POSITIVE_INFINITY

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

  /** Monotonic milliseconds of a look that is due before the thread's next heartbeat, since a broker was asked whether it turns; else Infinity. */
  get nextLookAtMs(): number {
    return this.#nextLookAtMs
  }

  /** Call it in every turn, where it is one comparison mostly, and with each heartbeat. Returns how much has changed. */
  look(nowMs: number): number {
    const changes = this.#liveness.look(nowMs, this.#beats)
    const { nextLookAtMs } = this.#liveness
    this.#nextLookAtMs =
      nextLookAtMs < nowMs + HEARTBEAT_MS / 2 ? nextLookAtMs : Number.POSITIVE_INFINITY
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
