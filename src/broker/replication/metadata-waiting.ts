import { type ControlPort, SERVER_PEER } from '../../link/ports.ts'
import type { LogEnvironment } from '../../log/environment.ts'
import { metadataPath } from '../metadata-log.ts'

export interface MetadataWaitingOptions {
  readonly environment: LogEnvironment
  readonly control: ControlPort
  /** The broker's directory. */
  readonly root: string
}

const LEADERLESS =
  'nobody leads the controllers, so that nothing can be created or changed, and no broker begins: most of those that keep the metadata must be there, with their directories'

/** Nobody leads for so long: the server is told, for `/health`, … */
const TELL_AFTER_MS = 2_000
/** … and the log, since nothing can be changed, and no broker begins, before somebody does; … */
const LOG_AFTER_MS = 10_000
/** … once more after so long: not in each turn. */
const LOG_EVERY_MS = 60_000

/** Says that nobody leads the controllers, and that somebody does again. On the broker's thread. */
export class MetadataWaiting {
  readonly #options: MetadataWaitingOptions
  #sinceMs = Number.NaN
  #logAtMs = 0
  #isTold = false

  constructor(options: MetadataWaitingOptions) {
    this.#options = options
  }

  /** `voters`: as far as this broker's copy tells. */
  look(isLed: boolean, voters: () => string, nowMs: number): void {
    if (isLed) {
      this.#sinceMs = Number.NaN
      if (this.#isTold) this.#tell(false)
      return
    }
    if (Number.isNaN(this.#sinceMs)) {
      this.#sinceMs = nowMs
      this.#logAtMs = nowMs + LOG_AFTER_MS
    }
    if (!this.#isTold && nowMs - this.#sinceMs >= TELL_AFTER_MS) this.#tell(true)
    if (nowMs < this.#logAtMs) return
    this.#logAtMs = nowMs + LOG_EVERY_MS
    const { environment, root } = this.#options
    const fields = { directory: metadataPath(root), voters: voters() }
    environment.logger.log('warn', LEADERLESS, fields)
  }

  #tell(isTold: boolean): void {
    this.#isTold = isTold
    const reason = isTold ? LEADERLESS : null
    this.#options.control.post(SERVER_PEER, { kind: 'metadata-waits', reason })
  }
}
