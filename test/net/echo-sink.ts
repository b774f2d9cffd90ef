/** A sink that answers each frame with itself. */
import type { RequestSink } from '../../src/net/connection-set.ts'

/** `resume` is called after each read: who has had its turn goes on in the next. */
export const echoSink = (
  resume: () => void,
  { onOpen = () => {}, answerIn = (answer) => answer() }: EchoOptions = {},
): RequestSink => ({
  onOpen,
  onReadEnd: () => void setImmediate(resume),
  onDrained: () => {},
  onFull: () => false,
  onEnd: () => {},
  onClose: () => {},
  onFrame: (_connection, slot, frame) => {
    const reply = Buffer.alloc(4 + frame.length)
    reply.writeInt32BE(frame.length)
    reply.set(frame, 4)
    answerIn(() => slot.send({ chunks: [reply], byteLength: reply.length }))
  },
})

interface EchoOptions {
  readonly onOpen?: RequestSink['onOpen']
  /** When an answer is given; default: at once. */
  readonly answerIn?: (answer: () => void) => void
}
