import { ErrorCode } from '../base/error-code.ts'
import type { PartitionNumber } from '../base/ids.ts'
import type { Logger } from '../base/log.ts'
import {
  BatchIn,
  COORDINATE_HEADER_BYTES,
  type CoordinateCommand,
  readCoordinate,
} from '../link/commands.ts'
import { frontPeer } from '../link/ports.ts'
import { decodeRequest } from '../protocol/codec.ts'
import { decodeRequestHeader } from '../protocol/header.ts'
import type { RingReader } from '../shared/ring-reader.ts'
import type { BatchBuffers } from './batch-buffers.ts'
import type { BrokerUse } from './broker-use.ts'
import type { CoordinatorAnswers } from './coordinator-answers.ts'
import type { Coordinators } from './coordinators.ts'
import type { FrontLink } from './front-link.ts'

export interface CoordinateOptions {
  readonly coordinators: Coordinators
  readonly answers: CoordinatorAnswers
  readonly buffers: BatchBuffers
  readonly drainControl: () => void
  readonly logger: Logger
  readonly use: BrokerUse
}

/** COORDINATE: a request for a coordinator, decoded and handed over. */
export class CoordinateHandler {
  readonly #options: CoordinateOptions
  readonly #command: CoordinateCommand = {
    correlation: 0,
    partition: 0 as PartitionNumber,
    requestIn: 0,
    hostBytes: 0,
    bufferId: 0,
    byteLength: 0,
  }

  constructor(options: CoordinateOptions) {
    this.#options = options
  }

  onCoordinate(link: FrontLink, reader: RingReader, at: number): void {
    const command = this.#command
    readCoordinate(reader.view, at, command)
    const { correlation, partition } = command
    const { answers, coordinators, logger, use } = this.#options
    const frame = this.#frame(link, reader, at)
    if (frame === null) {
      answers.refuse(link.front, correlation, ErrorCode.UNKNOWN_SERVER_ERROR)
      return
    }
    try {
      const { api, apiVersion, correlationId, clientId, bodyOffset } = decodeRequestHeader(frame)
      if (api === undefined) throw new Error('a request of no API')
      coordinators.call(partition, {
        token: { front: link.front, correlation, api, version: apiVersion, correlationId },
        api,
        version: apiVersion,
        request: decodeRequest(api, apiVersion, frame, bodyOffset),
        clientId,
        clientHost: this.#host(reader, at),
      })
      use.came(frame.length)
    } catch (error) {
      // the front has decoded it before: a bug of ours, which ends with this request
      const message = error instanceof Error ? (error.stack ?? error.message) : String(error)
      logger.log('error', 'a request to a coordinator failed', { error: message })
      answers.refuse(link.front, correlation, ErrorCode.UNKNOWN_SERVER_ERROR)
    }
  }

  /** A copy: what it holds (a member's metadata) outlives the turn. */
  #frame(link: FrontLink, reader: RingReader, at: number): Uint8Array | null {
    const { requestIn, bufferId, byteLength, hostBytes } = this.#command
    if (requestIn === BatchIn.RING) {
      const start = at + COORDINATE_HEADER_BYTES + hostBytes
      return new Uint8Array(reader.bytes.subarray(start, start + byteLength))
    }
    const { buffers, drainControl } = this.#options
    const peer = frontPeer(link.front)
    let sab = buffers.take(peer, bufferId)
    if (sab === undefined) {
      drainControl()
      sab = buffers.take(peer, bufferId)
    }
    return sab === undefined ? null : new Uint8Array(sab, 0, byteLength)
  }

  #host(reader: RingReader, at: number): string {
    const start = at + COORDINATE_HEADER_BYTES
    return String.fromCharCode(...reader.bytes.subarray(start, start + this.#command.hostBytes))
  }
}
