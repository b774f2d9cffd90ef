/** Where new partitions go. */
import { asBrokerId, type BrokerId } from '../base/ids.ts'
import type { PartitionPlacement } from '../image/entry.ts'

/** Whether partitions are made with as many replicas as were asked for. Until then each has one, and Metadata tells the truth. */
export const REPLICATION_IS_SERVED: boolean = true

/**
 * How many replicas a partition gets when `asked` were asked for: without replication one, so that clients that ask for three keep working. The one
 * place that decides it.
 */
export const replicasMade = (asked: number, isReplicated: boolean): number =>
  isReplicated ? asked : 1

/** Replicas of a topic that does not say how many, where nobody set it: two would need both of them, and survive less than one. */
export const usualReplicas = (brokers: number, isReplicated = REPLICATION_IS_SERVED): number =>
  isReplicated && brokers >= 3 ? 3 : 1

/** What the brokers 1 … `brokers` of a cell hold: replicas, and leaders if everything is led as preferred. */
export class CellLoads {
  readonly brokers: number
  readonly replicas: number[]
  readonly leaders: number[]

  constructor(brokers: number, replicasOn = NOTHING, ledBy = NOTHING) {
    this.brokers = brokers
    const ids = Array.from({ length: brokers + 1 }, (_, id) => id)
    this.replicas = ids.map((id) => (id === 0 ? 0 : replicasOn(asBrokerId(id))))
    this.leaders = ids.map((id) => (id === 0 ? 0 : ledBy(asBrokerId(id))))
  }

  copy(): CellLoads {
    return new CellLoads(
      this.brokers,
      (broker) => this.replicas[broker]!,
      (broker) => this.leaders[broker]!,
    )
  }

  add(replicas: readonly BrokerId[]): void {
    for (const broker of replicas) this.replicas[broker]!++
    if (replicas.length > 0) this.leaders[replicas[0]!]!++
  }
}

const NOTHING = (_broker: BrokerId): number => 0

export interface PlacementWish {
  readonly count: number
  /** At most as many as there are brokers. */
  readonly replicas: number
  /** Breaks ties, so that what comes one by one goes round: partitions made so far. */
  readonly start: number
  /** Of all tenants; not changed. */
  readonly loads: CellLoads
  /** Replica lists that the topic has already. */
  readonly existing?: readonly (readonly BrokerId[])[]
  /** Of brokers 1 …; null where not every broker has one. */
  readonly racks?: readonly string[] | null
}

/**
 * Placements of new partitions of one topic. As Kafka's striped placer wants it: the topic's leaders are spread as evenly as
 * can be, its replicas first over racks and then over brokers, and the next in line differs from one of a broker's partitions to another, so that
 * its loss spreads over the others. What does not divide goes where there is least, and among equals in rotation: the same state
 * always gives the same placement.
 */
export function placePartitions(wish: PlacementWish): PartitionPlacement[] {
  const loads = wish.loads.copy()
  const topic = new CellLoads(loads.brokers)
  for (const replicas of wish.existing ?? []) topic.add(replicas)
  return Array.from({ length: wish.count }, (_, i) => {
    const replicas = placeOne({ ...wish, loads }, topic, wish.start + i)
    topic.add(replicas)
    loads.add(replicas)
    return placed(replicas)
  })
}

function placeOne({ replicas, loads, racks }: PlacementWish, topic: CellLoads, turn: number) {
  const { brokers } = loads
  const all = Array.from({ length: brokers }, (_, i) => i + 1)
  const after = (from: number, broker: number) => (broker - 1 - from + brokers) % brokers
  const leader = least(all, (one) => [
    topic.leaders[one]!,
    loads.leaders[one]!,
    loads.replicas[one]!,
    after(turn % brokers, one),
  ])
  const chosen = [leader]
  // who comes next after a leader moves on by one each time that it is the leader's turn again
  const shift = Math.floor(turn / brokers)
  const others = Math.max(1, brokers - 1)
  while (chosen.length < replicas) {
    const free = all.filter((one) => !chosen.includes(one))
    const next = least(free, (one) => [
      racks ? chosen.filter((other) => racks[other - 1] === racks[one - 1]).length : 0,
      topic.replicas[one]!,
      loads.replicas[one]!,
      (after(leader, one) + shift) % others,
    ])
    chosen.push(next)
  }
  return chosen.map(asBrokerId)
}

/** The one with the smallest weights, the first of them counting most. */
function least(brokers: readonly number[], weigh: (broker: number) => readonly number[]): number {
  let best = brokers[0]!
  let bestWeights = weigh(best)
  for (const broker of brokers.slice(1)) {
    const weights = weigh(broker)
    const at = weights.findIndex((weight, i) => weight !== bestWeights[i])
    if (at < 0 || weights[at]! > bestWeights[at]!) continue
    best = broker
    bestWeights = weights
  }
  return best
}

/** A new partition's placement; the first replica leads. */
export const placed = (replicas: readonly BrokerId[]): PartitionPlacement => ({
  replicas,
  leader: replicas[0]!,
  leaderEpoch: 0,
})
