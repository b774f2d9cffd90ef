import type { BrokerId, PartitionNumber } from '../../base/ids.ts'
import type { MetadataView } from '../../image/view.ts'
import type { Replica } from '../replica.ts'
import type { ReplicaTable } from '../replica-table.ts'

export interface WakeRequestsOptions {
  readonly brokerId: BrokerId
  readonly image: MetadataView
  readonly table: ReplicaTable
  /** What this broker lacks itself is no help. */
  readonly mayHelp: (replica: Replica) => boolean
  readonly wake: (replica: Replica) => void
}

/** Beyond that, whoever asks is to ask again. */
const WAITING_MAX = 4_096
/** Each may make files. */
const PER_TURN = 8

/** Partitions whose groups others want awake: a bounded number, a few a turn. On the broker's thread. */
export class WakeRequests {
  readonly #options: WakeRequestsOptions
  readonly #waiting = new Set<PartitionNumber>()

  constructor(options: WakeRequestsOptions) {
    this.#options = options
  }

  get isEmpty(): boolean {
    return this.#waiting.size === 0
  }

  add(partitions: readonly PartitionNumber[]): void {
    for (const number of partitions) {
      if (this.#waiting.size < WAITING_MAX) this.#waiting.add(number)
    }
  }

  /** Those whose turn it is; returns how many. */
  doWork(nowMs: number): number {
    const { image, table, brokerId, mayHelp, wake } = this.#options
    const numbers = this.#take()
    for (const number of numbers) {
      const isHere = image.isReplicated(number) && image.holdersOf(number).includes(brokerId)
      const replica = isHere ? table.admit(number) : undefined
      if (replica?.isReplicated !== true || !mayHelp(replica)) continue
      table.touch(replica, nowMs)
      wake(replica)
    }
    return numbers.length
  }

  #take(): PartitionNumber[] {
    const taken: PartitionNumber[] = []
    for (const number of this.#waiting) {
      if (taken.length === PER_TURN) break
      taken.push(number)
    }
    for (const number of taken) this.#waiting.delete(number)
    return taken
  }
}
