import type { TailReader } from '../cell/tail-reader.ts'
import type { FrontServices } from './context.ts'

/** Memory that a fetch's answer refers to: held ring spans and pooled buffers, given back together. */
export class FetchMemory {
  readonly #services: FrontServices
  #tails: TailReader[] = []
  #positions: number[] = []
  #buffers: Uint8Array[] = []
  #ringBytes = 0

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
    this.#services.pins.add(bytes)
  }

  /** A buffer of at least `bytes`, until {@link release}. */
  takeBuffer(bytes: number): Uint8Array {
    const buffer = this.#services.fileBuffers.take(bytes)
    this.#buffers.push(buffer)
    return buffer
  }

  /** One that came from the pool before, given back with the rest. */
  addBuffer(buffer: Uint8Array): void {
    this.#buffers.push(buffer)
  }

  release(): void {
    if (this.isEmpty) return
    const { pins, fileBuffers, replyGate } = this.#services
    const tails = this.#tails
    const positions = this.#positions
    const buffers = this.#buffers
    pins.add(-this.#ringBytes)
    this.#tails = []
    this.#positions = []
    this.#buffers = []
    this.#ringBytes = 0
    tails.forEach((tail, at) => {
      tail.release(positions[at]!)
    })
    for (const buffer of buffers) fileBuffers.give(buffer)
    if (buffers.length > 0) replyGate.onRoom()
  }
}
