import { gunzipSync, gzipSync } from 'node:zlib'
import { Codec } from './batch.ts'
import { DecompressedTooLargeError, RecordFormatError } from './fault.ts'
import { lz4Compress, lz4Decompress } from './lz4.ts'
import { snappyCompress, snappyDecompress } from './snappy.ts'
import { prepareZstd, zstdCompress, zstdDecompress } from './zstd.ts'

/** Makes every codec callable on this thread. Await it once, before the synchronous calls below. */
export async function prepareCompression(): Promise<void> {
  await prepareZstd()
}

/**
 * `bytes` compressed; blocks its thread, so meant for the pool. `level` is `compression.gzip.level` (−1, 1 to 9) or
 * `compression.zstd.level` (1 to 22); the other codecs have none.
 */
export function compress(codec: Codec, bytes: Uint8Array, level?: number): Uint8Array {
  switch (codec) {
    case Codec.none:
      return bytes
    case Codec.gzip:
      return gzipSync(bytes, { level: level ?? -1 })
    case Codec.snappy:
      return snappyCompress(bytes)
    case Codec.lz4:
      return lz4Compress(bytes)
    case Codec.zstd:
      return zstdCompress(bytes, level ?? 3)
    default:
      codec satisfies never
      throw new RecordFormatError(`there is no compression codec ${codec}`)
  }
}

/**
 * The content of `bytes`; blocks its thread, so meant for the pool. Memory stays within `maxBytes` and what `bytes`
 * take. Throws {@link DecompressedTooLargeError} beyond `maxBytes`, {@link RecordFormatError} for bad data, both
 * naming the codec.
 */
export function decompress(codec: Codec, bytes: Uint8Array, maxBytes: number): Uint8Array {
  switch (codec) {
    case Codec.none:
      if (bytes.length > maxBytes) {
        throw new DecompressedTooLargeError(`none: data exceed the limit of ${maxBytes} bytes`)
      }
      return bytes
    case Codec.gzip:
      return gunzip(bytes, maxBytes)
    case Codec.snappy:
      return snappyDecompress(bytes, maxBytes)
    case Codec.lz4:
      return lz4Decompress(bytes, maxBytes)
    case Codec.zstd:
      return zstdDecompress(bytes, maxBytes)
    default:
      codec satisfies never
      throw new RecordFormatError(`there is no compression codec ${codec}`)
  }
}

function gunzip(bytes: Uint8Array, maxBytes: number): Uint8Array {
  let out: Uint8Array
  try {
    out = gunzipSync(bytes, { maxOutputLength: Math.max(1, maxBytes) })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_BUFFER_TOO_LARGE') {
      throw new RecordFormatError(`gzip: ${(error as Error).message}`)
    }
    throw tooLargeGzip(maxBytes)
  }
  // zlib takes no bound of zero.
  if (out.length > maxBytes) throw tooLargeGzip(maxBytes)
  return out
}

const tooLargeGzip = (maxBytes: number) =>
  new DecompressedTooLargeError(`gzip: decompressed data exceed the limit of ${maxBytes} bytes`)
