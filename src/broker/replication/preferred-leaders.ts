import type { BrokerId } from '../../base/ids.ts'
import type { MetadataView } from '../../image/view.ts'
import { Role } from '../../raft/types.ts'
import type { Replica } from '../replica.ts'
import type { ReplicaGroup } from './replica-group.ts'

/** Leadership goes back to the preferred replica once its broker has lived for so long. */
export const PREFERRED_AFTER_MS = 5_000
/** One that does not take it (its disk may be full) is asked again after so long, with one partition: the others go on being served meanwhile. */
const ASK_AGAIN_MS = 10_000
/** A partition that was not taken is offered again after twice as long each time, but no longer than this: it may be its alone that cannot be led there. */
const REST_MAX_MS = 80_000

/** What was begun last for a broker. */
interface Begun {
  readonly group: ReplicaGroup
  readonly term: number
  readonly atMs: number
  /** It has not taken what it was offered before: nothing else is offered at the same time. */
  readonly isTrial: boolean
  isRefused: boolean
}

/** What was not taken of a group, in a row. */
interface Rest {
  readonly refusals: number
  readonly untilMs: number
}

export interface PreferredLeadersOptions {
  readonly brokerId: BrokerId
  readonly image: MetadataView
  readonly currentIdOf: (replica: Replica, broker: BrokerId) => number
  /** So long that broker can be reached without a break; 0 where it cannot. */
  readonly reachableForMs: (broker: BrokerId) => number
}

/** Hands leaderships back to the replicas that are preferred, once they are fit. On the broker's thread. */
export class PreferredLeaders {
  readonly #options: PreferredLeadersOptions
  readonly #begun = new Map<BrokerId, Begun>()
  #rests = new WeakMap<ReplicaGroup, Rest>()

  constructor(options: PreferredLeadersOptions) {
    this.#options = options
  }

  /** It cannot be reached. */
  gone(broker: BrokerId): void {
    this.#begun.delete(broker)
    // its next life may take what it could not
    this.#rests = new WeakMap()
  }

  /** Of a group that this broker leads: to the preferred replica, once it has been there for a while and has what is committed. Whether it is begun. */
  giveBack(replica: Replica, group: ReplicaGroup, nowMs: number): boolean {
    const { raft } = group
    const preferred = this.#options.image.replicasOf(replica.number)[0]
    if (preferred === undefined || preferred === this.#options.brokerId) return false
    if (this.#options.reachableForMs(preferred) < PREFERRED_AFTER_MS) return false
    if (this.#doesNotTake(preferred, nowMs) || this.#isResting(group, nowMs)) return false
    const id = this.#options.currentIdOf(replica, preferred)
    if ((raft.progressOf(id)?.match ?? 0) < raft.commit || !raft.takesProposals) return false
    const before = this.#begun.get(preferred)
    const isTrial = before !== undefined && before.atMs < nowMs
    if (!raft.transferTo(id)) return false
    this.#begun.set(preferred, { group, term: raft.term, atMs: nowMs, isTrial, isRefused: false })
    return true
  }

  /** What it was offered in an earlier sweep is still led here. */
  #doesNotTake(broker: BrokerId, nowMs: number): boolean {
    const begun = this.#begun.get(broker)
    if (begun === undefined) return false
    if (begun.atMs === nowMs) return begun.isTrial
    const { role, term } = begun.group.raft
    if (role === Role.LEADER && term === begun.term) {
      this.#noteRefusal(begun, nowMs)
      return nowMs - begun.atMs < ASK_AGAIN_MS
    }
    this.#begun.delete(broker)
    this.#rests.delete(begun.group)
    return false
  }

  #isResting(group: ReplicaGroup, nowMs: number): boolean {
    return nowMs < (this.#rests.get(group)?.untilMs ?? 0)
  }

  #noteRefusal(begun: Begun, nowMs: number): void {
    if (begun.isRefused) return
    begun.isRefused = true
    const refusals = (this.#rests.get(begun.group)?.refusals ?? 0) + 1
    const restMs = Math.min(ASK_AGAIN_MS * 2 ** refusals, REST_MAX_MS)
    this.#rests.set(begun.group, { refusals, untilMs: nowMs + restMs })
  }
}
