import type { ReceivedMessage } from '../../link/raft-message-reader.ts'
import type { SnapshotBase } from '../../link/raft-messages.ts'
import { encodeProducerSnapshot } from '../../log/producer-snapshot.ts'
import type { Message, Position } from '../../raft/types.ts'
import type { ReplicaFiles } from './replica-files.ts'

/** Of snapshots in one turn. */
const BASES_MAX = 4

type ReceivedBase = NonNullable<ReceivedMessage['base']>

interface SnapshotIn {
  readonly message: Message
  readonly base: ReceivedBase
}

/** What came with snapshots lately: Raft says later which of them counts. */
export class SnapshotBases {
  #bases: SnapshotIn[] = []

  note({ message, base }: ReceivedMessage): void {
    if (message.type !== 'snapshot' || base === null) return
    this.#bases = [...this.#bases.slice(1 - BASES_MAX), { message, base: { ...base } }]
  }

  /** What came with that one; all others are forgotten. */
  take(snapshot: Message): ReceivedBase | undefined {
    const base = this.#bases.find(({ message }) => message === snapshot)?.base
    this.#bases = []
    return base
  }
}

/** What goes with a snapshot of position `start`. Throws DiskError. */
export function snapshotBaseOf({ controls, log }: ReplicaFiles, start: Position): SnapshotBase {
  const offset = controls.offsetOf(start)
  log.producers.ensureLoaded()
  // those that have written since are found in what is copied
  const before = log.producers.table.entries().filter(({ lastOffset }) => lastOffset < offset)
  const producers = encodeProducerSnapshot(before)
  return { offset, controlsBefore: controls.controlsBefore(start), producers }
}
