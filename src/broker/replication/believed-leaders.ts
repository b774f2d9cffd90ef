import type { BrokerId, PartitionNumber } from '../../base/ids.ts'
import { brokerOf } from '../../base/replica-id.ts'
import type { RaftGroup } from '../../raft/raft-group.ts'
import { type HardState, NO_REPLICA, type Position, type ReplicaId } from '../../raft/types.ts'

export interface BelievedLeader {
  readonly leader: ReplicaId
  readonly term: number
  /** Everything was committed: of a log that ends elsewhere nothing is known. */
  readonly end: Position
}

/**
 * Who led the groups that were closed for want of work: a replica that is opened again, be it for retention, goes on believing in its leader, and one that
 * led in itself. Otherwise whoever is opened first would have itself elected. On the broker's thread.
 */
export class BelievedLeaders {
  readonly #leaders = new Map<PartitionNumber, BelievedLeader>()

  /** Its group is closed at rest. */
  note(partition: PartitionNumber, { leader, term, end, commit }: RaftGroup): void {
    if (leader !== NO_REPLICA && commit === end) this.#leaders.set(partition, { leader, term, end })
  }

  /** Its group is opened with a log that goes to `end`; null where nothing is known. */
  take(
    partition: PartitionNumber,
    hardState: HardState | null,
    end: Position,
  ): BelievedLeader | null {
    const known = this.#leaders.get(partition)
    if (known === undefined) return null
    this.#leaders.delete(partition)
    return known.term === hardState?.term && known.end === end ? known : null
  }

  forget(partition: PartitionNumber): void {
    this.#leaders.delete(partition)
  }

  /** Whoever led there may not lead any more. */
  gone(broker: BrokerId): void {
    for (const [partition, { leader }] of this.#leaders) {
      if (brokerOf(leader) === broker) this.#leaders.delete(partition)
    }
  }
}
