/** What a simulated disk is made of: each node knows what is there and what would be there after a power cut. */
import type { SeededRandom } from '../base/random.ts'

const SECTOR_BYTES = 512

type FileChange =
  | { readonly kind: 'write'; readonly position: number; readonly bytes: Uint8Array }
  | { readonly kind: 'truncate'; readonly size: number }

/** Bytes that grow by doubling. */
class Bytes {
  data = new Uint8Array(0)
  size = 0

  write(bytes: Uint8Array, position: number): void {
    const end = position + bytes.length
    this.#reserve(end)
    this.data.set(bytes, position)
    this.size = Math.max(this.size, end)
  }

  truncate(size: number): void {
    this.#reserve(size)
    this.data.fill(0, Math.min(size, this.size), Math.max(size, this.size))
    this.size = size
  }

  copy(): Bytes {
    const other = new Bytes()
    other.data = this.data.slice(0, this.size)
    other.size = this.size
    return other
  }

  #reserve(size: number): void {
    if (size <= this.data.length) return
    const grown = new Uint8Array(Math.max(size, this.data.length * 2, 64))
    grown.set(this.data.subarray(0, this.size))
    this.data = grown
  }
}

export class FileNode {
  #now = new Bytes()
  #durable = new Bytes()
  #changes: FileChange[] = []
  modifiedMs: number

  constructor(nowMs: number) {
    this.modifiedMs = nowMs
  }

  get size(): number {
    return this.#now.size
  }

  read(target: Uint8Array, targetOffset: number, length: number, position: number): number {
    const end = Math.min(position + length, this.#now.size)
    if (end <= position) return 0
    target.set(this.#now.data.subarray(position, end), targetOffset)
    return end - position
  }

  write(bytes: Uint8Array, position: number, nowMs: number): void {
    if (bytes.length === 0) return
    this.#now.write(bytes, position)
    this.#changes.push({ kind: 'write', position, bytes: bytes.slice() })
    this.modifiedMs = nowMs
  }

  truncate(size: number): void {
    this.#now.truncate(size)
    this.#changes.push({ kind: 'truncate', size })
  }

  flush(): void {
    if (this.#changes.length === 0) return
    for (const change of this.#changes) apply(this.#durable, change)
    this.#changes = []
  }

  /** A flush failed, and the file's pages count as clean: what they hold stays readable, but no flush writes it any more. */
  forgetDirty(): void {
    this.#changes = this.#changes.filter(({ kind }) => kind === 'truncate')
  }

  /** Clean pages leave the cache: what no flush has brought to the medium, and none will, is gone for readers too. */
  evict(): void {
    const left = this.#durable.copy()
    for (const change of this.#changes) apply(left, change)
    this.#now = left
  }

  flipBit(position: number, bit: number): void {
    if (position >= this.#now.size) throw new RangeError('flipBit beyond the end')
    this.#now.data[position]! ^= 1 << bit
    if (position < this.#durable.size) this.#durable.data[position]! ^= 1 << bit
  }

  /** What a power cut leaves: of the changes since the last flush, a selection. */
  cut(random: SeededRandom): void {
    const left = this.#durable.copy()
    const all = random.chance(0.25)
    const none = !all && random.chance(0.25)
    for (const change of this.#changes) {
      if (none) break
      if (all || random.chance(0.5)) apply(left, change)
      else if (change.kind === 'write' && random.chance(0.6)) tear(left, change, random)
    }
    this.#now = left
    this.#durable = left.copy()
    this.#changes = []
  }
}

function apply(bytes: Bytes, change: FileChange): void {
  if (change.kind === 'write') bytes.write(change.bytes, change.position)
  else bytes.truncate(change.size)
}

/** Some of a write's sectors reached the medium, others did not. */
function tear(
  bytes: Bytes,
  change: { readonly position: number; readonly bytes: Uint8Array },
  random: SeededRandom,
): void {
  const end = change.position + change.bytes.length
  for (let at = change.position; at < end; ) {
    const next = Math.min(end, (Math.floor(at / SECTOR_BYTES) + 1) * SECTOR_BYTES)
    if (random.chance(0.5)) {
      bytes.write(change.bytes.subarray(at - change.position, next - change.position), at)
    }
    at = next
  }
}

type DirectoryChange =
  | { readonly kind: 'add'; readonly name: string; readonly node: FileNode | DirectoryNode }
  | { readonly kind: 'remove'; readonly name: string }
  | { readonly kind: 'rename'; readonly from: string; readonly to: string }

type Entries = Map<string, FileNode | DirectoryNode>

export class DirectoryNode {
  entries: Entries = new Map()
  #durable: Entries = new Map()
  #changes: DirectoryChange[] = []

  add(name: string, node: FileNode | DirectoryNode): void {
    this.#change({ kind: 'add', name, node })
  }

  remove(name: string): void {
    this.#change({ kind: 'remove', name })
  }

  rename(from: string, to: string): void {
    this.#change({ kind: 'rename', from, to })
  }

  flush(): void {
    this.#durable = new Map(this.entries)
    this.#changes = []
  }

  bytes(): number {
    let sum = 0
    for (const node of this.entries.values()) {
      sum += node instanceof FileNode ? node.size : node.bytes()
    }
    return sum
  }

  /** Journalling file systems keep the order of changes within a directory: some first ones survive. */
  cut(random: SeededRandom): void {
    const left = new Map(this.#durable)
    const kept = random.below(this.#changes.length + 1)
    for (const change of this.#changes.slice(0, kept)) changeEntries(left, change)
    for (const node of left.values()) node.cut(random)
    this.entries = left
    this.#durable = new Map(left)
    this.#changes = []
  }

  #change(change: DirectoryChange): void {
    changeEntries(this.entries, change)
    this.#changes.push(change)
  }
}

function changeEntries(entries: Entries, change: DirectoryChange): void {
  switch (change.kind) {
    case 'add':
      entries.set(change.name, change.node)
      break
    case 'remove':
      entries.delete(change.name)
      break
    case 'rename': {
      const node = entries.get(change.from)
      entries.delete(change.from)
      if (node !== undefined) entries.set(change.to, node)
      break
    }
    default:
      change satisfies never
  }
}
