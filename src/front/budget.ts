/** Bytes of ring logs that replies refer to without a copy: beyond a limit, tail reads are copied. Belongs to the front's thread. */
export class PinLedger {
  readonly #ringBytesMax: number
  #ringBytes = 0

  constructor(ringBytesMax: number) {
    this.#ringBytesMax = ringBytesMax
  }

  get ringBytes(): number {
    return this.#ringBytes
  }

  mayPin(bytes: number): boolean {
    return this.#ringBytes + bytes <= this.#ringBytesMax
  }

  /** Negative: they have been let go. */
  add(bytes: number): void {
    this.#ringBytes += bytes
  }
}
