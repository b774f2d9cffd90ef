import type { Logger } from '../../base/log.ts'
import type { AppendPlace, SnapshotBase } from '../../link/raft-messages.ts'
import type { HardState, Message, ReplicaId } from '../../raft/types.ts'
import type { ReplicaFiles } from './replica-files.ts'
import type { ReplicaGroup } from './replica-group.ts'

export type RestartReady = (failed: Error | null) => void

/** What a group needs of its host. */
export interface GroupHost {
  readonly logger: Logger
  /** Raft may have something to be done. */
  touch(group: ReplicaGroup): void
  /** What its disk has refused is tried again in a while. */
  touchLater(group: ReplicaGroup): void
  /** To be made durable in this turn's round; {@link ReplicaGroup.hardStateStored} tells when it is. */
  storeHardState(group: ReplicaGroup, state: HardState): void
  send(group: ReplicaGroup, message: Message, place: AppendPlace, base: SnapshotBase | null): void
  /** Opens the files anew: the log has begun anew. Those before were abandoned. null where that cannot be now. */
  reopen(group: ReplicaGroup): ReplicaFiles | null
  directoryOf(group: ReplicaGroup, replica: ReplicaId): string
  /** Whether what is below `offset` may go, which is committed; no: it is asked again when the group is touched. */
  mayBeginAt(group: ReplicaGroup, offset: number): boolean
  /** The log is to begin anew at `offset`, as the leader's does, `from`: `ready` is called once, when it may, or with why it cannot. */
  beforeRestart(group: ReplicaGroup, from: ReplicaId, offset: number, ready: RestartReady): void
  /** The role, the term or the leader is another, or what a leader knows of the commit. */
  onLeadership(group: ReplicaGroup): void
  /** More is committed. */
  onCommit(group: ReplicaGroup): void
  /** Does something for one group outside of a turn's course: what it throws ends with that group. */
  guard(group: ReplicaGroup, work: () => void): void
  /** Nothing can be done with this replica before it is opened again. */
  onFailed(group: ReplicaGroup, reason: unknown): void
}
