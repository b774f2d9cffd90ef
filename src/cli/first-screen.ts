/** What `griot start` prints once it is ready. */
import type { EngineSettings } from '../server/options.ts'
import { formatBytes, formatHostPort } from '../server/units.ts'

export interface Screen {
  readonly version: string
  readonly readyMs: number
  /** One per broker, as clients can reach them. */
  readonly brokers: readonly string[]
  readonly httpUrl: string | null
  readonly dataDir: string
  readonly settings: EngineSettings
}

export function firstScreen(screen: Screen): string {
  const { brokers, settings } = screen
  const bootstrap = bootstrapAddress(screen)
  const names = brokers.length === 1 ? 'broker 1' : `brokers 1 to ${brokers.length}`
  const lines: readonly (readonly [string, string])[] = [
    ['Kafka', `${brokers.join(', ')} (${names})`],
    ...advertisedLine(screen),
    ['HTTP', screen.httpUrl === null ? 'off' : `${screen.httpUrl} (/health, /metrics)`],
    ['Data', screen.dataDir],
    [
      'Memory',
      `${formatBytes(settings.memoryBytes)} at most for ring logs, rings, read buffers and bytes in flight`,
    ],
    ['Survives', 'death of a thread or of the process (kill -9): everything acknowledged'],
    ['', 'power loss: only topics with flush.messages=1'],
    [
      'Try',
      `echo hello | kcat -b ${bootstrap} -P -t greetings && kcat -b ${bootstrap} -C -t greetings -e`,
    ],
  ]
  const title = `griot ${screen.version} ready in ${Math.round(screen.readyMs)} ms`
  return [title, '', ...lines.map(([name, text]) => `  ${name.padEnd(10)}${text}`), ''].join('\n')
}

function advertisedLine({ brokers, settings }: Screen): [string, string][] {
  const advertised = settings.kafkaAdvertise
  if (advertised === null) return []
  const first = advertised.port ?? Number(brokers[0]!.slice(brokers[0]!.lastIndexOf(':') + 1))
  return [['Advertised', formatHostPort({ host: advertised.host, port: first })]]
}

/** Where a client on this machine gets in: listening everywhere is reached at loopback. */
function bootstrapAddress({ brokers }: Screen): string {
  return brokers[0]!.replace(/^0\.0\.0\.0:/, '127.0.0.1:').replace(/^\[::\]:/, '[::1]:')
}
