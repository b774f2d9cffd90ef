/**
 * A snapshot of the metadata log as a file, `<offset>-<epoch>.checkpoint` as Kafka names it (KIP-630), of record batches with their CRCs:
 *
 *   key `header`   { version, offset, epoch, writtenAtMs }: a file that is not what its name says counts as none
 *   no key         the entries
 *   key `footer`   { entries }: a file without it is torn
 *
 * Entries are opaque here. The offsets of the records begin at 0.
 */
import type { Disk, DiskFile } from '../log/disk.ts'
import type { SnapshotId } from '../machine/snapshot-store.ts'
import {
  BATCH_HEADER_BYTES,
  baseOffsetOf,
  computedCrcOf,
  lastOffsetOf,
  MAGIC_V2,
  magicOf,
  sizeInBytesOf,
  storedCrcOf,
} from '../record/batch.ts'
import { buildBatch, type NewRecord } from '../record/builder.ts'
import { RecordCursor } from '../record/records.ts'

const VERSION = 1
/** Of entries in one batch, if none is larger: what one turn makes. */
const BATCH_BYTES = 64 * 1024
/** Small ones take time, too. */
const BATCH_ENTRIES = 250

/** What its name ends with. */
export const CHECKPOINT_SUFFIX = '.checkpoint'
const NAME = /^(\d{20})-(\d{10})\.checkpoint$/
const HEADER = 'header'
const FOOTER = 'footer'

export const checkpointName = ({ offset, epoch }: SnapshotId): string =>
  `${String(offset).padStart(20, '0')}-${String(epoch).padStart(10, '0')}${CHECKPOINT_SUFFIX}`

/** null: it is no snapshot's. */
export function parseCheckpointName(name: string): SnapshotId | null {
  const match = NAME.exec(name)
  return match === null ? null : { offset: Number(match[1]), epoch: Number(match[2]) }
}

/** The file is not what was written, or newer than this version reads. */
export class CheckpointError extends Error {
  override name = 'CheckpointError'
}

/** Writes one, a batch with each step. On the broker's thread. */
export class CheckpointWriter {
  readonly #file: DiskFile
  readonly #id: SnapshotId
  readonly #wallMs: number
  readonly #entries: Iterator<Uint8Array>
  #position = 0
  #nextOffset = 0
  #count = 0
  #isLast = false
  /** Made and not written: a step that has failed may be made again. */
  #batch: Uint8Array | null

  /** Throws DiskError, as each step does. */
  constructor(
    disk: Disk,
    path: string,
    id: SnapshotId,
    wallMs: number,
    entries: Iterator<Uint8Array>,
  ) {
    this.#id = id
    this.#wallMs = wallMs
    this.#entries = entries
    this.#file = disk.open(path, 'create')
    const { offset, epoch } = id
    const header = { version: VERSION, offset, epoch, writtenAtMs: wallMs }
    this.#batch = this.#made([this.#said(HEADER, header)])
  }

  /** True when it is whole, and closed. */
  step(): boolean {
    this.#batch ??= this.#made(this.#next())
    this.#file.write([this.#batch], this.#position)
    this.#position += this.#batch.length
    this.#batch = null
    if (this.#isLast) this.#file.close()
    return this.#isLast
  }

  close(): void {
    if (!this.#isLast) this.#file.close()
  }

  #next(): NewRecord[] {
    const records: NewRecord[] = []
    let bytes = 0
    while (bytes < BATCH_BYTES && records.length < BATCH_ENTRIES) {
      const { value, done } = this.#entries.next()
      if (done === true) {
        this.#isLast = true
        records.push(this.#said(FOOTER, { entries: this.#count }))
        break
      }
      records.push({ timestampMs: this.#wallMs, key: null, value })
      this.#count++
      bytes += value.length
    }
    return records
  }

  #said(key: string, fields: Record<string, number>): NewRecord {
    const text = new TextEncoder()
    return {
      timestampMs: this.#wallMs,
      key: text.encode(key),
      value: text.encode(JSON.stringify(fields)),
    }
  }

  #made(records: readonly NewRecord[]): Uint8Array {
    const options = { baseOffset: this.#nextOffset, leaderEpoch: this.#id.epoch }
    this.#nextOffset += records.length
    return buildBatch(records, options)
  }
}

/**
 * The entries of a snapshot, in order, checked as they are read: each is valid until the next is asked for. Throws {@link CheckpointError} for
 * what is torn or damaged, at the latest in place of the end, and DiskError.
 */
export function* readCheckpoint(
  disk: Disk,
  path: string,
  id: SnapshotId,
): IterableIterator<Uint8Array> {
  const file = disk.open(path, 'read')
  try {
    yield* new Reading(file, path, id).entries()
  } finally {
    file.close()
  }
}

class Reading {
  readonly #file: DiskFile
  readonly #path: string
  readonly #id: SnapshotId
  readonly #size: number
  #position = 0
  #nextOffset = 0
  #buffer = new Uint8Array(2 * BATCH_BYTES)

  constructor(file: DiskFile, path: string, id: SnapshotId) {
    this.#file = file
    this.#path = path
    this.#id = id
    this.#size = file.size()
  }

  *entries(): IterableIterator<Uint8Array> {
    let count = 0
    let isEnded = false
    while (this.#position < this.#size) {
      if (isEnded) throw this.#bad('more follows its footer')
      const isFirst = this.#position === 0
      const cursor = new RecordCursor(this.#batch(), 0)
      while (cursor.next()) {
        const key = textOf(cursor.key())
        const value = cursor.value()
        if (value === null || isFirst !== (key === HEADER)) throw this.#bad('records are amiss')
        if (key === HEADER) this.#checkHeader(value)
        else if (key === FOOTER) {
          if (this.#said(value).entries !== count) throw this.#bad('entries are missing')
          isEnded = true
        } else {
          count++
          yield value
        }
      }
    }
    if (!isEnded) throw this.#bad('its footer is missing')
  }

  /** The next one, whole, in the buffer. */
  #batch(): Uint8Array {
    const at = this.#position
    const left = this.#size - at
    const headerBytes = this.#file.read(this.#buffer, 0, BATCH_HEADER_BYTES, at)
    const size = headerBytes < BATCH_HEADER_BYTES ? left + 1 : sizeInBytesOf(this.#buffer, 0)
    if (size > left || size < BATCH_HEADER_BYTES || magicOf(this.#buffer, 0) !== MAGIC_V2) {
      throw this.#bad('a batch is cut off, or none')
    }
    if (size > this.#buffer.length) this.#buffer = new Uint8Array(size)
    const bytes = this.#buffer
    if (this.#file.read(bytes, 0, size, at) !== size) throw this.#bad('a batch is cut off')
    if (storedCrcOf(bytes, 0) !== computedCrcOf(bytes, 0)) throw this.#bad('a CRC does not match')
    if (baseOffsetOf(bytes, 0) !== this.#nextOffset) throw this.#bad('a batch is missing')
    this.#nextOffset = lastOffsetOf(bytes, 0) + 1
    this.#position += size
    return bytes
  }

  #checkHeader(value: Uint8Array): void {
    const { version, offset, epoch } = this.#said(value)
    if (typeof version === 'number' && version > VERSION) {
      throw new CheckpointError(
        `${this.#path} has version ${version}, this version reads up to ${VERSION}; start the version that wrote it, or a newer one`,
      )
    }
    if (offset !== this.#id.offset || epoch !== this.#id.epoch) {
      throw this.#bad('it is of another offset or epoch than its name says')
    }
  }

  #said(value: Uint8Array): Record<string, unknown> {
    return JSON.parse(new TextDecoder().decode(value)) as Record<string, unknown>
  }

  #bad(why: string): CheckpointError {
    return new CheckpointError(`${this.#path} is damaged at byte ${this.#position}: ${why}`)
  }
}

const textOf = (bytes: Uint8Array | null): string | null =>
  bytes === null ? null : new TextDecoder().decode(bytes)
