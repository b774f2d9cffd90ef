/**
 * Asks an engine whose address nobody vouches for: a default, or what an engine left in its data directory. A killed one leaves it as well,
 * and whoever takes its port since is not to get the operator token. So it is sent to who proves to have it (`base/engine-proof.ts`),
 * over the very connection that brought the proof.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { Agent, type IncomingMessage, request as send } from 'node:http'
import type { Socket } from 'node:net'
import { CHALLENGE_HEADER, PROOF_HEADER, proofText } from '../base/engine-proof.ts'

/** Who answers asks for the token and does not prove to have it. The message says what then, after the address. */
export class NotProvenError extends Error {
  override name = 'NotProvenError'
}

export interface ProvenAnswer {
  readonly status: number
  readonly text: string
  readonly hadToken: boolean
}

interface Answer {
  readonly status: number
  readonly text: string
  readonly proof: string
  readonly socket: Socket
  /** The engine's end of it, while it was open. */
  readonly host: string
  readonly port: number
}

/** What is asked of an engine; a body is JSON. */
export interface EngineRequest {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  readonly body: string | null
}

export const GET: EngineRequest = { method: 'GET', body: null }

/**
 * Asks `url`; `tokenOf` is called, and its token sent, when that is asked for. Throws {@link NotProvenError}, and what sockets
 * throw.
 */
export async function askProven(
  url: URL,
  tokenOf: () => string | null,
  signal: AbortSignal,
  asked: EngineRequest = GET,
): Promise<ProvenAnswer> {
  // one connection: what is asked next waits for it
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  try {
    const challenge = randomBytes(32).toString('hex')
    const first = await ask(url, { [CHALLENGE_HEADER]: challenge }, { agent, signal, asked })
    const token = first.status === 401 ? tokenOf() : null
    if (token === null) return { status: first.status, text: first.text, hadToken: false }
    if (!isProof(first, challenge, token)) {
      throw new NotProvenError(
        'asks for the operator token, but does not prove that it has it, so it was not sent: another program has the ' +
          'port, the engine has another token (GRIOT_TOKEN, --token-file), or a proxy is between; name the address ' +
          'with --url to send it all the same',
      )
    }
    const authorization = `Bearer ${token}`
    const { status, text } = await ask(
      url,
      { authorization },
      { agent, signal, asked, over: first.socket },
    )
    return { status, text, hadToken: true }
  } finally {
    agent.destroy()
  }
}

function isProof({ proof, host, port }: Answer, challenge: string, token: string): boolean {
  const wanted = createHmac('sha256', token)
    .update(proofText(challenge, host, port))
    .digest()
  const given = Buffer.from(proof, 'hex')
  return given.length === wanted.length && timingSafeEqual(given, wanted)
}

export const JSON_BODY = { 'content-type': 'application/json' } as const

interface AskOptions {
  readonly agent: Agent
  readonly signal: AbortSignal
  readonly asked: EngineRequest
  /** The only connection over which anything may go. */
  readonly over?: Socket
}

function ask(
  url: URL,
  headers: Readonly<Record<string, string>>,
  { agent, signal, asked: { method, body }, over }: AskOptions,
): Promise<Answer> {
  const how = {
    ...{ agent, signal, method },
    headers: body === null ? headers : { ...headers, ...JSON_BODY },
  }
  return new Promise((resolve, reject) => {
    const request = send(url, how, (response) => {
      const { socket } = response
      const end = { socket, host: socket.remoteAddress ?? '', port: socket.remotePort ?? 0 }
      bodyOf(response).then((text) => {
        const proof = String(response.headers[PROOF_HEADER] ?? '')
        resolve({ ...end, status: response.statusCode ?? 0, text, proof })
      }, reject)
    })
    // told before anything is written
    request.on('socket', (socket) => {
      if (over !== undefined && socket !== over) {
        request.destroy(new NotProvenError('closed the connection before it was sent the token'))
      }
    })
    request.on('error', reject)
    request.end(body ?? undefined)
  })
}

async function bodyOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of response) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}
