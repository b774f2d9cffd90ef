/** Files that people name, read whole: never waited for, never more than a bound. Server's thread, and the CLI. */
import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from 'node:fs'

/** Why a file was not read: what the system says, or what it is. */
export class UnreadableFileError extends Error {
  override name = 'UnreadableFileError'
}

interface ReadOptions {
  readonly bytesMax: number
  /**
   * A pipe that this process was started with (`/dev/stdin`, `/dev/fd/N`) is read to its end, however long that takes. It can be
   * read once.
   */
  readonly mayBeOwnPipe?: boolean
}

/** Throws {@link UnreadableFileError}, whose message is the reason alone. */
export function readSmallFile(file: string, options: ReadOptions): string {
  try {
    return read(file, options)
  } catch (error) {
    if (error instanceof UnreadableFileError) throw error
    throw new UnreadableFileError((error as NodeJS.ErrnoException).code ?? String(error))
  }
}

function read(file: string, { bytesMax, mayBeOwnPipe = false }: ReadOptions): string {
  const own = ownDescriptor(file)
  if (own !== null) return readAll(own, fstatSync(own), bytesMax, mayBeOwnPipe)
  // without O_NONBLOCK, opening a pipe waits for somebody who writes; Windows has none
  const fd = openSync(file, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0))
  try {
    return readAll(fd, fstatSync(fd), bytesMax, false)
  } finally {
    closeSync(fd)
  }
}

function ownDescriptor(file: string): number | null {
  if (process.platform === 'win32') return null
  if (file === '/dev/stdin') return 0
  const number = /^\/(?:dev|proc\/self)\/fd\/(\d{1,4})$/.exec(file)?.[1]
  return number === undefined ? null : Number(number)
}

function readAll(fd: number, stats: Stats, bytesMax: number, mayBePipe: boolean): string {
  const isPipe = stats.isFIFO() || stats.isSocket()
  if (!stats.isFile() && !(mayBePipe && isPipe)) {
    throw new UnreadableFileError(`not a file, but ${kindOf(stats)}`)
  }
  const bytes = Buffer.alloc(bytesMax + 1)
  let length = 0
  while (length < bytes.length) {
    // a file from its beginning, wherever its descriptor stands
    const got = readSync(fd, bytes, length, bytes.length - length, isPipe ? null : length)
    if (got === 0) return bytes.toString('utf8', 0, length)
    length += got
  }
  throw new UnreadableFileError(`larger than ${bytesMax} bytes`)
}

function kindOf(stats: Stats): string {
  if (stats.isDirectory()) return 'a directory'
  return stats.isFIFO() || stats.isSocket() ? 'a pipe' : 'a device'
}
