/** One hostile connection: sends frames in one of many ways, and notes what came of each. */
import { connect, type Socket } from 'node:net'
import { decodeResponse } from '../../src/protocol/codec.ts'
import type { HostileFrame } from './frames.ts'
import type { Prng } from './prng.ts'

/**
 * How frames are sent. `packet`: all frames at once, `pieces`: cut anywhere, `bytes`: byte by byte, `unread`: nothing is read until the end;
 * `reset` and `drop` go away in the middle.
 */
export type Manner = 'packet' | 'pieces' | 'bytes' | 'unread' | 'reset' | 'drop'

export type Outcome =
  | 'answered'
  | 'answered with an error'
  | 'closed'
  | 'not answered'
  | 'went away'

export interface Told {
  readonly outcomes: readonly Outcome[]
  /** What no broker may do. */
  readonly faults: readonly string[]
  /** The engine ended the connection before everything was answered. */
  readonly cut: boolean
  /** Error codes in answers, each once per answer. */
  readonly errors: readonly number[]
}

/** A whole frame may go unanswered for as long as this (a long poll ends when the client ends). */
const PATIENCE_MS = 20_000

export function attack(
  where: { readonly host: string; readonly port: number },
  frames: readonly HostileFrame[],
  firstCorrelationId: number,
  manner: Manner,
  random: Prng,
): Promise<Told> {
  return new Promise((resolve) => {
    const socket = connect({ ...where, noDelay: true, allowHalfOpen: true })
    const replies = new Replies()
    let isGone = false
    let isOver = false
    const finish = (late: boolean) => {
      if (isOver) return
      isOver = true
      clearTimeout(timer)
      socket.destroy()
      resolve(judge(frames, firstCorrelationId, replies.frames, { late, isGone }))
    }
    const timer = setTimeout(() => finish(true), PATIENCE_MS)
    socket.on('error', () => {})
    socket.on('close', () => finish(false))
    socket.on('end', () => socket.end())
    socket.on('data', (chunk) => replies.feed(chunk))
    socket.on('connect', () => {
      void send(socket, Buffer.concat(frames.map(({ bytes }) => bytes)), manner, random).then(
        (gone) => {
          isGone = gone
        },
      )
    })
  })
}

/** True when it did not wait for answers. */
async function send(socket: Socket, all: Buffer, manner: Manner, random: Prng): Promise<boolean> {
  const turn = () => new Promise((resolve) => setImmediate(resolve))
  switch (manner) {
    case 'packet':
      socket.end(all)
      return false
    case 'unread':
      socket.pause()
      socket.write(all, () => setTimeout(() => socket.resume().end(), 20))
      return false
    case 'pieces': {
      for (let at = 0; at < all.length && !socket.destroyed; ) {
        const length = 1 + random.below(all.length)
        socket.write(all.subarray(at, at + length))
        at += length
        await turn()
      }
      socket.end()
      return false
    }
    case 'bytes': {
      const head = Math.min(all.length, 120)
      for (let at = 0; at < head && !socket.destroyed; at++) {
        socket.write(all.subarray(at, at + 1))
        await turn()
      }
      socket.end(all.subarray(head))
      return false
    }
    case 'reset':
      socket.write(all.subarray(0, 1 + random.below(all.length)), () => socket.resetAndDestroy())
      return true
    case 'drop':
      socket.write(all.subarray(0, 1 + random.below(all.length)), () => socket.destroy())
      return true
    default:
      return manner satisfies never
  }
}

class Replies {
  readonly frames: Buffer[] = []
  #rest: Buffer = Buffer.alloc(0)

  feed(chunk: Buffer): void {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    while (this.#rest.length >= 4) {
      const end = 4 + this.#rest.readInt32BE(0)
      if (this.#rest.length < end) return
      this.frames.push(this.#rest.subarray(4, end))
      this.#rest = this.#rest.subarray(end)
    }
  }
}

function judge(
  frames: readonly HostileFrame[],
  firstCorrelationId: number,
  replies: readonly Buffer[],
  { late, isGone }: { readonly late: boolean; readonly isGone: boolean },
): Told {
  if (isGone) {
    return { outcomes: frames.map(() => 'went away'), faults: [], cut: false, errors: [] }
  }
  const faults: string[] = []
  const errors: number[] = []
  const outcomes: Outcome[] = []
  const byId = new Map(replies.map((reply) => [reply.readInt32BE(0), reply]))
  const ids = replies
    .map((reply) => reply.readInt32BE(0))
    .filter((id) => byId.get(id) !== undefined)
  const own = ids.filter(
    (id) => id >= firstCorrelationId && id < firstCorrelationId + frames.length,
  )
  if (own.some((id, i) => i > 0 && id <= own[i - 1]!)) faults.push(`out of order: ${own.join()}`)
  const lastAnswered = own.at(-1) ?? firstCorrelationId - 1
  frames.forEach((frame, i) => {
    const id = firstCorrelationId + i
    const reply = byId.get(id)
    if (reply !== undefined) {
      const found = errorsOf(frame, reply, faults)
      errors.push(...found)
      outcomes.push(found.length > 0 ? 'answered with an error' : 'answered')
    } else if (id < lastAnswered) outcomes.push('not answered')
    else outcomes.push(frame.isWhole && frame.bytes.length > 0 ? 'closed' : 'not answered')
  })
  if (late) {
    const all = frames.map(({ what }) => what).join(' | ')
    faults.push(`neither answered nor closed, ${replies.length} answers: ${all}`)
  }
  return { outcomes, faults, errors, cut: outcomes.includes('closed') }
}

/** Error codes other than 0 in an answer, each once; an answer that cannot be decoded is a fault. */
function errorsOf(frame: HostileFrame, reply: Buffer, faults: string[]): number[] {
  if (frame.api === null) return []
  try {
    const { response } = decodeResponse(frame.api, frame.version, reply)
    const found = new Set<number>()
    collectErrors(response, found)
    return [...found]
  } catch (error) {
    faults.push(`${frame.what}: ${(error as Error).message}`)
    return []
  }
}

function collectErrors(value: unknown, found: Set<number>): void {
  if (Array.isArray(value)) for (const one of value) collectErrors(one, found)
  else if (typeof value === 'object' && value !== null && !(value instanceof Uint8Array)) {
    for (const [name, inner] of Object.entries(value)) {
      if (name !== 'errorCode') collectErrors(inner, found)
      else if (inner !== 0) found.add(inner as number)
    }
  }
}
