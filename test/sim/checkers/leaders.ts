/** A term of a partition has one leader: by what brokers tell fronts, and by what their groups say. */
import type { PartitionNumber } from '../../../src/base/ids.ts'
import type { LeaderChange } from '../../../src/link/control.ts'
import { Role } from '../../../src/raft/types.ts'
import { safe } from '../sim-error.ts'
import type { SimNode } from '../sim-node.ts'

export class LeadersChecker {
  readonly #leaders = new Map<string, string>()

  /** Terms that had a leader. */
  get terms(): number {
    return this.#leaders.size
  }

  told(changes: readonly LeaderChange[], from: string): void {
    for (const { partition, leader, leaderEpoch } of changes) {
      // one that leads no more says so of the epoch that it led
      if (leader === 0) continue
      safe(from.endsWith(`-${leader}`), () => `${from} says that ${leader} leads ${partition}`)
      const known = this.#leaders.get(`${partition} ${leaderEpoch}`)
      safe(
        known === undefined || known.startsWith(`${leader} `),
        () => `epoch ${leaderEpoch} of ${partition} has leaders ${known} and ${leader}`,
      )
    }
  }

  look(node: SimNode): void {
    for (const number of node.agent.image.partitionNumbers()) {
      const raft = node.agent.replica(number)?.group?.raft
      if (raft?.role === Role.LEADER) this.#leads(number, raft.term, `${node.id} ${node.life}`)
    }
  }

  #leads(number: PartitionNumber, term: number, who: string): void {
    const key = `${number} ${term}`
    const known = this.#leaders.get(key)
    if (known === who) return
    safe(known === undefined, () => `term ${term} of ${number} has leaders ${known} and ${who}`)
    this.#leaders.set(key, who)
  }
}
