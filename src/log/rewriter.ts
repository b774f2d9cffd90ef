import type { FileHandle } from './open-files.ts'

const BUFFER_BYTES = 256 * 1024

/**
 * Writes batches of one file once more where they lie. A flush of them may have failed: the system then takes the bytes in
 * its memory for written, and a later flush succeeds without them, unless they are written again.
 */
export class Rewriter {
  readonly #file: FileHandle
  #buffer: Uint8Array | null = null
  #bytes = 0
  #position = 0

  constructor(file: FileHandle) {
    this.#file = file
  }

  /** The `size` bytes at `bytes[at]`, just checked, are those at `position`, where the ones before ended. Throws DiskError. */
  add(bytes: Uint8Array, at: number, size: number, position: number): void {
    if (size > BUFFER_BYTES - this.#bytes) this.end()
    if (size > BUFFER_BYTES) {
      this.#file.get().write([bytes.subarray(at, at + size)], position)
      return
    }
    if (this.#bytes === 0) this.#position = position
    this.#buffer ??= new Uint8Array(BUFFER_BYTES)
    this.#buffer.set(bytes.subarray(at, at + size), this.#bytes)
    this.#bytes += size
  }

  /** Writes what was added last. Throws DiskError. */
  end(): void {
    if (this.#bytes === 0) return
    this.#file.get().write([this.#buffer!.subarray(0, this.#bytes)], this.#position)
    this.#bytes = 0
  }
}
