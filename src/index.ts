/** The package's public entry: the embedded engine. */
import { statSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import path from 'node:path'
import { silentLogger } from './base/log.ts'
import type { GriotChaos } from './server/chaos.ts'
import { makeTemporaryDirectory, removeAbandoned, temporaryBase } from './server/data-directory.ts'
import { DirectoryReaper } from './server/directory-reaper.ts'
import {
  checkEmbeddedBrokerConfig,
  type GriotOptions,
  resolveEmbedded,
  resolveEmbeddedToken,
} from './server/embedded-options.ts'
import { Engine } from './server/engine.ts'
import type { GriotTenant, TenantOptions } from './server/engine-tenants.ts'
import { hostWallMs } from './server/host-time.ts'
import { ProcessLogger } from './server/logger.ts'

export type { GriotChaos } from './server/chaos.ts'
export type { GriotOptions } from './server/embedded-options.ts'
export {
  type GriotTenant,
  TenantError,
  type TenantKey,
  type TenantOptions,
} from './server/engine-tenants.ts'

/** Missing in the contexts in which Jest runs tests before Node.js 24: there the one that Node.js has elsewhere. */
const asyncDispose: typeof Symbol.asyncDispose =
  Symbol.asyncDispose ?? Symbol.for('nodejs.asyncDispose')

/** An engine inside this process, on threads of its own: a blocked caller does not stop it. */
export class Griot {
  /** HOST:PORT of each broker, from broker 1. */
  readonly brokers: readonly string[]
  /** What Kafka clients call `bootstrap.servers`: all brokers, joined by commas. */
  readonly bootstrapServers: string
  /** Of HTTP; null unless `httpListen` was given. */
  readonly url: string | null
  /** Where health and metrics answer: as `url`, unless `adminListen` was given. */
  readonly adminUrl: string | null
  readonly dataDir: string
  /** Makes brokers fail on demand; refuses unless the engine was started with `chaos: true`. */
  readonly chaos: GriotChaos
  readonly #engine: Engine
  readonly #isTemporary: boolean
  readonly #reaper: DirectoryReaper | null
  readonly #cleaning: Promise<void>
  #closing: Promise<void> | null = null

  private constructor(engine: Engine, isTemporary: boolean) {
    this.#engine = engine
    // for this package's own tests: no part of what users may rely on
    Object.defineProperty(this, Symbol.for('griot.engine'), { value: engine })
    this.#isTemporary = isTemporary
    this.brokers = engine.brokers
    this.bootstrapServers = engine.brokers.join(',')
    this.url = engine.httpUrl
    this.adminUrl = engine.adminUrl
    this.dataDir = engine.dataDir
    this.chaos = engine.chaos
    this.#reaper = isTemporary ? DirectoryReaper.watch(engine.dataDir) : null
    this.#cleaning = isTemporary ? removeOthers(engine.dataDir).catch(() => {}) : Promise.resolve()
    if (isTemporary) this.unref()
  }

  /**
   * Resolves when Kafka clients are served. Rejects with an error that names the option, port or directory at fault; then
   * nothing is left running. Without `dataDir` everything lives in a temporary directory, in memory where there is a place for it.
   */
  static async start(options: GriotOptions = {}): Promise<Griot> {
    const originMs = hostWallMs()
    const isTemporary = options.dataDir === undefined
    // options are checked before anything is made
    const checked = resolveEmbedded(options, '')
    await checkEmbeddedBrokerConfig(options, checked)
    const token = resolveEmbeddedToken(options)
    const dataDir = isTemporary ? makeTemporaryDirectory(temporaryBase()) : checked.dataDir
    const logger = options.logLevel === 'silent' ? null : new ProcessLogger(checked.logLevel)
    try {
      const engine = await Engine.start({
        settings: { ...checked, dataDir },
        token,
        logger: logger ?? silentLogger,
        frontOnWorker: true,
        isTemporary,
        originMs,
        onFatal: () => {},
      })
      logger?.startIsOver()
      return new Griot(engine, isTemporary)
    } catch (error) {
      await logger?.flush()
      if (isTemporary) await rm(dataDir, { recursive: true, force: true })
      throw error
    }
  }

  /**
   * A Kafka cluster of its own within this engine, at addresses of its own: for each test file, say. Rejects with a {@link TenantError} where the name is taken or
   * refused, and names an option that is unknown or of the wrong type.
   */
  createTenant(options: TenantOptions = {}): Promise<GriotTenant> {
    return this.#engine.tenants.create(options)
  }

  /** One that is there already, in a data directory that was used before. Rejects with a {@link TenantError} where there is none. */
  tenant(name: string): Promise<GriotTenant> {
    return this.#engine.tenants.open(name)
  }

  /** Stops cleanly; then no thread, socket, file or temporary directory is left. Calling it again gives the same promise. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  /** The process stays until `close()`: so by default with a `dataDir`. */
  ref(): this {
    if (this.#closing === null) this.#engine.keepAlive(true)
    return this
  }

  /** The process may end though this engine runs, which ends with it: so by default in a temporary directory. */
  unref(): this {
    if (this.#closing === null) this.#engine.keepAlive(false)
    return this
  }

  [asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(): Promise<void> {
    this.#engine.keepAlive(true)
    await this.#engine.stop()
    await this.#cleaning
    if (this.#isTemporary) await rm(this.dataDir, { recursive: true, force: true })
    await this.#reaper?.dismiss()
  }
}

/** Removes what killed runs have left beside `dataDir`: its own age says what time it is there, Date may be mocked. */
async function removeOthers(dataDir: string): Promise<void> {
  await removeAbandoned(path.dirname(dataDir), statSync(dataDir).mtimeMs)
}
