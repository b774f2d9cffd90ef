/**
 * Faults on demand: kills and pauses brokers, and keeps the faults that last, until they are mended or their time is over; a thread that takes the place of
 * one that died is told of those again. Off unless the engine was started with `--chaos`. Server's thread.
 */
import {
  type ChaosAnswer,
  ChaosError,
  type ChaosRequest,
  type DiskFaultCode,
  parseChaos,
} from '../base/chaos.ts'
import { asBrokerId } from '../base/ids.ts'
import type { Logger } from '../base/log.ts'
import type { ChaosFault, ControlMessage } from '../link/control.ts'
import { brokerPeer, type PeerName } from '../link/ports.ts'
import { hostTimer } from './host-time.ts'
import { CELL, FLUSHER_PEER } from './wiring.ts'

/**
 * Makes brokers of an embedded engine fail, so that a test can show what its client does then. Needs `Griot.start({ chaos: true })`. Brokers are
 * numbered from 1, times are milliseconds. Promises resolve once the broker was told (`killBroker`: once it is dead), and reject with an error that says what
 * was wrong: chaos is off, no such broker, the last one that lives. Where `forMs` is left out, a fault lasts until it is healed.
 */
export interface GriotChaos {
  /** Its thread dies wherever it stands; another one takes its place after 250 ms. What was written to files is there then. */
  killBroker(broker: number): Promise<void>
  /** Its thread stands still for so long, as one that hangs. One that hangs for more than ten seconds is replaced, if another broker lives. */
  pauseBroker(broker: number, forMs: number): Promise<void>
  /** Each change to its files fails: `EIO` (the default), as of a broken disk, or `ENOSPC`, as of a full one. */
  failDisk(broker: number, code?: DiskFaultCode, forMs?: number): Promise<void>
  /** Each of its disk operations takes so much longer. */
  slowDisk(broker: number, byMs: number, forMs?: number): Promise<void>
  /** Neither of the two hears the other. */
  partition(broker: number, other: number, forMs?: number): Promise<void>
  /** Its disk neither fails nor is slow. */
  healDisk(broker: number): Promise<void>
  /** No fault lasts. */
  heal(): Promise<void>
  /** What is at fault on demand now, a sentence each. */
  readonly faults: readonly string[]
}

export interface EngineChaosOptions {
  readonly isAllowed: boolean
  readonly brokers: number
  readonly logger: Logger
  /** One that is being ended is not: two at a time would each count on the other. */
  readonly isAlive: (broker: number) => boolean
  /** Ends a thread where it stands; resolves when it is no more. */
  readonly kill: (broker: number) => Promise<void>
  /** To a thread that lives. */
  readonly tell: (to: PeerName, message: ControlMessage) => void
  /** What `/health` gives as a reason; null: no more. */
  readonly setReason: (key: string, reason: string | null) => void
}

/** A fault that lasts. */
interface Fault {
  readonly text: string
  /** Who is told what, while it lasts and when it is over. */
  readonly told: readonly Told[]
  readonly cancelTimer: () => void
}

interface Told {
  readonly to: PeerName
  readonly on: ControlMessage
  readonly off: ControlMessage
}

/** A thread within a system call ends when that does. */
const KILL_MS_MAX = 5_000

const OFF =
  'faults on demand are off: start the engine with --chaos (GRIOT_CHAOS=true; chaos: true for Griot.start), and not where its data matters'

export class EngineChaos implements GriotChaos {
  readonly #options: EngineChaosOptions
  /** By what is at fault. */
  readonly #faults = new Map<string, Fault>()
  #isClosed = false

  constructor(options: EngineChaosOptions) {
    this.#options = options
    if (!options.isAllowed) return
    options.logger.log('warn', 'brokers can be made to fail: the engine was started with --chaos')
  }

  get faults(): readonly string[] {
    return [...this.#faults.values()].map(({ text }) => text)
  }

  killBroker(broker: number): Promise<void> {
    return this.#ask({ action: 'kill-broker', broker })
  }

  pauseBroker(broker: number, forMs: number): Promise<void> {
    return this.#ask({ action: 'pause-broker', broker, forMs })
  }

  failDisk(broker: number, code: DiskFaultCode = 'EIO', forMs?: number): Promise<void> {
    return this.#ask({ action: 'fail-disk', broker, code, forMs })
  }

  slowDisk(broker: number, byMs: number, forMs?: number): Promise<void> {
    return this.#ask({ action: 'slow-disk', broker, byMs, forMs })
  }

  partition(broker: number, other: number, forMs?: number): Promise<void> {
    return this.#ask({ action: 'partition', broker, other, forMs })
  }

  healDisk(broker: number): Promise<void> {
    return this.#ask({ action: 'heal-disk', broker })
  }

  heal(): Promise<void> {
    return this.#ask({ action: 'heal' })
  }

  /** For who asks over HTTP. */
  async answer(request: ChaosRequest): Promise<ChaosAnswer> {
    try {
      await this.#do(request)
      return { refused: null, faults: this.faults }
    } catch (error) {
      if (!(error instanceof ChaosError)) throw error
      return { refused: { reason: error.reason, detail: error.message }, faults: this.faults }
    }
  }

  /** A thread was started for `broker`: what lasts holds for it as well. */
  onSpawned(broker: number): void {
    const name = peerOf(broker)
    for (const { told } of this.#faults.values()) {
      for (const { to, on } of told) if (to === name) this.#options.tell(to, on)
    }
  }

  /** The engine stops: nobody is told anything any more. */
  stop(): void {
    this.#isClosed = true
    for (const { cancelTimer } of this.#faults.values()) cancelTimer()
    this.#faults.clear()
  }

  async #ask(request: Readonly<Record<string, unknown>>): Promise<void> {
    await this.#do(parseChaos(request))
  }

  async #do(request: ChaosRequest): Promise<void> {
    const { isAllowed, logger } = this.#options
    if (this.#isClosed) throw new ChaosError('conflict', 'the engine is closed, or about to be')
    if (!isAllowed) throw new ChaosError('off', OFF)
    if ('broker' in request) this.#checkBroker('broker', request.broker)
    if ('other' in request) this.#checkBroker('other', request.other)
    logger.log('warn', 'a fault on demand', { ...request })
    switch (request.action) {
      case 'kill-broker':
        await this.#kill(request.broker)
        return
      case 'pause-broker':
        this.#checkAlive(request.broker)
        this.#options.tell(peerOf(request.broker), { kind: 'pause', forMs: request.forMs })
        return
      case 'fail-disk':
      case 'slow-disk':
        this.#failDisk(request)
        return
      case 'partition':
        this.#cut(request)
        return
      case 'heal-disk':
        this.#end(`fails ${request.broker}`)
        this.#end(`slow ${request.broker}`)
        return
      case 'heal':
        for (const key of [...this.#faults.keys()]) this.#end(key)
        return
      default:
        request satisfies never
    }
  }

  #failDisk(request: Extract<ChaosRequest, { action: 'fail-disk' | 'slow-disk' }>): void {
    const { broker, forMs } = request
    const isSlow = request.action === 'slow-disk'
    const on: ChaosFault = isSlow
      ? { fault: 'slow-disk', byMs: request.byMs }
      : { fault: 'fail-disk', code: request.code }
    const off: ChaosFault = isSlow
      ? { fault: 'slow-disk', byMs: 0 }
      : { fault: 'fail-disk', code: null }
    const what = isSlow
      ? `its disk is slower by ${request.byMs} ms`
      : `its disk ${request.code === 'EIO' ? 'fails with EIO' : 'is full (ENOSPC)'}`
    const told = [peerOf(broker), FLUSHER_PEER].map((to) => ({
      to,
      on: chaosMessage(broker, on),
      off: chaosMessage(broker, off),
    }))
    const text = `broker ${broker}: ${what}, on demand`
    this.#begin(`${isSlow ? 'slow' : 'fails'} ${broker}`, text, told, forMs)
  }

  #cut({ broker, other, forMs }: Extract<ChaosRequest, { action: 'partition' }>): void {
    const [low, high] = broker < other ? [broker, other] : [other, broker]
    const toldOf = (to: number, brokerId: number): Told => ({
      to: peerOf(to),
      on: chaosMessage(to, { fault: 'partition', brokerId, isCut: true }),
      off: chaosMessage(to, { fault: 'partition', brokerId, isCut: false }),
    })
    const text = `brokers ${low} and ${high} do not hear each other, on demand`
    this.#begin(`cut ${low} ${high}`, text, [toldOf(low, high), toldOf(high, low)], forMs)
  }

  /** Takes the place of what was at fault there in the same way. */
  #begin(key: string, text: string, told: readonly Told[], forMs: number | null): void {
    this.#faults.get(key)?.cancelTimer()
    const cancelTimer = forMs === null ? () => {} : hostTimer(forMs, () => this.#end(key))
    this.#faults.set(key, { text, told, cancelTimer })
    for (const { to, on } of told) this.#options.tell(to, on)
    this.#options.setReason(`chaos ${key}`, text)
  }

  #end(key: string): void {
    const fault = this.#faults.get(key)
    if (fault === undefined) return
    fault.cancelTimer()
    this.#faults.delete(key)
    for (const { to, off } of fault.told) this.#options.tell(to, off)
    this.#options.setReason(`chaos ${key}`, null)
  }

  async #kill(broker: number): Promise<void> {
    const { brokers, isAlive, kill } = this.#options
    this.#checkAlive(broker)
    const others = Array.from({ length: brokers }, (_, index) => index + 1).filter(
      (other) => other !== broker && isAlive(other),
    )
    if (others.length === 0) {
      const what = `broker ${broker} is the only one that lives, and without any the engine ends for good`
      throw new ChaosError(
        'conflict',
        `${what}: start it with more brokers, or try again in a moment`,
      )
    }
    let cancel = () => {}
    const isLate = new Promise<true>((resolve) => {
      cancel = hostTimer(KILL_MS_MAX, () => resolve(true))
    })
    const late = await Promise.race([kill(broker).then(() => false), isLate])
    cancel()
    if (!late) return
    const why = 'its thread is within a system call, and ends when that does'
    throw new ChaosError(
      'conflict',
      `broker ${broker} has not died within ${KILL_MS_MAX} ms: ${why}`,
    )
  }

  #checkBroker(field: string, broker: number): void {
    const { brokers } = this.#options
    if (broker <= brokers) return
    const there = brokers === 1 ? 'there is broker 1 alone' : `there are brokers 1 to ${brokers}`
    throw new ChaosError('invalid', `${field}: ${broker} is refused, ${there}`)
  }

  #checkAlive(broker: number): void {
    if (this.#options.isAlive(broker)) return
    throw new ChaosError('conflict', `broker ${broker} is not there now: it has died, or stopped`)
  }
}

const peerOf = (broker: number): PeerName => brokerPeer(CELL, asBrokerId(broker))

const chaosMessage = (brokerId: number, chaos: ChaosFault): ControlMessage => ({
  kind: 'chaos',
  brokerId,
  chaos,
})
