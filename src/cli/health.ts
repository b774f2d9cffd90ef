/** `griot health`: what `/health` of a running engine says. */
import {
  askEngine,
  askEngineText,
  EngineAddressError,
  type EngineAnswer,
  type EngineTarget,
  EngineUnreachableError,
  notGriotAt,
  wantsJson,
} from './engine-url.ts'
import { ExitCode } from './exit-code.ts'

interface HealthBody {
  readonly status?: string
  readonly reasons?: readonly string[]
  readonly version?: string
  readonly brokers?: number
  readonly uptimeMs?: number
}

export async function runHealth(options: {
  readonly url?: string
  readonly dataDir?: string
  readonly json?: boolean
}): Promise<void> {
  const json = wantsJson(options.json)
  try {
    const answer = await askEngine(options, '/health')
    if (answer.status === 404) throw await notFound(options, answer)
    const body = answer.body as HealthBody
    console.log(json ? JSON.stringify(body) : describeHealth(answer.url, body))
    process.exitCode = answer.status === 200 ? ExitCode.OK : ExitCode.FAILED
  } catch (error) {
    if (!(error instanceof EngineUnreachableError)) throw error
    if (json) console.log(JSON.stringify({ status: 'unreachable', reasons: [error.message] }))
    else console.error(`griot: ${error.message}`)
    process.exitCode = error instanceof EngineAddressError ? ExitCode.USAGE : ExitCode.FAILED
  }
}

/** With `--admin-listen` the other address tells of life alone. */
async function notFound(target: EngineTarget, { url }: EngineAnswer): Promise<Error> {
  const live = await askEngineText(target, '/health/live')
  return new EngineUnreachableError(
    live.status === 404
      ? notGriotAt(url)
      : `${url} tells only /health/live (${live.status === 200 ? 'alive' : 'threads hang'}): ask the admin address, or --data-dir`,
  )
}

function describeHealth(url: string, body: HealthBody): string {
  const uptimeS = Math.round((body.uptimeMs ?? 0) / 1000)
  const head = `${body.status ?? 'unknown'}: griot ${body.version ?? '?'} at ${url}, brokers ${body.brokers ?? '?'}, up ${uptimeS} s`
  return [head, ...(body.reasons ?? []).map((reason) => `  ${reason}`)].join('\n')
}
