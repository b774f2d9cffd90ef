/** SIGHUP: reads the configuration file again, changes what can change while the engine runs, and tells of the rest. */
import { closeSync, openSync } from 'node:fs'
import { isatty } from 'node:tty'
import {
  ConfigError,
  type ConfigSources,
  configFileOf,
  type ResolvedSettings,
  resolveAll,
} from '../server/config.ts'
import { DataDirectoryError } from '../server/data-directory.ts'
import type { Engine } from '../server/engine.ts'
import type { ProcessLogger } from '../server/logger.ts'
import { OperatorTokenError } from '../server/operator-token.ts'
import type { EngineSettings } from '../server/options.ts'
import { planReload } from '../server/reload.ts'

export interface ReloadOptions {
  readonly sources: ConfigSources
  /** Those of the start. */
  readonly settings: EngineSettings
  readonly logger: ProcessLogger
  readonly started: Promise<Pick<Engine, 'reload'>>
}

export class Reloader {
  readonly #options: ReloadOptions
  #settings: EngineSettings
  /** One after the other: the last signal sees the file as it is after it. */
  #running: Promise<void> = Promise.resolve()

  constructor(options: ReloadOptions) {
    this.#options = options
    this.#settings = options.settings
  }

  /** Resolves when it is done, or logged why not; during the start it waits for its end. */
  reload(): Promise<void> {
    this.#running = this.#running
      .then(() => this.#reload())
      .catch((error: Error) => {
        // a bug of ours must not end an engine that serves
        const reason = error.stack ?? error.message
        this.#options.logger.log('error', 'configuration not read again', { reason })
      })
    return this.#running
  }

  async #reload(): Promise<void> {
    const { sources, logger, started } = this.#options
    const engine = await started
    const file = configFileOf(sources)
    if (file === null) {
      this.#readTlsAgain(engine)
      return
    }
    let resolved: ResolvedSettings
    try {
      resolved = await resolveAll(sources, { isAgain: true })
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error
      this.#refuse(file, error.message)
      return
    }
    const { settings, applied, needRestart } = planReload(this.#settings, resolved.settings)
    try {
      engine.reload(settings)
    } catch (error) {
      if (!isExpected(error)) throw error
      this.#refuse(file, (error as Error).message)
      return
    }
    this.#settings = settings
    logger.setLevel(settings.logLevel)
    logger.log('info', 'configuration read again', { file, changed: applied.length })
    for (const change of applied) logger.log('info', 'option changed', { ...change })
    for (const change of needRestart) {
      logger.log('warn', 'option not changed: it needs a restart', { ...change })
    }
    if (resolved.masked.length === 0) return
    logger.log('info', 'options of the file without effect: something else wins', {
      options: resolved.masked.join(', '),
    })
  }

  /** Without a configuration file there are still those of TLS. */
  #readTlsAgain(engine: Pick<Engine, 'reload'>): void {
    const { logger } = this.#options
    if (this.#settings.tlsCert === null) {
      logger.log('info', 'nothing to read again: started without --config')
      return
    }
    try {
      engine.reload(this.#settings)
    } catch (error) {
      if (!isExpected(error)) throw error
      logger.log('error', 'TLS files not read again', { reason: (error as Error).message })
    }
  }

  #refuse(file: string, reason: string): void {
    this.#options.logger.log('error', 'configuration not read again: nothing has changed', {
      file,
      reason,
    })
  }
}

const isExpected = (error: unknown): boolean =>
  error instanceof OperatorTokenError || error instanceof DataDirectoryError

/**
 * SIGHUP is also how a process learns that its terminal is gone, or, on Windows, that its console is closed: nobody is left to
 * see it then, and it should go as well. Call at the start; the returned function tells when the signal has come.
 */
export function watchTerminal(): () => boolean {
  if (process.platform === 'win32') return () => true
  if (!isatty(0)) return () => false
  return () => {
    try {
      closeSync(openSync('/dev/tty', 'r'))
      return false
    } catch {
      return true
    }
  }
}
