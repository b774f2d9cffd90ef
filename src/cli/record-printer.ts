/** Prints records as they come: filters, formats, counts, and waits while standard output is slow. */
import { once } from 'node:events'
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
  /** Nobody reads standard output any more: `head` has enough. */
  isClosed = false

  constructor(options: PrinterOptions) {
    this.#options = options
    process.stdout.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error
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

  /** Writes everything; resolves when the system has taken it, or nobody reads any more. */
  async flush(): Promise<void> {
    if (this.#out.length === 0 || this.isClosed) return
    if (process.stdout.write(this.#out.take())) return
    await Promise.race([once(process.stdout, 'drain'), once(process.stdout, 'close')]).catch(
      () => {},
    )
  }
}
