import { SeededRandom } from '../base/random.ts'
import { type Disk, DiskError, type DiskFile, type DiskOperation, type OpenMode } from './disk.ts'
import { DirectoryNode, FileNode } from './simulated-nodes.ts'

/** Thrown out of the code under test at the operation at which the process or the power goes away. */
export class SimulatedCrash extends Error {
  override name = 'SimulatedCrash'
}

/** One change that the code under test asked for, as {@link SimulatedDisk.onOperation} sees it. */
export interface SimulatedOperation {
  /** Counted from 1 since the disk was made. */
  readonly number: number
  readonly operation: DiskOperation
  readonly path: string
}

/** What is to happen instead: an error of that code, or the end (with the operation done in part). */
export type SimulatedFault =
  | { readonly kind: 'error'; readonly code: string }
  | { readonly kind: 'crash' }

export interface SimulatedDiskOptions {
  readonly capacityBytes?: number
  readonly nowMs?: () => number
  /** As on Linux: what a failed flush was to write counts as written, so that a later flush succeeds without it. Default false. */
  readonly failedFlushForgets?: boolean
}

class SimulatedFile implements DiskFile {
  readonly #disk: SimulatedDisk
  readonly #path: string
  readonly #node: FileNode
  readonly #mode: OpenMode
  readonly #life: number

  constructor(disk: SimulatedDisk, path: string, node: FileNode, mode: OpenMode) {
    this.#disk = disk
    this.#path = path
    this.#node = node
    this.#mode = mode
    this.#life = disk.life
  }

  read(target: Uint8Array, targetOffset: number, length: number, position: number): number {
    this.#check('read')
    return this.#node.read(target, targetOffset, length, position)
  }

  write(pieces: readonly Uint8Array[], position: number): void {
    this.#check('write')
    const length = pieces.reduce((sum, piece) => sum + piece.length, 0)
    const bytes = new Uint8Array(length)
    let at = 0
    for (const piece of pieces) {
      bytes.set(piece, at)
      at += piece.length
    }
    this.#disk.writeNode(this.#node, this.#path, bytes, position)
  }

  truncate(size: number): void {
    this.#check('truncate')
    this.#disk.mutate('truncate', this.#path, () => this.#node.truncate(size))
  }

  size(): number {
    this.#check('stat')
    return this.#node.size
  }

  close(): void {}

  #check(operation: DiskOperation): void {
    if (this.#life !== this.#disk.life) throw new SimulatedCrash('a file of an earlier life')
    if (operation !== 'read' && operation !== 'stat' && this.#mode === 'read') {
      throw new DiskError('EBADF', this.#path, operation)
    }
  }
}

/**
 * A disk in memory for tests and the simulator. What was not flushed is at the mercy of {@link powerCut}: of each file
 * the writes since its last flush are forgotten, kept or torn by sectors, in any combination; of each directory the
 * changes since its last flush survive up to some point. Faults are injected per operation, all of which are counted.
 */
export class SimulatedDisk implements Disk {
  #root = new DirectoryNode()
  readonly #capacityBytes: number
  readonly #nowMs: () => number
  readonly #failedFlushForgets: boolean
  #operations = 0
  #dead = false
  #boot = 1
  /** Changes at each crash: files opened before are of no use after. */
  life = 0
  /** Decides about each operation before it happens; null: all succeed. */
  onOperation: ((operation: SimulatedOperation) => SimulatedFault | null) | null = null
  /** Bytes taken by something else than the files here. */
  occupiedBytes = 0

  constructor(options: SimulatedDiskOptions = {}) {
    this.#capacityBytes = options.capacityBytes ?? 2 ** 40
    this.#nowMs = options.nowMs ?? (() => 0)
    this.#failedFlushForgets = options.failedFlushForgets ?? false
  }

  /** How many changes were asked for so far: so that a test can strike at each one. */
  get operations(): number {
    return this.#operations
  }

  open(path: string, mode: OpenMode): DiskFile {
    this.#alive()
    const { directory, name } = this.#parent(path, 'open')
    let node = directory.entries.get(name)
    if (node instanceof DirectoryNode) throw new DiskError('EISDIR', path, 'open')
    if (node === undefined) {
      if (mode === 'read') throw new DiskError('ENOENT', path, 'open')
      const made = new FileNode(this.#nowMs())
      this.mutate('open', path, () => directory.add(name, made))
      node = made
    } else if (mode === 'create' && node.size > 0) {
      const emptied = node
      this.mutate('truncate', path, () => emptied.truncate(0))
    }
    return new SimulatedFile(this, path, node, mode)
  }

  exists(path: string): boolean {
    return this.#find(path) !== undefined
  }

  mkdirs(path: string): void {
    this.#alive()
    let at = this.#root
    for (const name of partsOf(path)) {
      let next = at.entries.get(name)
      if (next instanceof FileNode) throw new DiskError('ENOTDIR', path, 'mkdir')
      if (next === undefined) {
        const made = new DirectoryNode()
        const within = at
        this.mutate('mkdir', path, () => within.add(name, made))
        next = made
      }
      at = next
    }
  }

  list(directory: string): string[] {
    const node = this.#find(directory)
    return node instanceof DirectoryNode ? [...node.entries.keys()].sort() : []
  }

  remove(path: string): void {
    const { directory, name } = this.#parent(path, 'remove')
    if (!(directory.entries.get(name) instanceof FileNode)) {
      throw new DiskError('ENOENT', path, 'remove')
    }
    this.mutate('remove', path, () => directory.remove(name))
  }

  removeDirectory(path: string): void {
    const node = this.#find(path)
    if (!(node instanceof DirectoryNode)) return
    for (const [name, child] of [...node.entries]) {
      if (child instanceof DirectoryNode) this.removeDirectory(`${path}/${name}`)
      else this.remove(`${path}/${name}`)
    }
    const { directory, name } = this.#parent(path, 'remove')
    this.mutate('remove', path, () => directory.remove(name))
  }

  rename(from: string, to: string): void {
    const source = this.#parent(from, 'rename')
    const target = this.#parent(to, 'rename')
    const node = source.directory.entries.get(source.name)
    if (node === undefined) throw new DiskError('ENOENT', from, 'rename')
    if (source.directory !== target.directory) throw new DiskError('EXDEV', from, 'rename')
    this.mutate('rename', from, () => source.directory.rename(source.name, target.name))
  }

  size(path: string): number {
    return this.#file(path, 'stat').size
  }

  modifiedMs(path: string): number {
    return this.#file(path, 'stat').modifiedMs
  }

  freeBytes(_directory: string): { readonly free: number; readonly total: number } {
    this.#alive()
    const free = this.#capacityBytes - this.occupiedBytes - this.#root.bytes()
    return { free: Math.max(0, free), total: this.#capacityBytes }
  }

  readFile(path: string): Uint8Array {
    const node = this.#file(path, 'read')
    const bytes = new Uint8Array(node.size)
    node.read(bytes, 0, bytes.length, 0)
    return bytes
  }

  writeFileAtomic(path: string, bytes: Uint8Array): void {
    const file = this.open(`${path}.tmp`, 'create')
    try {
      if (bytes.length > 0) file.write([bytes], 0)
    } catch (error) {
      if (error instanceof DiskError) this.remove(`${path}.tmp`)
      throw error
    }
    this.rename(`${path}.tmp`, path)
  }

  bootId(): string | null {
    return this.#boot.toString(16).padStart(32, '0')
  }

  /** The flusher's counterpart: a file's bytes, or a directory's entries, are durable afterwards. */
  flush(path: string): void {
    this.#alive()
    const node = this.#find(path)
    if (node === undefined) throw new DiskError('ENOENT', path, 'flush')
    try {
      this.mutate('flush', path, () => node.flush())
    } catch (error) {
      const forgets = this.#failedFlushForgets && error instanceof DiskError
      if (forgets && node instanceof FileNode) node.forgetDirty()
      throw error
    }
  }

  /** The system needs memory: a file's clean pages are read from the medium again. */
  evict(path: string): void {
    this.#file(path, 'read').evict()
  }

  /** The process is gone, the operating system is not: everything written stays. */
  kill(): void {
    this.life++
    this.#dead = false
    this.onOperation = null
  }

  /** The power is gone: forgets, tears and reorders what was not flushed, as `seed` decides. */
  powerCut(seed: number): void {
    this.kill()
    this.#boot++
    this.#root.cut(new SeededRandom(seed))
  }

  /** Leaves of a file only what a flush has made durable. */
  loseUnflushed(path: string): void {
    const node = this.#file(path, 'read')
    node.forgetDirty()
    node.evict()
  }

  /** Changes one bit of a file where it lies, durable or not. */
  flipBit(path: string, position: number, bit = 0): void {
    this.#file(path, 'read').flipBit(position, bit)
  }

  /** @internal Counts a change and lets it happen, fail, or be the last. */
  mutate(operation: DiskOperation, path: string, change: () => void): void {
    const fault = this.#strike(operation, path)
    if (fault === null) change()
    else {
      // Done or not done: a cut between the two is what powerCut makes of it.
      if (this.#operations % 2 === 0) change()
      this.#dead = true
      throw new SimulatedCrash(`${operation} ${path}`)
    }
  }

  /** @internal */
  writeNode(node: FileNode, path: string, bytes: Uint8Array, position: number): void {
    let fault: SimulatedFault | null = null
    try {
      fault = this.#strike('write', path)
    } catch (error) {
      // A failing write may leave a part of itself behind.
      node.write(bytes.subarray(0, bytes.length >> 1), position, this.#nowMs())
      throw error
    }
    if (fault !== null) {
      node.write(bytes.subarray(0, (this.#operations * 7919) % (bytes.length + 1)), position, 0)
      this.#dead = true
      throw new SimulatedCrash(`write ${path}`)
    }
    const grows = Math.max(0, position + bytes.length - node.size)
    const free = this.freeBytes(path).free
    if (grows > free) {
      node.write(
        bytes.subarray(0, Math.max(0, bytes.length - grows + free)),
        position,
        this.#nowMs(),
      )
      throw new DiskError('ENOSPC', path, 'write')
    }
    node.write(bytes, position, this.#nowMs())
  }

  /** The fault to come: a crash is returned, an error thrown. */
  #strike(operation: DiskOperation, path: string): SimulatedFault | null {
    this.#alive()
    this.#operations++
    const fault = this.onOperation?.({ number: this.#operations, operation, path }) ?? null
    if (fault?.kind === 'error') throw new DiskError(fault.code, path, operation)
    return fault
  }

  #alive(): void {
    if (this.#dead) throw new SimulatedCrash('after the end')
  }

  #find(path: string): FileNode | DirectoryNode | undefined {
    this.#alive()
    let at: FileNode | DirectoryNode | undefined = this.#root
    for (const name of partsOf(path)) {
      if (!(at instanceof DirectoryNode)) return undefined
      at = at.entries.get(name)
    }
    return at
  }

  #file(path: string, operation: DiskOperation): FileNode {
    const node = this.#find(path)
    if (node instanceof FileNode) return node
    throw new DiskError('ENOENT', path, operation)
  }

  #parent(path: string, operation: DiskOperation): { directory: DirectoryNode; name: string } {
    const cut = path.lastIndexOf('/')
    const directory = this.#find(path.slice(0, Math.max(cut, 0)))
    if (!(directory instanceof DirectoryNode)) throw new DiskError('ENOENT', path, operation)
    return { directory, name: path.slice(cut + 1) }
  }
}

const partsOf = (path: string): string[] => path.split('/').filter((part) => part !== '')
