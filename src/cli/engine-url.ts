/**
 * How commands find and ask a running engine: `--url`, `--data-dir`, GRIOT_URL, GRIOT_DATA_DIR, `./griot-data`, then the default address
 * of `griot start`. In a data directory its engine has left its address.
 */
import { readEndpoints } from '../server/endpoints.ts'
import {
  checkToken,
  OPERATOR_TOKEN_FILE,
  OperatorTokenError,
  readToken,
} from '../server/operator-token.ts'
import { askProven, type EngineRequest, GET, JSON_BODY, NotProvenError } from './engine-proof.ts'

export const DEFAULT_URL = 'http://127.0.0.1:8082'
export const DEFAULT_DATA_DIR = './griot-data'

/** What to do where there is none. */
const ELSEWHERE =
  '`griot start` starts one; --url http://HOST:PORT or --data-dir DIR says where another is (or GRIOT_URL, GRIOT_DATA_DIR)'

const REQUEST_TIMEOUT_MS = 10_000

/** What every command that asks an engine takes. */
export interface EngineTarget {
  readonly url?: string | undefined
  /** `url` is a default of ours, nobody's word. */
  readonly isAssumed?: boolean
  readonly dataDir?: string | undefined
  readonly tokenFile?: string | undefined
}

export interface EngineAnswer {
  readonly url: string
  readonly status: number
  readonly body: unknown
  /** As of {@link EngineText}. */
  readonly hadToken: boolean
}

export interface EngineText {
  readonly url: string
  readonly status: number
  readonly text: string
  /** The engine asked for the operator token, and was sent one. */
  readonly hadToken: boolean
}

type Env = Readonly<Record<string, string | undefined>>

/** The engine could not be asked; the message says where and why. */
export class EngineUnreachableError extends Error {
  override name = 'EngineUnreachableError'
  /** There is none, which may be so for a moment; null: something else is wrong. */
  readonly absence: string | null

  constructor(message: string, absence: string | null = null) {
    super(message)
    this.absence = absence
  }
}

/** The address is none: what was asked cannot be meant. */
export class EngineAddressError extends EngineUnreachableError {
  override name = 'EngineAddressError'
}

/** GETs `path` of the engine, as {@link askEngineText} does, and parses its JSON. Throws {@link EngineUnreachableError}. */
export async function askEngine(
  target: EngineTarget,
  path: string,
  env: Env = process.env,
): Promise<EngineAnswer> {
  return parseAnswer(await askEngineText(target, path, env))
}

/** What an engine answers to `method` at `path`, with `body` as JSON unless it is undefined; otherwise as {@link askEngine}. */
export async function tellEngine(
  target: EngineTarget,
  method: EngineRequest['method'],
  path: string,
  body?: unknown,
): Promise<EngineAnswer> {
  const asked = { method, body: body === undefined ? null : JSON.stringify(body) }
  return parseAnswer(await askEngineText(target, path, process.env, REQUEST_TIMEOUT_MS, asked))
}

function parseAnswer({ url, status, text, hadToken }: EngineText): EngineAnswer {
  try {
    return { url, status, body: JSON.parse(text), hadToken }
  } catch {
    throw new EngineUnreachableError(notGriotAt(url))
  }
}

/** Something else answers there. */
export const notGriotAt = (url: string): string =>
  `no engine answers at ${url}: what answers is not griot; ${ELSEWHERE}`

/**
 * GETs `path` of the engine, or what else is asked. The operator token is looked for and sent only when the engine asks for it, and proves to have it where
 * nobody named the address.
 * Throws {@link EngineUnreachableError}.
 */
export async function askEngineText(
  target: EngineTarget,
  path: string,
  env: Env = process.env,
  timeoutMs = REQUEST_TIMEOUT_MS,
  asked: EngineRequest = GET,
): Promise<EngineText> {
  const { base, isNamed } = engineAddress(target, env)
  const url = new URL(path, base)
  const tokenOf = () => engineToken(target, env)
  try {
    const answer = isNamed
      ? await askNamed(url, tokenOf, timeoutMs, asked)
      : await askProven(url, tokenOf, AbortSignal.timeout(timeoutMs), asked)
    return { url: base, ...answer }
  } catch (error) {
    if (error instanceof OperatorTokenError) throw new EngineUnreachableError(error.message)
    if (error instanceof NotProvenError) {
      throw new EngineUnreachableError(`what answers at ${base} ${error.message}`)
    }
    const reason = reasonOf(error, timeoutMs)
    const message = `no engine answers at ${base}: ${reason}`
    const absence = reason === 'ECONNREFUSED' ? message : null
    throw new EngineUnreachableError(`${message}; ${ELSEWHERE}`, absence)
  }
}

/** Whoever named the address vouches for who is there. */
async function askNamed(
  url: URL,
  tokenOf: () => string | null,
  timeoutMs: number,
  { method, body }: EngineRequest,
): Promise<Omit<EngineText, 'url'>> {
  const ask = (headers: Readonly<Record<string, string>>) => {
    const signal = AbortSignal.timeout(timeoutMs)
    return body === null
      ? fetch(url, { method, headers, signal })
      : fetch(url, { method, headers: { ...headers, ...JSON_BODY }, body, signal })
  }
  let response = await ask({})
  const token = response.status === 401 ? tokenOf() : null
  if (token !== null) response = await ask({ authorization: `Bearer ${token}` })
  return { status: response.status, text: await response.text(), hadToken: token !== null }
}

interface EngineAddress {
  readonly base: string
  /** By --url or GRIOT_URL; otherwise it is a default, or what was found in a data directory. */
  readonly isNamed: boolean
}

/** Where the engine is asked. Throws {@link EngineAddressError}, or {@link EngineUnreachableError} where none runs in a data directory that is named. */
export function engineAddress(target: EngineTarget, env: Env = process.env): EngineAddress {
  const address = engineUrl(target, env)
  const { base } = address
  if (URL.canParse(base) && /^https?:/.test(base)) return address
  const origin = target.url === undefined ? 'environment variable GRIOT_URL' : 'option --url'
  throw new EngineAddressError(`${origin}: "${base}" is refused, it wants http://HOST:PORT`)
}

/** Throws {@link EngineUnreachableError} when a data directory is named in which no engine runs. */
function engineUrl({ url, dataDir, isAssumed }: EngineTarget, env: Env): EngineAddress {
  // a directory that is named now says more than a variable of long ago
  const named = dataDir ?? (env.GRIOT_URL ? undefined : env.GRIOT_DATA_DIR || undefined)
  if (url !== undefined) return { base: url, isNamed: isAssumed !== true }
  if (named === undefined) {
    if (env.GRIOT_URL) return { base: env.GRIOT_URL, isNamed: true }
    return { base: readEndpoints(DEFAULT_DATA_DIR)?.adminUrl ?? DEFAULT_URL, isNamed: false }
  }
  const endpoints = readEndpoints(named)
  if (endpoints === null) {
    const absence = `no engine runs in data directory ${named}`
    throw new EngineUnreachableError(`${absence}; ${ELSEWHERE}`, absence)
  }
  if (endpoints.adminUrl === null) {
    throw new EngineUnreachableError(
      `the engine in data directory ${named} has no HTTP address: it was started with --http-listen off`,
    )
  }
  return { base: endpoints.adminUrl, isNamed: false }
}

/**
 * GRIOT_TOKEN, `--token-file`, or the one of the data directory; null where there is none. A directory that is not named on
 * the command line gives its own to no address but its own engine's. Throws {@link OperatorTokenError}.
 */
function engineToken({ url, dataDir, tokenFile }: EngineTarget, env: Env): string | null {
  if (tokenFile !== undefined) return readToken(tokenFile, 'option --token-file')
  if (env.GRIOT_TOKEN) return checkToken(env.GRIOT_TOKEN, 'environment variable GRIOT_TOKEN')
  if (env.GRIOT_TOKEN_FILE) {
    return readToken(env.GRIOT_TOKEN_FILE, 'environment variable GRIOT_TOKEN_FILE')
  }
  const isElsewhere = url !== undefined || Boolean(env.GRIOT_URL)
  const own = isElsewhere ? undefined : env.GRIOT_DATA_DIR || DEFAULT_DATA_DIR
  const directory = dataDir ?? own
  if (directory === undefined) return null
  const file = `${directory}/${OPERATOR_TOKEN_FILE}`
  try {
    return readToken(file, 'data directory')
  } catch (error) {
    // one that was never made is no mistake of who asks
    if (dataDir === undefined && (error as Error).message.includes('ENOENT')) return null
    throw error
  }
}

export const wantsJson = (json: boolean | undefined, env: Env = process.env): boolean =>
  json ?? ['1', 'true', 'yes', 'on'].includes((env.GRIOT_JSON ?? '').toLowerCase())

function reasonOf(error: unknown, timeoutMs: number): string {
  if (!(error instanceof Error)) return String(error)
  const cause = error.cause as NodeJS.ErrnoException | undefined
  if (error.name === 'TimeoutError' || error.name === 'AbortError')
    return `nothing for ${timeoutMs / 1000} s`
  // those of other protocols: fetch never even tries
  if (cause?.message === 'bad port')
    return 'web clients refuse that port, so no engine can be asked there'
  return cause?.code ?? cause?.message ?? (error as NodeJS.ErrnoException).code ?? error.message
}
