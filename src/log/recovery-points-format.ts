/*
 * The file `recovery-points.<generation>` of a broker's directory, version 1, little-endian. Numbers only.
 *
 *   header   0 magic 'GRRP' · 4 u16 version · 6 u16 flags (1: partitions not named are suspect) · 8 boot id, 16 bytes
 *            24 u32 0 · 28 u32 CRC-32C of bytes 0 to 27
 *   entry    0 u32 CRC-32C of the rest · 4 u32 kind · 8 u32 partition · 12 u32 0 · 16 f64 offset
 *
 * A file begins with what was known when it was made, up to STATE_END; then come changes. An entry that does not match
 * its CRC is skipped: each one that is lost only makes recovery read more.
 */
import { crc32c } from '../record/crc32c.ts'

export const RECOVERY_POINTS_VERSION = 1
export const HEADER_BYTES = 32
export const ENTRY_BYTES = 24
const MAGIC = 0x50525247

export const EntryKind = {
  /** Written since it was clean; flushed below `offset`. */
  DIRTY: 1,
  /** Everything is durable and checked; ends at `offset`. */
  CLEAN: 2,
  /** The operating system was restarted since DIRTY, or a flush failed: what lies beyond `offset` may be lost, torn or out of order. */
  SUSPECT: 3,
  /** Durable below `offset`. */
  FLUSHED: 4,
  REMOVED: 5,
  STATE_END: 6,
  /** The operating system was restarted since CLEAN: an entry that said otherwise may be lost. */
  SUSPECT_CLEAN: 7,
  /**
   * Whole below `offset` as long as the operating system runs, and no flush was asked for since: one that failed may have lost it. Any
   * other entry of the partition takes it back. Builds that do not know it read more.
   */
  WRITTEN: 8,
} as const
export type EntryKind = (typeof EntryKind)[keyof typeof EntryKind]

export interface Header {
  readonly unnamedSuspect: boolean
  /** 32 hex digits, or null. */
  readonly bootId: string | null
}

const NO_BOOT = '0'.repeat(32)

/** Boot ids as this file stores them: 32 hex digits, null for none or one that is not hexadecimal. */
export function normalBootId(bootId: string | null): string | null {
  const hex = bootId?.replaceAll('-', '').toLowerCase() ?? ''
  return /^[0-9a-f]{32}$/.test(hex) && hex !== NO_BOOT ? hex : null
}

export function encodeHeader(header: Header): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, MAGIC, true)
  view.setUint16(4, RECOVERY_POINTS_VERSION, true)
  view.setUint16(6, header.unnamedSuspect ? 1 : 0, true)
  const hex = header.bootId ?? NO_BOOT
  for (let i = 0; i < 16; i++) bytes[8 + i] = Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16)
  view.setUint32(28, crc32c(bytes, 0, 28), true)
  return bytes
}

/** null when it is torn. Throws for a version that this build does not read. */
export function decodeHeader(bytes: Uint8Array, path: string): Header | null {
  if (bytes.length < HEADER_BYTES) return null
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (view.getUint32(0, true) !== MAGIC) return null
  if (view.getUint32(28, true) !== crc32c(bytes, 0, 28)) return null
  const version = view.getUint16(4, true)
  if (version < 1 || version > RECOVERY_POINTS_VERSION) {
    throw new Error(
      `${path}: recovery points of version ${version}, this build reads version ${RECOVERY_POINTS_VERSION}`,
    )
  }
  const hex = Array.from(bytes.subarray(8, 24), (b) => b.toString(16).padStart(2, '0')).join('')
  return { unnamedSuspect: (view.getUint16(6, true) & 1) !== 0, bootId: normalBootId(hex) }
}

export function writeEntry(
  bytes: Uint8Array,
  at: number,
  kind: EntryKind,
  partition: number,
  offset: number,
): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  view.setUint32(at + 4, kind, true)
  view.setUint32(at + 8, partition, true)
  view.setUint32(at + 12, 0, true)
  view.setFloat64(at + 16, offset, true)
  view.setUint32(at, crc32c(bytes, at + 4, at + ENTRY_BYTES), true)
}

/** Calls `visit` with each entry that matches its CRC, in the order written. */
export function readEntries(
  bytes: Uint8Array,
  visit: (kind: EntryKind, partition: number, offset: number) => void,
): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  for (let at = HEADER_BYTES; at + ENTRY_BYTES <= bytes.length; at += ENTRY_BYTES) {
    if (view.getUint32(at, true) !== crc32c(bytes, at + 4, at + ENTRY_BYTES)) continue
    const kind = view.getUint32(at + 4, true) as EntryKind
    visit(kind, view.getUint32(at + 8, true), view.getFloat64(at + 16, true))
  }
}
