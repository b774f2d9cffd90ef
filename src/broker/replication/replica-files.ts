import type { ControlEntries } from '../../log/control-entries.ts'
import type { PartitionLog } from '../../log/partition-log.ts'

/** The log takes no appends until it is opened again. */
export class LogFailedError extends Error {
  override name = 'LogFailedError'
}

/** A replica's log and control entries, open. */
export interface ReplicaFiles {
  readonly log: PartitionLog
  readonly controls: ControlEntries
  /** Nothing was promised under its name, and nothing is before its files are durable. */
  readonly isFresh: boolean
  /** Nobody else has ever had a vote: what it may have forgotten, nobody was promised. */
  readonly isAlone?: boolean
  /** Nothing is written after control entries before they are durable: see {@link ControlEntries.open}. */
  readonly isOrdered?: boolean
}
