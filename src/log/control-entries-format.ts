/*
 * The file `<start offset>.control-entries` of a replica's directory, version 1, little-endian.
 *
 *   header   0 magic 'GRCE' · 4 u16 version · 6 u16 0 · 8 u32 bytes of the header · 12 u32 term lines · 16 u32 voters
 *            20 u32 learners · 24 f64 replica id · 32 f64 start offset · 40 f64 control entries before it
 *            48 term lines (f64 term, f64 start) · voters (f64) · learners (f64) · u32 CRC-32C of all that comes before
 *   entry    0 u32 CRC-32C of the rest · 4 u32 bytes of the entry · 8 u32 CRC of the entry before, the header's for the first
 *            12 u32 kind · 16 f64 position · 24 f64 term · 32 u32 voters · 36 u32 learners (0 but for a membership)
 *            40 voters (f64) and learners (f64) of a membership; the payload of a host's entry
 *
 * Magic, version, bytes of the header and the place of its CRC stay where they are in every version. An entry names the one
 * before it: after a truncation that a power cut has undone, what was cut off does not follow on what was written since.
 */
import { invariant } from '../base/assert.ts'
import type { Configuration, ControlEntry, ReplicaId, TermLine } from '../raft/types.ts'
import { crc32c } from '../record/crc32c.ts'

export const CONTROL_ENTRIES_VERSION = 1
export const CONTROL_ENTRIES_SUFFIX = '.control-entries'
/** Of a host's entry. */
export const CONTROL_PAYLOAD_MAX = 1 << 16

const MAGIC = 0x45435247
const FIXED_HEADER_BYTES = 48
const CRC_BYTES = 4
const FIXED_ENTRY_BYTES = 40
const REPLICAS_MAX = 4_096
const LINES_MAX = 1 << 20
const ENTRY_BYTES_MAX = FIXED_ENTRY_BYTES + Math.max(CONTROL_PAYLOAD_MAX, REPLICAS_MAX * 8)

const Kind = { TERM_START: 1, MEMBERSHIP: 2, HOST: 3 } as const

/** What a file of control entries begins with: what the entries that it does not hold any more have led to. */
export interface ControlHeader {
  readonly replicaId: ReplicaId
  /** Kafka offset below which the file knows of no control entry: of the log start, when the file was begun. */
  readonly startOffset: number
  /** How many control entries come before its first one. */
  readonly controlsBefore: number
  /** Of the positions before its first entry, as far as they are asked for. */
  readonly lines: readonly TermLine[]
  /** Before its first entry. */
  readonly configuration: Configuration
}

/** A control entry as it lies in the file. */
export interface StoredControl {
  readonly entry: ControlEntry
  readonly crc: number
  /** Byte of the file at which it ends. */
  readonly endByte: number
}

/** What of a file is good. */
export interface ReadControls {
  readonly controls: StoredControl[]
  /** From which byte on the file is bad; null where it is good to its end. */
  readonly badFrom: number | null
  /** The file ends within the entry that is bad: what a death in the midst of a write leaves. */
  readonly isCutShort: boolean
  /** There is a whole entry somewhere behind that. */
  readonly hasMore: boolean
}

const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)

function writeNumbers(view: DataView, at: number, numbers: readonly number[]): number {
  numbers.forEach((number, i) => {
    view.setFloat64(at + i * 8, number, true)
  })
  return at + numbers.length * 8
}

const readNumbers = (view: DataView, at: number, count: number): number[] =>
  Array.from({ length: count }, (_, i) => view.getFloat64(at + i * 8, true))

export function encodeControlHeader(header: ControlHeader): Uint8Array {
  const { configuration, lines } = header
  const { voters, learners } = configuration
  invariant(voters.length + learners.length <= REPLICAS_MAX, 'control entries: few replicas')
  invariant(lines.length <= LINES_MAX, 'control entries: few term lines')
  const numbers = lines.length * 2 + voters.length + learners.length
  const bytes = new Uint8Array(FIXED_HEADER_BYTES + numbers * 8 + CRC_BYTES)
  const view = viewOf(bytes)
  view.setUint32(0, MAGIC, true)
  view.setUint16(4, CONTROL_ENTRIES_VERSION, true)
  view.setUint32(8, bytes.length, true)
  view.setUint32(12, lines.length, true)
  view.setUint32(16, voters.length, true)
  view.setUint32(20, learners.length, true)
  writeNumbers(view, 24, [header.replicaId, header.startOffset, header.controlsBefore])
  let at = FIXED_HEADER_BYTES
  for (const { term, start } of lines) at = writeNumbers(view, at, [term, start])
  at = writeNumbers(view, at, [...voters, ...learners])
  view.setUint32(at, crc32c(bytes, 0, at), true)
  return bytes
}

/** The CRC of an encoded header: what the first entry names. */
export const controlHeaderCrc = (header: Uint8Array): number =>
  viewOf(header).getUint32(header.length - CRC_BYTES, true)

/** null when it is torn or damaged. Throws for a version that this build does not read. */
export function decodeControlHeader(
  bytes: Uint8Array,
  path: string,
): { readonly header: ControlHeader; readonly byteLength: number } | null {
  if (bytes.length < FIXED_HEADER_BYTES + CRC_BYTES) return null
  const view = viewOf(bytes)
  const byteLength = view.getUint32(8, true)
  if (view.getUint32(0, true) !== MAGIC || byteLength > bytes.length) return null
  if (byteLength < FIXED_HEADER_BYTES + CRC_BYTES) return null
  const crcAt = byteLength - CRC_BYTES
  if (view.getUint32(crcAt, true) !== crc32c(bytes, 0, crcAt)) return null
  const version = view.getUint16(4, true)
  if (version < 1 || version > CONTROL_ENTRIES_VERSION) {
    throw new Error(
      `${path}: control entries of version ${version}, this build reads version ${CONTROL_ENTRIES_VERSION}`,
    )
  }
  const [lineCount, voters, learners] = [12, 16, 20].map((at) => view.getUint32(at, true))
  const numbers = lineCount! * 2 + voters! + learners!
  if (FIXED_HEADER_BYTES + numbers * 8 !== crcAt) return null
  const [replicaId, startOffset, controlsBefore] = readNumbers(view, 24, 3)
  const lines = Array.from({ length: lineCount! }, (_, i) => {
    const [term, start] = readNumbers(view, FIXED_HEADER_BYTES + i * 16, 2)
    return { term: term!, start: start! }
  })
  const votersAt = FIXED_HEADER_BYTES + lineCount! * 16
  const configuration = {
    voters: readNumbers(view, votersAt, voters!),
    learners: readNumbers(view, votersAt + voters! * 8, learners!),
  }
  const header = {
    ...{ replicaId: replicaId!, startOffset: startOffset!, controlsBefore: controlsBefore! },
    ...{ lines, configuration },
  }
  return { header, byteLength }
}

const kindOf = {
  'term-start': Kind.TERM_START,
  membership: Kind.MEMBERSHIP,
  host: Kind.HOST,
} as const satisfies Record<ControlEntry['kind'], number>

/** The bytes of an entry that follows on one whose CRC is `previousCrc`. A host's payload is a Uint8Array. */
export function encodeControl(entry: ControlEntry, previousCrc: number): Uint8Array {
  const payload = entry.kind === 'host' ? entry.payload : null
  invariant(
    payload === null || payload instanceof Uint8Array,
    'control entries: a payload is encoded by its owner',
  )
  const { voters, learners } =
    entry.kind === 'membership' ? entry.configuration : { voters: [], learners: [] }
  const members = [...voters, ...learners]
  invariant(members.length <= REPLICAS_MAX, 'control entries: few replicas')
  const length = payload === null ? members.length * 8 : payload.length
  invariant(length <= ENTRY_BYTES_MAX - FIXED_ENTRY_BYTES, 'control entries: a small payload')
  const bytes = new Uint8Array(FIXED_ENTRY_BYTES + length)
  const view = viewOf(bytes)
  view.setUint32(4, bytes.length, true)
  view.setUint32(8, previousCrc, true)
  view.setUint32(12, kindOf[entry.kind], true)
  writeNumbers(view, 16, [entry.at, entry.term])
  view.setUint32(32, voters.length, true)
  view.setUint32(36, learners.length, true)
  writeNumbers(view, FIXED_ENTRY_BYTES, members)
  if (payload !== null) bytes.set(payload, FIXED_ENTRY_BYTES)
  view.setUint32(0, crc32c(bytes, 4, bytes.length), true)
  return bytes
}

export const controlCrc = (entry: Uint8Array): number => viewOf(entry).getUint32(0, true)

/** How long the entry at `at` says it is; 0 where that can be no entry's length. */
function lengthAt(view: DataView, at: number): number {
  if (at + 8 > view.byteLength) return 0
  const length = view.getUint32(at + 4, true)
  return length >= FIXED_ENTRY_BYTES && length <= ENTRY_BYTES_MAX ? length : 0
}

/** Whether a whole entry lies at `at`, whatever it follows on. */
function isWholeAt(bytes: Uint8Array, view: DataView, at: number): boolean {
  const length = lengthAt(view, at)
  if (length === 0 || at + length > bytes.length) return false
  const kind = view.getUint32(at + 12, true)
  if (kind < Kind.TERM_START || kind > Kind.HOST) return false
  return view.getUint32(at, true) === crc32c(bytes, at + 4, at + length)
}

function decodeControl(bytes: Uint8Array, view: DataView, start: number): ControlEntry | null {
  const end = start + view.getUint32(start + 4, true)
  const [at, term] = readNumbers(view, start + 16, 2) as [number, number]
  const from = start + FIXED_ENTRY_BYTES
  switch (view.getUint32(start + 12, true)) {
    case Kind.TERM_START:
      return { kind: 'term-start', at, term }
    case Kind.MEMBERSHIP: {
      const [voters, learners] = [32, 36].map((field) => view.getUint32(start + field, true))
      if (from + (voters! + learners!) * 8 !== end) return null
      const configuration = {
        voters: readNumbers(view, from, voters!),
        learners: readNumbers(view, from + voters! * 8, learners!),
      }
      return { kind: 'membership', at, term, configuration }
    }
    default:
      return { kind: 'host', at, term, payload: bytes.slice(from, end) }
  }
}

/** The entries of a file whose header ends at byte `from`, as far as each follows on the one before. */
export function readControls(bytes: Uint8Array, from: number): ReadControls {
  const view = viewOf(bytes)
  const controls: StoredControl[] = []
  let crc = view.getUint32(from - CRC_BYTES, true)
  let at = from
  while (at < bytes.length) {
    const isNext = isWholeAt(bytes, view, at) && view.getUint32(at + 8, true) === crc
    const entry = isNext ? decodeControl(bytes, view, at) : null
    if (entry === null) break
    crc = view.getUint32(at, true)
    at += view.getUint32(at + 4, true)
    controls.push({ entry, crc, endByte: at })
  }
  if (at === bytes.length) return { controls, badFrom: null, isCutShort: false, hasMore: false }
  const length = lengthAt(view, at)
  const isCutShort = at + 8 > bytes.length || (length > 0 && at + length > bytes.length)
  let hasMore = false
  for (let i = at; i < bytes.length && !hasMore; i++) hasMore = isWholeAt(bytes, view, i)
  return { controls, badFrom: at, isCutShort, hasMore }
}

/** Where terms begin, of all that a file says. */
export function linesOf(header: ControlHeader, controls: readonly StoredControl[]): TermLine[] {
  const lines = [...header.lines]
  for (const { entry } of controls) {
    const isNext = entry.kind === 'term-start' && entry.term > (lines.at(-1)?.term ?? 0)
    if (isNext) lines.push({ term: entry.term, start: entry.at })
  }
  return lines
}
