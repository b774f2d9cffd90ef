/** What every command that speaks Kafka has in common: where the cluster is, how it ends, how it prints. */
import type { Command } from 'commander'
import { KafkaClient } from '../kafka-client/client.ts'
import { type ClientSecurity, NO_SECURITY } from '../kafka-client/connection.ts'
import type { HostPort } from '../kafka-client/sockets.ts'
import { parseHostPort } from '../server/units.ts'
import {
  countOf,
  type GivenProperties,
  type Properties,
  parseProperties,
} from './client-properties.ts'
import type { SecurityOptions } from './client-security.ts'
import { NO_CONFIG, overridden, readCommandConfig } from './command-config.ts'
import { wantsJson } from './engine-url.ts'
import { ExitCode } from './exit-code.ts'
import { explainFailure, UsageError } from './failure.ts'
import { parseSpanMs } from './time-text.ts'

export const DEFAULT_BOOTSTRAP = '127.0.0.1:9092'

export interface ClusterOptions extends SecurityOptions {
  readonly brokers?: string
  readonly bootstrap?: string
  readonly bootstrapServer?: string
  /** Of -X, as written. */
  readonly X?: readonly string[]
  readonly commandConfig?: string
  readonly clientId?: string
  readonly timeout?: string
  readonly json?: boolean
}

/** Adds the options that {@link ClusterOptions} holds. */
export function withCluster(command: Command): Command {
  return command
    .option(
      '-b, --brokers <HOST:PORT,…>',
      `where the cluster is (default: GRIOT_BOOTSTRAP, or ${DEFAULT_BOOTSTRAP})`,
    )
    .addOption(command.createOption('--bootstrap <HOST:PORT,…>').hideHelp())
    .addOption(command.createOption('--bootstrap-server <HOST:PORT,…>').hideHelp())
    .option(
      '--command-config <FILE>',
      "client properties as Kafka's tools or librdkafka take them: bootstrap.servers, TLS, a login",
    )
    .option('--api-key <KEY>', 'log in with this key, or name of a user (default: GRIOT_KEY)')
    .option('--secret <SECRET>', 'and its secret (default: GRIOT_SECRET, which `ps` does not show)')
    .option('--tls', 'speak TLS')
    .option('--ca <FILE>', 'who may have signed the certificates of brokers, PEM; also --tls')
    .option('-X <KEY=VALUE>', 'a client property by its Kafka name (may be repeated)', collect)
    .option('--client-id <NAME>', 'what the brokers know this client as (default: griot-cli)')
    .option('--timeout <DURATION>', 'how long brokers may take to answer (default: 30s)')
    .option('--json', 'print JSON (default: GRIOT_JSON)')
}

/** An option that may be given more than once. */
export const collect = (value: string, before: readonly string[] = []): string[] => [
  ...before,
  value,
]

/** The same, with commas between values too. */
export const collectList = (value: string, before: readonly string[] = []): string[] => [
  ...before,
  ...value.split(',').filter(Boolean),
]

export interface Session {
  readonly client: KafkaClient
  readonly json: boolean
  readonly properties: Properties
}

/**
 * Runs a command's work with a client that is closed afterwards, and turns what it throws into a line on standard error and
 * an exit code; with `--json` also into an object on standard output, a stream's last line.
 */
export async function runOnCluster(
  options: ClusterOptions,
  work: (session: Session) => Promise<void>,
  isStream = false,
): Promise<void> {
  const json = wantsJson(options.json)
  let client: KafkaClient | null = null
  // `| head` has enough: nothing is wrong. What writes a stream has more to do then, and sees to it itself
  if (!isStream) {
    process.stdout.on('error', (error: NodeJS.ErrnoException) => {
      process.exit(error.code === 'EPIPE' ? ExitCode.OK : ExitCode.FAILED)
    })
  }
  try {
    const { properties, security } = givenTo(options)
    client = await openClient(options, { properties, security })
    await work({ client, json, properties })
  } catch (error) {
    const message = explainFailure(error)
    console.error(`griot: ${message}`)
    if (json) console.log(JSON.stringify({ error: { message } }))
    process.exitCode = error instanceof UsageError ? ExitCode.USAGE : ExitCode.FAILED
  } finally {
    client?.close()
  }
}

/** Of -X and of `--command-config`; where both say something, of -X. */
function givenTo({ X = [], commandConfig }: ClusterOptions): GivenProperties {
  const file = commandConfig === undefined ? NO_CONFIG : readCommandConfig(commandConfig)
  const asked = parseProperties(X)
  const general = [...file.general].map(([name, { text }]) => [name, text])
  const origin = file.general.get('brokers')?.origin
  const isOfFile = origin !== undefined && asked.properties.brokers === undefined
  return {
    properties: {
      ...Object.fromEntries(general),
      ...asked.properties,
      ...(isOfFile ? { brokersOrigin: origin } : {}),
    },
    security: overridden(file.security, asked.security),
  }
}

async function openClient(
  options: ClusterOptions,
  { properties, security }: GivenProperties,
): Promise<KafkaClient> {
  const timeoutMs = timeoutOf(options, properties)
  const clientId = options.clientId ?? properties.clientId
  return new KafkaClient({
    bootstrap: bootstrapOf(options, properties),
    ...(clientId === undefined ? {} : { clientId }),
    requestTimeoutMs: timeoutMs,
    retryTimeoutMs: timeoutMs,
    connectTimeoutMs: Math.min(timeoutMs, 10_000),
    security: await securityFor(security, options),
  })
}

/** node:tls and node:crypto take a while to load: commands that need neither do without. */
async function securityFor(
  properties: GivenProperties['security'],
  options: ClusterOptions,
): Promise<ClientSecurity> {
  const { GRIOT_KEY, GRIOT_SECRET } = process.env
  const { apiKey, secret, tls, ca } = options
  const isAsked = [apiKey, secret, tls, ca, GRIOT_KEY || undefined, GRIOT_SECRET || undefined]
  if (properties.size === 0 && isAsked.every((given) => given === undefined)) return NO_SECURITY
  const { securityOf } = await import('./client-security.ts')
  return securityOf(properties, options)
}

function timeoutOf(options: ClusterOptions, properties: Properties): number {
  if (options.timeout !== undefined) return spanOf('--timeout', options.timeout)
  const text = properties.timeoutMs
  return text === undefined ? 30_000 : countOf('-X request.timeout.ms', text, 1)
}

/** The option, then -X, then the environment, then the address at which `griot start` serves. */
export function bootstrapOf(
  options: ClusterOptions,
  properties: Properties = {},
  env: Readonly<Record<string, string | undefined>> = process.env,
): HostPort[] {
  const given = options.brokers ?? options.bootstrap ?? options.bootstrapServer
  const text = given ?? properties.brokers ?? (env.GRIOT_BOOTSTRAP || DEFAULT_BOOTSTRAP)
  const origin =
    given !== undefined
      ? 'option -b'
      : properties.brokers !== undefined
        ? (properties.brokersOrigin ?? 'option -X')
        : 'environment variable GRIOT_BOOTSTRAP'
  const addresses = text.split(',').filter((part) => part.trim() !== '')
  if (addresses.length === 0) throw new UsageError(`${origin}: names no address`)
  return addresses.map((address) => addressOf(address.trim(), origin))
}

function addressOf(address: string, origin: string): HostPort {
  // a host alone means Kafka's port
  const text = /^[^:[\]]+$|^\[[^\]]+\]$/.test(address) ? `${address}:9092` : address
  try {
    const { host, port } = parseHostPort(text)
    if (port > 0) return { host, port }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
  }
  throw new UsageError(`${origin}: "${address}" is refused, it wants HOST:PORT[,HOST:PORT…]`)
}

/** Milliseconds of a duration. Throws a {@link UsageError} that names `option`. */
export function spanOf(option: string, text: string): number {
  return parsed(option, () => parseSpanMs(text))
}

/** What `parse` makes of an option's text; its RangeError becomes a {@link UsageError} that names the option. */
export function parsed<T>(option: string, parse: () => T): T {
  try {
    return parse()
  } catch (error) {
    if (!(error instanceof RangeError) && !(error instanceof SyntaxError)) throw error
    const { message } = error
    throw new UsageError(message.startsWith(option) ? message : `${option}: ${message}`)
  }
}

export const printJsonValue = (value: unknown): void => console.log(JSON.stringify(value, null, 2))
