/** Record batches as one line of text: what a reader would see of them. */
import { createHash } from 'node:crypto'
import { decompressedBody } from '../../src/record/inspect.ts'

/** Each batch with its offsets, epoch, attributes, producer and a digest of its records; a cut one at the end by its size. */
export function describeRecords(records: Uint8Array): string {
  const bytes = Buffer.from(records)
  const batches: string[] = []
  let at = 0
  while (at + 61 <= bytes.length) {
    const end = at + 12 + bytes.readInt32BE(at + 8)
    if (end > bytes.length) break
    const base = bytes.readBigInt64BE(at)
    const last = base + BigInt(bytes.readInt32BE(at + 23))
    const digest = createHash('md5')
      .update(bodyOf(bytes, at, end))
      .digest('hex')
    const producer = bytes.readBigInt64BE(at + 43) < 0n ? '' : ` seq=${bytes.readInt32BE(at + 53)}`
    batches.push(
      `${base}-${last} magic=${bytes[at + 16]} epoch=${bytes.readInt32BE(at + 12)} ` +
        `attr=${bytes.readInt16BE(at + 21)}${producer} ${digest.slice(0, 8)}`,
    )
    at = end
  }
  const rest = bytes.length - at
  if (rest > 0) batches.push(`${rest} bytes of a cut batch`)
  return `{${batches.join('; ')}}`
}

/** The records as they were before compression, which no two implementations do alike; as they lie there if they cannot be read. */
function bodyOf(bytes: Uint8Array, at: number, end: number): Uint8Array {
  try {
    return decompressedBody(bytes, at, 1 << 24)
  } catch {
    return bytes.subarray(at + 61, end)
  }
}
