/** The options of TLS listeners, and what must go with what. */
import { CLIENT_AUTHS } from '../net/listener-info.ts'
import { PrincipalRules } from '../tenant/principal-rules.ts'
import { clientAuthOf } from './listeners.ts'
import type { EngineSettings, OptionSpec } from './options.ts'
import { formatHostPort, parseList, parseOneOf, parseText, RefusedPartError } from './units.ts'

const option = <Key extends keyof EngineSettings>(spec: OptionSpec<Key>): OptionSpec =>
  spec as unknown as OptionSpec

export const TLS_OPTIONS: readonly OptionSpec[] = [
  option({
    key: 'tlsCert',
    name: 'tls-cert',
    placeholder: 'FILE',
    help: 'certificate of TLS listeners, PEM, and those that it was signed with; read again at SIGHUP and when it changes, as all --tls files',
    shown: 'none',
    fallback: () => null,
    parse: parseText,
  }),
  option({
    key: 'tlsKey',
    name: 'tls-key',
    placeholder: 'FILE',
    help: 'its private key, PEM',
    shown: 'in the file of --tls-cert',
    fallback: () => null,
    parse: parseText,
  }),
  option({
    key: 'tlsKeyPassphraseFile',
    name: 'tls-key-passphrase-file',
    placeholder: 'FILE',
    help: 'what the key is encrypted with',
    shown: 'none',
    fallback: () => null,
    parse: parseText,
  }),
  option({
    key: 'tlsClientCa',
    name: 'tls-client-ca',
    placeholder: 'FILE',
    help: "who may have signed clients' certificates, PEM; a client that shows one of these needs no other login",
    shown: 'none',
    fallback: () => null,
    parse: parseText,
  }),
  option({
    key: 'tlsClientAuth',
    name: 'tls-client-auth',
    placeholder: 'MODE',
    help: "whether clients show a certificate (Kafka's ssl.client.auth): none, requested, or required; of one listener alone by client-auth=MODE behind its address",
    shown: 'required with --tls-client-ca, else none',
    fallback: ({ tlsClientCa }) => (tlsClientCa === null ? 'none' : 'required'),
    parse: (value) => parseOneOf(value, CLIENT_AUTHS),
  }),
  option({
    key: 'tlsCrl',
    name: 'tls-crl',
    placeholder: 'FILE',
    help: "certificates of clients that were called back, PEM: the revocation lists of all authorities of --tls-client-ca; one that is over lets none of that authority's in",
    shown: 'none',
    fallback: () => null,
    parse: parseText,
  }),
  option({
    key: 'tlsSniCert',
    name: 'tls-sni-cert',
    placeholder: 'NAME=FILE',
    help: 'certificate and key, in one PEM file, for clients that look for NAME, or *.DOMAIN (SNI); several with commas or more than once; others are shown --tls-cert',
    shown: 'none',
    isList: true,
    fallback: () => NO_SNI_CERTS,
    parse: (value) => parseSniCerts(value),
  }),
  option({
    key: 'tlsPrincipalMapping',
    name: 'tls-principal-mapping',
    placeholder: 'RULES',
    help: "whom a client's certificate stands for, by its subject (Kafka's ssl.principal.mapping.rules): RULE:pattern/replacement/[LU], DEFAULT",
    shown: 'DEFAULT, the whole subject',
    fallback: () => 'DEFAULT',
    parse: (value) => {
      const text = parseText(value)
      new PrincipalRules(text)
      return text
    },
  }),
  option({
    key: 'tlsSniDomain',
    name: 'tls-sni-domain',
    placeholder: 'DOMAIN',
    help: 'a TLS client that connects to TENANT.DOMAIN is of that tenant',
    shown: 'none',
    fallback: () => null,
    parse: parseDomain,
  }),
]

/** What a certificate is for, and where it is. */
export interface SniCert {
  readonly name: string
  readonly file: string
}

const NO_SNI_CERTS: readonly SniCert[] = []
/** Each is a context of some 50 KB in OpenSSL. */
const SNI_CERTS_MAX = 256

function parseSniCerts(value: unknown): readonly SniCert[] {
  const found = parseList(value, SNI_CERTS_MAX, (part): SniCert => {
    const at = part.indexOf('=')
    const [name, file] = [part.slice(0, Math.max(at, 0)), part.slice(at + 1)]
    if (file === '')
      throw new RangeError('wants NAME=FILE, such as acme.kafka.example.org=acme.pem')
    const isWild = name.startsWith('*.')
    const domain = parseDomain(isWild ? name.slice(2) : name)
    return { name: isWild ? `*.${domain}` : domain, file: parseText(file) }
  })
  const twice = found.find(({ name }, at) => found.findIndex((one) => one.name === name) < at)
  if (twice === undefined) return found
  throw new RefusedPartError(twice.name, 'wants each name once')
}

function parseDomain(value: unknown): string {
  const text = parseText(value).toLowerCase()
  if (
    text.length <= 253 &&
    /^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/.test(text)
  ) {
    return text
  }
  throw new RangeError('wants a name such as kafka.example.org')
}

/** Throws a RangeError that names the options that do not go together. */
export function checkTls(settings: EngineSettings): void {
  const { kafkaListen, tlsCert, tlsClientAuth, tlsClientCa, tlsCrl } = settings
  const plain = kafkaListen.find(({ tls, clientAuth }) => tls !== true && clientAuth !== undefined)
  if (plain !== undefined) {
    throw new RangeError(
      `--kafka-listen ${formatHostPort(plain)},client-auth=${plain.clientAuth} wants tls as well`,
    )
  }
  const listener = kafkaListen.find(({ tls }) => tls === true)
  if (listener === undefined) {
    const given = TLS_OPTIONS.find(({ key, fallback }) => settings[key] !== fallback(settings))
    if (given === undefined) return
    throw new RangeError(
      `--${given.name}: no listener speaks TLS: say so behind its address, as in --kafka-listen ${formatHostPort(kafkaListen[0]!)},tls`,
    )
  }
  if (tlsCert === null) {
    throw new RangeError(
      `--kafka-listen ${formatHostPort(listener)},tls wants a certificate: --tls-cert`,
    )
  }
  if (tlsClientCa !== null) return
  if (tlsClientAuth !== 'none') {
    throw new RangeError(
      `--tls-client-auth: ${tlsClientAuth} wants --tls-client-ca, or anybody's certificate would do`,
    )
  }
  const asking = kafkaListen.find((listen) => clientAuthOf(listen, settings) !== 'none')
  if (asking !== undefined) {
    throw new RangeError(
      `--kafka-listen ${formatHostPort(asking)},client-auth=${asking.clientAuth} wants --tls-client-ca, or anybody's certificate would do`,
    )
  }
  if (tlsCrl !== null) throw new RangeError('--tls-crl wants --tls-client-ca')
}
