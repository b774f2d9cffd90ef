/** Options of `Griot.start`, checked against the same table as the flags of `griot start`. */
import { ConfigError } from './config-file.ts'
import { brokersMadeFor } from './data-directory.ts'
import { checkAddresses } from './listeners.ts'
import { didYouMean } from './nearest.ts'
import { checkToken } from './operator-token.ts'
import { EMBEDDED_MEMORY_BYTES, type EngineSettings, OPTIONS, type OptionSpec } from './options.ts'
import { checkRacks } from './racks.ts'
import { checkTls } from './tls-options.ts'
import { RefusedPartError } from './units.ts'

/** What `Griot.start` accepts; everything may be left out. */
export interface GriotOptions {
  /** Left out: a temporary directory, removed by `close()`. */
  readonly dataDir?: string
  /**
   * `HOST:PORT`, or `HOST:PORT=HOST[:PORT]` with what clients are told; N brokers take N ports. Several for several
   * listeners. Default `127.0.0.1:0`: free ones.
   */
  readonly kafkaListen?: string | readonly string[]
  /** `HOST` or `HOST:PORT` that clients are told. Default: the address that they connected to. */
  readonly kafkaAdvertise?: string
  /** Whether clients that do not authenticate are let in, as the tenant default. Default `auto`: where a listener's address is loopback. */
  readonly kafkaAnonymous?: 'auto' | 'on' | 'off' | boolean
  /** Clients may log in without TLS beyond loopback, where others may read what they send. Default false. */
  readonly kafkaAllowPlaintextSasl?: boolean
  /** PEM file of the certificate of TLS listeners (`HOST:PORT,tls`), and those that it was signed with. */
  readonly tlsCert?: string
  /** PEM file of its key. Default: the file of the certificate. */
  readonly tlsKey?: string
  /** File with what the key is encrypted with. */
  readonly tlsKeyPassphraseFile?: string
  /** PEM file of those who may have signed clients' certificates. */
  readonly tlsClientCa?: string
  /** Default `required` with `tlsClientCa`, else `none`. */
  readonly tlsClientAuth?: 'none' | 'requested' | 'required'
  /** PEM file of the revocation lists of all authorities of `tlsClientCa`. */
  readonly tlsCrl?: string
  /** `NAME=FILE`: certificate and key, in one PEM file, for clients that look for `NAME` or `*.DOMAIN` (SNI). */
  readonly tlsSniCert?: string | readonly string[]
  /** Kafka's ssl.principal.mapping.rules. Default `DEFAULT`. */
  readonly tlsPrincipalMapping?: string
  /** TLS clients that connect to `TENANT.DOMAIN` are of that tenant. */
  readonly tlsSniDomain?: string
  /** `HOST:PORT` of health and metrics. Default: no HTTP. */
  readonly httpListen?: string
  /** `HOST:PORT` of their own for health and metrics. Default: with `httpListen`. */
  readonly adminListen?: string
  /** Names by which HTTP on loopback may be asked besides addresses and `localhost`; `.NAME` for all names under it, too. */
  readonly httpAllowHost?: string | readonly string[]
  /** File with the operator token. Default: `operator-token` in the data directory, made when HTTP is first asked for. */
  readonly tokenFile?: string
  /** The operator token itself, which HTTP beyond loopback asks for. */
  readonly token?: string
  /** Default: the data directory's number, 1 for a new one. */
  readonly brokers?: number
  readonly cells?: number
  /** Racks by broker number, Kafka's broker.rack: replicas are spread over them once every broker has one. */
  readonly rack?: Readonly<Record<number, string>> | string
  /** Bytes, or text such as `64M`, which is the default. */
  readonly memory?: number | string
  /** Milliseconds, or text such as `8s`, which is the default. */
  readonly stopTimeout?: number | string
  /** Lowest level that goes to stderr, or `silent`. Default `error`. */
  readonly logLevel?: EngineSettings['logLevel'] | 'silent'
  readonly autoCreateTopics?: boolean
  readonly defaultPartitions?: number
  readonly diskReserve?: string
  /** Milliseconds, or text such as `10m`, which is the default. */
  readonly connectionsMaxIdle?: number | string
  /** Kafka's broker configs by name: those that give topics their defaults, and those of groups and offsets. */
  readonly brokerConfig?: Readonly<Record<string, string | number | boolean>>
  /** Brokers can be made to fail on demand (`chaos` of the engine), to see what clients do. Default false. */
  readonly chaos?: boolean
}

/** Defaults where an embedded engine differs from `griot start`. */
const EMBEDDED_DEFAULTS: Partial<EngineSettings> = {
  kafkaListen: [{ host: '127.0.0.1', port: 0, advertise: null }],
  httpListen: null,
  memoryBytes: EMBEDDED_MEMORY_BYTES,
  logLevel: 'error',
}

/** A test's group should not wait three seconds for members who never come. */
const EMBEDDED_BROKER_CONFIG = { 'group.initial.rebalance.delay.ms': '0' }

const camel = (name: string): string => name.replace(/-./g, (dashed) => dashed[1]!.toUpperCase())

/** Throws {@link ConfigError} for an unknown or ill-typed option; `dataDir` is the caller's when left out. */
export function resolveEmbedded(options: GriotOptions, temporaryDir: string): EngineSettings {
  const given = options as Readonly<Record<string, unknown>>
  const names = [...OPTIONS.map((spec) => camel(spec.name)), 'token']
  for (const name of Object.keys(given)) {
    if (names.includes(name)) continue
    throw new ConfigError(`Griot.start: unknown option ${name}${didYouMean(name, names)}`)
  }
  const settings: Record<string, unknown> = {}
  for (const spec of OPTIONS) {
    settings[spec.key] = resolveOption(spec, given[camel(spec.name)], temporaryDir, settings)
  }
  settings.brokerConfig = { ...EMBEDDED_BROKER_CONFIG, ...(settings.brokerConfig as object) }
  const complete = settings as unknown as EngineSettings
  try {
    checkAddresses(complete)
    checkRacks(complete)
    checkTls(complete)
  } catch (error) {
    throw new ConfigError(`Griot.start: ${(error as Error).message}`)
  }
  return complete
}

/** Throws {@link ConfigError} for broker configs that the engine does not heed. */
export async function checkEmbeddedBrokerConfig(
  { brokerConfig }: GriotOptions,
  settings: EngineSettings,
): Promise<void> {
  if (brokerConfig === undefined) return
  const { refuseBrokerConfig } = await import('./broker-config-check.ts')
  const refused = refuseBrokerConfig(settings.brokerConfig)
  if (refused === null) return
  throw new ConfigError(`Griot.start: option brokerConfig: ${refused}`)
}

/** The token that the caller gives; null where it comes from a file. Throws {@link ConfigError} without what was given. */
export function resolveEmbeddedToken({ token, tokenFile }: GriotOptions): string | null {
  if (token === undefined) return null
  if (tokenFile !== undefined) {
    throw new ConfigError('Griot.start: options token and tokenFile are both given: one is enough')
  }
  try {
    return checkToken(String(token), 'Griot.start: option token')
  } catch (error) {
    throw new ConfigError((error as Error).message)
  }
}

function resolveOption(
  spec: OptionSpec,
  value: unknown,
  temporaryDir: string,
  before: Readonly<Partial<EngineSettings>>,
): unknown {
  if (value === undefined) {
    if (spec.key === 'dataDir') return temporaryDir
    if (spec.key === 'brokers') return brokersMadeFor(before.dataDir) ?? 1
    return spec.key in EMBEDDED_DEFAULTS ? EMBEDDED_DEFAULTS[spec.key] : spec.fallback(before)
  }
  if (spec.key === 'logLevel' && value === 'silent') return 'fatal'
  // a bare number of milliseconds is plain where the caller is a program
  const isDuration = spec.key === 'stopTimeoutMs' || spec.key === 'connectionsMaxIdleMs'
  const asked = isDuration && typeof value === 'number' ? `${value}ms` : value
  try {
    return spec.parse(asked)
  } catch (error) {
    const name = camel(spec.name)
    const refused = error instanceof RefusedPartError ? error.part : value
    throw new ConfigError(
      `Griot.start: option ${name}: ${JSON.stringify(refused)} is refused, it ${(error as Error).message}`,
    )
  }
}
