/** How commands find and ask a running engine: `--url`, then GRIOT_URL, then the default address of `griot start`. */
export const DEFAULT_URL = 'http://127.0.0.1:8082'

const REQUEST_TIMEOUT_MS = 10_000

export interface EngineAnswer {
  readonly url: string
  readonly status: number
  readonly body: unknown
}

/** The engine could not be asked; the message says where and why. */
export class EngineUnreachableError extends Error {
  override name = 'EngineUnreachableError'
}

/** GETs `path` of the engine and parses its JSON. Throws {@link EngineUnreachableError}. */
export async function askEngine(
  url: string | undefined,
  path: string,
  env: Readonly<Record<string, string | undefined>> = process.env,
): Promise<EngineAnswer> {
  const base = url ?? (env.GRIOT_URL || DEFAULT_URL)
  if (!URL.canParse(path, base) || !/^https?:/.test(base)) {
    const origin = url === undefined ? 'environment variable GRIOT_URL' : 'option --url'
    throw new EngineUnreachableError(`${origin}: "${base}" is refused, it wants http://HOST:PORT`)
  }
  try {
    const signal = AbortSignal.timeout(REQUEST_TIMEOUT_MS)
    const response = await fetch(new URL(path, base), { signal })
    return { url: base, status: response.status, body: await response.json() }
  } catch (error) {
    throw new EngineUnreachableError(`no engine answers at ${base}: ${reasonOf(error)}`)
  }
}

export const wantsJson = (
  json: boolean | undefined,
  env: Readonly<Record<string, string | undefined>> = process.env,
): boolean => json ?? ['1', 'true', 'yes', 'on'].includes((env.GRIOT_JSON ?? '').toLowerCase())

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const cause = error.cause as NodeJS.ErrnoException | undefined
  if (error.name === 'TimeoutError') return `nothing for ${REQUEST_TIMEOUT_MS / 1000} s`
  if (error instanceof SyntaxError) return 'what answers is not griot'
  return cause?.code ?? cause?.message ?? error.message
}
