import type { RingLogReader, RingLogSpan } from '../../src/shared/ring-log-reader.ts'
import type { RingLogWriter } from '../../src/shared/ring-log-writer.ts'

/** Writes a batch header and a body that its offset determines, as a producer's batch after stamping. */
export function putBatch(bytes: Uint8Array, at: number, base: number, count: number, len: number) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  view.setBigInt64(at, BigInt(base))
  view.setInt32(at + 8, len - 12)
  view.setInt32(at + 23, count - 1)
  bytes.fill((base * 31 + len) & 255, at + 61, at + len)
}

export interface BatchSeen {
  readonly base: number
  readonly last: number
  readonly length: number
}

/** Reads whole batches out of `bytes`; throws when a body is not what its offset says. */
export function readBatches(bytes: Uint8Array): BatchSeen[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const seen: BatchSeen[] = []
  let at = 0
  while (at < bytes.length) {
    const base = Number(view.getBigInt64(at))
    const length = view.getInt32(at + 8) + 12
    if (length < 61 || at + length > bytes.length) throw new Error(`torn batch at ${at}: ${length}`)
    const fill = (base * 31 + length) & 255
    for (let i = 61; i < length; i++) {
      if (bytes[at + i] !== fill) throw new Error(`batch ${base}: byte ${i}`)
    }
    seen.push({ base, last: base + view.getInt32(at + 23), length })
    at += length
  }
  return seen
}

/** Reserves and fills one batch; returns what `reserve` did. */
export function stage(writer: RingLogWriter, base: number, count: number, length: number): number {
  const at = writer.reserve(length)
  if (at >= 0) putBatch(writer.bytes, at, base, count, length)
  return at
}

/** Publishes with everything committed, unless told otherwise. */
export function publishAll(writer: RingLogWriter, end: number, high = end): void {
  writer.publish({
    logEndOffset: end,
    highWatermark: high,
    lastStableOffset: high,
    logStartOffset: 0,
  })
}

/** Appends `count` one-record batches of `length` bytes each, committed one by one. */
export function append(writer: RingLogWriter, count: number, length: number): void {
  for (let i = 0; i < count; i++) {
    const base = writer.logEndOffset
    if (stage(writer, base, 1, length) < 0) throw new Error('the ring log took no batch')
    publishAll(writer, base + 1)
  }
}

/** Everything readable from `offset` on, copied out piece by piece; null when the ring does not have it. */
export function readFrom(
  reader: RingLogReader,
  offset: number,
  maxBytes = 2 ** 30,
): BatchSeen[] | null {
  const span: RingLogSpan = { position: 0, length: 0 }
  let position = reader.find(offset)
  if (position === 2 ** 31) return null
  if (position === 2 ** 31 + 1) return []
  const seen: BatchSeen[] = []
  for (;;) {
    if (!reader.readable(position, maxBytes, span)) return null
    if (span.length === 0) return seen
    const copy = new Uint8Array(span.length)
    if (!reader.copy(span.position, span.length, copy, 0)) return null
    seen.push(...readBatches(copy))
    position = (span.position + span.length) | 0
  }
}
