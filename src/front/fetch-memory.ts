import type { TailReader } from '../cell/tail-reader.ts'
import type { KafkaConnection } from '../net/connection.ts'
import type { Pin } from './budget.ts'
import type { FrontServices } from './context.ts'

/** Memory that a fetch's answer refers to: held ring spans and pooled buffers, given back together. */
export class FetchMemory {
  readonly #services: FrontServices
  #tails: TailReader[] = []
  #positions: number[] = []
  #buffers: Uint8Array[] = []
  #ringBytes = 0
  #pin: Pin | null = null

  constructor(services: FrontServices) {
    this.#services = services
  }

  get isEmpty(): boolean {
    return this.#tails.length === 0 && this.#buffers.length === 0
  }

  /** Bytes of held spans. */
  get ringBytes(): number {
    return this.#ringBytes
  }

  /** The span is held already; it is released with the rest. */
  addHold(tail: TailReader, position: number, bytes: number): void {
    this.#tails.push(tail)
    this.#positions.push(position)
    this.#ringBytes += bytes
  }

  /** A buffer of at least `bytes`, until {@link release}. */
  takeBuffer(bytes: number): Uint8Array {
    const buffer = this.#services.fileBuffers.take(bytes)
    this.#buffers.push(buffer)
    return buffer
  }

  /** From now on the socket of `connection` holds all this. */
  seal(connection: KafkaConnection): void {
    const { clock, pins } = this.#services
    this.#pin = { connection, ringBytes: this.#ringBytes, sinceMs: clock.monotonicMs() }
    pins.add(this.#pin)
  }

  release(): void {
    if (this.isEmpty) return
    const tails = this.#tails
    const buffers = this.#buffers
    if (this.#pin !== null) this.#services.pins.remove(this.#pin)
    this.#pin = null
    this.#tails = []
    this.#buffers = []
    tails.forEach((tail, at) => {
      tail.release(this.#positions[at]!)
    })
    this.#positions = []
    this.#ringBytes = 0
    for (const buffer of buffers) this.#services.fileBuffers.give(buffer)
    if (buffers.length > 0) this.#services.readGate.onRoom()
  }
}
