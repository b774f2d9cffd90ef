import type { RecoveredLog } from './log-view.ts'
import type { HardState, Position, ReplicaId } from './types.ts'

/** What one replica's Raft group begins with. */
export interface RaftGroupOptions {
  readonly id: ReplicaId
  /** null: this replica has never stored any, and its log is as new: see `first-term.ts`. */
  readonly hardState: HardState | null
  readonly log: RecoveredLog
  /** As far as it is known to have been committed: at least the log's start. */
  readonly commit: Position
  /** Ticks without a leader until an election, drawn anew for each wait: no two replicas should agree. */
  readonly electionTicks: () => number
  /**
   * The system has gone down since this log was written, and may have taken the end of it: the first election hears every voter, for a while, so that the
   * longest log wins. Default false.
   */
  readonly isAfterPowerLoss?: boolean
  /** Who led in this term when the group was closed, this replica perhaps: it is believed in until somebody says otherwise. Nobody unless given. */
  readonly leader?: ReplicaId
}
