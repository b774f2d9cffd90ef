import type { BrokerId, PartitionNumber } from '../../base/ids.ts'
import { brokerPeer } from '../../link/ports.ts'
import type { Leaderships } from './leaderships.ts'
import type { ReplicationOptions } from './replication.ts'

export interface FailedReplicasOptions
  extends Pick<
    ReplicationOptions,
    'cellId' | 'brokerId' | 'image' | 'control' | 'table' | 'environment'
  > {
  readonly leaderships: Leaderships
}

/** What is refused all the time is told no more often; well before a leader takes it for over. */
const TELL_EVERY_MS = 2_000
/** Partitions of which it is known when that was told last; beyond that they are told once more. */
const TOLD_MAX = 10_000

/** Replicas whose disks refuse what they are to write: whoever leads is told at once, and would see only that they are behind. On the broker's thread. */
export class FailedReplicas {
  readonly #options: FailedReplicasOptions
  readonly #toldAtMs = new Map<PartitionNumber, number>()

  constructor(options: FailedReplicasOptions) {
    this.#options = options
  }

  /** This broker's replica has failed, or has not taken what it was to copy. */
  tell(partition: PartitionNumber): void {
    const { cellId, brokerId, image, control, environment } = this.#options
    const nowMs = environment.clock.monotonicMs()
    if (!image.isReplicated(partition)) return
    if (nowMs - (this.#toldAtMs.get(partition) ?? Number.NEGATIVE_INFINITY) < TELL_EVERY_MS) return
    if (this.#toldAtMs.size >= TOLD_MAX) this.#toldAtMs.clear()
    this.#toldAtMs.set(partition, nowMs)
    for (const broker of image.holdersOf(partition)) {
      if (broker === brokerId) continue
      control.post(brokerPeer(cellId, broker), { kind: 'replica-failed', brokerId, partition })
    }
  }

  /** That broker's replica has. */
  heard(broker: BrokerId, partition: PartitionNumber): void {
    const { table, leaderships, environment } = this.#options
    const replica = table.get(partition)
    if (replica === undefined) return
    leaderships.replicaFailed(replica, broker, environment.clock.monotonicMs())
  }
}
