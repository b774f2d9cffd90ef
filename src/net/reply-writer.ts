import type { EncodedFrame } from '../protocol/frame-writer.ts'

/** Pieces up to this size are worth copying together: an entry of a writev costs more (measured, see README.md). */
export const MERGE_BYTES_MAX = 512

/** `frames` with one more; null: none yet. For one alone, as there mostly is, a push would make room for seventeen. */
export function withFrame(frames: EncodedFrame[] | null, frame: EncodedFrame): EncodedFrame[] {
  if (frames === null) return [frame]
  frames.push(frame)
  return frames
}

/**
 * What to write for `frames`, in order: neighbours in memory become one piece without a copy (small frames are
 * encoded one behind the other into a slab), other small neighbours are copied into one buffer.
 */
export function piecesOf(frames: readonly EncodedFrame[], mergeBytesMax: number): Uint8Array[] {
  if (frames.length === 1 && frames[0]!.chunks.length === 1) return frames[0]!.chunks
  return mergeSmall(mergeNeighbours(frames), mergeBytesMax)
}

function mergeNeighbours(frames: readonly EncodedFrame[]): Uint8Array[] {
  const pieces: Uint8Array[] = []
  let first: Uint8Array | null = null
  let bytes = 0
  const end = () => {
    if (first === null) return
    const { buffer, byteOffset, length } = first
    pieces.push(bytes === length ? first : new Uint8Array(buffer, byteOffset, bytes))
  }
  for (const frame of frames) {
    for (const chunk of frame.chunks) {
      if (chunk.length === 0) continue
      if (
        first !== null &&
        chunk.buffer === first.buffer &&
        chunk.byteOffset === first.byteOffset + bytes
      ) {
        bytes += chunk.length
        continue
      }
      end()
      first = chunk
      bytes = chunk.length
    }
  }
  end()
  return pieces
}

function mergeSmall(pieces: Uint8Array[], mergeBytesMax: number): Uint8Array[] {
  if (pieces.length < 2) return pieces
  const merged: Uint8Array[] = []
  let run: Uint8Array[] = []
  const end = () => {
    if (run.length === 1) merged.push(run[0]!)
    else if (run.length > 1) merged.push(Buffer.concat(run))
    run = []
  }
  for (const piece of pieces) {
    if (piece.length <= mergeBytesMax) run.push(piece)
    else {
      end()
      merged.push(piece)
    }
  }
  end()
  return merged
}
