import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/log.ts'
import { type Disk, DiskError } from './disk.ts'

export interface DiskSpaceOptions {
  readonly disk: Disk
  readonly directory: string
  readonly clock: Clock
  readonly logger: Logger
  /** Produce is refused with fewer free bytes; null: 5 % of the file system or 2 GB, whichever is less. */
  readonly markBytes?: number | null
  /** Kept in a file for what must go on when the disk is full; 0 for none. */
  readonly reserveBytes?: number
  /** A reserve that is missing is made by {@link DiskSpace.prepareReserve}, not at once. Default false. */
  readonly reserveLater?: boolean
  /** Called when produce begins to be refused, and when it is taken again. */
  readonly onChange?: (writable: boolean, reason: string) => void
}

const CHECK_EVERY_MS = 100
const CHECK_EVERY_BYTES = 64 * 2 ** 20
const RESERVE_NAME = 'reserve'

/** Whether a broker's directory has room for produce, looked up rarely; and the reserve for what must go on. */
export class DiskSpace {
  readonly #options: DiskSpaceOptions
  readonly #reservePath: string
  #writable = true
  #checkedAtMs = Number.NEGATIVE_INFINITY
  #bytesSince = 0
  #reserved = false
  #complained = false
  #markBytes: number | null

  constructor(options: DiskSpaceOptions) {
    this.#options = options
    this.#markBytes = options.markBytes ?? null
    this.#reservePath = `${options.directory}/${RESERVE_NAME}`
    this.#check()
    if (options.reserveLater !== true || options.disk.exists(this.#reservePath)) this.#keepReserve()
  }

  /** Makes the reserve where it is missing: for a time at which nobody waits for the broker. */
  prepareReserve(): void {
    if (this.#writable && !this.#reserved) this.#keepReserve()
  }

  /** Another mark, from the next look on, which is before the next produce. */
  setMark(bytes: number): void {
    this.#markBytes = bytes
    this.#checkedAtMs = Number.NEGATIVE_INFINITY
    this.#checkIfDue()
  }

  /** Whether produce is taken. Looks again at most every 100 ms while it is refused. */
  admits(): boolean {
    if (!this.#writable) this.#checkIfDue()
    return this.#writable
  }

  get writable(): boolean {
    return this.#writable
  }

  /** After each write of `bytes`: looks again every 100 ms or 64 MB. */
  wrote(bytes: number): void {
    this.#bytesSince += bytes
    this.#checkIfDue()
  }

  /** A write failed with `error`: for want of space, produce is refused until there is some. */
  failed(error: DiskError): void {
    if (error.code !== 'ENOSPC' && error.code !== 'EDQUOT') return
    this.#checkedAtMs = this.#options.clock.monotonicMs()
    this.#set(false, `${error.operation} failed with ${error.code}`)
  }

  /**
   * Runs what must go on when the disk is full (retention, deletion, metadata): when it fails for want of space, once
   * more with the reserve given up.
   */
  withReserve<Result>(work: () => Result): Result {
    try {
      return work()
    } catch (error) {
      const full =
        error instanceof DiskError && (error.code === 'ENOSPC' || error.code === 'EDQUOT')
      if (!full || !this.#reserved) throw error
      this.#options.disk.remove(this.#reservePath)
      this.#reserved = false
      this.failed(error)
      return work()
    }
  }

  #checkIfDue(): void {
    const nowMs = this.#options.clock.monotonicMs()
    if (nowMs - this.#checkedAtMs < CHECK_EVERY_MS && this.#bytesSince < CHECK_EVERY_BYTES) return
    try {
      this.#check()
      if (this.#writable && !this.#reserved) this.#keepReserve()
      this.#complained = false
    } catch (error) {
      // asked after a write that is done: what cannot be known changes nothing of it
      if (!(error instanceof DiskError)) throw error
      if (this.#complained) return
      this.#complained = true
      this.#options.logger.log('warn', `Free space cannot be looked up: ${error.message}`)
    }
  }

  #check(): void {
    const { disk, directory, clock } = this.#options
    this.#checkedAtMs = clock.monotonicMs()
    this.#bytesSince = 0
    const { free, total } = disk.freeBytes(directory)
    const mark = this.#markBytes ?? Math.min(total * 0.05, 2 * 2 ** 30)
    this.#set(free >= mark, `${free} bytes free, the mark is ${Math.floor(mark)}`)
  }

  #set(writable: boolean, reason: string): void {
    if (writable === this.#writable) return
    this.#writable = writable
    const { logger, directory, onChange } = this.#options
    const message = writable
      ? 'Disk has space again: produce is taken'
      : 'Disk is full: produce is refused'
    logger.log(writable ? 'info' : 'error', `${message} (${directory}: ${reason})`, { directory })
    onChange?.(writable, `${directory}: ${reason}`)
  }

  #keepReserve(): void {
    const { disk, directory, reserveBytes = 0 } = this.#options
    if (reserveBytes === 0) return
    // One of an earlier life counts, the more so when the disk is full now.
    if (disk.exists(this.#reservePath) && disk.size(this.#reservePath) >= reserveBytes) {
      this.#reserved = true
      return
    }
    if (!this.#writable) return
    try {
      disk.mkdirs(directory)
      const file = disk.open(this.#reservePath, 'create')
      try {
        const zeros = new Uint8Array(Math.min(reserveBytes, 1 << 20))
        for (let at = 0; at < reserveBytes; at += zeros.length) file.write([zeros], at)
      } finally {
        file.close()
      }
      this.#reserved = true
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      if (disk.exists(this.#reservePath)) disk.remove(this.#reservePath)
      this.failed(error)
    }
  }
}
