/** What `griot start` prints once it is ready. */
import {
  accessOf,
  advertisedOf,
  formatAdvertised,
  listenerRisks,
  type OpenListener,
} from '../server/listeners.ts'
import type { EngineSettings } from '../server/options.ts'
import {
  formatBytes,
  formatHostPort,
  type HostPort,
  isLoopback,
  isUnspecified,
  localHostOf,
} from '../server/units.ts'

export interface Screen {
  readonly version: string
  readonly readyMs: number
  /** In the order of the settings. */
  readonly listeners: readonly OpenListener[]
  /** As programs on this machine reach them. */
  readonly httpUrl: string | null
  readonly adminUrl: string | null
  readonly dataDir: string
  readonly settings: EngineSettings
}

export function firstScreen(screen: Screen): string {
  const { settings } = screen
  const lines: readonly (readonly [string, string])[] = [
    ...listenerLines(screen),
    ...warningLines(screen),
    ...(settings.chaos ? [['Chaos', CHAOS] as const] : []),
    ...httpLines(screen),
    ['Data', screen.dataDir],
    [
      'Memory',
      `${formatBytes(settings.memoryBytes)} at most for ring logs, rings, read buffers and bytes in flight`,
    ],
    ['Survives', 'death of a thread or of the process (kill -9): everything acknowledged'],
    ['', 'power loss: only topics with flush.messages=1'],
    ...tryLines(screen),
  ]
  const title = `griot ${screen.version} ready in ${Math.round(screen.readyMs)} ms`
  return [title, '', ...lines.map(([name, text]) => `  ${name.padEnd(10)}${text}`), ''].join('\n')
}

const CHAOS = 'brokers can be made to fail: griot chaos'

const warningLines = ({ settings, listeners }: Screen): [string, string][] =>
  listenerRisks(settings, listeners).map(({ risk, where }) => ['Warning', `at ${where} ${risk}`])

/** A line to copy, at the first listener that takes clients as they come, to the tenant that is always there. */
function tryLines({ settings, listeners }: Screen): [string, string][] {
  const index = settings.kafkaListen.findIndex(
    (listen) =>
      listen.tls !== true &&
      (listen.tenant ?? 'default') === 'default' &&
      accessOf(listen, settings).allowsAnonymous,
  )
  const open = listeners[index]
  if (open === undefined) return []
  const at = formatHostPort({ host: localHostOf(open.host), port: open.ports[0]! })
  return [['Try', `echo hello | kcat -b ${at} -P -t greetings && kcat -b ${at} -C -t greetings -e`]]
}

/** As programs on this machine reach it, and whether others do as well at any address of it. */
const reached = (url: string | null, listen: HostPort | null): string =>
  isUnspecified(listen?.host ?? '') ? `${url} and every other address of this machine` : `${url}`

/** What answers where, and where a token is asked for. */
function httpLines({ settings, httpUrl, adminUrl }: Screen): [string, string][] {
  const { httpListen, adminListen } = settings
  const paths = isLoopback((adminListen ?? httpListen)?.host ?? '')
    ? '/health, /metrics'
    : '/health, /metrics with the operator token'
  const lines: [string, string][] = []
  if (httpUrl === null) lines.push(['HTTP', 'off'])
  else {
    const where = reached(httpUrl, httpListen)
    lines.push(['HTTP', `${where} (${adminListen === null ? paths : '/health/live'})`])
  }
  if (adminListen !== null) {
    lines.push(['Admin', `${reached(adminUrl, adminListen)} (${paths})`])
  }
  return lines
}

/** Each listener with its ports, and what its clients are told where that was given. */
function listenerLines({ listeners, settings }: Screen): [string, string][] {
  const advertised = advertisedOf(settings)
  return listeners.flatMap(({ host, ports }, index) => {
    const names = ports.length === 1 ? 'broker 1' : `brokers 1 to ${ports.length}`
    const where = ports.map((port) => formatHostPort({ host, port })).join(', ')
    const told = advertised[index] ?? null
    const { tls, tenant } = settings.kafkaListen[index]!
    const own = [tls ? 'TLS' : [], tenant === undefined ? [] : `the tenant ${tenant}`].flat()
    const what = [names, ...own].join(', ')
    const lines: [string, string][] = [[index === 0 ? 'Kafka' : '', `${where} (${what})`]]
    if (told !== null) {
      const first = formatAdvertised({ host: told.host, port: told.port ?? ports[0]! })
      const last = (told.port ?? ports[0]!) + ports.length - 1
      const range = ports.length === 1 ? first : `${first} to ${last}`
      lines.push(['', `clients are told ${range}`])
    }
    return lines
  })
}
