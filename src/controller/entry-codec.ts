/**
 * Metadata entries as bytes: one format byte, then MessagePack of the entry. An entry keeps its meaning for ever, unknown
 * fields of newer versions are kept out of the way; what an older reader would get wrong raises the format.
 */
// this entry comes without the native add-on, which costs 20 ms to load and nothing that we use needs
import { Packr, Unpackr } from 'msgpackr/pack'
import { METADATA_FORMAT, type MetadataEntry } from '../image/entry.ts'
import { StartRefusedError } from './refused.ts'

const packr = new Packr({ useRecords: false })
const unpackr = new Unpackr({ useRecords: false, copyBuffers: true })

export function encodeEntry(entry: MetadataEntry): Uint8Array {
  const body = packr.pack(entry)
  const bytes = new Uint8Array(1 + body.length)
  bytes[0] = METADATA_FORMAT
  bytes.set(body, 1)
  return bytes
}

/** Throws {@link StartRefusedError} on a newer format, naming both. */
export function decodeEntry(bytes: Uint8Array, offset: number): MetadataEntry {
  const format = bytes[0] ?? 0
  if (format < 1 || format > METADATA_FORMAT) {
    throw new StartRefusedError(
      `metadata log: the entry at offset ${offset} has format ${format}, this version reads formats 1 to ${METADATA_FORMAT}; start the version that wrote it, or a newer one`,
    )
  }
  return unpackr.unpack(bytes.subarray(1)) as MetadataEntry
}
