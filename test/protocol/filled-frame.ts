import type { EncodedFrame, FrameWriter } from '../../src/protocol/frame-writer.ts'

/** A frame of `bytes` times `value`, in parts as encoders write them. */
export function filledFrame(writer: FrameWriter, bytes: number, value: number): EncodedFrame {
  writer.begin()
  for (let left = bytes; left > 0; ) {
    const part = Math.min(left, 1000)
    if (writer.pos + part > writer.buf.length) writer.grow(part)
    writer.buf.fill(value, writer.pos, writer.pos + part)
    writer.pos += part
    left -= part
  }
  return writer.finish()
}
