/** A broker's part in faults on demand: its disk. On the broker's thread. */
import type { ChaosFault } from '../link/control.ts'
import type { Disk } from '../log/disk.ts'
import { FaultyDisk } from '../log/faulty-disk.ts'
import { NodeDisk } from '../log/node-disk.ts'
import type { EngineSettings } from './options.ts'

/** Only an engine that was started with `--chaos` pays for a disk that may fail on demand. */
export const brokerDisk = ({ chaos }: Pick<EngineSettings, 'chaos'>): Disk =>
  chaos ? new FaultyDisk(new NodeDisk(), blockFor) : new NodeDisk()

/** `disk` is what {@link brokerDisk} has made. What is between brokers is the agent's affair. */
export function onChaos(disk: Disk, chaos: ChaosFault): void {
  if (!(disk instanceof FaultyDisk)) return
  switch (chaos.fault) {
    case 'fail-disk':
      disk.failWith(chaos.code)
      return
    case 'slow-disk':
      disk.slowBy(chaos.byMs)
      return
    case 'partition':
      return
    default:
      chaos satisfies never
  }
}

/** Since somebody has asked for it. */
export const isFullOnDemand = (disk: Disk): boolean => disk instanceof FaultyDisk && disk.isFull

/** As a system call does: nothing wakes this thread meanwhile. */
function blockFor(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}
