import type { DiskError, FlushPort } from '../../src/log/disk.ts'
import type { SimulatedDisk } from '../../src/log/simulated-disk.ts'
import { SimulatedFlusher } from '../../src/log/simulated-flusher.ts'

type Done = (error: DiskError | null) => void

/** A disk that is slow with what the test says. */
export class SlowFlusher implements FlushPort {
  slow: (path: string) => boolean = () => false
  readonly inner: SimulatedFlusher
  #held: { path: string; done: Done }[] = []

  constructor(disk: SimulatedDisk) {
    this.inner = new SimulatedFlusher(disk)
  }

  request(path: string, done: Done): void {
    if (this.slow(path)) this.#held.push({ path, done })
    else this.inner.request(path, done)
  }

  remove(path: string, done: Done): void {
    this.inner.remove(path, done)
  }

  /** Those that are slow no longer are done now. */
  settle(): void {
    const held = this.#held
    this.#held = []
    for (const { path, done } of held) this.request(path, done)
    while (this.inner.doWork() > 0);
  }
}
