/** How clients use a key: files of properties, and where they come in. */
import { readEndpoints } from '../server/endpoints.ts'
import type { EngineOptions } from './engine-command.ts'
import { DEFAULT_DATA_DIR } from './engine-url.ts'
import { UsageError } from './failure.ts'
import { findInApi, tenantPath } from './operator-api.ts'

/** As the admin API has it. */
interface Listener {
  readonly brokers: readonly string[]
  readonly tls: boolean
  readonly sasl: boolean
  readonly clientCertificate: 'none' | 'requested' | 'required'
}

export interface Entrance {
  /** HOST:PORT, several joined by commas. */
  readonly bootstrap: string
  readonly tls: boolean
  readonly needsCertificate: boolean
  /** Nobody can log in there: what to do about it. */
  readonly trouble: string | null
}

export interface KeyLogin {
  readonly key: string
  readonly secret: string
}

export type PropertiesFor = 'java' | 'librdkafka'

export const propertiesFor = (name: string): PropertiesFor => {
  if (name === 'java' || name === 'librdkafka') return name
  throw new UsageError(`--properties: '${name}' is refused, it wants java or librdkafka`)
}

const PLAIN_LOGIN = 'org.apache.kafka.common.security.plain.PlainLoginModule'
/** Clients find the others by themselves. */
const BOOTSTRAP_MAX = 3

const NO_LOGIN =
  'no listener that is for this tenant lets clients log in: that wants TLS, or --kafka-allow-plaintext-sasl'

/** Where clients of the tenant do best to come in, as the engine tells; by its data directory where it does not. */
export async function entranceFor(tenant: string, options: EngineOptions): Promise<Entrance> {
  type Found = { readonly listeners: readonly Listener[] }
  const found = await findInApi<Found>(options, tenantPath(tenant, '/listeners'))
  // an engine that is older, or a tenant that is not there: making the key will tell
  if (found === null) {
    return { bootstrap: knownAddress(options), tls: false, needsCertificate: false, trouble: null }
  }
  const [best] = found.listeners
  return {
    bootstrap: best?.brokers.slice(0, BOOTSTRAP_MAX).join(',') ?? 'HOST:9092',
    tls: best?.tls ?? false,
    needsCertificate: best?.clientCertificate === 'required',
    trouble: best?.sasl === true ? null : NO_LOGIN,
  }
}

function knownAddress({ url, dataDir }: EngineOptions): string {
  const { GRIOT_URL, GRIOT_DATA_DIR } = process.env
  const isElsewhere = dataDir === undefined && (url !== undefined || Boolean(GRIOT_URL))
  const directory = dataDir ?? (GRIOT_DATA_DIR || DEFAULT_DATA_DIR)
  return (isElsewhere ? undefined : readEndpoints(directory)?.kafka[0]) ?? 'HOST:9092'
}

const protocolOf = ({ tls }: Entrance): string => (tls ? 'SASL_SSL' : 'SASL_PLAINTEXT')

/** A file that the client reads. `ca`: by what it knows the certificate of the listener. */
export function propertiesOf(
  client: PropertiesFor,
  { key, secret }: KeyLogin,
  entrance: Entrance,
  ca: string | undefined,
): string {
  const login =
    client === 'java'
      ? [`sasl.jaas.config=${PLAIN_LOGIN} required username="${key}" password="${secret}";`]
      : [`sasl.username=${key}`, `sasl.password=${secret}`]
  const lines = [
    `bootstrap.servers=${entrance.bootstrap}`,
    `security.protocol=${protocolOf(entrance)}`,
    'sasl.mechanism=PLAIN',
    ...login,
    ...(entrance.tls ? TLS_LINES[client](ca, entrance) : []),
  ]
  return `${lines.join('\n')}\n`
}

type TlsLines = (ca: string | undefined, entrance: Entrance) => readonly string[]

const TLS_LINES: Readonly<Record<PropertiesFor, TlsLines>> = {
  java: (ca, { needsCertificate }) => [
    ...given(ca, (file) => ['ssl.truststore.type=PEM', `ssl.truststore.location=${escaped(file)}`]),
    ...(needsCertificate
      ? [
          '# the listener wants a certificate of the client too: key and certificates in one file',
          '# ssl.keystore.type=PEM',
          '# ssl.keystore.location=/path/to/client.pem',
        ]
      : []),
  ],
  librdkafka: (ca, { needsCertificate }) => [
    ...given(ca, (file) => [`ssl.ca.location=${file}`]),
    ...(needsCertificate
      ? [
          '# the listener wants a certificate of the client too',
          '# ssl.certificate.location=/path/to/client.pem',
          '# ssl.key.location=/path/to/client.key',
        ]
      : []),
  ],
}

/** The lines, or what they would be. */
function given(
  ca: string | undefined,
  lines: (file: string) => readonly string[],
): readonly string[] {
  if (ca !== undefined) return lines(ca)
  const hint = '# where the system does not know who has signed the certificate (--ca FILE):'
  return [hint, ...lines('/path/to/ca.pem').map((line) => `# ${line}`)]
}

/** A backslash begins an escape in files of Java. */
const escaped = (text: string): string => text.replace(/\\/g, '\\\\')

/** What to try it with. */
export function kcatLine({ key, secret }: KeyLogin, entrance: Entrance, ca?: string): string {
  const location = entrance.tls && ca !== undefined ? ` -X ssl.ca.location=${ca}` : ''
  return `kcat -L -b ${entrance.bootstrap} -X security.protocol=${protocolOf(entrance)}${location} -X sasl.mechanisms=PLAIN -X sasl.username=${key} -X sasl.password=${secret}`
}
