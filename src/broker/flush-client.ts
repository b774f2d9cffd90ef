import { getSystemErrorName } from 'node:util'
import { invariant } from '../base/assert.ts'
import type { Clock } from '../base/clock.ts'
import {
  encodePath,
  FLUSH_HEADER_BYTES,
  FLUSHED_BYTES,
  FlushType,
  readFlushedErrno,
  readFlushedTicket,
  writeFlush,
} from '../link/flush.ts'
import type { Bell } from '../link/ports.ts'
import { DiskError, type FlushPort } from '../log/disk.ts'
import type { RingHandler, RingReader } from '../shared/ring-reader.ts'
import type { RingWriter } from '../shared/ring-writer.ts'

type Done = (error: DiskError | null) => void

interface Flush {
  readonly operation: 'flush' | 'remove'
  readonly path: string
  readonly done: Done[]
  sentAtMs: number
}

/** Requests that may be with the flusher at a time; the others wait here, where those for one file become one. */
const IN_FLIGHT_MAX = 64
/** Of these, those that nothing urgent should have to wait for. */
const CALM_IN_FLIGHT_MAX = 16
/** Ring bytes of a completion with its header. */
const COMPLETION_BYTES = FLUSHED_BYTES + 8
const PATH_BYTES_MAX_AT_LEAST = 1024

export interface FlushClientOptions {
  readonly requests: RingWriter
  readonly completions: RingReader
  /** The flusher's doorbell. */
  readonly bell: Bell
  /** Times the flushes for {@link onFlushed}; none are timed without. */
  readonly clock?: Clock
  /** For counting: a request was answered. */
  readonly onFlushed?: (durationMs: number, isFailed: boolean) => void
}

/**
 * The broker's end of the flusher's rings. A request made while one for the same path waits joins it; one that the flusher
 * has already may have begun before the latest write, so another follows it.
 */
export class FlushClient implements FlushPort, RingHandler {
  readonly #requests: RingWriter
  readonly #completions: RingReader
  readonly #bell: Bell
  readonly #clock: Clock | null
  readonly #onFlushed: FlushClientOptions['onFlushed']
  readonly #inFlightMax: number
  readonly #inFlight = new Map<number, Flush>()
  /** By path, oldest first. */
  readonly #waiting = new Map<string, Flush>()
  /** The same, of those that go first. */
  readonly #urgent = new Map<string, Flush>()
  #ticket = 0

  constructor(options: FlushClientOptions) {
    this.#requests = options.requests
    this.#completions = options.completions
    this.#bell = options.bell
    this.#clock = options.clock ?? null
    this.#onFlushed = options.onFlushed
    this.#inFlightMax = Math.min(
      IN_FLIGHT_MAX,
      Math.floor(options.completions.capacityBytes / (2 * COMPLETION_BYTES)),
    )
    invariant(
      options.requests.maxRecordBytes >= FLUSH_HEADER_BYTES + PATH_BYTES_MAX_AT_LEAST,
      'the flush ring must hold a path',
    )
  }

  /** Requests that are not answered yet. */
  get pending(): number {
    return this.#inFlight.size + this.#waiting.size + this.#urgent.size
  }

  request(path: string, done: Done, isUrgent = false): void {
    this.#ask('flush', path, done, isUrgent ? this.#urgent : this.#waiting)
  }

  /** Of a name of its own, which nothing else is asked for. */
  remove(path: string, done: Done): void {
    this.#ask('remove', path, done, this.#waiting)
  }

  #ask(operation: Flush['operation'], path: string, done: Done, queue: Map<string, Flush>): void {
    const waiting = queue.get(path)
    if (waiting !== undefined) waiting.done.push(done)
    else queue.set(path, { operation, path, done: [done], sentAtMs: 0 })
  }

  /** Takes completions and sends what waits; returns how many of both. */
  doWork(): number {
    const completed = this.#inFlight.size > 0 ? this.#completions.poll(this, this.#inFlightMax) : 0
    const sent =
      this.#send(this.#urgent, this.#inFlightMax) +
      this.#send(this.#waiting, Math.min(CALM_IN_FLIGHT_MAX, this.#inFlightMax))
    if (sent > 0) this.#bell.ring()
    return completed + sent
  }

  onRecord(type: number, reader: RingReader, offset: number): void {
    invariant(type === FlushType.FLUSHED, 'the flusher answers with FLUSHED')
    const ticket = readFlushedTicket(reader.view, offset)
    const errno = readFlushedErrno(reader.view, offset)
    const flush = this.#inFlight.get(ticket)
    invariant(flush !== undefined, 'the flusher answers each ticket once')
    this.#inFlight.delete(ticket)
    const { operation, sentAtMs } = flush
    const error = errno === 0 ? null : new DiskError(errnoName(errno), flush.path, operation)
    if (operation === 'flush') {
      this.#onFlushed?.((this.#clock?.monotonicMs() ?? 0) - sentAtMs, error !== null)
    }
    for (const done of flush.done) done(error)
  }

  #send(queue: Map<string, Flush>, inFlightMax: number): number {
    let sent = 0
    for (const flush of queue.values()) {
      if (this.#inFlight.size >= inFlightMax) break
      const path = encodePath(flush.path)
      if (FLUSH_HEADER_BYTES + path.length > this.#requests.maxRecordBytes) {
        queue.delete(flush.path)
        for (const done of flush.done)
          done(new DiskError('ENAMETOOLONG', flush.path, flush.operation))
        continue
      }
      const type = flush.operation === 'flush' ? FlushType.FLUSH : FlushType.REMOVE
      const at = this.#requests.claim(type, FLUSH_HEADER_BYTES + path.length)
      if (at < 0) break
      queue.delete(flush.path)
      this.#ticket = (this.#ticket + 1) >>> 0
      writeFlush(this.#requests.bytes, this.#requests.view, at, this.#ticket, path)
      this.#requests.commit()
      flush.sentAtMs = this.#clock?.monotonicMs() ?? 0
      this.#inFlight.set(this.#ticket, flush)
      sent++
    }
    return sent
  }
}

/** libuv's numbers are negative on every platform; what has no name is still an error. */
function errnoName(errno: number): string {
  try {
    return getSystemErrorName(-Math.abs(errno))
  } catch {
    return 'EIO'
  }
}
