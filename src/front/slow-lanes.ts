import type { PartitionNumber } from '../base/ids.ts'

/** One batch on its way to a partition: it may go once it is ready and all before it have gone. */
export interface LaneStep {
  ready: boolean
  go(): void
}

/**
 * Keeps the order of one connection's batches per partition while some of them are away on the pool. Lanes exist only
 * for as long as something is in them.
 */
export class SlowLanes {
  readonly #lanes = new Map<PartitionNumber, LaneStep[]>()

  /** True when a batch for `partition` must not overtake others. */
  busy(partition: PartitionNumber): boolean {
    return this.#lanes.has(partition)
  }

  add(partition: PartitionNumber, step: LaneStep): void {
    const lane = this.#lanes.get(partition)
    if (lane === undefined) this.#lanes.set(partition, [step])
    else lane.push(step)
  }

  /** `step` has become ready: lets go whatever may go now. */
  advance(partition: PartitionNumber): void {
    const lane = this.#lanes.get(partition)
    if (lane === undefined) return
    while (lane.length > 0 && lane[0]!.ready) lane.shift()!.go()
    if (lane.length === 0) this.#lanes.delete(partition)
  }
}
