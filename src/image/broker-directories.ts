/** Which directory each broker had when: by that replicas get their ids (`base/replica-id.ts`). */
import type { BrokerId, CellId, PartitionNumber } from '../base/ids.ts'
import { replicaIdOf } from '../base/replica-id.ts'
import type { MetadataEntry } from './entry.ts'
import type { BrokerDirectory } from './view.ts'

export type DirectoryEntry = Extract<MetadataEntry, { kind: 'broker-directory' }>

export class BrokerDirectories {
  /** Of each broker, in the order of its lives; those in which no partition was made are left out, but for the last. */
  readonly #entries = new Map<number, readonly DirectoryEntry[]>()

  get(cellId: CellId, brokerId: BrokerId): BrokerDirectory | undefined {
    return this.#entries.get(keyOf(cellId, brokerId))?.at(-1)
  }

  /** Of a partition that was made in the life that the broker had then. */
  replicaIdAt(cellId: CellId, brokerId: BrokerId, number: PartitionNumber): number {
    const lives = this.#entries.get(keyOf(cellId, brokerId)) ?? []
    const then = lives.findLast(({ firstPartition }) => firstPartition <= number)
    return replicaIdOf(brokerId, then?.life ?? 0)
  }

  add(entry: DirectoryEntry): void {
    const key = keyOf(entry.cellId, entry.brokerId)
    this.#entries.set(key, withLife(this.#entries.get(key) ?? [], entry))
  }

  /** What makes the same from nothing, in order. */
  entries(): DirectoryEntry[] {
    const keys = [...this.#entries.keys()].sort((a, b) => a - b)
    return keys.flatMap((key) => this.#entries.get(key)!)
  }
}

/** A broker's lives after this one, which may be the last of them again (another rack), and then takes its place. */
export function withLife(
  before: readonly DirectoryEntry[],
  entry: DirectoryEntry,
): readonly DirectoryEntry[] {
  const { cellId, brokerId, directoryId, life, rack } = entry
  const lives = [...before]
  let { firstPartition } = entry
  if (lives.at(-1)?.life === life) firstPartition = lives.pop()!.firstPartition
  // a directory that comes anew at every start must not fill every thread's memory
  else if (lives.at(-1)?.firstPartition === firstPartition) lives.pop()
  const kind = 'broker-directory'
  lives.push({ kind, cellId, brokerId, directoryId, life, firstPartition, rack })
  return lives
}

const keyOf = (cellId: CellId, brokerId: BrokerId): number => cellId * 65_536 + brokerId
