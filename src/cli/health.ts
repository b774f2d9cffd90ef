/** `griot health`: what `/health` of a running engine says. */
import { askEngine, EngineAddressError, EngineUnreachableError, wantsJson } from './engine-url.ts'
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

function describeHealth(url: string, body: HealthBody): string {
  const uptimeS = Math.round((body.uptimeMs ?? 0) / 1000)
  const head = `${body.status ?? 'unknown'}: griot ${body.version ?? '?'} at ${url}, brokers ${body.brokers ?? '?'}, up ${uptimeS} s`
  return [head, ...(body.reasons ?? []).map((reason) => `  ${reason}`)].join('\n')
}
