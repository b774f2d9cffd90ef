import type { BrokerId, CellId, FrontId } from '../base/ids.ts'
import { COORDINATED_HEAD_FIELDS } from '../link/control.ts'
import { type ControlPort, frontPeer } from '../link/ports.ts'
import type { Api } from '../protocol/api.ts'
import { encodeResponse } from '../protocol/codec.ts'
import type { EncodedFrame } from '../protocol/frame-writer.ts'

/** A request that a coordinator has, as its host knows it again. */
export interface CallToken {
  readonly front: FrontId
  /** The front's. */
  readonly correlation: number
  readonly api: Api
  readonly version: number
  /** The client's. */
  readonly correlationId: number
}

interface Gathered {
  readonly heads: number[]
  readonly frames: EncodedFrame[]
  byteLength: number
}

/** Gathers what coordinators answer in a turn, and sends it to each front in one message. On the broker's thread. */
export class CoordinatorAnswers {
  readonly #control: ControlPort
  readonly #cellId: CellId
  readonly #brokerId: BrokerId
  readonly #byFront = new Map<FrontId, Gathered>()

  constructor(control: ControlPort, cellId: CellId, brokerId: BrokerId) {
    this.#control = control
    this.#cellId = cellId
    this.#brokerId = brokerId
  }

  /** Throws WireFormatError when the response does not fit its version: a bug of ours. */
  answer(token: CallToken, response: unknown): void {
    const { api, version, correlationId } = token
    this.#add(
      token.front,
      token.correlation,
      0,
      encodeResponse(api, version, correlationId, response as never),
    )
  }

  /** No coordinator answers: the front makes the answer from the error. `wasHandled`: one has begun to, and what it did may last. */
  refuse(front: FrontId, correlation: number, error: number, wasHandled = false): void {
    this.#add(front, correlation, error, null, wasHandled)
  }

  /** Sends what was gathered; returns how many answers. */
  post(): number {
    let count = 0
    for (const [front, { heads, frames, byteLength }] of this.#byFront) {
      const bytes = new Uint8Array(byteLength)
      let at = 0
      for (const frame of frames) {
        for (const chunk of frame.chunks) {
          bytes.set(chunk, at)
          at += chunk.length
        }
        frame.release?.()
      }
      this.#control.post(frontPeer(front), {
        kind: 'coordinated',
        cellId: this.#cellId,
        brokerId: this.#brokerId,
        heads: Int32Array.from(heads),
        bytes,
      })
      count += heads.length / COORDINATED_HEAD_FIELDS
    }
    this.#byFront.clear()
    return count
  }

  #add(
    front: FrontId,
    correlation: number,
    error: number,
    frame: EncodedFrame | null,
    wasHandled = true,
  ): void {
    let gathered = this.#byFront.get(front)
    if (gathered === undefined) {
      gathered = { heads: [], frames: [], byteLength: 0 }
      this.#byFront.set(front, gathered)
    }
    const byteLength = frame?.byteLength ?? 0
    gathered.heads.push(correlation, error, byteLength, wasHandled ? 1 : 0)
    gathered.byteLength += byteLength
    if (frame !== null) gathered.frames.push(frame)
  }
}
