/** fsync of a path, with callbacks: the one place that knows how platforms differ in it. Runs on an event loop. */
import fs from 'node:fs'
import { DELETED } from '../log/disk.ts'

/** 0: durable, or gone; otherwise libuv's (negative) number of the error. */
export type FlushDone = (errno: number) => void

interface OpenFile {
  readonly path: string
  readonly fd: number
  readonly inode: number
  readonly isDirectory: boolean
  users: number
  dropped: boolean
  /** Since {@link FlushFiles.closeUnused} looked last. */
  wasUsed: boolean
}

const errnoOf = (error: NodeJS.ErrnoException): number => error.errno ?? -5

/**
 * Descriptors of files that were flushed lately, so that a busy segment is opened once. A kept descriptor also keeps the
 * kernel's record of a failed write-back from being lost between two flushes. Before each use the path is looked up
 * again: a segment that was removed and made anew under its old name is another file.
 */
export class FlushFiles {
  readonly #open = new Map<string, OpenFile>()
  readonly #keepMax: number
  readonly #platform: NodeJS.Platform

  constructor(keepMax: number, platform: NodeJS.Platform = process.platform) {
    this.#keepMax = keepMax
    this.#platform = platform
  }

  get openCount(): number {
    return this.#open.size
  }

  flush(path: string, done: FlushDone): void {
    const known = this.#open.get(path)
    if (known === undefined) {
      this.#openAndSync(path, done)
      return
    }
    known.users++
    known.wasUsed = true
    fs.stat(path, (error, found) => {
      if (error === null && found.ino === known.inode) {
        this.#sync(known, done)
        return
      }
      this.#drop(known)
      this.#release(known)
      if (error?.code === 'ENOENT') done(0)
      else this.#openAndSync(path, done)
    })
  }

  /** Removes a file that was renamed to end in {@link DELETED}; what is open of it would keep its space. */
  remove(path: string, done: FlushDone): void {
    const known = this.#open.get(path.slice(0, -DELETED.length))
    if (known !== undefined) this.#drop(known)
    fs.unlink(path, (error) => {
      done(error === null || error.code === 'ENOENT' ? 0 : errnoOf(error))
    })
  }

  /**
   * Closes what was not flushed since the last call, and returns how many stay open: a file that was removed takes
   * space for as long as it is open here.
   */
  closeUnused(): number {
    for (const file of this.#open.values()) {
      if (file.users === 0 && !file.wasUsed) this.#drop(file)
      file.wasUsed = file.users > 0
    }
    return this.#open.size
  }

  close(): void {
    for (const file of this.#open.values()) this.#drop(file)
  }

  #openAndSync(path: string, done: FlushDone): void {
    // FlushFileBuffers and some network file systems want a descriptor that may write
    fs.open(path, 'r+', (error, fd) => {
      if (error === null) this.#opened(path, fd, done)
      else if (error.code === 'ENOENT') done(0)
      else if (error.code === 'EISDIR') this.#openDirectory(path, done)
      else if (this.#platform === 'win32') this.#unlessDirectory(path, errnoOf(error), done)
      else done(errnoOf(error))
    })
  }

  #openDirectory(path: string, done: FlushDone): void {
    // Windows opens no directories, and needs no such flush
    if (this.#platform === 'win32') {
      done(0)
      return
    }
    fs.open(path, 'r', (error, fd) => {
      if (error === null) this.#opened(path, fd, done)
      else done(error.code === 'ENOENT' ? 0 : errnoOf(error))
    })
  }

  #unlessDirectory(path: string, errno: number, done: FlushDone): void {
    fs.stat(path, (error, found) => done(error === null && found.isDirectory() ? 0 : errno))
  }

  #opened(path: string, fd: number, done: FlushDone): void {
    fs.fstat(fd, (error, found) => {
      if (error !== null) {
        fs.close(fd, () => done(errnoOf(error)))
        return
      }
      const file: OpenFile = {
        path,
        fd,
        inode: found.ino,
        isDirectory: found.isDirectory(),
        users: 1,
        dropped: true,
        wasUsed: true,
      }
      this.#keep(file)
      this.#sync(file, done)
    })
  }

  #sync(file: OpenFile, done: FlushDone): void {
    const synced = (error: NodeJS.ErrnoException | null) => {
      if (error !== null) this.#drop(file)
      this.#release(file)
      done(error === null || this.#refusesDirectories(file, error) ? 0 : errnoOf(error))
    }
    if (file.isDirectory) fs.fsync(file.fd, synced)
    else fs.fdatasync(file.fd, synced)
  }

  /** Some file systems answer EINVAL or the like to fsync of a directory: nothing more can be done there. */
  #refusesDirectories(file: OpenFile, error: NodeJS.ErrnoException): boolean {
    return file.isDirectory && ['EINVAL', 'ENOTSUP', 'EBADF', 'EPERM'].includes(error.code ?? '')
  }

  #keep(file: OpenFile): void {
    // another flush of the same path may have opened it meanwhile: then this one is closed after use
    if (file.isDirectory || this.#open.has(file.path)) return
    file.dropped = false
    this.#open.set(file.path, file)
    if (this.#open.size <= this.#keepMax) return
    for (const other of this.#open.values()) {
      if (other.users > 0) continue
      this.#drop(other)
      if (this.#open.size <= this.#keepMax) return
    }
  }

  #drop(file: OpenFile): void {
    if (file.dropped) return
    file.dropped = true
    this.#open.delete(file.path)
    if (file.users === 0) fs.close(file.fd)
  }

  #release(file: OpenFile): void {
    if (--file.users > 0) {
      return
    }
    if (file.dropped) {
      fs.close(file.fd)
      return
    }
    // used last: the last to go
    this.#open.delete(file.path)
    this.#open.set(file.path, file)
  }
}
