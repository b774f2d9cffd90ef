import { DiskError, type FlushPort } from './disk.ts'
import type { SimulatedDisk } from './simulated-disk.ts'

interface Request {
  readonly path: string
  readonly done: (error: DiskError | null) => void
  readonly isRemoval: boolean
}

/** The flusher on a simulated disk: requests complete in {@link doWork}, in a later turn than they were made. */
export class SimulatedFlusher implements FlushPort {
  readonly #disk: SimulatedDisk
  #requests: Request[] = []

  constructor(disk: SimulatedDisk) {
    this.#disk = disk
  }

  get pending(): number {
    return this.#requests.length
  }

  request(path: string, done: Request['done']): void {
    this.#requests.push({ path, done, isRemoval: false })
  }

  remove(path: string, done: Request['done']): void {
    this.#requests.push({ path, done, isRemoval: true })
  }

  /** The process that asked is gone. */
  forget(): void {
    this.#requests = []
  }

  /** Completes what was requested before this call; returns how many. */
  doWork(): number {
    const requests = this.#requests
    this.#requests = []
    for (const { path, done, isRemoval } of requests) {
      let failed: DiskError | null = null
      try {
        if (isRemoval) this.#disk.remove(path)
        else this.#disk.flush(path)
      } catch (error) {
        if (!(error instanceof DiskError)) throw error
        failed = error
      }
      done(failed)
    }
    return requests.length
  }
}
