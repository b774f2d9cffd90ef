/** How a command comes in at a cluster: what options, files and the environment say of TLS and logins, put together. */
import { createSecureContext } from 'node:tls'
import type { ClientSecurity } from '../kafka-client/connection.ts'
import { SASL_MECHANISMS, type SaslLogin, type SaslMechanism } from '../kafka-client/sasl-login.ts'
import { type ClientTls, type TlsVersion, tlsContextOptions } from '../kafka-client/sockets.ts'
import {
  type GivenProperty,
  readNamed,
  type SecurityName,
  type SecurityProperties,
} from './command-config.ts'
import { UsageError } from './failure.ts'
import { parseJaas } from './jaas.ts'
import { certificates, readCa } from './pem-file.ts'

export interface SecurityOptions {
  readonly apiKey?: string
  readonly secret?: string
  readonly tls?: boolean
  readonly ca?: string
}

const PROTOCOLS = {
  PLAINTEXT: { tls: false, sasl: false },
  SSL: { tls: true, sasl: false },
  SASL_PLAINTEXT: { tls: false, sasl: true },
  SASL_SSL: { tls: true, sasl: true },
} as const

/** Of a key that was given without one: no password goes over the wire. */
const KEY_MECHANISM: SaslMechanism = 'SCRAM-SHA-256'

/** Throws a {@link UsageError} that names what cannot be done; no secret is in it. */
export function securityOf(
  properties: SecurityProperties,
  options: SecurityOptions,
  env: Readonly<Record<string, string | undefined>> = process.env,
): ClientSecurity {
  const given = properties.get('security.protocol')
  const protocol = protocolOf(given)
  const key = keyOf(properties, options, given !== undefined && !protocol.sasl ? {} : env)
  const hasTls = protocol.tls || options.tls === true || options.ca !== undefined
  return {
    tls: hasTls ? tlsOf(properties, options) : null,
    sasl: protocol.sasl || key !== null ? loginOf(properties, key) : null,
  }
}

function protocolOf(given: GivenProperty | undefined) {
  const name = (given?.text ?? 'PLAINTEXT').trim().toUpperCase()
  if (Object.hasOwn(PROTOCOLS, name)) return PROTOCOLS[name as keyof typeof PROTOCOLS]
  return refuse(given!, 'security.protocol', `wants one of ${Object.keys(PROTOCOLS).join(', ')}`)
}

function refuse({ origin }: GivenProperty, name: SecurityName, reason: string): never {
  throw new UsageError(`${origin}: ${name}: ${reason}`)
}

type Credentials = Pick<SaslLogin, 'username' | 'password'>

/** Options first; the environment where nothing else names a login. */
function keyOf(
  properties: SecurityProperties,
  { apiKey, secret }: SecurityOptions,
  { GRIOT_KEY, GRIOT_SECRET }: Readonly<Record<string, string | undefined>>,
): Credentials | null {
  const isNamed = properties.has('sasl.jaas.config') || properties.has('sasl.username')
  const isAsked = apiKey !== undefined || secret !== undefined
  if (isNamed && !isAsked) return null
  const username = apiKey ?? (GRIOT_KEY || undefined)
  const password = secret ?? (GRIOT_SECRET || undefined)
  if (username === undefined && password === undefined) return null
  if (username === undefined) {
    throw new UsageError('a secret without its key: --api-key, or GRIOT_KEY, is wanted as well')
  }
  if (password === undefined) {
    throw new UsageError('a key without its secret: GRIOT_SECRET, or --secret, is wanted as well')
  }
  return { username, password }
}

function loginOf(properties: SecurityProperties, key: Credentials | null): SaslLogin {
  const given = properties.get('sasl.mechanism')
  const credentials = key ?? credentialsOf(properties)
  const mechanism = given?.text.trim().toUpperCase() ?? (key === null ? 'GSSAPI' : KEY_MECHANISM)
  const isSpoken = (SASL_MECHANISMS as readonly string[]).includes(mechanism)
  if (isSpoken) return { ...credentials, mechanism: mechanism as SaslMechanism }
  const wanted = `wants one of ${SASL_MECHANISMS.join(', ')}`
  const origin = given ?? properties.get('security.protocol')!
  const what = given === undefined ? 'GSSAPI, what it is where nothing is said' : 'another'
  return refuse(origin, 'sasl.mechanism', `${what}, is not spoken here: ${wanted}`)
}

function credentialsOf(properties: SecurityProperties): Credentials {
  const jaas = properties.get('sasl.jaas.config')
  if (jaas !== undefined) {
    try {
      return parseJaas(jaas.text)
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
      return refuse(jaas, 'sasl.jaas.config', error.message)
    }
  }
  const [username, password] = [properties.get('sasl.username'), properties.get('sasl.password')]
  if (username !== undefined && password !== undefined) {
    return { username: username.text, password: password.text }
  }
  const origin = username ?? password ?? properties.get('security.protocol')!
  const wanted = 'sasl.jaas.config, or sasl.username and sasl.password, or --api-key and --secret'
  return refuse(origin, 'security.protocol', `a login is wanted: ${wanted}`)
}

function tlsOf(properties: SecurityProperties, { ca }: SecurityOptions): ClientTls {
  const text = (name: SecurityName) => properties.get(name)?.text
  const [minVersion, maxVersion] = versionsOf(properties)
  const { cert, key } = certificateOf(properties)
  const tls: ClientTls = {
    ca: ca === undefined ? trustOf(properties) : readCa(ca),
    ...{ cert, key, passphrase: text('ssl.key.password') ?? null },
    checksHost: checksHost(properties.get('ssl.endpoint.identification.algorithm')),
    checksCertificate: booleanOf(properties, 'enable.ssl.certificate.verification'),
    ...{ minVersion, maxVersion },
  }
  if (tls.passphrase === null && key?.includes('ENCRYPTED') === true) {
    throw new UsageError('the key of this client is encrypted: ssl.key.password is wanted')
  }
  try {
    createSecureContext(tlsContextOptions(tls))
  } catch (error) {
    throw new UsageError(`the certificate of this client cannot be used: ${faultOf(error)}`)
  }
  return tls
}

/** OpenSSL's reasons tell nothing of what is in a file. */
function faultOf(error: unknown): string {
  const { code, reason, message } = error as NodeJS.ErrnoException & { readonly reason?: string }
  if (code === 'ERR_OSSL_X509_KEY_VALUES_MISMATCH') return 'the key is not that of the certificate'
  if (code?.endsWith('BAD_DECRYPT')) return 'ssl.key.password is wrong'
  return reason ?? message
}

/** null: whom Node trusts. */
function trustOf(properties: SecurityProperties): string | null {
  const inline = firstOf(properties, ['ssl.truststore.certificates', 'ssl.ca.pem'])
  if (inline !== null) return certificates(inline.given.text, whereOf(inline))
  const store = firstOf(properties, ['ssl.truststore.location', 'ssl.ca.location'])
  if (store === null) return null
  if (store.name === 'ssl.truststore.location') checkType(properties, 'ssl.truststore.type')
  return certificates(readNamed(store.given.text, whereOf(store)), whereOf(store))
}

interface Named {
  readonly name: SecurityName
  readonly given: GivenProperty
}

const whereOf = ({ name, given }: Named): string => `${given.origin}: ${name}`

function firstOf(properties: SecurityProperties, names: readonly SecurityName[]): Named | null {
  for (const name of names) {
    const given = properties.get(name)
    if (given !== undefined && given.text.trim() !== '') return { name, given }
  }
  return null
}

function certificateOf(properties: SecurityProperties) {
  const cert = firstOf(properties, ['ssl.keystore.certificate.chain', 'ssl.certificate.pem'])
  const key = firstOf(properties, ['ssl.keystore.key', 'ssl.key.pem'])
  const store = firstOf(properties, ['ssl.keystore.location'])
  const certFile = store ?? firstOf(properties, ['ssl.certificate.location'])
  const keyFile = store ?? firstOf(properties, ['ssl.key.location']) ?? certFile
  if (store !== null) checkType(properties, 'ssl.keystore.type')
  const read = (named: Named | null) =>
    named === null ? null : readNamed(named.given.text, whereOf(named))
  const chain = cert?.given.text ?? read(certFile)
  if (chain !== null) certificates(chain, whereOf((cert ?? certFile)!))
  return { cert: chain, key: key?.given.text ?? read(keyFile) }
}

/** Java's own formats are not read. */
function checkType(
  properties: SecurityProperties,
  name: 'ssl.truststore.type' | 'ssl.keystore.type',
): void {
  const type = properties.get(name)
  if (type?.text.trim().toUpperCase() === 'PEM') return
  const store = properties.get(name.replace('type', 'location') as SecurityName)!
  const is = type === undefined ? 'JKS, what it is where nothing is said,' : type.text
  refuse(
    type ?? store,
    name,
    `${is} is not read here: PEM is (keytool -list -rfc and openssl pkcs12 print it)`,
  )
}

/** Empty for Kafka, none for librdkafka: whose certificate it is does not matter. */
function checksHost(given: GivenProperty | undefined): boolean {
  const text = given?.text.trim().toLowerCase() ?? 'https'
  if (text === 'https') return true
  if (text === '' || text === 'none') return false
  return refuse(given!, 'ssl.endpoint.identification.algorithm', 'wants https, or nothing')
}

function booleanOf(properties: SecurityProperties, name: SecurityName): boolean {
  const given = properties.get(name)
  const text = given?.text.trim().toLowerCase() ?? 'true'
  if (text === 'true' || text === 'false') return text === 'true'
  return refuse(given!, name, 'wants true or false')
}

const VERSIONS: readonly TlsVersion[] = ['TLSv1.2', 'TLSv1.3']

/** The lowest and the highest of those that may be spoken. */
function versionsOf(properties: SecurityProperties): readonly [TlsVersion, TlsVersion] {
  const found = firstOf(properties, ['ssl.enabled.protocols', 'ssl.protocol'])
  if (found === null || found.name === 'ssl.protocol') return [VERSIONS[0]!, VERSIONS[1]!]
  const given = found.given.text.split(',').map((part) => part.trim())
  const known = VERSIONS.filter((version) => given.includes(version))
  if (known.length > 0) return [known[0]!, known.at(-1)!]
  return refuse(found.given, found.name, `wants one of ${VERSIONS.join(', ')}`)
}
