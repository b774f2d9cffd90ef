/** Every option of `griot start`, once: its name, what it accepts, its default, what it is for. */
import os from 'node:os'
import type { LogLevel } from '../base/log.ts'
import type { ConfigValues } from '../image/topic-config.ts'
import { parseAllowedHost } from '../net/host-check.ts'
import type { ClientAuth } from '../net/listener-info.ts'
import { parseBrokerConfig } from './broker-configs.ts'
import { brokersMadeFor } from './data-directory.ts'
import { areBoundAlike, type KafkaListen, parseKafkaListens } from './listeners.ts'
import { parseRacks, type Racks } from './racks.ts'
import { type SniCert, TLS_OPTIONS } from './tls-options.ts'
import {
  type Advertised,
  type HostPort,
  parseAdvertised,
  parseBytes,
  parseCount,
  parseDurationMs,
  parseHostPort,
  parseList,
  parseOneOf,
  parseSwitch,
  parseText,
} from './units.ts'

/** Free space below which produce is refused: the smaller of what is given. */
export interface DiskReserve {
  readonly bytes: number | null
  readonly fraction: number | null
}

/** What an engine is started with, after every source was read and checked. */
export interface EngineSettings {
  readonly dataDir: string
  /** At least one. */
  readonly kafkaListen: readonly KafkaListen[]
  /** Of the listener that names none itself; null: clients are told the local address that their connection came in on. */
  readonly kafkaAdvertise: Advertised | null
  /** Of listeners that do not say; `auto`: on where they are bound to loopback. */
  readonly kafkaAnonymous: (typeof ANONYMOUS_MODES)[number]
  /** Clients may log in without TLS beyond loopback. */
  readonly kafkaAllowPlaintextSasl: boolean
  /** PEM: the certificate of TLS listeners and those that it was signed with; null: there are none. */
  readonly tlsCert: string | null
  /** null: in the file of the certificate. */
  readonly tlsKey: string | null
  readonly tlsKeyPassphraseFile: string | null
  /** PEM: who may have signed the certificates of clients. */
  readonly tlsClientCa: string | null
  readonly tlsClientAuth: ClientAuth
  readonly tlsCrl: string | null
  readonly tlsSniCert: readonly SniCert[]
  /** As they are written. */
  readonly tlsPrincipalMapping: string
  /** Lower case; null: the name that a client looks for says nothing. */
  readonly tlsSniDomain: string | null
  readonly httpListen: HostPort | null
  /** null: with `httpListen`. */
  readonly adminListen: HostPort | null
  /** Names by which HTTP on loopback may be asked besides addresses and `localhost`. */
  readonly httpAllowHosts: readonly string[]
  /** null: the one in the data directory, made at the first start. */
  readonly tokenFile: string | null
  readonly brokers: number
  readonly cells: number
  readonly racks: Racks
  readonly memoryBytes: number
  readonly stopTimeoutMs: number
  readonly logLevel: LogLevel
  readonly autoCreateTopics: boolean
  readonly defaultPartitions: number
  readonly diskReserve: DiskReserve
  readonly connectionsMaxIdleMs: number
  /** By Kafka's names. */
  readonly brokerConfig: ConfigValues
  /** Brokers can be made to fail on demand. */
  readonly chaos: boolean
}

/** One row of {@link OPTIONS}. */
export interface OptionSpec<Key extends keyof EngineSettings = keyof EngineSettings> {
  readonly key: Key
  /** Name of the flag without dashes, and the key of the configuration file; `GRIOT_…` is derived from it. */
  readonly name: string
  readonly placeholder: string
  readonly help: string
  /** The default as it is shown; `fallback` makes the value. */
  readonly shown: string
  /** Told what the options before it in the table have come to. */
  readonly fallback: (before: Readonly<Partial<EngineSettings>>) => EngineSettings[Key]
  /** May be given more than once on the command line, and as a list in a file. */
  readonly isList?: boolean
  /** On the command line the name alone means true. */
  readonly isSwitch?: boolean
  /** Whether this change takes effect when the file is read again, without a restart; left out: none does. */
  readonly isLive?: (before: EngineSettings, after: EngineSettings) => boolean
  /** Throws a RangeError that says what is wanted. */
  readonly parse: (value: unknown) => EngineSettings[Key]
}

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const

export const ANONYMOUS_MODES = ['auto', 'on', 'off'] as const

export const BROKERS_MAX = 16
const ALLOWED_HOSTS_MAX = 64
export const MEMORY_BYTES_MIN = 16 * 2 ** 20
export const DEFAULT_MEMORY_BYTES_MAX = 2 * 2 ** 30
export const EMBEDDED_MEMORY_BYTES = 64 * 2 ** 20
export const DEFAULT_DISK_RESERVE: DiskReserve = { bytes: 2 * 2 ** 30, fraction: 0.05 }

const option = <Key extends keyof EngineSettings>(spec: OptionSpec<Key>): OptionSpec =>
  spec as unknown as OptionSpec

const always = (): boolean => true

export const OPTIONS: readonly OptionSpec[] = [
  option({
    key: 'dataDir',
    name: 'data-dir',
    placeholder: 'DIR',
    help: 'where everything is kept; made with mode 0700 when missing',
    shown: './griot-data',
    fallback: () => './griot-data',
    parse: parseText,
  }),
  option({
    key: 'kafkaListen',
    name: 'kafka-listen',
    placeholder: 'HOST:PORT[=HOST[:PORT]][,PROPERTY…]',
    help:
      'address for Kafka clients; N brokers take N consecutive ports, port 0 takes N free ones; after = what clients ' +
      'are told to connect to; after a comma what holds for this one alone (tls, client-auth=MODE, tenant=NAME, anonymous=on, anonymous=off); given more than once, or ' +
      'joined by commas, for several listeners',
    shown: '127.0.0.1:9092',
    isList: true,
    // what clients are told, not where they come in
    isLive: (before, after) => areBoundAlike(before.kafkaListen, after.kafkaListen),
    fallback: () => [{ host: '127.0.0.1', port: 9092, advertise: null }],
    parse: parseKafkaListens,
  }),
  option({
    key: 'kafkaAdvertise',
    name: 'kafka-advertise',
    placeholder: 'HOST[:PORT]',
    help: 'host and first port that clients are told to connect to, of the listener that names none itself',
    shown: 'the address that a client connected to',
    // which listener it means is decided with those that are read
    isLive: (before, after) => areBoundAlike(before.kafkaListen, after.kafkaListen),
    fallback: () => null,
    parse: parseAdvertised,
  }),
  option({
    key: 'kafkaAnonymous',
    name: 'kafka-anonymous',
    placeholder: 'MODE',
    help:
      "whether Kafka clients that do not authenticate are let in, as the tenant default: on, off, or auto: where a listener's address is " +
      'loopback; anonymous=on or anonymous=off behind an address of --kafka-listen wins',
    shown: 'auto',
    fallback: () => 'auto',
    parse: (value) => parseOneOf(plainSwitch(value), ANONYMOUS_MODES),
  }),
  option({
    key: 'kafkaAllowPlaintextSasl',
    name: 'kafka-allow-plaintext-sasl',
    placeholder: 'BOOL',
    help:
      'Kafka clients may log in without TLS beyond loopback: whoever is on the way between reads passwords (of SCRAM what guesses can be ' +
      'tried on) and all records, and can write as that client',
    shown: 'false',
    isSwitch: true,
    fallback: () => false,
    parse: parseSwitch,
  }),
  ...TLS_OPTIONS,
  option({
    key: 'httpListen',
    name: 'http-listen',
    placeholder: 'HOST:PORT',
    help: 'address of HTTP: /health, /metrics and /admin, unless they have one of their own; off for none',
    shown: '127.0.0.1:8082',
    fallback: () => ({ host: '127.0.0.1', port: 8082 }),
    parse: (value) => (value === 'off' || value === false ? null : parseHostPort(value)),
  }),
  option({
    key: 'adminListen',
    name: 'admin-listen',
    placeholder: 'HOST:PORT',
    help: 'address of their own for /health, /metrics and /admin, which --http-listen then no longer answers but for /health/live',
    shown: 'the same as --http-listen',
    fallback: () => null,
    parse: parseHostPort,
  }),
  option({
    key: 'httpAllowHosts',
    name: 'http-allow-host',
    placeholder: 'NAME',
    help: 'name by which HTTP on loopback may be asked as well; .NAME for all names under it, too; several with commas',
    shown: 'addresses, localhost, *.localhost',
    isList: true,
    fallback: () => [],
    parse: (value) => parseList(value, ALLOWED_HOSTS_MAX, parseAllowedHost),
  }),
  option({
    key: 'tokenFile',
    name: 'token-file',
    placeholder: 'FILE',
    help: 'file with the operator token, which /admin asks for, and /metrics on other addresses than loopback; GRIOT_TOKEN is the token itself',
    shown: 'operator-token in the data directory, made at the first start',
    isLive: always,
    fallback: () => null,
    parse: parseText,
  }),
  option({
    key: 'brokers',
    name: 'brokers',
    placeholder: 'N',
    help: 'brokers of a cell, a thread and a directory each; fixed at the first start of a data directory',
    shown: "the data directory's number, 3 for a new one",
    fallback: ({ dataDir }) => brokersMadeFor(dataDir) ?? 3,
    parse: (value) => parseCount(value, 1, BROKERS_MAX),
  }),
  option({
    key: 'cells',
    name: 'cells',
    placeholder: 'N',
    help: 'cells of the physical cluster; only 1 for now',
    shown: '1',
    fallback: () => 1,
    parse: parseCells,
  }),
  option({
    key: 'racks',
    name: 'rack',
    placeholder: 'BROKER=RACK',
    help: "rack of a broker (Kafka's broker.rack); replicas are spread over racks once every broker has one; several with commas",
    shown: 'none',
    isList: true,
    fallback: () => ({}),
    parse: parseRacks,
  }),
  option({
    key: 'memoryBytes',
    name: 'memory',
    placeholder: 'BYTES',
    help: 'bound of ring logs, command rings, read buffers and bytes in flight together, such as 512M',
    shown: 'a quarter of the machine or of its cgroup, at most 2G',
    fallback: defaultMemoryBytes,
    parse: parseMemory,
  }),
  option({
    key: 'stopTimeoutMs',
    name: 'stop-timeout',
    placeholder: 'DURATION',
    help: 'how long a clean stop may take before the rest is cut',
    shown: '8s',
    isLive: always,
    fallback: () => 8_000,
    parse: parseStopTimeout,
  }),
  option({
    key: 'logLevel',
    name: 'log-level',
    placeholder: 'LEVEL',
    help: `lowest level of the log on stderr: ${LOG_LEVELS.join(', ')}`,
    shown: 'info',
    isLive: always,
    fallback: () => 'info',
    parse: (value) => parseOneOf(value, LOG_LEVELS),
  }),
  option({
    key: 'autoCreateTopics',
    name: 'auto-create-topics',
    placeholder: 'BOOL',
    help: "make a topic when a client asks for it (Kafka's auto.create.topics.enable)",
    shown: 'true',
    isLive: always,
    fallback: () => true,
    parse: parseSwitch,
  }),
  option({
    key: 'defaultPartitions',
    name: 'default-partitions',
    placeholder: 'N',
    help: "partitions of a topic that does not say (Kafka's num.partitions)",
    shown: '4',
    isLive: always,
    fallback: () => 4,
    parse: (value) => parseCount(value, 1, 10_000),
  }),
  option({
    key: 'diskReserve',
    name: 'disk-reserve',
    placeholder: 'MARK',
    help: 'free space below which produce is refused: bytes, a percentage, or both for the smaller',
    shown: '5%,2G',
    isLive: always,
    fallback: () => DEFAULT_DISK_RESERVE,
    parse: parseDiskReserve,
  }),
  option({
    key: 'connectionsMaxIdleMs',
    name: 'connections-max-idle',
    placeholder: 'DURATION',
    help: "a Kafka connection on which nothing comes or goes for so long is closed (Kafka's connections.max.idle.ms)",
    shown: '10m',
    isLive: always,
    fallback: () => 600_000,
    parse: parseConnectionsMaxIdle,
  }),
  option({
    key: 'brokerConfig',
    name: 'broker-config',
    placeholder: 'NAME=VALUE',
    help: "Kafka's broker configs: the defaults of topics (log.retention.hours …), of groups and of offsets; several with commas",
    shown: "Kafka's own",
    isList: true,
    fallback: () => ({}),
    parse: parseBrokerConfig,
  }),
  option({
    key: 'chaos',
    name: 'chaos',
    placeholder: 'BOOL',
    help: 'brokers can be made to fail on demand (griot chaos), to see what clients do: not where data matters',
    shown: 'false',
    isSwitch: true,
    fallback: () => false,
    parse: parseSwitch,
  }),
]

export const OPTION_NAMES: readonly string[] = OPTIONS.map((spec) => spec.name)

/** `data-dir` → `GRIOT_DATA_DIR`. */
export const envName = (name: string): string => `GRIOT_${name.replaceAll('-', '_').toUpperCase()}`

/** The memory that the machine, or the cgroup around this process, has, in bytes. */
export function machineMemoryBytes(): number {
  const constrained = process.constrainedMemory?.() ?? 0
  const total = os.totalmem()
  return constrained > 0 && constrained < total ? constrained : total
}

export function defaultMemoryBytes(): number {
  const quarter = Math.floor(machineMemoryBytes() / 4)
  return Math.max(MEMORY_BYTES_MIN, Math.min(DEFAULT_MEMORY_BYTES_MAX, quarter))
}

/** YAML reads `on` and `off` as it likes. */
const plainSwitch = (value: unknown): unknown =>
  typeof value === 'boolean' ? (value ? 'on' : 'off') : value

function parseCells(value: unknown): number {
  if (parseCount(value, 1, 1_000) !== 1) {
    throw new RangeError('accepts only 1: more than one cell is not there yet')
  }
  return 1
}

function parseMemory(value: unknown): number {
  const bytes = parseBytes(value)
  if (bytes < MEMORY_BYTES_MIN) throw new RangeError('wants at least 16M')
  if (bytes > machineMemoryBytes()) {
    throw new RangeError(
      `wants at most what the machine or its cgroup has, ${machineMemoryBytes()} bytes`,
    )
  }
  return bytes
}

function parseStopTimeout(value: unknown): number {
  const ms = parseDurationMs(value)
  if (ms > 600_000) throw new RangeError('wants at most 10m')
  return ms
}

function parseConnectionsMaxIdle(value: unknown): number {
  const ms = parseDurationMs(value)
  if (ms < 1_000 || ms > 86_400_000) throw new RangeError('wants 1s to 24h')
  return ms
}

function parseDiskReserve(value: unknown): DiskReserve {
  let bytes: number | null = null
  let fraction: number | null = null
  for (const part of String(value).split(',')) {
    const percent = /^(\d+(?:\.\d+)?)%$/.exec(part.trim())
    if (percent === null) bytes = parseBytesOfReserve(part)
    else fraction = Number(percent[1]) / 100
  }
  if (fraction !== null && fraction > 0.9) throw new RangeError('wants at most 90%')
  return { bytes, fraction }
}

function parseBytesOfReserve(part: string): number {
  try {
    return parseBytes(part)
  } catch {
    throw new RangeError('wants bytes, a percentage, or both, such as 2G, 5% or 5%,2G')
  }
}
