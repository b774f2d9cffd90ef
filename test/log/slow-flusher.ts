import type { DiskError, FlushPort } from '../../src/log/disk.ts'
import { SimulatedDisk } from '../../src/log/simulated-disk.ts'
import { SimulatedFlusher } from '../../src/log/simulated-flusher.ts'
import { Broker, ROOT } from './support.ts'

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

/** What a log consists of, beside the names in its directory. */
export const isSegment = (path: string): boolean => /\.(log|index|timeindex|snapshot)$/.test(path)

/** A broker on such a disk, started; its root is durable. */
export function slowWorld(): { disk: SimulatedDisk; flusher: SlowFlusher; broker: Broker } {
  const disk = new SimulatedDisk()
  disk.mkdirs(ROOT)
  for (const path of ['/data', '/']) disk.flush(path)
  const flusher = new SlowFlusher(disk)
  const broker = new Broker(disk, flusher)
  broker.start()
  return { disk, flusher, broker }
}
