import type { PartitionNumber } from '../base/ids.ts'
import { DiskError } from '../log/disk.ts'
import type { LogEnvironment } from '../log/environment.ts'

interface Removal {
  /** null: unknown, the directory was found on disk. */
  readonly number: PartitionNumber | null
  readonly directory: string
  names: string[] | null
  /** Some of it may be gone already. */
  isBegun: boolean
}

export interface DirectoryRemoverOptions {
  /** Files that are removed in a turn. */
  readonly perTurn: number
  /** Whether nothing names a directory that was found on disk: asked again when its turn has come. */
  readonly isOrphan: (directory: string) => boolean
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
  /** Whose files are gone, while a power cut may bring back what the recovery points said of them: another replica there would be taken for a damaged one. */
  readonly #leaving = new Set<string>()
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
    if (this.#leaving.has(directory)) return true
    return this.#queue.some((removal) => removal.directory === directory)
  }

  add(number: PartitionNumber | null, directory: string): void {
    this.#queue.push({ number, directory, names: null, isBegun: false })
  }

  doWork(nowMs: number): number {
    const removal = this.#queue[0]
    if (removal === undefined || nowMs < this.#notBeforeMs) return 0
    if (this.#isNeeded(removal)) {
      this.#queue.shift()
      return 1
    }
    try {
      if (this.#removeSome(removal)) this.#queue.shift()
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      this.#environment.logger.log('warn', `A deleted topic's files stay for now: ${error.message}`)
      this.#notBeforeMs = nowMs + RETRY_MS
      removal.names = null
      this.#queue.push(this.#queue.shift()!)
    }
    return 1
  }

  /** What has been begun is finished: a replica must not come up with half of its files. */
  #isNeeded({ number, directory, isBegun }: Removal): boolean {
    return number === null && !isBegun && !this.#options.isOrphan(directory)
  }

  /** True when the directory is gone. */
  #removeSome(removal: Removal): boolean {
    const { disk, recoveryPoints } = this.#environment
    removal.names ??= disk.list(removal.directory)
    removal.isBegun = true
    for (let i = 0; i < this.#options.perTurn; i++) {
      const name = removal.names.pop()
      if (name === undefined) break
      this.#removeFile(`${removal.directory}/${name}`)
    }
    if (removal.names.length > 0) return false
    const { directory, number } = removal
    disk.removeDirectory(directory)
    if (number === null) return true
    this.#leaving.add(directory)
    recoveryPoints.removeDurably(number, () => this.#leaving.delete(directory))
    return true
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
