/** Connections that are to say who they are: how many there may be, and how long they may take. On the front's thread. */
import type { Clock } from '../base/clock.ts'
import type { TimerQueue } from '../base/timer-queue.ts'
import type { KafkaConnection } from '../net/connection.ts'
import { sourceOf } from './login-source-of.ts'

/** From there until it has succeeded. */
const LOGIN_MS = 10_000
/** Of all, and from one address; less where there may be few connections. */
const LOGINS_MAX = 5_000
const SOURCE_LOGINS_MAX = 1_000
/** Those that have not logged in are closed by so many, and others come in between. */
const CLOSED_AT_ONCE = 32
const CLOSING_PAUSE_MS = 1

export interface LoginsOptions {
  readonly clock: Clock
  readonly timers: TimerQueue
  readonly connectionsMax: number
}

/**
 * Connections at listeners that want a login, from the first moment on, and elsewhere those that have begun one. With one too many
 * the oldest of its address goes, or of the address that has most of them: whoever logs in properly is done in less time than
 * it takes to become that.
 */
export class Logins {
  readonly #options: LoginsOptions
  readonly #max: number
  readonly #sourceMax: number
  /** When each began: monotonic milliseconds, oldest first. */
  readonly #since = new Map<KafkaConnection, number>()
  readonly #bySource = new Map<string, Set<KafkaConnection>>()
  #isTimed = false

  constructor(options: LoginsOptions) {
    this.#options = options
    this.#max = Math.min(LOGINS_MAX, Math.ceil(options.connectionsMax / 2))
    this.#sourceMax = Math.min(SOURCE_LOGINS_MAX, Math.ceil(options.connectionsMax / 4))
  }

  get size(): number {
    return this.#since.size
  }

  /** `connection` has yet to log in; may close another one. */
  begin(connection: KafkaConnection): void {
    if (this.#since.has(connection)) return
    const source = sourceOf(connection.remoteAddress)
    const own = this.#bySource.get(source)
    if (own === undefined) this.#bySource.set(source, new Set([connection]))
    else own.add(connection)
    this.#since.set(connection, this.#options.clock.monotonicMs())
    if ((own?.size ?? 1) > this.#sourceMax) this.#closeOldest(own!)
    else if (this.#since.size > this.#max) this.#closeOldest(this.#most())
    this.#arm()
  }

  /** It has, or it has gone. */
  end(connection: KafkaConnection): void {
    if (!this.#since.delete(connection)) return
    const source = sourceOf(connection.remoteAddress)
    const own = this.#bySource.get(source)!
    own.delete(connection)
    if (own.size === 0) this.#bySource.delete(source)
  }

  #most(): Set<KafkaConnection> {
    let most = new Set<KafkaConnection>()
    for (const own of this.#bySource.values()) if (own.size > most.size) most = own
    return most
  }

  #closeOldest(of: ReadonlySet<KafkaConnection>): void {
    for (const connection of of) {
      this.#close(connection, 'too many connections wait for their login')
      return
    }
  }

  #close(connection: KafkaConnection, reason: string): void {
    connection.logRefused('connection closed before its login', { reason })
    connection.close()
  }

  #arm(notBeforeMs = 0): void {
    if (this.#isTimed || this.#since.size === 0) return
    const [sinceMs] = this.#since.values() as Iterable<number> as [number]
    this.#isTimed = true
    this.#options.timers.schedule(Math.max(notBeforeMs, sinceMs + LOGIN_MS), (nowMs) => {
      this.#isTimed = false
      this.#closeLate(nowMs)
      this.#arm(nowMs + CLOSING_PAUSE_MS)
    })
  }

  #closeLate(nowMs: number): void {
    let left = CLOSED_AT_ONCE
    for (const [connection, sinceMs] of this.#since) {
      if (sinceMs + LOGIN_MS > nowMs || left-- === 0) return
      this.#close(connection, `it has not logged in within ${LOGIN_MS / 1000} s`)
    }
  }
}
