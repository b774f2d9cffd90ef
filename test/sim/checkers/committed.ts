/** Looks at every replica after each turn: what has come below its high watermark is compared with the partition's history. */
import type { PartitionNumber } from '../../../src/base/ids.ts'
import { DiskError } from '../../../src/log/disk.ts'
import type { PartitionLog } from '../../../src/log/partition-log.ts'
import { lastOffsetOf } from '../../../src/record/batch.ts'
import { safe } from '../sim-error.ts'
import type { SimNode } from '../sim-node.ts'
import { PartitionHistory } from './history.ts'

/** How far a replica's log was looked at: of this object, as another one may be of another thread. */
interface Seen {
  readonly log: PartitionLog
  highWatermark: number
  checkedTo: number
}

export class CommittedChecker {
  readonly #histories = new Map<PartitionNumber, PartitionHistory>()
  readonly #seen = new Map<string, Seen>()
  /** The highest high watermark that a broker has had of a partition, in any of its threads. */
  readonly #had = new Map<string, number>()
  readonly #keepsAll: boolean

  /** `keepsAll`: the power never goes, so that what was written is there after any death. */
  constructor(keepsAll: boolean) {
    this.#keepsAll = keepsAll
  }

  /** Its directory was emptied: it comes back as another replica. */
  emptied(broker: number): void {
    for (const key of this.#had.keys()) if (key.startsWith(`${broker} `)) this.#had.delete(key)
  }

  history(number: PartitionNumber): PartitionHistory {
    let history = this.#histories.get(number)
    if (history === undefined) {
      history = new PartitionHistory(number)
      this.#histories.set(number, history)
    }
    return history
  }

  histories(): Iterable<PartitionHistory> {
    return this.#histories.values()
  }

  /** `isRotten`: bits of its log may have flipped where no recovery looks; whoever reads finds out, and nobody copies it. */
  look(node: SimNode, isRotten: boolean): void {
    for (const number of node.agent.image.partitionNumbers()) {
      const log = node.agent.replica(number)?.log ?? null
      if (log === null || log.failure !== null) continue
      this.#lookAt(node, number, log, isRotten)
    }
  }

  /** One that has lost what it had must not go on as the replica that it was. */
  #lookAtEnd(node: SimNode, number: PartitionNumber, log: PartitionLog): void {
    const had = this.#had.get(`${node.id} ${number}`) ?? 0
    const { logEndOffset } = log
    safe(
      !this.#keepsAll || logEndOffset >= had,
      () =>
        `broker ${node.id}: partition ${number} ends at ${logEndOffset}, and was committed up to ${had}`,
    )
  }

  #lookAt(node: SimNode, number: PartitionNumber, log: PartitionLog, isRotten: boolean): void {
    const key = `${node.id} ${number}`
    let seen = this.#seen.get(key)
    if (seen?.log !== log) {
      seen = { log, highWatermark: 0, checkedTo: 0 }
      this.#seen.set(key, seen)
      this.#lookAtEnd(node, number, log)
    }
    const { highWatermark, logStartOffset } = log
    if (highWatermark === seen.highWatermark) return
    const who = `broker ${node.id}`
    safe(
      highWatermark > seen.highWatermark,
      () =>
        `${who}: the high watermark of ${number} fell from ${seen.highWatermark} to ${highWatermark}`,
    )
    seen.highWatermark = highWatermark
    this.#had.set(key, Math.max(highWatermark, this.#had.get(key) ?? 0))
    const from = Math.max(seen.checkedTo, logStartOffset)
    if (from >= highWatermark) return
    const history = this.history(number)
    try {
      log.readBatches(from, (bytes, at) => {
        const next = lastOffsetOf(bytes, at) + 1
        if (next > highWatermark) return false
        history.see(who, bytes, at)
        seen.checkedTo = next
        return next < highWatermark
      })
    } catch (error) {
      if (!isRotten || !(error instanceof DiskError)) throw error
    }
    safe(
      isRotten || seen.checkedTo >= highWatermark,
      () =>
        `${who}: partition ${number} ends at ${seen.checkedTo}, below its high watermark ${highWatermark}`,
    )
  }
}
