import type { BrokerId } from '../../base/ids.ts'
import type { MetadataView } from '../../image/view.ts'
import type { Replica } from '../replica.ts'
import type { ReplicaGroup } from './replica-group.ts'

/** Leadership goes back to the preferred replica once its broker has lived for so long. */
const PREFERRED_AFTER_MS = 5_000

export interface PreferredLeadersOptions {
  readonly brokerId: BrokerId
  readonly image: MetadataView
  readonly currentIdOf: (replica: Replica, broker: BrokerId) => number
}

/** Hands leaderships back to the replicas that are preferred, once they are fit. On the broker's thread. */
export class PreferredLeaders {
  readonly #options: PreferredLeadersOptions
  /** Since when each peer can be reached. */
  readonly #reachableSinceMs = new Map<BrokerId, number>()

  constructor(options: PreferredLeadersOptions) {
    this.#options = options
  }

  reachable(broker: BrokerId, sinceMs: number): void {
    this.#reachableSinceMs.set(broker, sinceMs)
  }

  gone(broker: BrokerId): void {
    this.#reachableSinceMs.delete(broker)
  }

  /** Of a group that this broker leads: to the preferred replica, once it has been there for a while and has what is committed. Whether it is begun. */
  giveBack(replica: Replica, { raft }: ReplicaGroup, nowMs: number): boolean {
    const preferred = this.#options.image.replicasOf(replica.number)[0]
    if (preferred === undefined || preferred === this.#options.brokerId) return false
    const sinceMs = this.#reachableSinceMs.get(preferred)
    if (sinceMs === undefined || nowMs - sinceMs < PREFERRED_AFTER_MS) return false
    const id = this.#options.currentIdOf(replica, preferred)
    if ((raft.progressOf(id)?.match ?? 0) < raft.commit || !raft.takesProposals) return false
    return raft.transferTo(id)
  }
}
