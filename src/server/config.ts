/** From flags, environment, file and defaults to one checked {@link EngineSettings}; the first of them that speaks wins. */
import { readFileSync } from 'node:fs'
import { didYouMean } from './nearest.ts'
import { checkPorts, type EngineSettings, envName, OPTION_NAMES, OPTIONS } from './options.ts'

/** An option was refused: the message names it, where it came from and what is wanted. */
export class ConfigError extends Error {
  override name = 'ConfigError'
}

/** `GRIOT_` names that are not options of `start`: read by other commands, by the tests and by the start's own trace. */
const OTHER_ENV_NAMES = [
  'GRIOT_CONFIG',
  'GRIOT_URL',
  'GRIOT_BOOTSTRAP',
  'GRIOT_JSON',
  'GRIOT_TRACE_START',
  'GRIOT_TEST_LONG',
  'GRIOT_TEST_REPORT',
  'GRIOT_REQUIRE',
  'GRIOT_KAFKA_LIBS',
  'GRIOT_SEED',
]

export interface ConfigSources {
  /** By option name, as given on the command line. */
  readonly flags: Readonly<Record<string, unknown>>
  readonly env: Readonly<Record<string, string | undefined>>
  /** `--config`, when given; `GRIOT_CONFIG` is read from `env`. */
  readonly configFile: string | null
}

/** Resolves every option; throws {@link ConfigError}. Reads the configuration file, on the calling thread. */
export async function resolveSettings(sources: ConfigSources): Promise<EngineSettings> {
  checkEnvironment(sources.env)
  checkFlags(sources.flags)
  const file = sources.configFile ?? (sources.env.GRIOT_CONFIG || null)
  const fromFile = file === null ? {} : await readConfigFile(file)
  const settings: Record<string, unknown> = {}
  for (const spec of OPTIONS) {
    const candidates: readonly [value: unknown, origin: string][] = [
      [sources.flags[spec.name], `option --${spec.name}`],
      [sources.env[envName(spec.name)], `environment variable ${envName(spec.name)}`],
      [fromFile[spec.name], `key ${spec.name} of ${file}`],
    ]
    const given = candidates.find(([value]) => value !== undefined)
    settings[spec.key] =
      given === undefined ? spec.fallback(settings) : parsed(spec, given[0], given[1])
  }
  const complete = settings as unknown as EngineSettings
  try {
    checkPorts(complete)
  } catch (error) {
    throw new ConfigError((error as Error).message)
  }
  return complete
}

/** `key: "value" wants …`, with the origin in front. */
function parsed(spec: (typeof OPTIONS)[number], value: unknown, origin: string): unknown {
  try {
    return spec.parse(value)
  } catch (error) {
    const limit = error instanceof Error ? error.message : String(error)
    throw new ConfigError(`${origin}: ${JSON.stringify(value)} is refused, it ${limit}`)
  }
}

function checkFlags(flags: Readonly<Record<string, unknown>>): void {
  for (const name of Object.keys(flags)) {
    if (OPTION_NAMES.includes(name)) continue
    const names = OPTION_NAMES.map((known) => `--${known}`)
    throw new ConfigError(`unknown option --${name}${didYouMean(`--${name}`, names)}`)
  }
}

function checkEnvironment(env: Readonly<Record<string, string | undefined>>): void {
  const known = [...OPTION_NAMES.map(envName), ...OTHER_ENV_NAMES]
  for (const name of Object.keys(env)) {
    if (!name.startsWith('GRIOT_') || known.includes(name)) continue
    throw new ConfigError(`unknown environment variable ${name}${didYouMean(name, known)}`)
  }
}

async function readConfigFile(path: string): Promise<Readonly<Record<string, unknown>>> {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    throw new ConfigError(`option --config: cannot read ${path} (${codeOf(error)})`)
  }
  const content = await parseConfigText(path, text)
  if (content === null || content === undefined) return {}
  if (typeof content !== 'object' || Array.isArray(content)) {
    throw new ConfigError(
      `option --config: ${path} must hold one mapping of option names to values`,
    )
  }
  for (const key of Object.keys(content)) {
    if (OPTION_NAMES.includes(key)) continue
    throw new ConfigError(`unknown key ${key} of ${path}${didYouMean(key, OPTION_NAMES)}`)
  }
  return content as Record<string, unknown>
}

async function parseConfigText(path: string, text: string): Promise<unknown> {
  try {
    if (path.endsWith('.json')) return JSON.parse(text)
    const { parse } = await import('yaml')
    return parse(text)
  } catch (error) {
    const reason = error instanceof Error ? error.message.split('\n')[0] : String(error)
    throw new ConfigError(`option --config: ${path} cannot be parsed: ${reason}`)
  }
}

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? String(error)
