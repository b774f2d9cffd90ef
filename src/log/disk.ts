/**
 * Every file access of a broker: synchronous, on the broker's thread, and small enough that a simulated disk can take
 * its place. Nothing here makes anything durable; that is the flusher's work ({@link FlushPort}).
 */

export type DiskOperation =
  | 'open'
  | 'read'
  | 'write'
  | 'truncate'
  | 'list'
  | 'mkdir'
  | 'remove'
  | 'rename'
  | 'stat'
  | 'flush'

/** A file operation failed: `code` is the system's name of the error (ENOSPC, EIO, ENOENT …). */
export class DiskError extends Error {
  override name = 'DiskError'
  readonly code: string
  readonly path: string
  readonly operation: DiskOperation

  constructor(code: string, path: string, operation: DiskOperation) {
    super(`${operation} ${path}: ${code}`)
    this.code = code
    this.path = path
    this.operation = operation
  }
}

/** The simulator's way to end a process in the middle of a disk operation: nobody may survive it. */
export const isEndOfProcess = (error: unknown): boolean =>
  error instanceof Error && error.name === 'SimulatedCrash'

/** `read`: must exist. `append`: read and write, made if missing. `create`: read and write, emptied if there. */
export type OpenMode = 'read' | 'append' | 'create'

export interface DiskFile {
  /** Fills `target` from `position` on; returns the bytes read, fewer than `length` only at the end of the file. */
  read(target: Uint8Array, targetOffset: number, length: number, position: number): number
  /** One vectored write: all of it, or a {@link DiskError}; what was partly written is the caller's to truncate. */
  write(pieces: readonly Uint8Array[], position: number): void
  truncate(size: number): void
  size(): number
  close(): void
}

export interface Disk {
  open(path: string, mode: OpenMode): DiskFile
  exists(path: string): boolean
  mkdirs(path: string): void
  /** Names in a directory, in order; empty when there is no such directory. */
  list(directory: string): string[]
  remove(path: string): void
  /** With everything in it; nothing happens when it is not there. */
  removeDirectory(path: string): void
  rename(from: string, to: string): void
  size(path: string): number
  /** When the file was last written, wall-clock ms. */
  modifiedMs(path: string): number
  freeBytes(directory: string): { readonly free: number; readonly total: number }
  readFile(path: string): Uint8Array
  /** Replaces the file whole (another file, then rename): a dying process leaves the old or the new, a power cut may leave neither. */
  writeFileAtomic(path: string, bytes: Uint8Array): void
  /** Names the run of the operating system whose page cache holds what was not flushed; null where there is no telling. */
  bootId(): string | null
}

/** What the name of a file ends in that is being removed; one that a death has left is removed when its log is opened. */
export const DELETED = '.deleted'

/** The broker's side of the flusher: asks that a file (or a directory's entries) be made durable. */
export interface FlushPort {
  /** `done` is called on the broker's thread in a later turn: what was written before the request is durable, or why not. `isUrgent`: it goes before others. */
  request(path: string, done: (error: DiskError | null) => void, isUrgent?: boolean): void
  /**
   * Removes a file, renamed to end in {@link DELETED}, which the broker's thread has no time for: freeing what the cache holds of
   * it takes 0.1 ms a megabyte. `done` as above; a file that is gone is no error.
   */
  remove(path: string, done: (error: DiskError | null) => void): void
}
