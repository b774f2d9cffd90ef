/** A scripted life of one log, cut short by whatever the disk does, and what must be true afterwards. */
import { expect } from 'vitest'
import { ErrorCode } from '../../src/base/error-code.ts'
import type { LogConfig } from '../../src/log/log-config.ts'
import { LocateSource, newAppendOutcome } from '../../src/log/outcomes.ts'
import type { PartitionLog } from '../../src/log/partition-log.ts'
import { SimulatedCrash, SimulatedDisk } from '../../src/log/simulated-disk.ts'
import type { SimulatedFlusher } from '../../src/log/simulated-flusher.ts'
import {
  append,
  type Broker,
  batchOf,
  checkIndexes,
  newLocate,
  storedBatches,
  tailOf,
} from './support.ts'

export const SMALL: Partial<LogConfig> = {
  segmentBytes: 700,
  indexIntervalBytes: 100,
  retentionBytes: 2_500,
  retentionMs: -1,
}

interface Attempt {
  readonly base: number
  readonly last: number
  readonly tail: string
  readonly batch: Uint8Array
}

const PRODUCER = { producerId: 42, producerEpoch: 0 }

/** What was asked of the log, and what it promised. */
export class Story {
  readonly attempts: Attempt[] = []
  /** Offsets below were acknowledged. */
  acknowledged = 0
  logStart = 0
  sequence = 0
  cleanCloses = 0

  stage(log: PartitionLog, values: readonly string[], idempotent: boolean, epoch: number): void {
    const options = idempotent ? { ...PRODUCER, baseSequence: this.sequence } : {}
    const { clock } = log.environment
    const batch = batchOf(values, { ...options, timestampMs: clock.wallMs() })
    const out = newAppendOutcome()
    // Noted first: the crash may come while it is being staged.
    const base = this.attempts.at(-1)?.last ?? -1
    const last = base + values.length
    this.attempts.push({ base: base + 1, last, tail: tailOf(batch, 0, batch.length), batch })
    if (idempotent) this.sequence += values.length
    log.stage(batch, clock.wallMs(), epoch, out)
    expect([out.error, out.baseOffset], out.faultMessage ?? '').toEqual([0, base + 1])
  }

  observe(log: PartitionLog): void {
    this.acknowledged = Math.max(this.acknowledged, log.acknowledgedOffset)
    this.logStart = Math.max(this.logStart, log.logStartOffset)
  }
}

/** Appends, rolls, flushes, closes and reopens, drops old segments, until it is through or the disk says no. */
export function live(
  broker: Broker,
  flusher: SimulatedFlusher,
  config: Partial<LogConfig>,
  story: Story,
): void {
  broker.start()
  let log = broker.open(config)
  for (let step = 0; step < 24; step++) {
    const epoch = step < 9 ? 0 : 2
    story.stage(log, [`${step}-a`, `${step}-b`], step % 2 === 0, epoch)
    if (step % 3 === 0) story.stage(log, [`${step}-c`.padEnd(120, '.')], true, epoch)
    expect(log.write()).toBe(null)
    story.observe(log)
    if (step % 4 !== 1) flusher.doWork()
    story.observe(log)
    broker.clock.advance(1_000)
    if (step % 5 === 4) log.applyRetention()
    story.observe(log)
    if (step % 6 === 0) {
      while (flusher.doWork() > 0);
      log.flushAll(() => {})
      while (flusher.doWork() > 0);
      log.close()
      story.observe(log)
      story.cleanCloses++
      if (step === 12) {
        broker.environment.recoveryPoints.close()
        while (flusher.doWork() > 0);
        broker.start()
      }
      log = broker.open(config)
    }
  }
  while (flusher.doWork() > 0);
  story.observe(log)
}

/** Runs `life` until the disk's operation number `at`; whether it got that far. */
export function liveUntil(disk: SimulatedDisk, at: number, life: () => void): boolean {
  disk.onOperation = ({ number }) => (number === at ? { kind: 'crash' } : null)
  try {
    life()
    disk.onOperation = null
    return false
  } catch (error) {
    if (!(error instanceof SimulatedCrash)) throw error
    return true
  }
}

export interface AfterCrash {
  /** Everything acknowledged must be there. */
  readonly keepsAcknowledged: boolean
}

/** Opens the log again and checks that it is a whole prefix of what was attempted, and can be lived with. */
export function checkAfter(
  broker: Broker,
  flusher: SimulatedFlusher,
  config: Partial<LogConfig>,
  story: Story,
  promise: AfterCrash,
): void {
  broker.start()
  const log = broker.open(config)
  expect(log.failure).toBe(null)
  const stored = storedBatches(log)
  expect(log.logStartOffset).toBeLessThanOrEqual(Math.max(story.logStart, log.logEndOffset))
  if (promise.keepsAcknowledged) {
    expect(log.logEndOffset).toBeGreaterThanOrEqual(story.acknowledged)
    expect(log.logStartOffset).toBeLessThanOrEqual(story.acknowledged)
  }
  const expected = story.attempts.filter(
    ({ base, last }) => base >= log.logStartOffset && last < log.logEndOffset,
  )
  expect(stored.map(({ base, last, tail }) => ({ base, last, tail }))).toEqual(
    expected.map(({ base, last, tail }) => ({ base, last, tail })),
  )
  expect(stored.at(-1)?.last ?? log.logStartOffset - 1).toBe(log.logEndOffset - 1)
  checkIndexes(log)
  checkLocate(log)
  checkProducer(log, story)
  const end = log.logEndOffset
  const out = append(log, batchOf(['after']), 3)
  expect([out.error, out.baseOffset], out.faultMessage ?? '').toEqual([0, end])
  // Once more, so that nothing is left behind what was found.
  const { disk } = log.environment
  if (disk instanceof SimulatedDisk) disk.kill()
  flusher.forget()
  broker.start()
  const again = broker.open(config)
  expect([again.failure, again.logEndOffset]).toEqual([null, end + 1])
  const tails = storedBatches(again).map(({ tail }) => tail)
  expect(tails.slice(0, -1)).toEqual(stored.map(({ tail }) => tail))
  checkIndexes(again)
}

/** Every offset is found in the files, in the batch that has it. */
function checkLocate(log: PartitionLog): void {
  const where = newLocate()
  for (const { base, last } of storedBatches(log)) {
    log.locate(last, 1, where)
    expect([where.error, where.source]).toEqual([ErrorCode.NONE, LocateSource.FILE])
    const segment = log.segments.find((one) => one.baseOffset === where.segmentBaseOffset)!
    const header = new Uint8Array(8)
    segment.log.get().read(header, 0, 8, where.position)
    expect(new DataView(header.buffer).getBigInt64(0)).toBe(BigInt(base))
  }
}

/** The last idempotent batch that is there is known as a duplicate; the one after it is taken up in sequence. */
function checkProducer(log: PartitionLog, story: Story): void {
  const mine = story.attempts.filter(
    ({ batch, last }) => batch[50] === PRODUCER.producerId && last < log.logEndOffset,
  )
  const newest = mine.at(-1)
  if (newest === undefined) return
  expect(append(log, newest.batch)).toMatchObject({
    error: 0,
    duplicate: true,
    baseOffset: newest.base,
    lastOffset: newest.last,
  })
  const gap = batchOf(['gap'], { ...PRODUCER, baseSequence: story.sequence + 1000 })
  expect(append(log, gap).error).toBe(ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER)
}
