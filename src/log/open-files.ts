import type { Disk, DiskFile, OpenMode } from './disk.ts'

/** A file that is opened when it is used and may be closed behind its user's back. Owned by one log. */
export class FileHandle {
  readonly #pool: OpenFiles
  readonly #mode: OpenMode
  #path: string
  /** @internal The pool's list of open files, most recently used first. */
  newer: FileHandle | null = null
  /** @internal */
  older: FileHandle | null = null
  #file: DiskFile | null = null

  constructor(pool: OpenFiles, path: string, mode: OpenMode) {
    this.#pool = pool
    this.#path = path
    this.#mode = mode
  }

  get path(): string {
    return this.#path
  }

  /** The open file. Good until the next call on any handle of the pool. */
  get(): DiskFile {
    if (this.#file === null) this.#file = this.#pool.openFor(this, this.#path, this.#mode)
    else this.#pool.touch(this)
    return this.#file
  }

  /** Closes the descriptor; the handle can be used again. */
  release(): void {
    const file = this.#file
    if (file === null) return
    this.#file = null
    this.#pool.forget(this)
    file.close()
  }
}

/**
 * Bounds the descriptors of one broker: the least recently used is closed when another is opened beyond the limit. On
 * the broker's thread.
 */
export class OpenFiles {
  readonly #disk: Disk
  readonly #maxOpen: number
  #open = 0
  #newest: FileHandle | null = null
  #oldest: FileHandle | null = null

  constructor(disk: Disk, maxOpen: number) {
    this.#disk = disk
    this.#maxOpen = Math.max(4, maxOpen)
  }

  get openCount(): number {
    return this.#open
  }

  handle(path: string, mode: OpenMode): FileHandle {
    return new FileHandle(this, path, mode)
  }

  /** @internal */
  openFor(handle: FileHandle, path: string, mode: OpenMode): DiskFile {
    while (this.#open >= this.#maxOpen) this.#oldest!.release()
    const file = this.#disk.open(path, mode)
    this.#open++
    this.#pushNewest(handle)
    return file
  }

  /** @internal */
  touch(handle: FileHandle): void {
    if (this.#newest === handle) return
    this.#unlink(handle)
    this.#pushNewest(handle)
  }

  /** @internal */
  forget(handle: FileHandle): void {
    this.#open--
    this.#unlink(handle)
  }

  #pushNewest(handle: FileHandle): void {
    handle.newer = null
    handle.older = this.#newest
    if (this.#newest !== null) this.#newest.newer = handle
    else this.#oldest = handle
    this.#newest = handle
  }

  #unlink(handle: FileHandle): void {
    if (handle.newer !== null) handle.newer.older = handle.older
    else this.#newest = handle.older
    if (handle.older !== null) handle.older.newer = handle.newer
    else this.#oldest = handle.newer
    handle.newer = handle.older = null
  }
}
