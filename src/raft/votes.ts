import { type Tally, tally } from './membership.ts'
import type { Configuration, ReplicaId } from './types.ts'

/** So long the first election after a power loss waits for voters that do not answer. */
const HEAR_ALL_TICKS = 100

/** Elections in a row that elect nobody follow each other ever more slowly, up to so many times: what voters need (a slow disk) may take longer than a candidate waits. */
const PATIENCE_MAX = 64

/** Who has answered a candidate, and what that makes. */
export class Votes {
  readonly #self: ReplicaId
  #votes = new Map<ReplicaId, boolean>()
  /** Ticks for which an election yet waits for all voters. */
  #hearAllTicks: number
  #patience = 1

  constructor(self: ReplicaId, isAfterPowerLoss: boolean) {
    this.#self = self
    this.#hearAllTicks = isAfterPowerLoss ? HEAR_ALL_TICKS : 0
  }

  /** For the next election: times as long as otherwise. */
  nextPatience(): number {
    const patience = this.#patience
    this.#patience = Math.min(2 * patience, PATIENCE_MAX)
    return patience
  }

  /** Another election: it votes for itself. */
  begin(): void {
    this.#votes = new Map([[this.#self, true]])
  }

  /** An election waits for all voters: the first after a power loss. */
  get isToHearAll(): boolean {
    return this.#hearAllTicks > 0
  }

  has(voter: ReplicaId): boolean {
    return this.#votes.has(voter)
  }

  /** The first answer of each counts. */
  answered(from: ReplicaId, isGranted: boolean): void {
    if (!this.#votes.has(from)) this.#votes.set(from, isGranted)
  }

  /** Whether the others were waited for long enough with this tick. */
  tick(): boolean {
    return this.#hearAllTicks > 0 && --this.#hearAllTicks === 0
  }

  /** Somebody has been elected. */
  waitNoMore(): void {
    this.#hearAllTicks = 0
    this.#patience = 1
  }

  tally(configuration: Configuration, isPreVote: boolean): Tally {
    if (isPreVote && this.isToHearAll) {
      // whoever refuses has more: it was asked, and asks itself
      if ([...this.#votes.values()].includes(false)) return 'lost'
      if (configuration.voters.some((voter) => !this.#votes.has(voter))) return 'open'
    }
    return tally(configuration, (replica) => this.#votes.get(replica))
  }
}
