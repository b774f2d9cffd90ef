import type { PartitionNumber } from '../base/ids.ts'
import { CONTROL_ENTRIES_SUFFIX } from '../log/control-entries-format.ts'
import { DiskError } from '../log/disk.ts'
import type { LogEnvironment } from '../log/environment.ts'

interface Removal {
  /** null: its topic is gone, and with it what was kept under its number. */
  readonly number: PartitionNumber | null
  readonly directory: string
  /** It was come upon, and nobody said that it is to go. */
  isFound: boolean
  names: string[] | null
  /** Some of it may be gone already. */
  isBegun: boolean
  /** What was voted with it is durably forgotten. */
  isForgotten: boolean
}

type Done = (failed: DiskError | null) => void

export interface DirectoryRemoverOptions {
  /** Files that are removed in a turn. */
  readonly perTurn: number
  /** Whether nothing names a directory that was found: asked again when its turn has come. */
  readonly isOrphan: (directory: string) => boolean
  /** Another replica of that partition may come here: its topic is still there. */
  readonly mayReturn: (number: PartitionNumber) => boolean
  /** Term and vote of the replica; `done` is called once, when no power cut brings them back, or with why that is not known. null: nobody waits for it. */
  readonly forget: (number: PartitionNumber, done: Done | null) => void
  /** None of the directories in `parent` waits any more. */
  readonly onDone: (parent: string) => void
}

const RETRY_MS = 5_000

/**
 * Removes the directories of deleted topics and of replicas that were moved away, a bounded number of files per turn. One that is half removed when the process
 * ends is found as an orphan at the next start. On the broker's thread.
 */
export class DirectoryRemover {
  readonly #environment: LogEnvironment
  readonly #options: DirectoryRemoverOptions
  readonly #queue: Removal[] = []
  /** By directory: those that wait, and those whose files are gone while a power cut may bring back what the recovery points said of them. Another replica there would be taken for a damaged one. */
  readonly #removals = new Map<string, Removal>()
  /** How many of these are in a directory. */
  readonly #counts = new Map<string, number>()
  #nowMs = 0
  #notBeforeMs = 0

  constructor(environment: LogEnvironment, options: DirectoryRemoverOptions) {
    this.#environment = environment
    this.#options = options
  }

  get pending(): number {
    return this.#queue.length
  }

  /** When it wants a turn: Infinity with nothing to do, and a while after the disk failed it. */
  get nextTimerAtMs(): number {
    return this.#queue.length === 0 ? Number.POSITIVE_INFINITY : this.#notBeforeMs
  }

  has(directory: string): boolean {
    return this.#removals.has(directory)
  }

  /** Its topic was deleted, or it was moved away. */
  add(number: PartitionNumber, directory: string): void {
    this.#put(number, directory, false)
  }

  /** It was come upon, on disk or in the recovery points. */
  addFound(number: PartitionNumber | null, directory: string): void {
    this.#put(number, directory, true)
  }

  #put(number: PartitionNumber | null, directory: string, isFound: boolean): void {
    const known = this.#removals.get(directory)
    if (known === undefined) {
      const removal = {
        number,
        directory,
        isFound,
        names: null,
        isBegun: false,
        isForgotten: false,
      }
      this.#removals.set(directory, removal)
      const parent = parentOf(directory)
      this.#counts.set(parent, (this.#counts.get(parent) ?? 0) + 1)
      this.#queue.push(removal)
    } else if (!isFound) known.isFound = false
  }

  doWork(nowMs: number): number {
    this.#nowMs = nowMs
    const removal = this.#queue[0]
    if (removal === undefined || nowMs < this.#notBeforeMs) return 0
    if (!this.#isDue(removal)) {
      this.#queue.shift()
      this.#end(removal.directory)
      return 1
    }
    if (!removal.isForgotten && !this.#forget(removal)) return 1
    try {
      if (this.#removeSome(removal)) this.#queue.shift()
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      this.#environment.logger.log('warn', `A deleted topic's files stay for now: ${error.message}`)
      this.#queue.shift()
      this.#retry(removal)
    }
    return 1
  }

  /** What has been begun is finished: a replica must not come up with half of its files. */
  #isDue({ directory, isFound, isBegun }: Removal): boolean {
    return !isFound || isBegun || this.#options.isOrphan(directory)
  }

  /**
   * Before the first file goes: a vote without files would keep another replica out that comes here. A number that never comes back is not waited for. False where that takes a
   * while, or has failed.
   */
  #forget(removal: Removal): boolean {
    const { number } = removal
    removal.isBegun = true
    if (number === null || !this.#options.mayReturn(number)) {
      if (number !== null) this.#options.forget(number, null)
      removal.isForgotten = true
      return true
    }
    this.#queue.shift()
    this.#options.forget(number, (failed) =>
      this.#settled(removal, failed, () => {
        removal.isForgotten = true
        this.#queue.unshift(removal)
      }),
    )
    return removal.isForgotten
  }

  /** What must be durable before a replica may come back is, or is tried again. */
  #settled(removal: Removal, failed: DiskError | null, goOn: () => void): void {
    if (failed === null) {
      goOn()
      return
    }
    const why = `A replica that was moved away cannot come back for now: ${failed.message}`
    this.#environment.logger.log('warn', why, { directory: removal.directory })
    this.#retry(removal)
  }

  /** True when the directory is gone. */
  #removeSome(removal: Removal): boolean {
    const { disk, recoveryPoints } = this.#environment
    removal.names ??= disk.list(removal.directory).sort(lastFirst)
    for (let i = 0; i < this.#options.perTurn; i++) {
      const name = removal.names.pop()
      if (name === undefined) break
      this.#removeFile(`${removal.directory}/${name}`)
    }
    if (removal.names.length > 0) return false
    const { directory, number } = removal
    disk.removeDirectory(directory)
    if (number !== null && this.#options.mayReturn(number)) {
      recoveryPoints.removeDurably(number, (failed) =>
        this.#settled(removal, failed, () => this.#end(directory)),
      )
      return true
    }
    // a number never comes back: nobody need wait for a flush
    if (number !== null) recoveryPoints.remove(number)
    this.#end(directory)
    return true
  }

  #end(directory: string): void {
    this.#removals.delete(directory)
    const parent = parentOf(directory)
    const left = this.#counts.get(parent)! - 1
    if (left > 0) {
      this.#counts.set(parent, left)
      return
    }
    this.#counts.delete(parent)
    this.#options.onDone(parent)
  }

  #retry(removal: Removal): void {
    this.#notBeforeMs = this.#nowMs + RETRY_MS
    removal.names = null
    this.#queue.push(removal)
  }

  #removeFile(path: string): void {
    try {
      this.#environment.disk.remove(path)
    } catch (error) {
      // a directory within goes with the whole; what is gone already is gone
      const code = error instanceof DiskError ? error.code : ''
      if (!['ENOENT', 'EISDIR', 'EPERM'].includes(code)) throw error
    }
  }
}

const parentOf = (directory: string): string => directory.slice(0, directory.lastIndexOf('/'))

/** What tells which replica it was goes last: without it what is left would be one that has forgotten. */
const lastFirst = (a: string, b: string): number => rank(b) - rank(a)
const rank = (name: string): number => (name.endsWith(CONTROL_ENTRIES_SUFFIX) ? 1 : 0)
