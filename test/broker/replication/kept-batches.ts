import type { PartitionLog } from '../../../src/log/partition-log.ts'
import { baseOffsetOf, lastOffsetOf, leaderEpochOf } from '../../../src/record/batch.ts'

/** A batch as the cluster is to keep it. */
export interface Kept {
  readonly base: number
  readonly last: number
  readonly epoch: number
  readonly tail: string
}

/** All batches of a replica's log below `endOffset`. */
export function batchesOf(log: PartitionLog, endOffset = Number.POSITIVE_INFINITY): Kept[] {
  const kept: Kept[] = []
  log.readBatches(log.logStartOffset, (bytes, at, size) => {
    const last = lastOffsetOf(bytes, at)
    if (last >= endOffset) return false
    kept.push({
      ...{ base: baseOffsetOf(bytes, at), last, epoch: leaderEpochOf(bytes, at) },
      tail: tailOf(bytes, at, size),
    })
    return true
  })
  return kept
}

/** What of a batch its sender has made, as text: all but offsets and epoch. */
export const tailOf = (bytes: Uint8Array, at: number, size: number): string =>
  Buffer.from(bytes.slice(at + 17, at + size)).toString('latin1')
