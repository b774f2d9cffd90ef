import type { DiskFaultCode } from '../base/chaos.ts'
import {
  DELETED,
  type Disk,
  DiskError,
  type DiskFile,
  type DiskOperation,
  type OpenMode,
} from './disk.ts'

/**
 * A disk that fails or is slow on demand, around another one. With EIO every change fails. With ENOSPC it is full: what takes room fails, what
 * gives some back (removals, truncation) is room for others, and overwriting goes on, so that what a full disk must still do can be
 * done. Reads succeed either way. On the broker's thread.
 */
export class FaultyDisk implements Disk {
  readonly #disk: Disk
  readonly #faults: Faults

  /** `sleep` blocks the calling thread for so many milliseconds. */
  constructor(disk: Disk, sleep: (ms: number) => void) {
    this.#disk = disk
    this.#faults = new Faults(sleep)
  }

  /** From the next change on; null: the disk is well. */
  failWith(code: DiskFaultCode | null): void {
    this.#faults.code = code
    this.#faults.roomBytes = 0
  }

  /** Full on demand, whatever the file system has. */
  get isFull(): boolean {
    return this.#faults.code === 'ENOSPC'
  }

  /** Each operation takes so many milliseconds more; 0: none does. */
  slowBy(ms: number): void {
    this.#faults.byMs = ms
  }

  open(path: string, mode: OpenMode): DiskFile {
    const faults = this.#faults
    faults.slow()
    if (mode !== 'read' && faults.code !== null) {
      if (!this.#disk.exists(path)) faults.change(1, path, 'open')
      else if (mode === 'create') {
        faults.change(0, path, 'open')
        faults.freed(this.#disk.size(path))
      }
    }
    return new FaultyFile(this.#disk.open(path, mode), path, faults)
  }

  exists(path: string): boolean {
    this.#faults.slow()
    return this.#disk.exists(path)
  }

  mkdirs(path: string): void {
    const faults = this.#faults
    faults.slow()
    if (faults.code !== null && !this.#disk.exists(path)) faults.change(1, path, 'mkdir')
    this.#disk.mkdirs(path)
  }

  list(directory: string): string[] {
    this.#faults.slow()
    return this.#disk.list(directory)
  }

  remove(path: string): void {
    const faults = this.#faults
    faults.slow()
    faults.change(0, path, 'remove')
    const bytes = faults.code === null ? 0 : this.#disk.size(path)
    this.#disk.remove(path)
    faults.freed(bytes)
  }

  removeDirectory(path: string): void {
    this.#faults.slow()
    this.#faults.change(0, path, 'remove')
    this.#disk.removeDirectory(path)
  }

  rename(from: string, to: string): void {
    const faults = this.#faults
    faults.slow()
    faults.change(0, from, 'rename')
    this.#disk.rename(from, to)
    // the flusher removes it
    if (faults.code !== null && to.endsWith(DELETED)) faults.freed(this.#disk.size(to))
  }

  size(path: string): number {
    this.#faults.slow()
    return this.#disk.size(path)
  }

  modifiedMs(path: string): number {
    this.#faults.slow()
    return this.#disk.modifiedMs(path)
  }

  freeBytes(directory: string): { readonly free: number; readonly total: number } {
    const { code, roomBytes } = this.#faults
    this.#faults.slow()
    const { free, total } = this.#disk.freeBytes(directory)
    return { free: code === 'ENOSPC' ? Math.min(free, roomBytes) : free, total }
  }

  readFile(path: string): Uint8Array {
    this.#faults.slow()
    return this.#disk.readFile(path)
  }

  writeFileAtomic(path: string, bytes: Uint8Array): void {
    const faults = this.#faults
    faults.slow()
    faults.change(bytes.length, path, 'write')
    const before = faults.code !== null && this.#disk.exists(path) ? this.#disk.size(path) : 0
    this.#disk.writeFileAtomic(path, bytes)
    faults.freed(before)
  }

  bootId(): string | null {
    return this.#disk.bootId()
  }
}

/** What is at fault now; files that are open share it. */
class Faults {
  code: DiskFaultCode | null = null
  byMs = 0
  /** Of a full disk: what was given back since. */
  roomBytes = 0
  readonly #sleep: (ms: number) => void

  constructor(sleep: (ms: number) => void) {
    this.#sleep = sleep
  }

  slow(): void {
    if (this.byMs > 0) this.#sleep(this.byMs)
  }

  /** Before a change that takes `bytes` more than there are. Throws {@link DiskError}. */
  change(bytes: number, path: string, operation: DiskOperation): void {
    if (this.code === null) return
    if (this.code === 'EIO' || bytes > this.roomBytes) {
      throw new DiskError(this.code, path, operation)
    }
    this.roomBytes -= bytes
  }

  freed(bytes: number): void {
    if (this.code === 'ENOSPC') this.roomBytes += bytes
  }
}

class FaultyFile implements DiskFile {
  readonly #file: DiskFile
  readonly #path: string
  readonly #faults: Faults

  constructor(file: DiskFile, path: string, faults: Faults) {
    this.#file = file
    this.#path = path
    this.#faults = faults
  }

  read(target: Uint8Array, targetOffset: number, length: number, position: number): number {
    this.#faults.slow()
    return this.#file.read(target, targetOffset, length, position)
  }

  write(pieces: readonly Uint8Array[], position: number): void {
    this.#faults.slow()
    if (this.#faults.code !== null) {
      const end = pieces.reduce((at, piece) => at + piece.length, position)
      this.#faults.change(Math.max(0, end - this.#file.size()), this.#path, 'write')
    }
    this.#file.write(pieces, position)
  }

  truncate(size: number): void {
    const faults = this.#faults
    faults.slow()
    faults.change(0, this.#path, 'truncate')
    const before = faults.code === null ? size : this.#file.size()
    this.#file.truncate(size)
    faults.freed(Math.max(0, before - size))
  }

  size(): number {
    this.#faults.slow()
    return this.#file.size()
  }

  close(): void {
    this.#file.close()
  }
}
