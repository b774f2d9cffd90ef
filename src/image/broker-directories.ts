/** Which directory each broker had when: by that replicas get their ids (`base/replica-id.ts`). */
import type { BrokerId, CellId, PartitionNumber } from '../base/ids.ts'
import { replicaIdOf } from '../base/replica-id.ts'
import type { MetadataEntry } from './entry.ts'
import type { BrokerDirectory } from './view.ts'

type DirectoryEntry = Extract<MetadataEntry, { kind: 'broker-directory' }>

export class BrokerDirectories {
  /** Of each broker, in the order of its lives. */
  readonly #entries = new Map<number, DirectoryEntry[]>()

  get(cellId: CellId, brokerId: BrokerId): BrokerDirectory | undefined {
    return this.#entries.get(keyOf(cellId, brokerId))?.at(-1)
  }

  /** Of a partition that was made in the life that the broker had then. */
  replicaIdAt(cellId: CellId, brokerId: BrokerId, number: PartitionNumber): number {
    const lives = this.#entries.get(keyOf(cellId, brokerId)) ?? []
    const then = lives.findLast(({ firstPartition }) => firstPartition <= number)
    return replicaIdOf(brokerId, then?.life ?? 0)
  }

  /** The same life again (another rack) takes the place of what was known of it. */
  add(entry: DirectoryEntry): void {
    const key = keyOf(entry.cellId, entry.brokerId)
    const lives = this.#entries.get(key) ?? []
    const before = lives.at(-1)
    if (before?.life === entry.life) lives.pop()
    const firstPartition =
      before?.life === entry.life ? before.firstPartition : entry.firstPartition
    this.#entries.set(key, [...lives, { ...entry, firstPartition }])
  }

  /** Every life of every broker, in order. */
  entries(): DirectoryEntry[] {
    const keys = [...this.#entries.keys()].sort((a, b) => a - b)
    return keys.flatMap((key) => this.#entries.get(key)!)
  }

  clear(): void {
    this.#entries.clear()
  }
}

const keyOf = (cellId: CellId, brokerId: BrokerId): number => cellId * 65_536 + brokerId
