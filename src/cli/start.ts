/** `griot start`: runs an engine until a signal, or until it breaks. */
import { constants } from 'node:os'
import { collectWithoutHelpers } from '../server/collector-flags.ts'
import { ConfigError, type ConfigSources, resolveSettings, resolveToken } from '../server/config.ts'
import { DataDirectoryError } from '../server/data-directory.ts'
import { DirectoryLockedError } from '../server/directory-lock.ts'
import { Engine } from '../server/engine.ts'
import { ProcessLogger } from '../server/logger.ts'
import { OperatorTokenError, TokenFileError } from '../server/operator-token.ts'
import type { EngineSettings } from '../server/options.ts'
import { settingsHints } from '../server/settings-hints.ts'
import { StartError } from '../server/start-checks.ts'
import { griotVersion } from '../server/version.ts'
import { ExitCode } from './exit-code.ts'
import { firstScreen } from './first-screen.ts'
import { Reloader, watchTerminal } from './reload.ts'

/** `options` as commander gives them: camel case. */
export async function runStart(
  options: Readonly<Record<string, string | readonly string[]>>,
): Promise<void> {
  const { config = null, ...flags } = options
  const sources: ConfigSources = {
    flags: Object.fromEntries(Object.entries(flags).map(([key, value]) => [kebab(key), value])),
    env: process.env,
    configFile: config as string | null,
  }
  let settings: EngineSettings
  let token: string | null
  try {
    settings = await resolveSettings(sources)
    token = resolveToken(sources)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    console.error(`griot: ${error.message}`)
    process.exitCode = ExitCode.USAGE
    return
  }
  await serve(settings, token, sources)
}

/** The newest major version of Node.js that this release was tried on. */
const NODE_TRIED_MAX = 24

async function serve(
  settings: EngineSettings,
  token: string | null,
  sources: ConfigSources,
): Promise<void> {
  collectWithoutHelpers()
  const logger = new ProcessLogger(settings.logLevel)
  if (Number.parseInt(process.versions.node, 10) > NODE_TRIED_MAX) {
    const message = 'this version of griot was not tried on so new a Node.js'
    logger.log('warn', message, { node: process.version, newestTried: NODE_TRIED_MAX })
  }
  for (const hint of settingsHints(settings)) logger.log('warn', hint)
  const stop = stopOnSignals(logger)
  reloadOnSignal(new Reloader({ sources, settings, logger, started: stop.started }), stop)
  if (process.env.npm_lifecycle_event !== undefined) stopWithParent(stop)
  try {
    const engine = await Engine.start({
      settings,
      token,
      logger,
      frontOnWorker: false,
      isTemporary: false,
      originMs: performance.timeOrigin,
      onFatal: (reason) => stop.now(ExitCode.FAILED, reason),
      signal: stop.signal,
    })
    stop.engineIs(engine)
    const { listeners, httpUrl, adminUrl, dataDir } = engine
    const readyMs = performance.now()
    const version = griotVersion()
    process.stdout.write(
      firstScreen({ version, readyMs, listeners, httpUrl, adminUrl, dataDir, settings }),
    )
    logger.startIsOver()
  } catch (error) {
    // it has stopped, and the process ends as whoever asked for that has said
    if (stop.signal.aborted) return await stop.startIsGivenUp()
    await logger.flush()
    console.error(`griot: ${explain(error)}`)
    process.exit(error instanceof TokenFileError ? ExitCode.USAGE : ExitCode.FAILED)
  }
}

/** The first signal stops the engine, or gives up its start, within its stop timeout; the second ends the process where it stands. */
function stopOnSignals(logger: ProcessLogger) {
  let onEngine: (engine: Engine) => void
  const started = new Promise<Engine>((resolve) => {
    onEngine = resolve
  })
  let onGivenUp: (nothing: null) => void
  const givenUp = new Promise<null>((resolve) => {
    onGivenUp = resolve
  })
  const start = new AbortController()
  let ended: Promise<void> | null = null
  const now = (exitCode: number, reason: string) => {
    if (ended !== null) return
    logger.log(exitCode === 0 ? 'info' : 'fatal', 'stopping', { reason })
    ended = Promise.race([started, givenUp])
      .then((engine) => engine?.stop())
      .then(() => logger.log('info', 'stopped'))
      .then(() => logger.flush())
      .finally(() => process.exit(exitCode))
    start.abort()
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (ended !== null) process.exit(ExitCode.SIGNAL + constants.signals[signal])
      now(ExitCode.OK, signal)
    })
  }
  const startIsGivenUp = async () => {
    onGivenUp(null)
    await ended
  }
  const { signal } = start
  return { now, started, signal, startIsGivenUp, engineIs: (engine: Engine) => onEngine(engine) }
}

function reloadOnSignal(reloader: Reloader, stop: ReturnType<typeof stopOnSignals>): void {
  const isTerminalGone = watchTerminal()
  process.on('SIGHUP', () => {
    if (isTerminalGone()) stop.now(ExitCode.OK, 'SIGHUP, and its terminal is gone')
    else void reloader.reload()
  })
}

const PARENT_CHECK_MS = 500

/**
 * npm runs scripts in a shell, and neither it nor that shell passes SIGTERM on: an engine that both have left behind
 * would keep ports and directory, so it stops as by the signal.
 */
function stopWithParent(stop: ReturnType<typeof stopOnSignals>): void {
  const parent = process.ppid
  setInterval(() => {
    if (process.ppid !== parent) stop.now(ExitCode.OK, 'npm has ended')
  }, PARENT_CHECK_MS).unref()
}

/** One clear line for what a user can mend; a stack only for what is our bug. */
function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const expected =
    error instanceof StartError ||
    error instanceof DataDirectoryError ||
    error instanceof DirectoryLockedError ||
    error instanceof OperatorTokenError ||
    error instanceof RangeError ||
    (error as NodeJS.ErrnoException).code !== undefined
  return expected ? error.message : (error.stack ?? error.message)
}

const kebab = (name: string): string => name.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)
