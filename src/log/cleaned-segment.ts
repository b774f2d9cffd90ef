import { lastOffsetOf, maxTimestampOf } from '../record/batch.ts'
import type { PartitionLog } from './partition-log.ts'
import { evenWhenFull } from './retention.ts'
import { Segment } from './segment.ts'
import { CLEANED } from './swap.ts'

const BUFFER_BYTES = 256 * 1024

/** The segment that cleaning writes: its files are `*.cleaned` until they take the place of others. On the broker's thread. */
export class CleanedSegment {
  readonly #log: PartitionLog
  readonly #segment: Segment
  readonly #buffer = new Uint8Array(BUFFER_BYTES)
  #buffered = 0

  /** Makes the files anew. Throws DiskError. */
  constructor(log: PartitionLog, baseOffset: number) {
    const { disk, files } = log.environment
    this.#log = log
    this.#segment = new Segment(disk, files, log.directory, baseOffset, 0, CLEANED)
    evenWhenFull(log, () => {
      for (const path of this.paths) disk.open(path, 'create').close()
    })
  }

  get baseOffset(): number {
    return this.#segment.baseOffset
  }

  /** What {@link finish} has written. */
  get size(): number {
    return this.#segment.size
  }

  get paths(): string[] {
    return ['.log', '.index', '.timeindex'].map((suffix) => this.#segment.path(suffix))
  }

  /** Adds the whole batch `bytes[at, at + size)`. Throws DiskError. */
  add(bytes: Uint8Array, at: number, size: number): void {
    if (this.#buffered + size > BUFFER_BYTES) this.#write()
    const segment = this.#segment
    segment.account(
      segment.size + this.#buffered,
      size,
      lastOffsetOf(bytes, at),
      maxTimestampOf(bytes, at),
      this.#log.config.indexIntervalBytes,
    )
    const batch = bytes.subarray(at, at + size)
    if (size > BUFFER_BYTES) this.#writeBytes(batch)
    else {
      this.#buffer.set(batch, this.#buffered)
      this.#buffered += size
    }
  }

  /** Writes the rest, and the indexes. Throws DiskError. */
  finish(): void {
    this.#write()
    evenWhenFull(this.#log, () => this.#segment.seal())
    this.#segment.release()
  }

  #write(): void {
    if (this.#buffered === 0) return
    this.#writeBytes(this.#buffer.subarray(0, this.#buffered))
    this.#buffered = 0
  }

  #writeBytes(bytes: Uint8Array): void {
    const segment = this.#segment
    evenWhenFull(this.#log, () => segment.log.get().write([bytes], segment.size))
    segment.size += bytes.length
    evenWhenFull(this.#log, () => segment.commitIndexes())
    this.#log.environment.space?.wrote(bytes.length)
  }

  /** Removes the files, if they are there. Throws DiskError. */
  remove(): void {
    this.#segment.remove()
  }

  /** The log's own segment, once the files have their names. */
  inPlace(): Segment {
    const { environment, directory } = this.#log
    const { disk, files } = environment
    const { baseOffset, size } = this.#segment
    const segment = new Segment(disk, files, directory, baseOffset, size)
    segment.flushed = segment.named = true
    return segment
  }
}
