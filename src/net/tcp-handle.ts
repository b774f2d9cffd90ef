/** What Node has under a socket: undocumented, so that nothing relies on it being there. The same in Node 20, 22 and 24. */
import { type Server, Socket, type SocketConstructorOpts } from 'node:net'

/** A TCP socket of the system's (`TCPWrap`). */
export interface TcpHandle {
  readonly useUserBuffer?: ((buffer: Uint8Array) => void) | undefined
  setNoDelay(isOn: boolean): void
  /** `delay`: seconds; 0: the system's. */
  setKeepAlive(isOn: boolean, delay: number): void
  /** Fills in what there is to be known; returns other than 0 where that is nothing. */
  getpeername(into: object): number
  getsockname(into: object): number
  close(): void
}

interface ListeningHandle {
  onconnection?: ((status: number, handle?: TcpHandle) => void) | undefined
}

/** `pauseOnCreate` is what a server gives that has `pauseOnConnect`. */
interface WithHandle extends SocketConstructorOpts {
  readonly handle: TcpHandle
  readonly pauseOnCreate?: boolean
}

/**
 * From now on `onHandle` is given what `server`, which listens, accepts, and `server` knows nothing of it: it neither counts nor closes them. False: it
 * goes on as before, since Node is not as it was.
 */
export function acceptHandles(server: Server, onHandle: (handle: TcpHandle) => void): boolean {
  const listening = (server as unknown as { readonly _handle?: ListeningHandle | null })._handle
  if (typeof listening?.onconnection !== 'function') return false
  listening.onconnection = (status, handle) => {
    // what goes wrong here (out of descriptors) concerns connections that never came to be
    if (status === 0 && handle !== undefined) onHandle(handle)
  }
  return true
}

/** A socket over `handle`, from which nothing is read yet, and whose end is the end. */
export function pausedSocket(handle: TcpHandle): Socket {
  const options: WithHandle = {
    ...{ handle, allowHalfOpen: false, pauseOnCreate: true },
    ...{ readable: true, writable: true },
  }
  return new Socket(options)
}
