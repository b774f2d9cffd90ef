import { Socket, type SocketConstructorOpts } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { pausedSocket, type TcpHandle } from './tcp-handle.ts'

/** What a read takes at most: larger ones save calls and lose what the processor's cache still holds (measured, see README.md). */
export const READ_BYTES = 256 * 1024

interface Handled {
  _handle?: TcpHandle | null
}

/** As `onread` of `net.connect`, for which Node has no option where a server accepts. */
interface WithHandle extends SocketConstructorOpts {
  readonly handle: TcpHandle
  readonly onread: {
    readonly buffer: () => Uint8Array
    readonly callback: (bytes: number, buffer: Uint8Array) => boolean
  }
}

/** Where a socket's bytes go. */
export interface Receiver {
  /** Where the next read is to put what it gets: looked at once as reading begins, and after each read. */
  readonly readInto: Uint8Array
  /** `bytes` have come. Their memory may be another's as soon as this returns. */
  onBytes(bytes: Uint8Array): void
}

/**
 * Begins to read from a socket that was accepted with `pauseOnConnect`, into memory of the receiver: Node's own way makes
 * 64 KB of memory for each read, which costs more than the read, and garbage collections. Returns the socket to go on with;
 * it ends and closes as the accepted one would have. Where Node has changed inside, that is the accepted one, and chunks are
 * Node's.
 */
export function receiveInto(accepted: Socket, receiver: Receiver): Socket {
  const handled = accepted as Handled
  const handle = handled._handle
  if (typeof handle?.useUserBuffer !== 'function') {
    accepted.on('data', (bytes) => receiver.onBytes(bytes))
    return accepted.resume()
  }
  // a new socket takes over what is under the accepted one, which then has nothing left to close
  handled._handle = null
  accepted.on('error', () => {})
  accepted.destroy()
  return receiveFromHandle(handle, receiver)
}

/** The same from what is under a socket that nobody has made yet. */
export function receiveFromHandle(handle: TcpHandle, receiver: Receiver): Socket {
  if (typeof handle.useUserBuffer !== 'function') {
    const socket = pausedSocket(handle)
    socket.allowHalfOpen = true
    socket.on('data', (bytes) => receiver.onBytes(bytes))
    return socket.resume()
  }
  const options: WithHandle = {
    handle,
    allowHalfOpen: true,
    onread: {
      buffer: () => receiver.readInto,
      callback: (bytes, buffer) => {
        receiver.onBytes(buffer.subarray(0, bytes))
        return true
      },
    },
  }
  return new Socket(options)
}

/** Where a socket of Node keeps what `onread` has given it, by the description of its symbols. */
const USER_BUFFER = ['kBuffer', 'kBufferCb', 'kBufferGen'] as const

/**
 * The same for a socket of TLS whose handshake is over, for which Node has `onread` only where it connects: decrypted bytes come in pieces of 16 KB at most. Reads
 * into memory of the receiver where Node's inside is as it was (20, 22, 24), else its chunks.
 */
export function receiveTlsInto(socket: TLSSocket, receiver: Receiver): void {
  const handle = (socket as Handled)._handle
  const inside = socket as unknown as Record<symbol, unknown>
  const symbols = Object.getOwnPropertySymbols(socket)
  const [buffer, callback, generator] = USER_BUFFER.map((name) =>
    symbols.find((symbol) => symbol.description === name && inside[symbol] === null),
  )
  const hasAll = buffer !== undefined && callback !== undefined && generator !== undefined
  if (!hasAll || typeof handle?.useUserBuffer !== 'function') {
    socket.on('data', (bytes) => receiver.onBytes(bytes))
    return
  }
  const first = receiver.readInto
  inside[buffer] = first
  inside[generator] = () => receiver.readInto
  inside[callback] = (bytes: number, into: Uint8Array) => {
    receiver.onBytes(into.subarray(0, bytes))
    return true
  }
  handle.useUserBuffer(first)
  // what came before this was set up
  const early = socket.readableLength > 0 ? (socket.read() as Uint8Array | null) : null
  if (early !== null) receiver.onBytes(early)
  socket.resume()
}
