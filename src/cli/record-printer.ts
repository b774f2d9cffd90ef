/** Prints records as they come: filters, formats, counts, and waits while standard output is slow. */
import type { ConsumedRecord } from '../kafka-client/batches.ts'
import { OutputBuffer } from './output-buffer.ts'
import type { PrintRecord } from './output-format.ts'

export interface PrinterOptions {
  readonly print: PrintRecord
  readonly matches: (record: ConsumedRecord) => boolean
  /** Ends after so many. */
  readonly countMax: number
}

const WRITE_BYTES = 1 << 16

export class RecordPrinter {
  readonly #options: PrinterOptions
  readonly #out = new OutputBuffer()
  printed = 0
  /** Records seen, those that were filtered out too. */
  seen = 0
  bytes = 0
  /** Standard output takes no more: `head` has enough, or a disk is full. What was added since the last flush is lost. */
  isClosed = false

  constructor(options: PrinterOptions) {
    this.#options = options
    // each write tells as well: the reader is to end in order, and a group's member to leave, where others just throw
    process.stdout.removeAllListeners('error').on('error', () => {
      this.isClosed = true
    })
  }

  get isDone(): boolean {
    return this.isClosed || this.printed >= this.#options.countMax
  }

  add(record: ConsumedRecord): void {
    this.seen++
    this.bytes += (record.key?.length ?? 0) + (record.value?.length ?? 0)
    if (!this.#options.matches(record)) return
    this.#options.print(record, this.#out)
    this.printed++
  }

  /** Writes what has gathered once it is much. */
  async writeIfMuch(): Promise<void> {
    if (this.#out.length >= WRITE_BYTES) await this.flush()
  }

  /** Writes everything; resolves when the system has taken it, or nobody reads any more. Throws what else fails. */
  async flush(): Promise<void> {
    if (this.#out.length === 0 || this.isClosed) return
    try {
      await write(this.#out.take())
    } catch (error) {
      this.isClosed = true
      if (!GONE.has((error as NodeJS.ErrnoException).code ?? '')) throw error
    }
  }
}

const GONE: ReadonlySet<string> = new Set(['EPIPE', 'ERR_STREAM_DESTROYED'])

/** To a file, a write that fails throws at once, elsewhere it tells later. */
const write = (bytes: Buffer): Promise<void> =>
  new Promise((resolve, reject) => {
    process.stdout.write(bytes, (error) => (error ? reject(error) : resolve()))
  })
