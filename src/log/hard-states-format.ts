/*
 * The file `raft-hard-states` of a broker's directory, version 1, little-endian. Numbers only.
 *
 *   header   0 magic 'GRHS' · 4 u16 version · 6 u16 flags (1: something in an earlier file was lost) · 8 u32 0 · 12 u32 CRC-32C of bytes 0 to 11
 *   write    0 u32 CRC-32C of the rest · 4 u32 entries · 8 f64 bytes of the file that were durable by then
 *            16 entries: u32 partition · u32 kind · f64 term · f64 vote
 *
 * A file begins with one write of all that was known when it was made; then comes one for each turn. A later entry of a
 * partition counts. A bad write that a later one calls durable is damage; another was torn, and nobody relies on it.
 */
import { crc32c } from '../record/crc32c.ts'

export const HARD_STATES_VERSION = 1
export const HARD_STATES_FILE = 'raft-hard-states'
export const HARD_STATES_HEADER_BYTES = 16
const WRITE_HEADER_BYTES = 16
const ENTRY_BYTES = 24
const MAGIC = 0x53485247
/** Bytes of a file start at a multiple of this. */
const ALIGNMENT = 8

const Kind = { STATE: 1, FORGOTTEN: 2 } as const

const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)

export const hardStatesWriteBytes = (entries: number): number =>
  WRITE_HEADER_BYTES + entries * ENTRY_BYTES

export function writeHardStatesHeader(bytes: Uint8Array, hasForgotten: boolean): void {
  const view = viewOf(bytes)
  view.setUint32(0, MAGIC, true)
  view.setUint16(4, HARD_STATES_VERSION, true)
  view.setUint16(6, hasForgotten ? 1 : 0, true)
  view.setUint32(12, crc32c(bytes, 0, 12), true)
}

/** null when it is torn or damaged. Throws for a version that this build does not read. */
export function readHardStatesHeader(
  bytes: Uint8Array,
  path: string,
): { readonly hasForgotten: boolean } | null {
  if (bytes.length < HARD_STATES_HEADER_BYTES) return null
  const view = viewOf(bytes)
  if (view.getUint32(0, true) !== MAGIC) return null
  if (view.getUint32(12, true) !== crc32c(bytes, 0, 12)) return null
  const version = view.getUint16(4, true)
  if (version < 1 || version > HARD_STATES_VERSION) {
    throw new Error(
      `${path}: terms and votes of version ${version}, this build reads version ${HARD_STATES_VERSION}`,
    )
  }
  return { hasForgotten: (view.getUint16(6, true) & 1) !== 0 }
}

/** Fills in one write entry by entry, and then seals it. */
export class HardStatesWrite {
  readonly #view: DataView
  readonly #bytes: Uint8Array
  readonly #at: number
  #count = 0

  /** Of `bytes`, from `at` on. */
  constructor(bytes: Uint8Array, at: number) {
    this.#bytes = bytes
    this.#view = viewOf(bytes)
    this.#at = at
  }

  #next(partition: number, kind: number): number {
    const at = this.#at + hardStatesWriteBytes(this.#count++)
    this.#view.setUint32(at, partition, true)
    this.#view.setUint32(at + 4, kind, true)
    return at
  }

  add(partition: number, term: number, vote: number): void {
    const at = this.#next(partition, Kind.STATE)
    this.#view.setFloat64(at + 8, term, true)
    this.#view.setFloat64(at + 16, vote, true)
  }

  addForgotten(partition: number): void {
    const at = this.#next(partition, Kind.FORGOTTEN)
    this.#view.setFloat64(at + 8, 0, true)
    this.#view.setFloat64(at + 16, 0, true)
  }

  /** `durableBytes` of the file are durable. */
  seal(durableBytes: number): void {
    const end = this.#at + hardStatesWriteBytes(this.#count)
    this.#view.setUint32(this.#at + 4, this.#count, true)
    this.#view.setFloat64(this.#at + 8, durableBytes, true)
    this.#view.setUint32(this.#at, crc32c(this.#bytes, this.#at + 4, end), true)
  }
}

/** The end of the whole write at `at`; −1 where there is none. */
function endOfWrite(bytes: Uint8Array, view: DataView, at: number): number {
  if (at + WRITE_HEADER_BYTES > bytes.length) return -1
  const end = at + hardStatesWriteBytes(view.getUint32(at + 4, true))
  const durable = view.getFloat64(at + 8, true)
  const isPossible = end <= bytes.length && durable >= 0 && durable <= at && durable % 1 === 0
  return isPossible && view.getUint32(at, true) === crc32c(bytes, at + 4, end) ? end : -1
}

export interface HardStatesVisitor {
  state(partition: number, term: number, vote: number): void
  forgotten(partition: number): void
}

/** What was found of the writes of a file. */
export interface ReadHardStates {
  readonly writes: number
  /** Where the last good write ends, whatever lies before it. */
  readonly endByte: number
  /** Something that was durable is bad. */
  readonly isDamaged: boolean
}

/** Visits the entries of all good writes, in order. */
export function readHardStates(
  bytes: Uint8Array,
  isHeaderGood: boolean,
  visitor: HardStatesVisitor,
): ReadHardStates {
  const view = viewOf(bytes)
  let at = Math.min(HARD_STATES_HEADER_BYTES, bytes.length)
  let [writes, endByte] = [0, at]
  let badFrom = isHeaderGood ? -1 : 0
  let isDamaged = false
  while (at < bytes.length) {
    const end = endOfWrite(bytes, view, at)
    if (end < 0) {
      if (badFrom < 0) badFrom = at
      at += ALIGNMENT
      continue
    }
    isDamaged ||= badFrom >= 0 && view.getFloat64(at + 8, true) > badFrom
    visitWrite(view, at, visitor)
    writes++
    at = endByte = end
  }
  return { writes, endByte, isDamaged }
}

function visitWrite(view: DataView, start: number, visitor: HardStatesVisitor): void {
  const count = view.getUint32(start + 4, true)
  for (let i = 0; i < count; i++) {
    const at = start + hardStatesWriteBytes(i)
    const partition = view.getUint32(at, true)
    if (view.getUint32(at + 4, true) === Kind.FORGOTTEN) visitor.forgotten(partition)
    else visitor.state(partition, view.getFloat64(at + 8, true), view.getFloat64(at + 16, true))
  }
}
