/**
 * What a broker and the flusher say to each other through their pair of rings. Version 1, little-endian.
 *
 *   FLUSH    u32 ticket · u32 pathBytes · UTF-8 path      broker → flusher: make this file (or directory) durable
 *   REMOVE   as FLUSH                                     broker → flusher: remove this file
 *   FLUSHED  u32 ticket · i32 errno (0: durable, or gone) flusher → broker
 */
export const FlushType = { FLUSH: 129, FLUSHED: 130, REMOVE: 131 } as const

export const FLUSH_HEADER_BYTES = 8
export const FLUSHED_BYTES = 8

const encoder = new TextEncoder()
const decoder = new TextDecoder()

export const encodePath = (path: string): Uint8Array => encoder.encode(path)

export function writeFlush(
  bytes: Uint8Array,
  view: DataView,
  at: number,
  ticket: number,
  path: Uint8Array,
): void {
  view.setUint32(at, ticket, true)
  view.setUint32(at + 4, path.length, true)
  bytes.set(path, at + FLUSH_HEADER_BYTES)
}

export function readFlush(
  bytes: Uint8Array,
  view: DataView,
  at: number,
): { ticket: number; path: string } {
  const length = view.getUint32(at + 4, true)
  const start = at + FLUSH_HEADER_BYTES
  // slice(): TextDecoder refuses views of shared memory
  return {
    ticket: view.getUint32(at, true),
    path: decoder.decode(bytes.slice(start, start + length)),
  }
}

export function writeFlushed(view: DataView, at: number, ticket: number, errno: number): void {
  view.setUint32(at, ticket, true)
  view.setInt32(at + 4, errno, true)
}

export const readFlushedTicket = (view: DataView, at: number): number => view.getUint32(at, true)
export const readFlushedErrno = (view: DataView, at: number): number => view.getInt32(at + 4, true)
