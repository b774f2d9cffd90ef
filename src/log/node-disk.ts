import fs from 'node:fs'
import { type Disk, DiskError, type DiskFile, type DiskOperation, type OpenMode } from './disk.ts'

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? 'EIO'

function attempt<Result>(operation: DiskOperation, path: string, work: () => Result): Result {
  try {
    return work()
  } catch (error) {
    throw new DiskError(codeOf(error), path, operation)
  }
}

const FLAGS: Readonly<Record<OpenMode, number>> = {
  read: fs.constants.O_RDONLY,
  append: fs.constants.O_RDWR | fs.constants.O_CREAT,
  create: fs.constants.O_RDWR | fs.constants.O_CREAT | fs.constants.O_TRUNC,
}

class NodeFile implements DiskFile {
  readonly #path: string
  readonly #fd: number

  constructor(path: string, mode: OpenMode) {
    this.#path = path
    this.#fd = attempt('open', path, () => fs.openSync(path, FLAGS[mode], 0o600))
  }

  read(target: Uint8Array, targetOffset: number, length: number, position: number): number {
    let done = 0
    try {
      while (done < length) {
        const n = fs.readSync(this.#fd, target, targetOffset + done, length - done, position + done)
        if (n === 0) break
        done += n
      }
    } catch (error) {
      throw new DiskError(codeOf(error), this.#path, 'read')
    }
    return done
  }

  write(pieces: readonly Uint8Array[], position: number): void {
    try {
      let total = 0
      for (const piece of pieces) total += piece.length
      const first = pieces[0]!
      let done =
        pieces.length === 1
          ? fs.writeSync(this.#fd, first, 0, first.length, position)
          : fs.writevSync(this.#fd, pieces, position)
      if (done === total) return
      for (const piece of pieces) {
        let from = Math.min(done, piece.length)
        done -= from
        const at = position
        position += piece.length
        while (from < piece.length) {
          from += fs.writeSync(this.#fd, piece, from, piece.length - from, at + from)
        }
      }
    } catch (error) {
      throw new DiskError(codeOf(error), this.#path, 'write')
    }
  }

  truncate(size: number): void {
    attempt('truncate', this.#path, () => fs.ftruncateSync(this.#fd, size))
  }

  size(): number {
    return attempt('stat', this.#path, () => fs.fstatSync(this.#fd).size)
  }

  close(): void {
    fs.closeSync(this.#fd)
  }
}

/** The machine's own file system, by Node's synchronous calls. */
export class NodeDisk implements Disk {
  open(path: string, mode: OpenMode): DiskFile {
    return new NodeFile(path, mode)
  }

  exists(path: string): boolean {
    return fs.existsSync(path)
  }

  mkdirs(path: string): void {
    attempt('mkdir', path, () => fs.mkdirSync(path, { recursive: true, mode: 0o700 }))
  }

  list(directory: string): string[] {
    try {
      return fs.readdirSync(directory).sort()
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return []
      throw new DiskError(codeOf(error), directory, 'list')
    }
  }

  remove(path: string): void {
    attempt('remove', path, () => fs.unlinkSync(path))
  }

  removeDirectory(path: string): void {
    attempt('remove', path, () => fs.rmSync(path, { recursive: true, force: true }))
  }

  rename(from: string, to: string): void {
    attempt('rename', from, () => fs.renameSync(from, to))
  }

  size(path: string): number {
    return attempt('stat', path, () => fs.statSync(path).size)
  }

  modifiedMs(path: string): number {
    return attempt('stat', path, () => Math.floor(fs.statSync(path).mtimeMs))
  }

  freeBytes(directory: string): { readonly free: number; readonly total: number } {
    for (let at = directory; ; at = at.slice(0, Math.max(at.lastIndexOf('/'), 0))) {
      try {
        const stat = fs.statfsSync(at === '' ? (directory.startsWith('/') ? '/' : '.') : at)
        return { free: stat.bavail * stat.bsize, total: stat.blocks * stat.bsize }
      } catch (error) {
        // The directory may not have been made yet: its parent is on the same file system.
        if (codeOf(error) !== 'ENOENT' || at === '')
          throw new DiskError(codeOf(error), directory, 'stat')
      }
    }
  }

  readFile(path: string): Uint8Array {
    return attempt('read', path, () => fs.readFileSync(path))
  }

  writeFileAtomic(path: string, bytes: Uint8Array): void {
    const other = `${path}.tmp`
    const file = this.open(other, 'create')
    try {
      if (bytes.length > 0) file.write([bytes], 0)
    } catch (error) {
      file.close()
      fs.rmSync(other, { force: true })
      throw error
    }
    file.close()
    this.rename(other, path)
  }

  bootId(): string | null {
    try {
      return fs.readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()
    } catch {
      return null
    }
  }
}
