import { invariant } from '../base/assert.ts'
import type { Logger } from '../base/log.ts'
import { FLUSHED_BYTES, FlushType, readFlush, writeFlushed } from '../link/flush.ts'
import type { Bell } from '../link/ports.ts'
import type { RingHandler, RingReader } from '../shared/ring-reader.ts'
import type { RingWriter } from '../shared/ring-writer.ts'
import { FlushFiles } from './flush-file.ts'

/** One broker as the flusher sees it. */
export interface FlushedBroker {
  readonly requests: RingReader
  readonly completions: RingWriter
  readonly bell: Bell
}

export interface FlusherOptions {
  readonly brokers: readonly FlushedBroker[]
  readonly logger: Logger
  /** Asks for another turn of this agent: a file was flushed. */
  readonly kick: () => void
  /** Flushes at a time. All threads share libuv's pool: stay below its size. */
  readonly inFlightMax?: number
  readonly openFilesMax?: number
  readonly files?: Pick<FlushFiles, 'flush' | 'remove' | 'closeUnused' | 'close'>
}

const IN_FLIGHT_MAX = 4
export const OPEN_FILES_MAX = 256
/** Files that nobody has had flushed for one to two of these are closed. */
const UNUSED_MS = 5_000

/**
 * Makes files durable for all brokers of one disk, several at once: on a worker with an event loop, so that no broker ever waits
 * for a disk. Requests stay in the rings until it is their turn.
 */
export class FlusherAgent implements RingHandler {
  /** Monotonic milliseconds of the next look for files to close; Infinity with none open. */
  nextTimerAtMs = Number.POSITIVE_INFINITY
  /** null in the place of one that is gone. */
  readonly #brokers: (FlushedBroker | null)[]
  /** Calls that are out, of each that has any. */
  readonly #callsOut = new Map<FlushedBroker, number>()
  readonly #dropping = new Map<FlushedBroker, () => void>()
  readonly #logger: Logger
  readonly #kick: () => void
  readonly #inFlightMax: number
  readonly #files: Pick<FlushFiles, 'flush' | 'remove' | 'closeUnused' | 'close'>
  #inFlight = 0
  #polled: FlushedBroker | null = null
  #next = 0

  constructor(options: FlusherOptions) {
    this.#brokers = [...options.brokers]
    this.#logger = options.logger
    this.#kick = options.kick
    this.#inFlightMax = options.inFlightMax ?? IN_FLIGHT_MAX
    this.#files = options.files ?? new FlushFiles(options.openFilesMax ?? OPEN_FILES_MAX)
  }

  /** Nothing is being flushed and nobody asks for more. */
  get isIdle(): boolean {
    return this.#inFlight === 0 && this.#brokers.every((broker) => broker?.requests.isEmpty ?? true)
  }

  /** The thread of the broker in place `index` has ended: what it still asks for is not done. `onDropped` once nothing of its is being done. */
  drop(index: number, onDropped: () => void): void {
    const broker = this.#brokers[index]
    this.#brokers[index] = null
    if (!broker || !this.#callsOut.has(broker)) onDropped()
    else this.#dropping.set(broker, onDropped)
  }

  /** Its successor. */
  replace(index: number, broker: FlushedBroker): void {
    this.#brokers[index] = broker
  }

  /** Starts flushes, one per broker in turn, up to the limit; returns how many. */
  doWork(nowMs: number): number {
    if (nowMs >= this.nextTimerAtMs) {
      const left = this.#files.closeUnused()
      const more = left > 0 || this.#inFlight > 0
      this.nextTimerAtMs = more ? nowMs + UNUSED_MS : Number.POSITIVE_INFINITY
    }
    let started = 0
    let empty = 0
    while (this.#inFlight < this.#inFlightMax && empty < this.#brokers.length) {
      const broker = this.#brokers[this.#next++ % this.#brokers.length] ?? null
      this.#polled = broker
      const found = broker?.requests.poll(this, 1) ?? 0
      started += found
      empty = found === 0 ? empty + 1 : 0
    }
    this.#next %= this.#brokers.length || 1
    if (started > 0 && this.nextTimerAtMs === Number.POSITIVE_INFINITY) {
      this.nextTimerAtMs = nowMs + UNUSED_MS
    }
    return started
  }

  onRecord(type: number, reader: RingReader, offset: number): void {
    const isRemoval = type === FlushType.REMOVE
    invariant(isRemoval || type === FlushType.FLUSH, 'a broker asks for FLUSH and REMOVE only')
    const broker = this.#polled!
    const { ticket, path } = readFlush(reader.bytes, reader.view, offset)
    const done = (errno: number) => {
      this.#inFlight--
      const verb = isRemoval ? 'removed' : 'flushed'
      if (errno !== 0) this.#logger.log('error', `a file could not be ${verb}`, { path, errno })
      this.#complete(broker, ticket, errno)
      this.#kick()
    }
    this.#inFlight++
    this.#callsOut.set(broker, (this.#callsOut.get(broker) ?? 0) + 1)
    if (isRemoval) this.#files.remove(path, done)
    else this.#files.flush(path, done)
  }

  close(): void {
    this.#files.close()
  }

  #complete(broker: FlushedBroker, ticket: number, errno: number): void {
    const out = this.#callsOut.get(broker)! - 1
    if (out > 0) this.#callsOut.set(broker, out)
    else this.#callsOut.delete(broker)
    if (!this.#brokers.includes(broker)) {
      if (out > 0) return
      this.#dropping.get(broker)?.()
      this.#dropping.delete(broker)
      return
    }
    const at = broker.completions.claim(FlushType.FLUSHED, FLUSHED_BYTES)
    invariant(at >= 0, 'a broker asks for no more flushes than it has room for answers')
    writeFlushed(broker.completions.view, at, ticket, errno)
    broker.completions.commit()
    broker.bell.ring()
  }
}
