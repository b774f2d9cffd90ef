/** The smallest Kafka client: one request on one connection, for tests that want no other moving part. */
import { connect, type Socket } from 'node:net'

/** An ApiVersions request, version 0. */
export function apiVersionsFrame(correlationId: number): Buffer {
  const body = Buffer.alloc(14)
  body.writeInt32BE(10, 0)
  body.writeInt16BE(18, 4)
  body.writeInt16BE(0, 6)
  body.writeInt32BE(correlationId, 8)
  body.writeInt16BE(-1, 12)
  return body
}

export async function open(address: string): Promise<Socket> {
  const at = address.lastIndexOf(':')
  const socket = connect(Number(address.slice(at + 1)), address.slice(0, at))
  await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject))
  return socket
}

/** Resolves with the correlation id and error code of the first answer. */
export async function ask(
  socket: Socket,
  frame: Buffer,
): Promise<{ correlationId: number; error: number }> {
  socket.write(frame)
  let bytes = Buffer.alloc(0)
  while (bytes.length < 10) {
    const chunk: Buffer = await new Promise((resolve, reject) => {
      socket.once('data', resolve)
      socket.once('close', () => reject(new Error('closed before the answer')))
    })
    bytes = Buffer.concat([bytes, chunk])
  }
  return { correlationId: bytes.readInt32BE(4), error: bytes.readInt16BE(8) }
}
