/** Where new partitions go. */
import type { BrokerId } from '../base/ids.ts'
import type { PartitionPlacement } from '../image/entry.ts'

/**
 * How many replicas a partition gets when `asked` were asked for. One, until there is replication: clients that ask for three keep
 * working, and Metadata tells the truth. This is the one place to change.
 */
export const replicasMade = (_asked: number): number => 1

/**
 * Placements for `count` new partitions over brokers 1 … `brokers`. Each topic spreads as evenly as it can; what does not divide
 * goes to the brokers with the fewest replicas, and among equals in rotation from `start`, so that the same state always
 * gives the same placement.
 */
export function placePartitions(
  count: number,
  replicas: number,
  brokers: number,
  start: number,
  loadOf: (broker: BrokerId) => number,
): PartitionPlacement[] {
  const order = Array.from({ length: brokers }, (_, i) => ((start + i) % brokers) + 1)
  // The sort is stable: brokers of equal load stay in rotation.
  const loads = new Map(order.map((broker) => [broker, loadOf(broker as BrokerId)]))
  order.sort((a, b) => loads.get(a)! - loads.get(b)!)
  return Array.from({ length: count }, (_, i) =>
    placed(Array.from({ length: replicas }, (_, r) => order[(i + r) % brokers] as BrokerId)),
  )
}

/** A new partition's placement; the first replica leads. */
export const placed = (replicas: readonly BrokerId[]): PartitionPlacement => ({
  replicas,
  leader: replicas[0]!,
  leaderEpoch: 0,
})
