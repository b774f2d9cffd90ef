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
  /** Asked when the disk is full: no other broker's directory is on that file system. false unless given. */
  readonly isAlone?: () => boolean
  /** Called when produce begins to be refused, and when it is taken again. */
  readonly onChange?: (writable: boolean, reason: string) => void
}

const CHECK_EVERY_MS = 100
const CHECK_EVERY_BYTES = 64 * 2 ** 20
/** A disk that fails every write is not to fill the log. */
const SAY_EVERY_MS = 10_000
/** A disk that fails is taken for one for so long after its last refusal. */
const FAILING_MS = 10_000
const RESERVE_NAME = 'reserve'
/** Kept, beside the reserve, for what a broker cannot live without. */
const LAST_RESERVE_NAME = 'reserve-last'
const LAST_RESERVE_BYTES_MAX = 256 * 1024

/** Whether a broker's directory has room for produce, looked up rarely; and the reserve for what must go on. */
export class DiskSpace {
  readonly #options: DiskSpaceOptions
  readonly #reserve: Reserve
  readonly #lastReserve: Reserve
  #writable = true
  #isFullAlone = false
  #checkedAtMs = Number.NEGATIVE_INFINITY
  #bytesSince = 0
  #complained = false
  /** Writes that failed, but for want of space, since that was said last. */
  #failed = 0
  #saidAtMs = Number.NEGATIVE_INFINITY
  #failedAtMs = Number.NEGATIVE_INFINITY
  #markBytes: number | null

  constructor(options: DiskSpaceOptions) {
    this.#options = options
    this.#markBytes = options.markBytes ?? null
    const { disk, directory, reserveBytes = 0 } = options
    const lastBytes = Math.min(LAST_RESERVE_BYTES_MAX, reserveBytes)
    this.#reserve = new Reserve(disk, directory, RESERVE_NAME, reserveBytes)
    this.#lastReserve = new Reserve(disk, directory, LAST_RESERVE_NAME, lastBytes)
    this.#check()
    if (options.reserveLater !== true || this.#reserve.exists) this.#keepReserve()
  }

  /** Makes the reserve where it is missing: for a time at which nobody waits for the broker. */
  prepareReserve(): void {
    if (this.#writable && !this.#isReserved) this.#keepReserve()
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

  /** A write has failed lately, and not for want of space: what has failed is tried again before that is forgotten. */
  get isFailing(): boolean {
    return this.#options.clock.monotonicMs() - this.#failedAtMs < FAILING_MS
  }

  /** Produce is refused, and brokers on other file systems may have room. */
  get isFullAlone(): boolean {
    return this.#isFullAlone
  }

  /** After each write of `bytes`: looks again every 100 ms or 64 MB. */
  wrote(bytes: number): void {
    this.#bytesSince += bytes
    this.#checkIfDue()
  }

  /** A write failed with `error`: for want of space, produce is refused until there is some. Anything else is said, once in a while. */
  failed(error: DiskError): void {
    if (error.code !== 'ENOSPC' && error.code !== 'EDQUOT') {
      this.#say(error)
      return
    }
    this.#checkedAtMs = this.#options.clock.monotonicMs()
    this.#set(false, `${error.operation} failed with ${error.code}`)
  }

  #say(error: DiskError): void {
    const { clock, logger, directory } = this.#options
    this.#failed++
    const nowMs = clock.monotonicMs()
    this.#failedAtMs = nowMs
    if (nowMs - this.#saidAtMs < SAY_EVERY_MS) return
    this.#saidAtMs = nowMs
    const fields = { directory, failed: this.#failed }
    this.#failed = 0
    logger.log('error', `A write failed: ${error.message}`, fields)
  }

  /**
   * Runs what must go on when the disk is full (retention, deletion, metadata): when it fails for want of space, once
   * more with the reserve given up.
   */
  withReserve<Result>(work: () => Result): Result {
    return this.#with(this.#reserve, work)
  }

  /** The same for what a broker cannot live without: its votes, what its groups agree on. Records of clients do not eat up this one. */
  withLastReserve<Result>(work: () => Result): Result {
    return this.#with(this.#lastReserve, () => this.#with(this.#reserve, work))
  }

  #with<Result>(reserve: Reserve, work: () => Result): Result {
    try {
      return work()
    } catch (error) {
      const full =
        error instanceof DiskError && (error.code === 'ENOSPC' || error.code === 'EDQUOT')
      if (!full || !reserve.isKept) throw error
      reserve.giveUp()
      this.failed(error)
      return work()
    }
  }

  get #isReserved(): boolean {
    return this.#reserve.isKept && this.#lastReserve.isKept
  }

  #checkIfDue(): void {
    const nowMs = this.#options.clock.monotonicMs()
    if (nowMs - this.#checkedAtMs < CHECK_EVERY_MS && this.#bytesSince < CHECK_EVERY_BYTES) return
    try {
      this.#check()
      if (this.#writable && !this.#isReserved) this.#keepReserve()
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
    const { logger, directory, onChange, isAlone } = this.#options
    this.#isFullAlone = !writable && (isAlone?.() ?? false)
    const refused = this.#isFullAlone
      ? 'produce is left to the brokers on other file systems, and refused where there is none'
      : 'produce is refused'
    const message = writable ? 'Disk has space again: produce is taken' : `Disk is full: ${refused}`
    logger.log(writable ? 'info' : 'error', `${message} (${directory}: ${reason})`, { directory })
    onChange?.(writable, `${directory}: ${reason}`)
  }

  #keepReserve(): void {
    // The last one first: the larger may not find room. One of an earlier life counts, the more so when the disk is full now.
    for (const reserve of [this.#lastReserve, this.#reserve]) {
      try {
        reserve.keep(this.#writable)
      } catch (error) {
        if (!(error instanceof DiskError)) throw error
        this.failed(error)
      }
    }
  }
}

/** A file that keeps room. */
class Reserve {
  readonly #disk: Disk
  readonly #directory: string
  readonly #path: string
  readonly #bytes: number
  #isKept = false

  constructor(disk: Disk, directory: string, name: string, bytes: number) {
    this.#disk = disk
    this.#directory = directory
    this.#path = `${directory}/${name}`
    this.#bytes = bytes
  }

  get isKept(): boolean {
    return this.#isKept
  }

  get exists(): boolean {
    return this.#disk.exists(this.#path)
  }

  /** Made where it is missing and `mayMake`. Throws DiskError where there is no room, and leaves nothing then. */
  keep(mayMake: boolean): void {
    if (this.#bytes === 0 || this.#isKept) return
    if (this.exists && this.#disk.size(this.#path) >= this.#bytes) {
      this.#isKept = true
      return
    }
    if (!mayMake) return
    try {
      this.#disk.mkdirs(this.#directory)
      const file = this.#disk.open(this.#path, 'create')
      try {
        const zeros = new Uint8Array(Math.min(this.#bytes, 1 << 20))
        for (let at = 0; at < this.#bytes; at += zeros.length) {
          file.write([zeros.subarray(0, this.#bytes - at)], at)
        }
      } finally {
        file.close()
      }
      this.#isKept = true
    } catch (error) {
      if (this.exists) this.#disk.remove(this.#path)
      throw error
    }
  }

  giveUp(): void {
    this.#disk.remove(this.#path)
    this.#isKept = false
  }
}
