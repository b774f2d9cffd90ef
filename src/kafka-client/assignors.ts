/** Who of a group reads which partition, worked out by the member that leads it. The same on every client for a name. */
import { groupBy } from './group-by.ts'
import { keyOf, type TopicPartition } from './offsets.ts'

export interface AssignorMember {
  readonly memberId: string
  readonly topics: readonly string[]
  /** What it still holds from its last assignment. */
  readonly owned: readonly TopicPartition[]
  /** Of the assignment that gave `owned`; −1 where it is not told. */
  readonly generationId: number
}

/** Partitions by member id; every member is in it. */
export type Assignment = ReadonlyMap<string, readonly TopicPartition[]>

export type AssignorName = 'range' | 'cooperative-sticky'

/** `partitionCounts` has each topic that somebody subscribes to and that is there. */
export function assign(
  name: AssignorName,
  members: readonly AssignorMember[],
  partitionCounts: ReadonlyMap<string, number>,
): Assignment {
  switch (name) {
    case 'range':
      return assignRanges(members, partitionCounts)
    case 'cooperative-sticky':
      return withoutMoves(members, assignSticky(members, partitionCounts))
    default:
      name satisfies never
      throw new RangeError(`assignor ${name}`)
  }
}

const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/** Per topic, members in the order of their ids get a run of partitions each, the first ones one more. */
function assignRanges(
  members: readonly AssignorMember[],
  partitionCounts: ReadonlyMap<string, number>,
): Assignment {
  const assignment = new Map(members.map(({ memberId }) => [memberId, [] as TopicPartition[]]))
  for (const [topic, count] of partitionCounts) {
    const readers = members
      .filter(({ topics }) => topics.includes(topic))
      .map(({ memberId }) => memberId)
      .sort(byText)
    if (readers.length === 0) continue
    const each = Math.floor(count / readers.length)
    const more = count % readers.length
    let partition = 0
    for (const [i, memberId] of readers.entries()) {
      const end = partition + each + (i < more ? 1 : 0)
      for (; partition < end; partition++) assignment.get(memberId)!.push({ topic, partition })
    }
  }
  return assignment
}

/** Members keep what they hold as far as nobody then has two more than somebody who could take one. */
function assignSticky(
  members: readonly AssignorMember[],
  partitionCounts: ReadonlyMap<string, number>,
): Map<string, TopicPartition[]> {
  const assignment = new Map(
    [...members]
      .sort((a, b) => byText(a.memberId, b.memberId))
      .map(({ memberId }) => [memberId, [] as TopicPartition[]]),
  )
  const readersOf = new Map<string, string[]>()
  for (const topic of partitionCounts.keys()) {
    const readers = members.filter(({ topics }) => topics.includes(topic))
    readersOf.set(topic, readers.map(({ memberId }) => memberId).sort(byText))
  }
  const owners = ownersOf(members, readersOf)
  const free: TopicPartition[] = []
  for (const [topic, count] of partitionCounts) {
    for (let partition = 0; partition < count; partition++) {
      const owner = owners.get(keyOf({ topic, partition }))
      if (owner !== undefined) assignment.get(owner)!.push({ topic, partition })
      else if (readersOf.get(topic)!.length > 0) free.push({ topic, partition })
    }
  }
  const load = (memberId: string) => assignment.get(memberId)!.length
  const leastOf = (topic: string) =>
    readersOf.get(topic)!.reduce((least, id) => (load(id) < load(least) ? id : least))
  for (const partition of free) assignment.get(leastOf(partition.topic))!.push(partition)
  balance(assignment, leastOf)
  return assignment
}

/** Who holds each partition now; of two that claim it the one of the later generation, of the same generation neither. */
function ownersOf(
  members: readonly AssignorMember[],
  readersOf: ReadonlyMap<string, readonly string[]>,
): Map<string, string> {
  const claims = members.flatMap(({ memberId, owned, generationId }) =>
    owned
      .filter(({ topic }) => readersOf.get(topic)?.includes(memberId))
      .map((partition) => ({ memberId, generationId, key: keyOf(partition) })),
  )
  const owners = new Map<string, string>()
  for (const [key, claimants] of groupBy(claims, (claim) => claim.key)) {
    const latest = Math.max(...claimants.map(({ generationId }) => generationId))
    const valid = claimants.filter(({ generationId }) => generationId === latest)
    if (valid.length === 1) owners.set(key, valid[0]!.memberId)
  }
  return owners
}

/** Moves partitions from who has two or more than the least loaded that may read them, until there is none. */
function balance(
  assignment: Map<string, TopicPartition[]>,
  leastOf: (topic: string) => string,
): void {
  for (let moved = true; moved; ) {
    moved = false
    const loaded = [...assignment.values()].sort((a, b) => b.length - a.length)
    for (const partitions of loaded) {
      for (let i = partitions.length - 1; i >= 0; i--) {
        const taker = assignment.get(leastOf(partitions[i]!.topic))!
        if (partitions.length - taker.length < 2) continue
        taker.push(...partitions.splice(i, 1))
        moved = true
      }
    }
  }
}

/**
 * Cooperative rebalancing gives nobody what another still holds: it is left out, its owner gives it up and joins again, and
 * the next assignment has it.
 */
function withoutMoves(
  members: readonly AssignorMember[],
  assignment: ReadonlyMap<string, readonly TopicPartition[]>,
): Assignment {
  const holders = new Map<string, Set<string>>()
  for (const { memberId, owned } of members) {
    for (const partition of owned) {
      const key = keyOf(partition)
      holders.set(key, (holders.get(key) ?? new Set()).add(memberId))
    }
  }
  const isFreeFor = (memberId: string, partition: TopicPartition) => {
    const others = holders.get(keyOf(partition))
    return others === undefined || [...others].every((other) => other === memberId)
  }
  return new Map(
    [...assignment].map(([memberId, partitions]) => [
      memberId,
      partitions.filter((partition) => isFreeFor(memberId, partition)),
    ]),
  )
}
