/** From flags, environment, file and defaults to one checked {@link EngineSettings}; the first of them that speaks wins. */
import { ConfigError, readConfigFile } from './config-file.ts'
import { checkAddresses } from './listeners.ts'
import { didYouMean, nearest } from './nearest.ts'
import { checkToken } from './operator-token.ts'
import { type EngineSettings, envName, OPTION_NAMES, OPTIONS } from './options.ts'
import { checkRacks } from './racks.ts'
import { checkTls } from './tls-options.ts'
import { RefusedPartError } from './units.ts'

export { ConfigError } from './config-file.ts'

/** `GRIOT_` names that are not options of `start`: read by other commands, by the tests and by the start's own trace. */
const OTHER_ENV_NAMES = [
  'GRIOT_CONFIG',
  'GRIOT_TOKEN',
  'GRIOT_URL',
  'GRIOT_BOOTSTRAP',
  'GRIOT_KEY',
  'GRIOT_SECRET',
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

export interface ResolvedSettings {
  readonly settings: EngineSettings
  /** What is in the file to no effect, as something else wins: `NAME (option --NAME)`. */
  readonly masked: readonly string[]
}

/** The file that `--config` or GRIOT_CONFIG names; null for none. */
export const configFileOf = ({ configFile, env }: ConfigSources): string | null =>
  configFile ?? (env.GRIOT_CONFIG || null)

export const resolveSettings = async (sources: ConfigSources): Promise<EngineSettings> =>
  (await resolveAll(sources)).settings

/**
 * Resolves every option; throws {@link ConfigError}. Reads the configuration file, on the calling thread; `isAgain` while an engine runs
 * there.
 */
export async function resolveAll(
  sources: ConfigSources,
  { isAgain = false }: { readonly isAgain?: boolean } = {},
): Promise<ResolvedSettings> {
  checkEnvironment(sources.env)
  checkFlags(sources.flags)
  const path = configFileOf(sources)
  const file = path === null ? null : await readConfigFile(path, OPTION_NAMES, isAgain)
  const settings: Record<string, unknown> = {}
  const masked: string[] = []
  for (const spec of OPTIONS) {
    const { name } = spec
    const candidates: readonly [value: unknown, origin: string][] = [
      [sources.flags[name], `option --${name}`],
      [sources.env[envName(name)], `environment variable ${envName(name)}`],
      [file?.values[name], file?.originOf(name) ?? ''],
    ]
    const given = candidates.find(([value]) => value !== undefined)
    if (given !== undefined && given === candidates[2] && isHiddenByToken(spec.key, sources)) {
      parsed(spec, given[0], given[1])
      settings[spec.key] = spec.fallback(settings)
      masked.push(`${name} (environment variable GRIOT_TOKEN)`)
      continue
    }
    settings[spec.key] =
      given === undefined ? spec.fallback(settings) : parsed(spec, given[0], given[1])
    if (spec.key === 'brokerConfig' && given !== undefined) {
      await checkBrokerConfig(settings, given[1])
    }
    if (file?.values[name] === undefined || given === candidates[2]) continue
    // it has no effect, but would at the next start without what hides it
    parsed(spec, file.values[name], file.originOf(name))
    masked.push(`${name} (${given![1]})`)
  }
  const complete = settings as unknown as EngineSettings
  try {
    checkAddresses(complete)
    checkRacks(complete)
    checkTls(complete)
  } catch (error) {
    throw new ConfigError((error as Error).message)
  }
  return { settings: complete, masked }
}

/** The token itself wins over a file of it that the configuration file names, as variables do. */
const isHiddenByToken = (key: keyof EngineSettings, { env }: ConfigSources): boolean =>
  key === 'tokenFile' && env.GRIOT_TOKEN !== undefined

/**
 * GRIOT_TOKEN, checked; null where the operator token comes from a file: one named on the command line wins over the variable.
 * Throws {@link ConfigError}, without what was given.
 */
export function resolveToken({ flags, env }: Pick<ConfigSources, 'flags' | 'env'>): string | null {
  const token = env.GRIOT_TOKEN
  if (token === undefined || flags['token-file'] !== undefined) return null
  if (env.GRIOT_TOKEN_FILE !== undefined) {
    throw new ConfigError(
      'environment variables GRIOT_TOKEN and GRIOT_TOKEN_FILE are both given: one is enough',
    )
  }
  try {
    return checkToken(token, 'environment variable GRIOT_TOKEN')
  } catch (error) {
    throw new ConfigError((error as Error).message)
  }
}

async function checkBrokerConfig(
  { brokerConfig }: Readonly<Partial<EngineSettings>>,
  origin: string,
): Promise<void> {
  const { refuseBrokerConfig } = await import('./broker-config-check.ts')
  const refused = refuseBrokerConfig(brokerConfig!)
  if (refused === null) return
  throw new ConfigError(`${origin}: ${refused}`)
}

/** `key: "value" wants …`, with the origin in front. */
function parsed(spec: (typeof OPTIONS)[number], value: unknown, origin: string): unknown {
  try {
    return spec.parse(value)
  } catch (error) {
    const limit = error instanceof Error ? error.message : String(error)
    const refused = error instanceof RefusedPartError ? error.part : value
    throw new ConfigError(`${origin}: ${JSON.stringify(refused)} is refused, it ${limit}`)
  }
}

function checkFlags(flags: Readonly<Record<string, unknown>>): void {
  for (const name of Object.keys(flags)) {
    if (OPTION_NAMES.includes(name)) continue
    const names = OPTION_NAMES.map((known) => `--${known}`)
    throw new ConfigError(`unknown option --${name}${didYouMean(`--${name}`, names)}`)
  }
}

const ENV_PREFIX = 'GRIOT_'

function checkEnvironment(env: Readonly<Record<string, string | undefined>>): void {
  const known = [...OPTION_NAMES.map(envName), ...OTHER_ENV_NAMES]
  for (const [name, value] of Object.entries(env)) {
    if (!name.startsWith(ENV_PREFIX) || known.includes(name) || isServiceLink(name, value)) continue
    throw new ConfigError(`unknown environment variable ${name}${didYouMeanEnv(name, known)}`)
  }
}

/** Without the prefix, which all of them share and which would make any short name near to any other. */
function didYouMeanEnv(name: string, known: readonly string[]): string {
  const bare = (full: string) => full.slice(ENV_PREFIX.length)
  const found = nearest(bare(name), known.map(bare))
  return found === null ? '' : ` (did you mean ${ENV_PREFIX}${found}?)`
}

/**
 * What Kubernetes gives every container of a namespace that has a Service `griot`, and Docker's links those of a container of that
 * name; then those of a Service whose name begins with `griot-`, as far as nobody can mean them as an option.
 */
const SERVICE_LINK =
  /^GRIOT_(?:SERVICE_|PORT_|\w+_(?:SERVICE_(?:HOST|PORT(?:_\w+)?)|PORT_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)$)/

/** A plain `…_PORT` counts only with the address that they put into it: a number there was meant as an option. */
const isServiceLink = (name: string, value = ''): boolean =>
  SERVICE_LINK.test(name) ||
  (/^GRIOT_(?:\w+_)?PORT$/.test(name) && /^(?:tcp|udp|sctp):\/\//.test(value))
