import type { TailReader } from '../cell/tail-reader.ts'
import type { Pin } from './budget.ts'
import type { FrontServices } from './context.ts'

/** Memory that a fetch's answer refers to: held ring spans and pooled buffers, given back together. */
export class FetchMemory {
  readonly #services: FrontServices
  #tails: TailReader[] = []
  #positions: number[] = []
  #pins: Pin[] = []
  #buffers: Uint8Array[] = []

  constructor(services: FrontServices) {
    this.#services = services
  }

  get isEmpty(): boolean {
    return this.#tails.length === 0 && this.#buffers.length === 0
  }

  addHold(tail: TailReader, position: number, pin: Pin): void {
    this.#tails.push(tail)
    this.#positions.push(position)
    this.#pins.push(pin)
    this.#services.pins.add(pin)
  }

  /** A buffer of at least `bytes`, until {@link release}. */
  takeBuffer(bytes: number): Uint8Array {
    const buffer = this.#services.fileBuffers.take(bytes)
    this.#buffers.push(buffer)
    return buffer
  }

  release(): void {
    if (this.isEmpty) return
    const tails = this.#tails
    const buffers = this.#buffers
    this.#tails = []
    this.#buffers = []
    tails.forEach((tail, at) => {
      tail.release(this.#positions[at]!)
      this.#services.pins.remove(this.#pins[at]!)
    })
    this.#positions = []
    this.#pins = []
    for (const buffer of buffers) this.#services.fileBuffers.give(buffer)
  }
}
