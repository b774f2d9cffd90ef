/** Partitions whose replicas were moved, or are being moved (KIP-455). */
import type { BrokerId, PartitionNumber } from '../base/ids.ts'
import type { MetadataEntry } from './entry.ts'

type ReassignedEntry = Extract<MetadataEntry, { kind: 'partition-reassigned' }>

/** How a partition's replicas stand: what the newest entry about it says. */
export type ReplicaMove = Pick<
  ReassignedEntry,
  'replicas' | 'target' | 'leaving' | 'isFirst' | 'generation' | 'firstLife'
> & {
  readonly joined: NonNullable<ReassignedEntry['joined']>
}

/** What clients are told of a move. */
export interface Reassignment {
  readonly adding: readonly BrokerId[]
  readonly removing: readonly BrokerId[]
  readonly target: readonly BrokerId[]
}

export class ReplicaMoves {
  readonly #moves = new Map<PartitionNumber, ReplicaMove>()
  readonly #pending = new Set<PartitionNumber>()

  get(number: PartitionNumber): ReplicaMove | undefined {
    return this.#moves.get(number)
  }

  /** Those whose replicas are not yet those that they are to have, or may not be. */
  pending(): ReadonlySet<PartitionNumber> {
    return this.#pending
  }

  set(number: PartitionNumber, entry: ReassignedEntry): void {
    const move = moveOf(entry)
    this.#moves.set(number, move)
    if (isPending(move)) this.#pending.add(number)
    else this.#pending.delete(number)
  }

  delete(number: PartitionNumber): void {
    this.#moves.delete(number)
    this.#pending.delete(number)
  }
}

/** What an entry says. */
export function moveOf(entry: ReassignedEntry): ReplicaMove {
  const { replicas, target, leaving, isFirst, generation, firstLife, joined = [] } = entry
  return { replicas, target, leaving, isFirst, generation, firstLife, joined }
}

/** Brokers that may hold a replica. */
export const holdersOf = ({
  replicas,
  target,
  leaving,
}: Omit<ReplicaMove, 'joined'>): BrokerId[] => [
  ...new Set([...replicas, ...(target ?? []), ...leaving]),
]

/** In which generation a broker was given the replica that it has; 0: it was there when the partition was made. */
export const joinedOf = (move: ReplicaMove, broker: BrokerId): number =>
  move.joined.find(([one]) => one === broker)?.[1] ?? 0

/** Somebody may hold a replica that is to be none, or the other way round. */
export const isPending = ({ target, leaving }: Omit<ReplicaMove, 'joined'>): boolean =>
  target !== null || leaving.length > 0

/** What is under way, as clients are told; undefined where that is nothing. */
export function reassignmentOf({
  replicas,
  target,
  leaving,
}: Omit<ReplicaMove, 'joined'>): Reassignment | undefined {
  if (target === null) return undefined
  return {
    adding: target.filter((broker) => !replicas.includes(broker)),
    removing: without([...replicas, ...leaving], target).sort((a, b) => a - b),
    target,
  }
}

/** The replicas that clients are told of: as in Kafka the target, and then those that are to go. */
export function toldReplicas(move: Omit<ReplicaMove, 'joined'>): readonly BrokerId[] {
  const reassignment = reassignmentOf(move)
  if (reassignment === undefined) return move.replicas
  return [...reassignment.target, ...reassignment.removing]
}

export const without = (brokers: readonly BrokerId[], gone: readonly BrokerId[]): BrokerId[] => [
  ...new Set(brokers.filter((broker) => !gone.includes(broker))),
]
