import type { BatchFault } from '../record/fault.ts'
import type { RecordResult, RecordTask } from './record-task.ts'

/** A task could not be done at all: the pool's thread died, or it is being stopped. */
export interface PoolFailure {
  readonly kind: 'failed'
  readonly message: string
}

export type RecordDone = (result: RecordResult | PoolFailure) => void

/**
 * Work on the records inside batches, away from the front's thread. The server gives the front one that starts its
 * threads at first use; tests give one that does it on the spot.
 */
export interface RecordPool {
  /** `done` is called on the front's thread, later. */
  run(task: RecordTask, done: RecordDone): void
}

export type { BatchFault }
