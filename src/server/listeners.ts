/** The addresses that an engine listens on: how several are written, what clients of each are told, and whether they collide. */
import type { Logger } from '../base/log.ts'
import { formatHostPort, type HostPort, hostsOverlap, isLoopback } from '../net/address.ts'
import type { EngineSettings } from './options.ts'
import { type Advertised, parseAdvertised, parseHostPort, parseList } from './units.ts'

/** One value of `--kafka-listen`. */
export interface KafkaListen extends HostPort {
  /** null: what `--kafka-advertise` says, or the local address of each connection. */
  readonly advertise: Advertised | null
}

/** Where Kafka clients come in: one port per broker, from broker 1. */
export interface OpenListener {
  readonly host: string
  readonly ports: readonly number[]
}

/** Rejects where a port is taken, or cannot be listened on: named with its option. */
export async function probeListeners({
  kafkaListen,
  brokers: nodes,
}: EngineSettings): Promise<void> {
  const { probePorts } = await import('../net/kafka-listener.ts')
  for (const { host, port } of kafkaListen) {
    await probePorts({ optionName: '--kafka-listen', host, port, nodes })
  }
}

/** Listening sockets are many times this, since each takes a port per broker. */
const KAFKA_LISTENERS_MAX = 16

/** `HOST:PORT`, `HOST:PORT=HOST[:PORT]`, several of them as a list or joined by commas. */
export const parseKafkaListens = (value: unknown): KafkaListen[] =>
  parseList(value, KAFKA_LISTENERS_MAX, (part) => {
    const [bind, told, more] = part.split('=') as [string, string?, string?]
    if (more !== undefined) {
      throw new RangeError('wants HOST:PORT=HOST[:PORT], with one = between the two')
    }
    return {
      ...parseHostPort(bind),
      advertise: told === undefined ? null : parseAdvertised(told),
    }
  })

export const formatKafkaListen = ({ advertise, ...bind }: KafkaListen): string =>
  advertise === null
    ? formatHostPort(bind)
    : `${formatHostPort(bind)}=${formatAdvertised(advertise)}`

export const formatAdvertised = ({ host, port }: Advertised): string =>
  port === null ? formatHostPort({ host, port: 0 }).slice(0, -2) : formatHostPort({ host, port })

/** The same addresses in the same order, whatever clients are told. */
export const areBoundAlike = (
  one: readonly KafkaListen[],
  other: readonly KafkaListen[],
): boolean => one.map(formatHostPort).join() === other.map(formatHostPort).join()

/** What clients of each listener are told, in the order of `--kafka-listen`. */
export const advertisedOf = ({
  kafkaListen,
  kafkaAdvertise,
}: Pick<EngineSettings, 'kafkaListen' | 'kafkaAdvertise'>): (Advertised | null)[] =>
  kafkaListen.map(({ advertise }) => advertise ?? kafkaAdvertise)

/** Where others than this machine come in, and nobody asks them who they are. */
export const openToOthers = (listeners: readonly OpenListener[]): string[] =>
  listeners
    .filter(({ host }) => !isLoopback(host))
    .map(({ host, ports }) => formatHostPort({ host, port: ports[0]! }))

export function warnOfOpenListeners(listeners: readonly OpenListener[], logger: Logger): void {
  const open = openToOthers(listeners)
  if (open.length === 0) return
  const message =
    'Kafka clients on other machines can read and write everything: there is no authentication yet'
  logger.log('warn', message, { kafkaListen: open.join(',') })
}

/** Consecutive ports of one listener, for messages. */
interface Range {
  readonly option: string
  readonly address: HostPort
  readonly count: number
}

/** Throws a RangeError that names the options where addresses do not fit, collide, or are not clear. */
export function checkAddresses(settings: EngineSettings): void {
  const { brokers, kafkaListen, kafkaAdvertise, httpListen, adminListen } = settings
  const kafka = kafkaListen.map((address): Range => {
    return { option: '--kafka-listen', address, count: brokers }
  })
  const http = [
    { option: '--http-listen', address: httpListen },
    { option: '--admin-listen', address: adminListen },
  ].flatMap(({ option, address }): Range[] =>
    address === null ? [] : [{ option, address, count: 1 }],
  )
  for (const { option, address } of kafka) checkPortsFit(option, address.port, brokers)
  for (const { advertise } of kafkaListen) {
    checkPortsFit('--kafka-listen, advertised', advertise?.port ?? 0, brokers)
  }
  checkPortsFit('--kafka-advertise', kafkaAdvertise?.port ?? 0, brokers)
  checkAdvertise(settings)
  const all = [...kafka, ...http]
  all.forEach((range, index) => {
    for (const earlier of all.slice(0, index)) checkApart(earlier, range)
  })
}

function checkPortsFit(option: string, port: number, brokers: number): void {
  if (port === 0 || port + brokers - 1 <= 65_535) return
  throw new RangeError(
    `${option}: ${brokers} brokers take consecutive ports, of which ${port} leaves too few: the last is 65535`,
  )
}

/** `--kafka-advertise` must mean exactly one listener. */
function checkAdvertise({ kafkaListen, kafkaAdvertise }: EngineSettings): void {
  if (kafkaAdvertise === null) return
  const without = kafkaListen.filter(({ advertise }) => advertise === null)
  if (without.length === 1) return
  const told = formatAdvertised(kafkaAdvertise)
  if (without.length === 0) {
    throw new RangeError(
      `--kafka-advertise: ${told} is for no listener: every --kafka-listen names what its clients are told itself`,
    )
  }
  const names = without.map(formatHostPort).join(' and ')
  throw new RangeError(
    `--kafka-advertise: ${told} can be for only one of the listeners ${names}: ` +
      `say it in --kafka-listen itself, as ${formatHostPort(without[0]!)}=${told}`,
  )
}

function checkApart(one: Range, other: Range): void {
  const [a, b] = [one.address, other.address]
  if (a.port === 0 || b.port === 0 || !hostsOverlap(a.host, b.host)) return
  if (a.port + one.count <= b.port || b.port + other.count <= a.port) return
  throw new RangeError(`${describeRange(other)} and ${describeRange(one)} overlap`)
}

function describeRange({ option, address, count }: Range): string {
  const where = `${option} ${formatHostPort(address)}`
  if (count === 1) return where
  const last = address.port + count - 1
  return `${where} (ports ${address.port} to ${last}, one for each of ${count} brokers)`
}
