import { DiskError, type FlushPort } from './disk.ts'
import type { SimulatedDisk } from './simulated-disk.ts'

/** The flusher on a simulated disk: requests complete in {@link doWork}, in a later turn than they were made. */
export class SimulatedFlusher implements FlushPort {
  readonly #disk: SimulatedDisk
  #requests: { path: string; done: (error: DiskError | null) => void }[] = []

  constructor(disk: SimulatedDisk) {
    this.#disk = disk
  }

  get pending(): number {
    return this.#requests.length
  }

  request(path: string, done: (error: DiskError | null) => void): void {
    this.#requests.push({ path, done })
  }

  /** The process that asked is gone. */
  forget(): void {
    this.#requests = []
  }

  /** Completes what was requested before this call; returns how many. */
  doWork(): number {
    const requests = this.#requests
    this.#requests = []
    for (const { path, done } of requests) {
      let failed: DiskError | null = null
      try {
        this.#disk.flush(path)
      } catch (error) {
        if (!(error instanceof DiskError)) throw error
        failed = error
      }
      done(failed)
    }
    return requests.length
  }
}
