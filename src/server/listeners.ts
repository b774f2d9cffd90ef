/** The addresses that an engine listens on: how several are written, what clients of each are told, and whether they collide. */
import type { Logger } from '../base/log.ts'
import { formatHostPort, type HostPort, hostsOverlap, isLoopback } from '../net/address.ts'
import { type Audience, CLIENT_AUTHS, type ClientAuth } from '../net/listener-info.ts'
import type { EngineSettings } from './options.ts'
import {
  type Advertised,
  parseAdvertised,
  parseHostPort,
  parseList,
  parseOneOf,
  parseSwitch,
  RefusedPartError,
} from './units.ts'

/** One value of `--kafka-listen`. */
export interface KafkaListen extends HostPort {
  /** null: what `--kafka-advertise` says, or the local address of each connection. */
  readonly advertise: Advertised | null
  /** Left out: what `--kafka-anonymous` says. */
  readonly anonymous?: boolean
  /** Left out: plain TCP. */
  readonly tls?: true
  /** Left out: what `--tls-client-auth` says. */
  readonly clientAuth?: ClientAuth
  /** By name: whose clients come in here; left out: they say it themselves. */
  readonly tenant?: string
}

/** Where Kafka clients come in: one port per broker, from broker 1. */
export interface OpenListener {
  readonly host: string
  readonly ports: readonly number[]
}

/** Listening sockets are many times this, since each takes a port per broker. */
const KAFKA_LISTENERS_MAX = 16

/** Addresses and their properties together, as they are joined by commas. */
const PARTS_MAX = 4 * KAFKA_LISTENERS_MAX

/** What may follow an address: how it is written, and how it is read. */
const PROPERTIES: Readonly<Record<string, (text: string | undefined) => Partial<KafkaListen>>> = {
  anonymous: (text) => ({ anonymous: parseSwitch(text ?? '') }),
  tls: (text) => {
    if (text === undefined) return { tls: true }
    throw new RangeError('wants tls without anything behind it')
  },
  'client-auth': (text) => ({ clientAuth: parseOneOf(text, CLIENT_AUTHS) }),
  tenant: (text = '') => {
    if (TENANT_NAME.test(text)) return { tenant: text }
    throw new RangeError('wants the name of a tenant: at most 63 of a-z, 0-9 and -')
  },
}
/** A label of DNS, as the controller wants it. */
const TENANT_NAME = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/
const PROPERTY_TEXT = 'tls, client-auth=MODE, tenant=NAME, anonymous=on, anonymous=off'

/**
 * `HOST:PORT`, `HOST:PORT=HOST[:PORT]`, each with its properties behind it, several of them as a list or joined by commas. An address has a
 * colon before its `=`, a property has none.
 */
export function parseKafkaListens(value: unknown): KafkaListen[] {
  const listens: KafkaListen[] = []
  const parts = parseList(value, PARTS_MAX, (part) => {
    const last = listens.pop()
    if (last === undefined || part.split('=')[0]!.includes(':')) {
      if (last !== undefined) listens.push(last)
      listens.push(parseKafkaListen(part))
    } else listens.push({ ...last, ...parseProperty(part, last) })
    return part
  })
  if (listens.length <= KAFKA_LISTENERS_MAX) return listens
  throw new RefusedPartError(parts.join(','), `wants at most ${KAFKA_LISTENERS_MAX} addresses`)
}

function parseKafkaListen(part: string): KafkaListen {
  const [bind, told, more] = part.split('=') as [string, string?, string?]
  if (more !== undefined) {
    throw new RangeError('wants HOST:PORT=HOST[:PORT], with one = between the two')
  }
  return {
    ...parseHostPort(bind),
    advertise: told === undefined ? null : parseAdvertised(told),
  }
}

function parseProperty(part: string, listen: KafkaListen): Partial<KafkaListen> {
  const at = part.indexOf('=')
  const name = at < 0 ? part : part.slice(0, at)
  const property = Object.hasOwn(PROPERTIES, name) ? PROPERTIES[name]! : null
  if (property === null) {
    throw new RangeError(
      `wants HOST:PORT, such as 127.0.0.1:9092, or a property of the address before it: ${PROPERTY_TEXT}`,
    )
  }
  const parsed = property(at < 0 ? undefined : part.slice(at + 1))
  if (Object.keys(parsed).some((key) => key in listen)) {
    throw new RangeError(`wants ${name} once for ${formatHostPort(listen)}`)
  }
  return parsed
}

export const formatKafkaListen = (listen: KafkaListen): string => {
  const { advertise, anonymous, tls, clientAuth, tenant } = listen
  const told = advertise === null ? '' : `=${formatAdvertised(advertise)}`
  const access = anonymous === undefined ? '' : `,anonymous=${anonymous ? 'on' : 'off'}`
  const own = tenant === undefined ? '' : `,tenant=${tenant}`
  const shown = clientAuth === undefined ? '' : `,client-auth=${clientAuth}`
  return `${formatHostPort(listen)}${told}${tls ? ',tls' : ''}${shown}${own}${access}`
}

export const formatAdvertised = ({ host, port }: Advertised): string =>
  port === null ? formatHostPort({ host, port: 0 }).slice(0, -2) : formatHostPort({ host, port })

/** The same addresses for the same clients in the same order, whatever these are told. */
export const areBoundAlike = (
  one: readonly KafkaListen[],
  other: readonly KafkaListen[],
): boolean => boundOf(one) === boundOf(other)

const boundOf = (listens: readonly KafkaListen[]): string =>
  listens.map((listen) => formatKafkaListen({ ...listen, advertise: null })).join()

/** What clients of each listener are told, in the order of `--kafka-listen`. */
export const advertisedOf = ({
  kafkaListen,
  kafkaAdvertise,
}: Pick<EngineSettings, 'kafkaListen' | 'kafkaAdvertise'>): (Advertised | null)[] =>
  kafkaListen.map(({ advertise }) => advertise ?? kafkaAdvertise)

/** Whom a listener lets in, as far as its address and the options decide. What counts is where it is bound, never who connects. */
export function accessOf(
  { host, anonymous, tls }: Pick<KafkaListen, 'host' | 'anonymous' | 'tls'>,
  { kafkaAnonymous, kafkaAllowPlaintextSasl }: AccessSettings,
): Pick<Audience, 'allowsAnonymous' | 'allowsSasl'> {
  const isPrivate = isLoopback(host)
  return {
    allowsAnonymous: anonymous ?? (kafkaAnonymous === 'auto' ? isPrivate : kafkaAnonymous === 'on'),
    allowsSasl: isPrivate || tls === true || kafkaAllowPlaintextSasl,
  }
}

/** Whether clients of a listener show a certificate. */
export const clientAuthOf = (
  { tls, clientAuth }: Pick<KafkaListen, 'tls' | 'clientAuth'>,
  { tlsClientAuth }: Pick<EngineSettings, 'tlsClientAuth'>,
): ClientAuth => (tls === true ? (clientAuth ?? tlsClientAuth) : 'none')

export type AccessSettings = Pick<EngineSettings, 'kafkaAnonymous' | 'kafkaAllowPlaintextSasl'>

/** What an operator should know of listeners that others than this machine reach: a sentence for each, with where it holds. */
export function listenerRisks(
  settings: EngineSettings,
  listeners: readonly OpenListener[],
): { readonly risk: string; readonly where: string }[] {
  const found = new Map<string, string[]>()
  listeners.forEach(({ host, ports }, index) => {
    if (isLoopback(host)) return
    const where = formatHostPort({ host, port: ports[0]! })
    for (const risk of risksOf(settings.kafkaListen[index]!, settings)) {
      found.set(risk, [...(found.get(risk) ?? []), where])
    }
  })
  return [...found].map(([risk, where]) => ({ risk, where: where.join(', ') }))
}

function risksOf(listen: KafkaListen, settings: EngineSettings): string[] {
  const { allowsAnonymous, allowsSasl } = accessOf(listen, settings)
  const risks: string[] = []
  if (allowsAnonymous) risks.push(anonymousRisk(listen.tenant ?? 'default'))
  if (listen.tls === true) return risks
  if (allowsSasl) risks.push(PLAINTEXT_RISK)
  return risks.length === 0 ? [NOBODY_RISK] : risks
}

const anonymousRisk = (tenant: string) =>
  `anonymous access is on: whoever connects reads and writes everything of the tenant ${tenant}`
const PLAINTEXT_RISK =
  'logins without TLS are allowed: whoever is on the way reads passwords and records'
const NOBODY_RISK =
  'no client gets in: logins want TLS, or --kafka-allow-plaintext-sasl; anonymous access wants --kafka-anonymous on'

export function warnOfListeners(
  settings: EngineSettings,
  listeners: readonly OpenListener[],
  logger: Logger,
): void {
  for (const { risk, where } of listenerRisks(settings, listeners)) {
    logger.log('warn', `Kafka listeners beyond loopback: ${risk}`, { kafkaListen: where })
  }
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
