/** Which directory each broker had when: by that replicas get their ids (`base/replica-id.ts`). */
import type { BrokerId, CellId, PartitionNumber } from '../base/ids.ts'
import { replicaIdOf } from '../base/replica-id.ts'
import type { MetadataEntry } from './entry.ts'
import type { BrokerDirectory } from './view.ts'

export type DirectoryEntry = Extract<MetadataEntry, { kind: 'broker-directory' }>
export type KnownDirectory = Required<DirectoryEntry>

export class BrokerDirectories {
  /** Of each broker, in the order of its lives; those in which no partition was made are left out, but for the last. */
  readonly #entries = new Map<number, readonly KnownDirectory[]>()
  /** The last lives of brokers that may lack what the ones before had. */
  readonly #unfilled = new Map<number, KnownDirectory>()

  get(cellId: CellId, brokerId: BrokerId): BrokerDirectory | undefined {
    return this.#entries.get(brokerKey(cellId, brokerId))?.at(-1)
  }

  /** No broker may lack anything. */
  get areFilled(): boolean {
    return this.#unfilled.size === 0
  }

  /** The directory is another than when the partition was made, and is not known to have what the ones before had. */
  mayLack(cellId: CellId, brokerId: BrokerId, number: PartitionNumber): boolean {
    const unfilled = this.#unfilled.get(brokerKey(cellId, brokerId))
    return unfilled !== undefined && number < unfilled.firstPartition
  }

  /** Of a partition that was made in the life that the broker had then. */
  replicaIdAt(cellId: CellId, brokerId: BrokerId, number: PartitionNumber): number {
    const lives = this.#entries.get(brokerKey(cellId, brokerId)) ?? []
    const then = lives.findLast(({ firstPartition }) => firstPartition <= number)
    return replicaIdOf(brokerId, then?.life ?? 0)
  }

  add(entry: DirectoryEntry): void {
    const key = brokerKey(entry.cellId, entry.brokerId)
    const lives = withLife(this.#entries.get(key) ?? [], entry)
    this.#entries.set(key, lives)
    const last = lives.at(-1)!
    if (last.isFilled) this.#unfilled.delete(key)
    else this.#unfilled.set(key, last)
  }

  /** The last life of each broker. */
  last(): KnownDirectory[] {
    return [...this.#entries.values()].map((lives) => lives.at(-1)!)
  }

  /** What makes the same from nothing, in order. */
  entries(): KnownDirectory[] {
    const keys = [...this.#entries.keys()].sort((a, b) => a - b)
    return keys.flatMap((key) => this.#entries.get(key)!)
  }
}

/** A broker's lives after this one, which may be the last of them again (another rack; it is filled), and then takes its place. */
export function withLife(
  before: readonly KnownDirectory[],
  entry: DirectoryEntry,
): readonly KnownDirectory[] {
  const { cellId, brokerId, directoryId, life, rack } = entry
  const lives = [...before]
  let { firstPartition } = entry
  if (lives.at(-1)?.life === life) firstPartition = lives.pop()!.firstPartition
  // a directory that comes anew at every start must not fill every thread's memory
  else if (lives.at(-1)?.firstPartition === firstPartition) lives.pop()
  const kind = 'broker-directory'
  // before the first life there was nothing that could be lacking
  const isFilled = entry.isFilled ?? life === 0
  lives.push({ kind, cellId, brokerId, directoryId, life, firstPartition, rack, isFilled })
  return lives
}

/** Of a broker among those of all cells. */
export const brokerKey = (cellId: CellId, brokerId: BrokerId): number => cellId * 65_536 + brokerId
