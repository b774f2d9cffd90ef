import { WireFormatError } from './wire-format-error.ts'
import { ARRAY_ELEMENTS_MAX, STRING_BYTES_MAX, TAGGED_FIELDS_MAX } from './wire-layout.ts'

/** Consecutive fields that are checked against the end of the frame at once: index of the path, and bytes. */
export type Run = readonly (readonly [path: number, size: number])[]

const scratch = new DataView(new ArrayBuffer(8))

/**
 * What a compiled decoder calls outside its straight line: long varints, and the ways to fail. One per decoder;
 * belongs to the thread.
 */
export class DecodeContext {
  /** Where the last {@link uvarint} ended. */
  pos = 0
  /** Elements of all arrays of the last message together. */
  elementCount = 0
  readonly #title: string
  readonly #paths: readonly string[]
  readonly #runs: readonly Run[]

  constructor(title: string, paths: readonly string[], runs: readonly Run[]) {
    this.#title = title
    this.#paths = paths
    this.#runs = runs
  }

  /** The rest of a varint whose first byte was `first`; ends at {@link pos}. */
  uvarint(b: Uint8Array, p: number, end: number, first: number, path: number): number {
    let value = first & 127
    for (let shift = 7; shift < 35; shift += 7) {
      if (p >= end) this.#fail(path, 'the frame ends within a varint')
      const byte = b[p++]!
      if (shift === 28 && byte > 15) this.#fail(path, 'a varint of more than 32 bits')
      value += (byte & 127) * 2 ** shift
      if (byte < 128) break
    }
    this.pos = p
    return value
  }

  /** Passes over a tagged section; returns where it ends. */
  skipTaggedSection(b: Uint8Array, start: number, end: number, path: number): number {
    const count = this.#uvarintAt(b, start, end, path)
    return this.skipTags(b, this.pos, end, count, path)
  }

  /** Passes over `count` tagged fields, of which this version knows none; returns where they end. */
  skipTags(b: Uint8Array, start: number, end: number, count: number, path: number): number {
    if (count > TAGGED_FIELDS_MAX) this.tags(path, count)
    this.pos = start
    for (let i = 0; i < count; i++) {
      this.#uvarintAt(b, this.pos, end, path)
      const size = this.#uvarintAt(b, this.pos, end, path)
      if (size > end - this.pos) this.bytes(path, size, end - this.pos)
      this.pos += size
    }
    return this.pos
  }

  #uvarintAt(b: Uint8Array, p: number, end: number, path: number): number {
    if (p >= end) this.#fail(path, 'the frame ends within a varint')
    const first = b[p]!
    if (first > 127) return this.uvarint(b, p + 1, end, first, path)
    this.pos = p + 1
    return first
  }

  float64(b: Uint8Array, p: number): number {
    for (let i = 0; i < 8; i++) scratch.setUint8(i, b[p + i]!)
    return scratch.getFloat64(0)
  }

  elements(path: number, count: number, limit: number): never {
    this.#fail(path, `${count} elements in all arrays so far, more than the limit of ${limit}`)
  }

  /** The run does not fit between `p` and `end`: names the first field that does not. */
  short(run: number, p: number, end: number): never {
    let at = p
    for (const [path, size] of this.#runs[run]!) {
      if (at + size > end) {
        this.#fail(path, `the frame ends here: ${size} bytes needed, ${Math.max(0, end - at)} left`)
      }
      at += size
    }
    throw new Error('a run that fits was reported as too short')
  }

  /** A length below zero where null (−1) is not allowed or which is not null either. */
  negative(path: number, length: number): never {
    if (length === -1) this.#fail(path, 'null, which this version does not allow')
    this.#fail(path, `negative length ${length}`)
  }

  string(path: number, length: number, left: number): never {
    if (length > STRING_BYTES_MAX) {
      this.#fail(path, `a string of ${length} bytes, more than the limit of ${STRING_BYTES_MAX}`)
    }
    this.bytes(path, length, left)
  }

  bytes(path: number, length: number, left: number): never {
    this.#fail(path, `${length} bytes announced, ${left} left in the frame`)
  }

  count(path: number, count: number, elementSize: number, left: number): never {
    if (count > ARRAY_ELEMENTS_MAX) {
      this.#fail(path, `${count} elements, more than the limit of ${ARRAY_ELEMENTS_MAX}`)
    }
    const needed = count * elementSize
    this.#fail(path, `${count} elements need at least ${needed} bytes, ${left} left in the frame`)
  }

  tags(path: number, count: number): never {
    this.#fail(path, `${count} tagged fields, more than the limit of ${TAGGED_FIELDS_MAX}`)
  }

  tagSize(path: number, size: number, used: number): never {
    this.#fail(path, `a tagged field of ${size} bytes whose value takes ${used}`)
  }

  #fail(path: number, what: string): never {
    throw new WireFormatError(`${this.#title}: ${this.#paths[path]}: ${what}`)
  }
}
