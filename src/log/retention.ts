import { DiskError } from './disk.ts'
import type { PartitionLog } from './partition-log.ts'
import { expiredSegments } from './rules.ts'

/**
 * Removes segments that retention wants gone, the active one after it is rolled; returns how many are gone, and how
 * many wait for a flush. None goes before the name of what follows it is durable: otherwise a power cut could leave a log
 * that begins anew. Whether its bytes are does not matter: what is not flushed may be lost anyway, and a log that is written
 * faster than the disk takes it in would grow beyond what retention asks for. Throws DiskError.
 */
export function removeExpired(log: PartitionLog): { gone: number; waiting: number } {
  const { segments, environment, config, highWatermark, logStartOffset, logEndOffset } = log
  const nowMs = environment.clock.wallMs()
  let count = expiredSegments(segments, config, highWatermark, nowMs, logEndOffset, logStartOffset)
  if (count > 0 && count === segments.length) {
    if (log.hasStaged || log.failure !== null) count--
    else {
      evenWhenFull(log, () => log.tail.markDirty())
      evenWhenFull(log, () => log.tail.roll(nowMs))
    }
  }
  if (count > 0) log.cleaning?.cancel()
  let gone = 0
  try {
    while (gone < count) {
      const next = segments[1]!
      if (!next.named) break
      // in this order: one that cannot be removed is still there, and so is its start
      segments[0]!.discard(environment.flush)
      segments.shift()
      log.startsAt(next.baseOffset)
      gone++
    }
  } finally {
    if (gone > 0) log.tail.removed()
  }
  if (gone > 0) {
    const { producers } = log
    const firstOffset = segments[0]!.baseOffset
    const newest = producers.snapshots.at(-1)
    producers.removeSnapshots((offset) => offset < firstOffset && offset !== newest)
    if (log.epochs.advance(log.logStartOffset)) evenWhenFull(log, () => log.tail.storeEpochs())
  }
  return { gone, waiting: count - gone }
}

/** Runs what must go on when the disk is full, at the end with the reserve given up. Throws DiskError. */
export function evenWhenFull<Result>(log: PartitionLog, work: () => Result): Result {
  const { space } = log.environment
  return space === null ? work() : space.withReserve(work)
}

/** {@link removeExpired}, with the log lines. */
export function applyRetention(log: PartitionLog): number {
  const { directory, partition, environment } = log
  const { logger } = environment
  try {
    const { gone, waiting } = removeExpired(log)
    if (gone > 0) {
      const { logStartOffset } = log
      const fields = { directory, partition, logStartOffset }
      logger.log('info', `Retention removed ${gone} segments`, fields)
    } else if (waiting > 0) log.requestFlush()
    return waiting
  } catch (error) {
    if (!(error instanceof DiskError)) throw error
    logger.log('error', `Retention failed: ${error.message}`, { directory, partition })
    return 0
  }
}
