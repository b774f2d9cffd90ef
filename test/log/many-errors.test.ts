/** Errors of the disk, many of them and anywhere: what the log took stays, what it refused is not there. */
import { expect, it } from 'vitest'
import { ErrorCode } from '../../src/base/error-code.ts'
import { SeededRandom } from '../../src/base/random.ts'
import { newAppendOutcome } from '../../src/log/outcomes.ts'
import type { PartitionLog } from '../../src/log/partition-log.ts'
import { batchOf, checkIndexes, simulated, storedBatches, tailOf } from './support.ts'

const isLong = process.env.GRIOT_TEST_LONG !== undefined
const SEEDS = isLong ? Array.from({ length: 400 }, (_, i) => i + 1) : [1, 2, 3, 4, 5, 6, 233]
const STEPS = 60

class Life {
  readonly #random: SeededRandom
  readonly #world: ReturnType<typeof simulated>
  readonly #config
  readonly #taken = new Map<number, string>()
  readonly #operations = ['write', 'open', 'rename', 'mkdir']
  /** A segment that could be removed in part only has no indexes to be checked. */
  readonly #removals: boolean
  #sequence = 0
  #log: PartitionLog

  constructor(seed: number) {
    this.#random = new SeededRandom(seed)
    this.#world = simulated(seed % 3 !== 0)
    this.#removals = seed % 2 === 0
    if (this.#removals) this.#operations.push('remove')
    this.#config = {
      segmentBytes: 900,
      indexIntervalBytes: 100,
      retentionBytes: 4_000,
      retentionMs: -1,
      flushMessages: seed % 4 === 0 ? 1 : Number.MAX_SAFE_INTEGER,
    }
    const { broker } = this.#world
    broker.flushEveryBytes = seed % 3 === 0 ? 2_000 : 20_000
    broker.noteEveryBytes = 500
    broker.start()
    this.#log = broker.open(this.#config)
  }

  step(): void {
    const { disk, flusher, broker } = this.#world
    const random = this.#random
    disk.onOperation = ({ operation }) =>
      this.#operations.includes(operation) && random.chance(0.12)
        ? { kind: 'error', code: random.chance(0.5) ? 'ENOSPC' : 'EIO' }
        : null
    this.#append(1 + random.below(3))
    if (random.chance(0.7)) flusher.doWork()
    if (random.chance(0.2)) this.#log.applyRetention()
    if (random.chance(0.05)) this.#log.flushAll(() => {})
    broker.clock.advance(1_000)
    disk.onOperation = null
    this.#check()
    if (this.#log.failure !== null || random.chance(0.06)) this.#openAgain()
    if (!this.#removals) checkIndexes(this.#log)
  }

  #append(count: number): void {
    const parked: { base: number; last: number; tail: string; count: number }[] = []
    for (let i = 0; i < count; i++) {
      const long = this.#random.chance(0.3)
      const values = long ? ['x'.repeat(this.#random.below(300))] : ['a', 'b']
      const batch = batchOf(values, {
        producerId: 9,
        producerEpoch: 0,
        baseSequence: this.#sequence,
        timestampMs: 1_700_000_000_000 + this.#random.below(100_000),
      })
      const out = newAppendOutcome()
      this.#log.stage(batch, this.#world.broker.clock.wallMs(), 0, out)
      if (out.error !== ErrorCode.NONE) {
        expect(out.error, out.faultMessage ?? '').toBe(ErrorCode.KAFKA_STORAGE_ERROR)
        continue
      }
      expect(out.duplicate).toBe(false)
      const { baseOffset: base, lastOffset: last } = out
      parked.push({ base, last, tail: tailOf(batch, 0, batch.length), count: values.length })
      this.#sequence += values.length
    }
    this.#log.write()
    for (const { base, last, tail, count } of parked) {
      if (last < this.#log.logEndOffset) this.#taken.set(base, tail)
      // The client sends it again with the sequence that the log still expects.
      else this.#sequence -= count
    }
  }

  #openAgain(): void {
    const { disk, flusher, broker } = this.#world
    if (this.#random.chance(0.5)) {
      disk.kill()
      flusher.forget()
      broker.start()
    } else {
      this.#log.flushAll(() => {})
      while (flusher.doWork() > 0);
      this.#log.close()
    }
    this.#log = broker.open(this.#config)
    expect(this.#log.failure).toBe(null)
    this.#check()
  }

  #check(): void {
    const start = this.#log.logStartOffset
    const expected = [...this.#taken].filter(([base]) => base >= start)
    const stored = storedBatches(this.#log, 0)
    expect(stored.map(({ base }) => base)).toEqual(expected.map(([base]) => base))
    expect(stored.map(({ tail }) => tail)).toEqual(expected.map(([, tail]) => tail))
  }
}

it(
  'whatever fails, the log holds what it took, in order, and nothing else',
  () => {
    for (const seed of SEEDS) {
      const life = new Life(seed)
      for (let step = 0; step < STEPS; step++) {
        try {
          life.step()
        } catch (error) {
          const why = (error as Error).message
          throw new Error(`seed ${seed}, step ${step}: ${why}`, { cause: error })
        }
      }
    }
  },
  isLong ? 300_000 : 20_000,
)
