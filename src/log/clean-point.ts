import type { Disk } from './disk.ts'

const NAME = /^cleaned-(\d{20})-(\d{20})$/

/** What is known of a log's cleaning when it is opened. */
export interface FoundCleanPoint {
  readonly cleanTo: number
  readonly gapsTo: number
  readonly names: readonly string[]
}

export const NO_CLEAN_POINT: FoundCleanPoint = { cleanTo: 0, gapsTo: 0, names: [] }

/** Takes up one name of the replica's directory: it is returned with what it says, or null when it says nothing of cleaning. */
export function readCleanPoint(found: FoundCleanPoint, name: string): FoundCleanPoint | null {
  const match = NAME.exec(name)
  if (match === null) return null
  return {
    cleanTo: Math.max(found.cleanTo, Number(match[1])),
    gapsTo: Math.max(found.gapsTo, Number(match[2])),
    names: [...found.names, name],
  }
}

const nameOf = (cleanTo: number, gapsTo: number): string =>
  `cleaned-${String(cleanTo).padStart(20, '0')}-${String(gapsTo).padStart(20, '0')}`

/**
 * How far a log is cleaned, and how far offsets may be missing for that reason: the two numbers are the name of an empty
 * file, which nothing can tear. A new one is made before the old ones go. On the broker's thread.
 */
export class CleanPoint {
  readonly #disk: Disk
  readonly #directory: string
  #cleanTo: number
  #gapsTo: number
  #names: readonly string[]

  constructor(disk: Disk, directory: string, found: FoundCleanPoint) {
    this.#disk = disk
    this.#directory = directory
    this.#cleanTo = found.cleanTo
    this.#gapsTo = found.gapsTo
    this.#names = found.names
  }

  /** Below, each key has one value. Only a hint: what is lost of it is cleaned once more. */
  get cleanTo(): number {
    return this.#cleanTo
  }

  /** Below, batches need not follow one another. */
  get gapsTo(): number {
    return this.#gapsTo
  }

  /** Before the first batch of that range goes: gaps are allowed up to `offset`. Throws DiskError. */
  allowGaps(offset: number): void {
    if (offset > this.#gapsTo) this.#store(this.#cleanTo, offset)
  }

  /** Everything below `offset` was cleaned. Throws DiskError. */
  advance(offset: number): void {
    if (offset > this.#cleanTo) this.#store(offset, Math.max(this.#gapsTo, offset))
  }

  /** The log was cut off at `offset`. Throws DiskError. */
  truncate(offset: number): void {
    if (offset >= this.#gapsTo) return
    this.#store(Math.min(this.#cleanTo, offset), offset)
    // the greater numbers would win at the next opening
    this.dropOlder()
  }

  /** The newest name is durable, or need not be: removes the others. Throws DiskError. */
  dropOlder(): void {
    const newest = nameOf(this.#cleanTo, this.#gapsTo)
    if (!this.#names.includes(newest)) return
    for (const name of this.#names) {
      const path = `${this.#directory}/${name}`
      if (name !== newest && this.#disk.exists(path)) this.#disk.remove(path)
    }
    this.#names = [newest]
  }

  #store(cleanTo: number, gapsTo: number): void {
    const name = nameOf(cleanTo, gapsTo)
    this.#disk.open(`${this.#directory}/${name}`, 'append').close()
    if (!this.#names.includes(name)) this.#names = [...this.#names, name]
    this.#cleanTo = cleanTo
    this.#gapsTo = gapsTo
  }
}
