import { close, open, read } from 'node:fs'

/** A file operation failed; `code` is the system's (ENOENT, EIO …). */
export interface FileFailure {
  readonly code: string
}

/** An open segment file. Callbacks come later, never from within the call. */
export interface SegmentFile {
  /** Fills `target[0, length)` from `position` on; tells how many bytes there were. */
  read(
    target: Uint8Array,
    length: number,
    position: number,
    done: (failure: FileFailure | null, bytesRead: number) => void,
  ): void
  close(): void
}

/** How a front opens segment files: the real ones, or a simulated disk's. */
export interface SegmentFiles {
  open(path: string, done: (failure: FileFailure | null, file: SegmentFile | null) => void): void
}

const failureOf = (error: NodeJS.ErrnoException | null): FileFailure | null =>
  error === null ? null : { code: error.code ?? 'EIO' }

class NodeSegmentFile implements SegmentFile {
  readonly #descriptor: number

  constructor(descriptor: number) {
    this.#descriptor = descriptor
  }

  read(
    target: Uint8Array,
    length: number,
    position: number,
    done: (failure: FileFailure | null, bytesRead: number) => void,
  ): void {
    read(this.#descriptor, target, 0, length, position, (error, bytesRead) => {
      done(failureOf(error), bytesRead)
    })
  }

  close(): void {
    close(this.#descriptor)
  }
}

/** Segment files by `node:fs`, on the libuv pool. */
export class NodeSegmentFiles implements SegmentFiles {
  open(path: string, done: (failure: FileFailure | null, file: SegmentFile | null) => void): void {
    open(path, 'r', (error, descriptor) => {
      if (error === null) done(null, new NodeSegmentFile(descriptor))
      else done(failureOf(error), null)
    })
  }
}
