/** `--command-config FILE` and `-X key=value`: what is said of TLS and logins, by the names of Kafka's clients and of librdkafka. */
import { readSmallFile, UnreadableFileError } from '../server/small-file.ts'
import { UsageError } from './failure.ts'
import { type Property, parseJavaProperties } from './java-properties.ts'

/** A property and where it was found, for messages. */
export interface GivenProperty {
  readonly text: string
  readonly origin: string
}

export type SecurityProperties = ReadonlyMap<SecurityName, GivenProperty>

/** librdkafka has them alone, and knows no escapes. */
const RAW = [
  ...['sasl.username', 'sasl.password', 'ssl.ca.location', 'ssl.certificate.location'],
  ...['ssl.key.location', 'ssl.ca.pem', 'ssl.certificate.pem', 'ssl.key.pem'],
  'enable.ssl.certificate.verification',
] as const

const SECURITY_NAMES = [
  ...['security.protocol', 'sasl.mechanism', 'sasl.mechanisms', 'sasl.jaas.config'],
  ...['ssl.truststore.type', 'ssl.truststore.location', 'ssl.truststore.certificates'],
  ...['ssl.keystore.type', 'ssl.keystore.location', 'ssl.keystore.certificate.chain'],
  ...['ssl.keystore.key', 'ssl.key.password', 'ssl.endpoint.identification.algorithm'],
  ...['ssl.protocol', 'ssl.enabled.protocols'],
  ...RAW,
] as const
export type SecurityName = (typeof SECURITY_NAMES)[number]

const isOf = <Name extends string>(names: readonly Name[], name: string): name is Name =>
  (names as readonly string[]).includes(name)

export const isSecurityName = (name: string): name is SecurityName => isOf(SECURITY_NAMES, name)

/** What goes by two names: the first is what it is kept under. */
const canonical = (name: SecurityName): SecurityName =>
  name === 'sasl.mechanisms' ? 'sasl.mechanism' : name

/** In the place of what is said in other words. */
const INSTEAD_OF: Partial<Record<SecurityName, readonly SecurityName[]>> = {
  'sasl.username': ['sasl.jaas.config'],
  'ssl.ca.location': ['ssl.truststore.location', 'ssl.truststore.certificates'],
  'ssl.ca.pem': ['ssl.truststore.location', 'ssl.truststore.certificates'],
  'ssl.certificate.location': ['ssl.keystore.location', 'ssl.keystore.certificate.chain'],
  'ssl.certificate.pem': ['ssl.keystore.location', 'ssl.keystore.certificate.chain'],
  'ssl.key.location': ['ssl.keystore.key'],
  'ssl.key.pem': ['ssl.keystore.key'],
}

/** `first`, but for what `over` says as well, in whatever words. */
export function overridden(
  first: SecurityProperties,
  over: SecurityProperties,
): SecurityProperties {
  const found = new Map(first)
  for (const [name, given] of over) {
    for (const other of INSTEAD_OF[name] ?? []) if (!over.has(other)) found.delete(other)
    found.set(canonical(name), given)
  }
  return found
}

/** They say how, and what is not understood of that may mean less safety than was asked for. */
const IS_SECURITY = /^(ssl|sasl|security|enable\.ssl)\./
/** Of mechanisms that are not spoken here, or of how a login is renewed. */
const OF_OTHERS = /^sasl\.(kerberos|oauthbearer|login\.(refresh|retry|read|connect))\b/

/** null: it is none of these, and none that could make a difference. */
export function refuseUnknown(name: string, origin: string): null {
  if (!IS_SECURITY.test(name) || OF_OTHERS.test(name)) return null
  const next = PASSWORDS.has(name) ? 'stores in PEM have none' : 'this client does not know it'
  throw new UsageError(`${origin}: ${name} is refused: ${next}`)
}

const PASSWORDS: ReadonlySet<string> = new Set(['ssl.truststore.password', 'ssl.keystore.password'])

/** What else is taken from a file; all other properties of Kafka's are left alone, as Kafka's tools do. */
const GENERAL = {
  'bootstrap.servers': 'brokers',
  'metadata.broker.list': 'brokers',
  'client.id': 'clientId',
  'request.timeout.ms': 'timeoutMs',
  'socket.timeout.ms': 'timeoutMs',
} as const
type GeneralName = keyof typeof GENERAL

export interface CommandConfig {
  readonly security: SecurityProperties
  /** By the names of `client-properties.ts`. */
  readonly general: ReadonlyMap<(typeof GENERAL)[GeneralName], GivenProperty>
}

export const NO_CONFIG: CommandConfig = { security: new Map(), general: new Map() }

const FILE_BYTES_MAX = 1_048_576

/** Throws a {@link UsageError} that names the file and the property, and never has a value in it. */
export function readCommandConfig(file: string): CommandConfig {
  const origin = `--command-config ${file}`
  const text = readNamed(file, origin)
  const security = new Map<SecurityName, GivenProperty>()
  const general = new Map<(typeof GENERAL)[GeneralName], GivenProperty>()
  for (const [name, property] of parseJavaProperties(text)) {
    const given = { text: textOf(name, property), origin }
    if (isSecurityName(name)) security.set(name, given)
    else if (Object.hasOwn(GENERAL, name)) general.set(GENERAL[name as GeneralName], given)
    else refuseUnknown(name, origin)
  }
  return { security: overridden(new Map(), security), general }
}

/** As it is taken. */
const textOf = (name: string, { value, raw }: Property): string => (isOf(RAW, name) ? raw : value)

/** A file that somebody has named. Throws a {@link UsageError}. */
export function readNamed(file: string, what: string): string {
  try {
    return readSmallFile(file, { bytesMax: FILE_BYTES_MAX, mayBeOwnPipe: true })
  } catch (error) {
    if (!(error instanceof UnreadableFileError)) throw error
    throw new UsageError(`${what}: cannot be read: ${error.message}`)
  }
}
