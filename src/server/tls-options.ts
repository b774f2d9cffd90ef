/** The options of TLS listeners, and what must go with what. */
import type { ClientAuth } from '../net/tls-acceptor.ts'
import { PrincipalRules } from '../tenant/principal-rules.ts'
import type { EngineSettings, OptionSpec } from './options.ts'
import { formatHostPort, parseOneOf, parseText } from './units.ts'

const CLIENT_AUTHS: readonly ClientAuth[] = ['none', 'requested', 'required']

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
    help: "whether clients show a certificate (Kafka's ssl.client.auth): none, requested, or required",
    shown: 'required with --tls-client-ca, else none',
    fallback: ({ tlsClientCa }) => (tlsClientCa === null ? 'none' : 'required'),
    parse: (value) => parseOneOf(value, CLIENT_AUTHS),
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
  const { kafkaListen, tlsCert, tlsClientAuth, tlsClientCa } = settings
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
  if (tlsClientAuth !== 'none' && tlsClientCa === null) {
    throw new RangeError(
      `--tls-client-auth: ${tlsClientAuth} wants --tls-client-ca, or anybody's certificate would do`,
    )
  }
}
