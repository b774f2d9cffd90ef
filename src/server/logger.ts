/**
 * The process's log: pino to stderr, loaded at the first line that passes the level once the start is over, or at once for
 * a warning: the start does not pay for it.
 */
import type { LogFields, Logger, LogLevel } from '../base/log.ts'
import type { ControlMessage } from '../link/control.ts'
import { SERVER_PEER } from '../link/ports.ts'
import { LOG_LEVELS } from './options.ts'

interface Line {
  readonly atMs: number
  readonly level: LogLevel
  readonly message: string
  readonly fields: LogFields
}

/** As it was when this was loaded: a caller's test may put something else in its place. */
const HostDate = Date

type Sink = (line: Line) => void

/** Lines wait for pino in here; a burst while it loads is cut off by name rather than kept without bound. */
const WAITING_MAX = 10_000

export class ProcessLogger implements Logger {
  #minimum: number
  readonly #waiting: Line[] = []
  #sink: Sink | null = null
  #loading: Promise<void> | null = null
  #isStarting = true

  constructor(level: LogLevel) {
    this.#minimum = LOG_LEVELS.indexOf(level)
  }

  /** From the next line on; a higher level only once the caller is done, so that it can report the change at the old one. */
  setLevel(level: LogLevel): void {
    const next = LOG_LEVELS.indexOf(level)
    this.#minimum = Math.min(this.#minimum, next)
    queueMicrotask(() => {
      this.#minimum = next
    })
  }

  log(level: LogLevel, message: string, fields: LogFields = {}): void {
    if (LOG_LEVELS.indexOf(level) < this.#minimum) return
    const line = { atMs: HostDate.now(), level, message, fields }
    if (this.#sink !== null) {
      this.#sink(line)
      return
    }
    if (this.#waiting.length < WAITING_MAX) this.#waiting.push(line)
    if (!this.#isStarting || LOG_LEVELS.indexOf(level) >= LOG_LEVELS.indexOf('warn')) this.#write()
  }

  /** The start is over: what waited is written, and so is what comes. */
  startIsOver(): void {
    this.#isStarting = false
    if (this.#waiting.length > 0) this.#write()
  }

  /** Resolves when everything logged so far has been written. */
  async flush(): Promise<void> {
    if (this.#waiting.length > 0) this.#write()
    await this.#loading
  }

  #write(): void {
    this.#loading ??= this.#load()
  }

  async #load(): Promise<void> {
    const sink = await pinoSink()
    this.#sink = sink
    for (const line of this.#waiting.splice(0)) sink(line)
  }
}

/** Writes synchronously: a line survives whatever ends the process after it. */
async function pinoSink(): Promise<Sink> {
  const { pino } = await import('pino')
  const destination = pino.destination({ dest: 2, sync: true })
  // a pipe or a terminal that is gone takes the log away, not the engine
  destination.on('error', () => {})
  const logger = pino(
    {
      // what comes here has passed the level, which may change
      level: LOG_LEVELS[0],
      base: null,
      timestamp: false,
      messageKey: 'message',
      formatters: { level: (label) => ({ level: label }) },
    },
    destination,
  )
  return (line) => {
    logger[line.level](
      { time: new HostDate(line.atMs).toISOString(), ...line.fields },
      line.message,
    )
  }
}

/** A worker's logger: lines go to the server thread as control messages. */
export class ForwardingLogger implements Logger {
  readonly #minimum: () => number
  readonly #thread: string
  readonly #post: (to: string, message: ControlMessage) => void

  /** `minimum` is the place in {@link LOG_LEVELS} of the lowest level that is sent, asked at each line. */
  constructor(
    thread: string,
    minimum: () => number,
    post: (to: string, message: ControlMessage) => void,
  ) {
    this.#thread = thread
    this.#minimum = minimum
    this.#post = post
  }

  log(level: LogLevel, message: string, fields: LogFields = {}): void {
    if (LOG_LEVELS.indexOf(level) < this.#minimum()) return
    this.#post(SERVER_PEER, {
      kind: 'log',
      level,
      message,
      fields: { thread: this.#thread, ...fields },
    })
  }
}
