import { copyBytes } from '../base/copy.ts'
import { ErrorCode } from '../base/error-code.ts'
import type { PartitionNumber } from '../base/ids.ts'
import {
  BatchIn,
  COORDINATE_HEADER_BYTES,
  CommandType,
  type CoordinateCommand,
  writeCoordinate,
} from '../link/commands.ts'
import { COORDINATED_HEAD_FIELDS } from '../link/control.ts'
import type { RingWriter } from '../shared/ring-writer.ts'
import type { CoordinateSink } from './broker-proxy.ts'
import { Correlations } from './correlations.ts'

interface ParkedCall {
  readonly partition: PartitionNumber
  readonly host: string
  readonly frame: Uint8Array
  readonly sink: CoordinateSink
  readonly token: number
}

/**
 * Requests to the coordinators of one broker: through its command ring, answered by control message. They wait for room apart
 * from the other commands, so that a burst of them holds up no produce. Belongs to the front's thread.
 */
export class CoordinatorCalls {
  readonly #commands: RingWriter
  /** Posts bytes that are too large for the ring; returns the id of their buffer. */
  readonly #sendBuffer: (bytes: Uint8Array) => number
  readonly #correlations = new Correlations<CoordinateSink>()
  #parked: ParkedCall[] = []
  readonly #command: CoordinateCommand = {
    correlation: 0,
    partition: 0 as PartitionNumber,
    requestIn: 0,
    hostBytes: 0,
    bufferId: 0,
    byteLength: 0,
  }

  constructor(commands: RingWriter, sendBuffer: (bytes: Uint8Array) => number) {
    this.#commands = commands
    this.#sendBuffer = sendBuffer
  }

  /** Calls that wait for room. */
  get parked(): number {
    return this.#parked.length
  }

  /** Calls that are not answered. */
  get outstanding(): number {
    return this.#correlations.size
  }

  /** False when it has to wait for room: then its frame was copied. */
  call(
    partition: PartitionNumber,
    host: string,
    frame: Uint8Array,
    sink: CoordinateSink,
    token: number,
  ): boolean {
    if (this.#parked.length === 0 && this.#send(partition, host, frame, sink, token)) return true
    this.#parked.push({ partition, host, frame: frame.slice(), sink, token })
    return false
  }

  /** Sends what there is room for; returns how many. */
  sendParked(): number {
    if (this.#parked.length === 0) return 0
    let sent = 0
    for (const { partition, host, frame, sink, token } of this.#parked) {
      if (!this.#send(partition, host, frame, sink, token)) break
      sent++
    }
    this.#parked.splice(0, sent)
    return sent
  }

  /** The answers of one turn, as `coordinated` carries them. */
  onAnswers(heads: Int32Array, bytes: Uint8Array): void {
    let at = 0
    for (let head = 0; head < heads.length; head += COORDINATED_HEAD_FIELDS) {
      const slot = heads[head]!
      const error = heads[head + 1]!
      const end = at + heads[head + 2]!
      const token = this.#correlations.token(slot)
      const sink = this.#correlations.take(slot)
      const frame = error === ErrorCode.NONE ? bytes.subarray(at, end) : null
      sink.onCoordinated(token, error, frame, heads[head + 3] === 1)
      at = end
    }
  }

  /** The broker is gone. */
  failAll(): void {
    const parked = this.#parked
    this.#parked = []
    for (const slot of this.#correlations.slots()) {
      const token = this.#correlations.token(slot)
      this.#correlations.take(slot).onCoordinated(token, ErrorCode.NOT_COORDINATOR, null, true)
    }
    for (const { sink, token } of parked) {
      sink.onCoordinated(token, ErrorCode.COORDINATOR_NOT_AVAILABLE, null, false)
    }
  }

  #send(
    partition: PartitionNumber,
    host: string,
    frame: Uint8Array,
    sink: CoordinateSink,
    token: number,
  ): boolean {
    const ring = this.#commands
    const start = COORDINATE_HEADER_BYTES + host.length
    const inRing = start + frame.length <= ring.maxRecordBytes
    const at = ring.claim(CommandType.COORDINATE, inRing ? start + frame.length : start)
    if (at < 0) return false
    const command = this.#command
    command.correlation = this.#correlations.add(sink, token)
    command.partition = partition
    command.requestIn = inRing ? BatchIn.RING : BatchIn.BUFFER
    command.hostBytes = host.length
    command.bufferId = inRing ? 0 : this.#sendBuffer(frame)
    command.byteLength = frame.length
    writeCoordinate(ring.view, at, command)
    for (let i = 0; i < host.length; i++) {
      ring.bytes[at + COORDINATE_HEADER_BYTES + i] = host.charCodeAt(i)
    }
    if (inRing) copyBytes(ring.bytes, at + start, frame)
    ring.commit()
    return true
  }
}
