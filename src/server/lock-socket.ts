/**
 * The part of the directory lock that dies with the process: a listening local socket. Everything that differs by
 * platform about it is in this file.
 */
import { closeSync, openSync, rmSync } from 'node:fs'
import net from 'node:net'
import path from 'node:path'
import { hostTimer } from './host-time.ts'

/** Longest path that fits `sockaddr_un` everywhere, in bytes (Linux has 108, macOS and BSDs 104). */
export const SOCKET_PATH_BYTES_MAX = 103

const CONNECT_TIMEOUT_MS = 1_000

/** The address of the socket called `nonce` in `directory`; `directoryFd` is set where it had to be named by its descriptor. */
export interface SocketAddress {
  readonly path: string
  readonly directoryFd: number | null
}

/**
 * A named pipe on Windows, a socket file elsewhere. A path too long for a socket address is written relative to the
 * working directory, or through the directory's own descriptor (Linux). Throws when nothing fits.
 */
export function socketAddress(
  directory: string,
  nonce: string,
  platform: NodeJS.Platform = process.platform,
  workingDirectory: string = process.cwd(),
): SocketAddress {
  if (platform === 'win32') return { path: `\\\\.\\pipe\\griot-${nonce}`, directoryFd: null }
  const absolute = path.join(directory, `${nonce}.sock`)
  if (Buffer.byteLength(absolute) <= SOCKET_PATH_BYTES_MAX) {
    return { path: absolute, directoryFd: null }
  }
  const relative = path.relative(workingDirectory, absolute)
  if (Buffer.byteLength(relative) <= SOCKET_PATH_BYTES_MAX) {
    return { path: relative, directoryFd: null }
  }
  if (platform !== 'linux') {
    throw new Error(`the path of the data directory is too long for its lock: ${directory}`)
  }
  const directoryFd = openSync(directory, 'r')
  return { path: `/proc/self/fd/${directoryFd}/${nonce}.sock`, directoryFd }
}

/** Listens until closed; what connects is hung up on. The listening socket does not keep the process alive. */
export class LockSocket {
  readonly #server: net.Server
  readonly #file: string | null

  private constructor(server: net.Server, file: string | null) {
    this.#server = server
    this.#file = file
  }

  /** Resolves to null where the file system holds no sockets; other failures are thrown. */
  static async listen(directory: string, nonce: string): Promise<LockSocket | null> {
    const address = socketAddress(directory, nonce)
    const server = net.createServer((socket) => socket.destroy())
    try {
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject)
        // readable and writable by all: the directory around it guards it
        server.listen({ path: address.path }, resolve)
      })
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? ''
      if (['ENOTSUP', 'EOPNOTSUPP', 'EPERM', 'EINVAL', 'ENOSYS', 'EACCES'].includes(code)) {
        return null
      }
      throw error
    } finally {
      if (address.directoryFd !== null) closeSync(address.directoryFd)
    }
    server.unref()
    const file = process.platform === 'win32' ? null : path.join(directory, `${nonce}.sock`)
    return new LockSocket(server, file)
  }

  async close(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.close(() => resolve()))
    if (this.#file !== null) rmSync(this.#file, { force: true })
  }
}

/** Whether a process of this machine listens on the socket `nonce` of `directory`. Errs on the side of yes. */
export function isListening(directory: string, nonce: string): Promise<boolean> {
  const address = socketAddress(directory, nonce)
  return new Promise((resolve) => {
    const socket = net.connect({ path: address.path })
    const answer = (alive: boolean) => {
      stopTimer()
      socket.destroy()
      if (address.directoryFd !== null) closeSync(address.directoryFd)
      resolve(alive)
    }
    const stopTimer = hostTimer(CONNECT_TIMEOUT_MS, () => answer(true))
    socket.once('connect', () => answer(true))
    socket.once('error', (error: NodeJS.ErrnoException) => {
      // a full backlog (EAGAIN) or a lack of permission is somebody; refused or missing is nobody
      answer(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT')
    })
  })
}
