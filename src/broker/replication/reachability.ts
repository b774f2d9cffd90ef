import type { BrokerId, PartitionNumber } from '../../base/ids.ts'
import { brokerOf } from '../../base/replica-id.ts'
import { membersOf } from '../../raft/membership.ts'
import type { RaftGroup } from '../../raft/raft-group.ts'
import type { ReplicaId } from '../../raft/types.ts'
import { METADATA_PARTITION } from '../metadata-log.ts'
import type { ReplicaGroup } from './replica-group.ts'

/** Which brokers a host was told that can be reached, and what it tells its groups of that. On the broker's thread. */
export class Reachability {
  readonly #unreachable = new Set<BrokerId>()
  /** Of these, those that hear what is said in the metadata's group: they turn, and serve no partitions yet. */
  readonly #joining = new Set<BrokerId>()
  readonly #isOfThePast: (partition: PartitionNumber, replica: ReplicaId) => boolean

  /** `isOfThePast`: of a replica that will not be heard of again, whether its broker is there or not. */
  constructor(isOfThePast: (partition: PartitionNumber, replica: ReplicaId) => boolean) {
    this.#isOfThePast = isOfThePast
  }

  set(broker: BrokerId, isReachable: boolean): void {
    this.#joining.delete(broker)
    if (isReachable) this.#unreachable.delete(broker)
    else this.#unreachable.add(broker)
  }

  /** False: it serves partitions already. */
  setJoining(broker: BrokerId): boolean {
    if (!this.#unreachable.has(broker)) return false
    this.#joining.add(broker)
    return true
  }

  /** Nothing of that partition is said to that broker, or heard from it. */
  isCutOff(broker: BrokerId, partition: PartitionNumber): boolean {
    if (partition === METADATA_PARTITION && this.#joining.has(broker)) return false
    return this.#unreachable.has(broker)
  }

  /** Whether that concerns the group. Also those that were members when it was told that they cannot be reached. */
  tell({ raft, partition }: ReplicaGroup, broker: BrokerId, isReachable: boolean): boolean {
    let isConcerned = false
    for (const replica of concerned(raft)) {
      if (brokerOf(replica) !== broker) continue
      raft.setReachable(replica, isReachable && !this.#isOfThePast(partition, replica))
      isConcerned = true
    }
    return isConcerned
  }

  /** Other replicas are members now: what was told of their brokers before holds for them. */
  tellOfMembers(group: ReplicaGroup): void {
    const { raft, partition } = group
    if (group.toldOf === raft.configuration) return
    group.toldOf = raft.configuration
    for (const replica of membersOf(raft.configuration)) {
      const isThere = !this.isCutOff(brokerOf(replica), partition)
      const isReachable = isThere && !this.#isOfThePast(partition, replica)
      if (isReachable === raft.unreachable.has(replica)) raft.setReachable(replica, isReachable)
    }
  }
}

/** Also the leader: it may be a member of a configuration that has not come here yet. */
const concerned = ({ configuration, unreachable, leader }: RaftGroup): Set<ReplicaId> =>
  new Set([...membersOf(configuration), ...unreachable, leader])
