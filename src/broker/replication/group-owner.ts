import type { BrokerId, PartitionNumber } from '../../base/ids.ts'
import type { ReplicaId } from '../../raft/types.ts'
import type { RestartReady } from './group-host.ts'
import type { ReplicaFiles } from './replica-files.ts'
import type { ReplicaGroup } from './replica-group.ts'

/** Whose a group is: opens its files, and is told what becomes of it. */
export interface GroupOwner {
  /**
   * Log and control entries of this broker's replica of a partition, which a leader knows as `ledAs`, if that is not {@link NO_REPLICA}; null where it has
   * none, or it cannot be opened now.
   */
  readonly openFiles: (partition: PartitionNumber, ledAs: ReplicaId) => ReplicaFiles | null
  /** The directory of a broker's replica of that partition. */
  readonly directoryOf: (partition: PartitionNumber, broker: BrokerId) => string
  /** The replica is of an earlier life of its broker's directory, and nobody will hear of it again; none is unless given. */
  readonly isOfThePast?: (partition: PartitionNumber, replica: ReplicaId) => boolean
  /** By its first message, or because it was asked for. */
  readonly onOpened: (group: ReplicaGroup) => void
  /** This thread works for the group of that partition from now on. */
  readonly onWork?: (partition: PartitionNumber) => void
  /** Who leads is another, or whether it is this replica. */
  readonly onLeadership: (group: ReplicaGroup) => void
  /** More is committed: the log's high watermark has moved. */
  readonly onCommit: (group: ReplicaGroup) => void
  /** The files that were opened make no group: they are to be closed. */
  readonly onUnopened: (partition: PartitionNumber, reason: unknown) => void
  /** The replica is given up until it is opened again: its disk, or a bug. */
  readonly onFailed: (group: ReplicaGroup, reason: unknown) => void
  /** Its log has not taken what it was to copy: its disk may be full, or fail. */
  readonly onRefused?: (group: ReplicaGroup) => void
  /** Whether what is below `offset` may go, of what is committed; always unless given. No: the group is to be touched when it may. */
  readonly mayBeginAt?: (partition: PartitionNumber, offset: number) => boolean
  /** The log is to begin anew at `offset`, after that of a broker that leads: `ready` is called once, with null when it may; at once unless given. */
  readonly beforeRestart?: (
    partition: PartitionNumber,
    from: BrokerId,
    offset: number,
    ready: RestartReady,
  ) => void
}
