/**
 * Brokers that hang: the engine says so, and ends one that goes on hanging, so that another thread can take its place. A thread within a system call ends only when that
 * does, and its successor is started only then. Server's thread.
 */
import type { Logger } from '../base/log.ts'
import { hostTimer } from './host-time.ts'

/** Beyond what disks stall for, and before `/health/live` asks for the whole process to be started anew. */
export const HUNG_MS_MAX = 10_000

export interface HungBrokersOptions {
  readonly logger: Logger
  /** How many have a thread that nobody is ending. */
  readonly living: () => number
  /** Ends its thread, which is as if it had died. */
  readonly kill: (broker: number) => void
  readonly setReason: (key: string, reason: string | null) => void
  readonly hungMsMax?: number
}

export class HungBrokers {
  readonly #options: HungBrokersOptions
  readonly #cancelTimers = new Map<number, () => void>()
  /** Of those that hang, those that are being ended. */
  readonly #ended = new Set<number>()
  #isStopped = false

  constructor(options: HungBrokersOptions) {
    this.#options = options
  }

  /** From the front that watches them. */
  onHung(broker: number, isHung: boolean): void {
    const { logger, setReason, hungMsMax = HUNG_MS_MAX } = this.#options
    if (this.#isStopped || isHung === this.#cancelTimers.has(broker)) return
    if (isHung) {
      logger.log('error', 'a broker hangs: its thread does not turn', { broker })
      this.#cancelTimers.set(
        broker,
        hostTimer(hungMsMax, () => this.#replace(broker)),
      )
      setReason(`hung ${broker}`, `broker ${broker} hangs: its thread does not turn`)
      return
    }
    logger.log('info', 'a broker that hung turns again, or is gone', { broker })
    this.#forget(broker)
    setReason(`hung ${broker}`, null)
  }

  /** The engine stops, which cuts what hangs after a while of its own. */
  stop(): void {
    this.#isStopped = true
    for (const broker of [...this.#cancelTimers.keys()]) this.#forget(broker)
  }

  #forget(broker: number): void {
    this.#cancelTimers.get(broker)?.()
    this.#cancelTimers.delete(broker)
    this.#ended.delete(broker)
  }

  /** Unless nobody else would be left that turns: an engine without brokers ends. */
  #replace(broker: number): void {
    const { logger, living, kill, hungMsMax = HUNG_MS_MAX } = this.#options
    if (living() <= this.#cancelTimers.size - this.#ended.size) {
      this.#cancelTimers.set(
        broker,
        hostTimer(hungMsMax, () => this.#replace(broker)),
      )
      return
    }
    logger.log('error', 'a broker that hangs is ended', { broker, hungMs: hungMsMax })
    this.#ended.add(broker)
    kill(broker)
  }
}
