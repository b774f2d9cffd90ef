/** A death, a power cut, an error at every single change on disk that cleaning makes. */
import { describe, expect, it } from 'vitest'
import { LogCleaning } from '../../src/log/log-cleaning.ts'
import type { LogConfig } from '../../src/log/log-config.ts'
import type { PartitionLog } from '../../src/log/partition-log.ts'
import {
  checkGaps,
  type Keyed,
  keyed,
  newKeys,
  reduced,
  type SeenRecord,
  seenRecords,
} from './cleaning-support.ts'
import { append, type Broker, checkIndexes, DIRECTORY, simulated } from './support.ts'
import { liveUntil } from './workload.ts'

const CONFIG: Partial<LogConfig> = {
  segmentBytes: 500,
  indexIntervalBytes: 100,
  retentionMs: -1,
  cleanupPolicy: { delete: false, compact: true },
  deleteRetentionMs: 3_000,
  flushMessages: 1,
}
const ORIGIN = { origin: 'broker' } as const
const TIMEOUT_MS = process.env.GRIOT_TEST_LONG ? 600_000 : 60_000
const SEEDS = process.env.GRIOT_TEST_LONG ? 20 : 1
/** In the short suite not each change is struck by each kind. */
const EVERY = process.env.GRIOT_TEST_LONG ? 1 : 2

type World = ReturnType<typeof simulated>

/** What was appended, and how far it was acknowledged. */
interface Told {
  readonly appended: SeenRecord[]
  acknowledged: number
}

/** Writes, cleans, writes on while it cleans, closes in the midst of it, cleans again. */
function live({ broker, flusher }: World, told: Told): void {
  broker.start()
  let log = broker.open(CONFIG, ORIGIN)
  let epoch = 0
  const write = (step: number) => {
    const records = [
      [`k${step % 4}`, step % 5 === 0 ? null : `${step}`],
      [`k${(step * 3) % 7}`, `${step}'`.padEnd(30, '.')],
      ...(step % 6 === 0 ? [[null, 'no key'] as const] : []),
    ] satisfies Keyed[]
    const timestampMs = broker.clock.wallMs()
    const at = log.logEndOffset
    records.forEach(([key, value], index) => {
      told.appended.push({ offset: at + index, timestampMs, key, value })
    })
    expect(append(log, keyed(records, { timestampMs }), epoch++ >> 3).error).toBe(0)
    broker.clock.advance(400)
    flusher.doWork()
    told.acknowledged = Math.max(told.acknowledged, log.acknowledgedOffset)
  }
  const clean = (steps: number, first: number) => {
    const limits = { bytesPerStep: 400, segmentsMax: 3 }
    const cleaning = new LogCleaning(log, newKeys(), limits)
    for (let i = 0; i < steps && cleaning.outcome === null; i++) {
      if (cleaning.step() === 0) flusher.doWork()
      if (i % 9 === 8) write(first + i)
    }
    return cleaning.outcome
  }
  for (let step = 0; step < 18; step++) write(step)
  while (flusher.doWork() > 0);
  expect(clean(1_000, 100)).toMatchObject({ kind: 'cleaned' })
  for (let step = 18; step < 30; step++) write(step)
  while (flusher.doWork() > 0);
  // it is closed while a swap is under way, and opened again
  clean(9, 200)
  while (flusher.doWork() > 0);
  log.flushAll(() => {})
  while (flusher.doWork() > 0);
  log.close()
  log = broker.open(CONFIG, ORIGIN)
  for (let step = 30; step < 36; step++) write(step)
  while (flusher.doWork() > 0);
  expect(clean(1_000, 300)).toMatchObject({ kind: 'cleaned' })
}

function check(log: PartitionLog, told: Told): void {
  expect(log.failure).toBe(null)
  expect(log.logStartOffset).toBe(0)
  expect(log.logEndOffset).toBeGreaterThanOrEqual(told.acknowledged)
  const seen = seenRecords(log)
  const byOffset = new Map(told.appended.map((record) => [record.offset, record]))
  expect(seen).toEqual(seen.map(({ offset }) => byOffset.get(offset)))
  const all = told.appended.filter(({ offset }) => offset < log.logEndOffset)
  expect(reduced(seen)).toEqual(reduced(all))
  checkGaps(log)
  checkIndexes(log)
}

/** Opens what is left, checks it, lives on with it, and checks it again. */
function checkAfter({ broker, disk, flusher }: World, told: Told): void {
  flusher.forget()
  broker.start()
  let log = broker.open(CONFIG, ORIGIN)
  check(log, told)
  told.appended.splice(
    0,
    told.appended.length,
    ...told.appended.filter(({ offset }) => offset < log.logEndOffset),
  )
  expect(disk.list(log.directory).filter((name) => /cleaned$|swap/.test(name))).toEqual([])
  writeMore(broker, log, told)
  while (flusher.doWork() > 0);
  const cleaning = new LogCleaning(log, newKeys())
  while (cleaning.outcome === null) if (cleaning.step() === 0) flusher.doWork()
  expect(['cleaned', 'cancelled']).toContain(cleaning.outcome.kind)
  check(log, told)
  disk.kill()
  flusher.forget()
  broker.start()
  log = broker.open(CONFIG, ORIGIN)
  check(log, told)
}

function writeMore(broker: Broker, log: PartitionLog, told: Told): void {
  for (let i = 0; i < 12; i++) {
    const timestampMs = broker.clock.wallMs()
    const records = [[`k${i % 3}`, `after ${i}`.padEnd(60, '.')]] as const
    const offset = log.logEndOffset
    told.appended.push({ offset, timestampMs, key: records[0][0], value: records[0][1] })
    expect(append(log, keyed(records, { timestampMs }), 60).error).toBe(0)
  }
}

function strikeEverywhere(seeds: number, after: (world: World, seed: number) => void): number {
  for (let at = 1 + (seeds % EVERY); ; at += EVERY) {
    for (let seed = 1; seed <= seeds; seed++) {
      const world = simulated(false)
      const told: Told = { appended: [], acknowledged: 0 }
      const from = world.disk.operations
      const struck = liveUntil(world.disk, from + at, () => live(world, told))
      if (!struck) return at - 1
      try {
        after(world, at * 1000 + seed)
        checkAfter(world, told)
      } catch (error) {
        throw new Error(`struck at change ${at}, seed ${seed}: ${(error as Error).message}`, {
          cause: error,
        })
      }
    }
  }
}

describe('while a log is written and cleaned', () => {
  it(
    'a power cut after any change on disk leaves the old or the new, and nothing acknowledged is lost',
    () => {
      const changes = strikeEverywhere(SEEDS, ({ disk }, seed) => disk.powerCut(seed))
      expect(changes).toBeGreaterThan(300)
    },
    TIMEOUT_MS,
  )

  it(
    'a death of the process at any change does so, too',
    () => {
      const changes = strikeEverywhere(1, ({ disk }) => disk.kill())
      expect(changes).toBeGreaterThan(300)
    },
    TIMEOUT_MS,
  )
})

describe('an error of the disk while a log is cleaned', () => {
  /** A log with something to clean, all of it durable. */
  function prepared(reserveBytes = 0) {
    const world = simulated(false)
    world.broker.reserveBytes = reserveBytes
    world.broker.start()
    const log = world.broker.open(CONFIG, ORIGIN)
    const told: Told = { appended: [], acknowledged: 0 }
    for (let i = 0; i < 3; i++) writeMore(world.broker, log, told)
    while (world.flusher.doWork() > 0);
    expect(log.segments.length).toBeGreaterThan(4)
    return { world, log, told }
  }

  it.each([
    ['ENOSPC', 0],
    ['EIO', 0],
    ['ENOSPC', 4_096],
  ] as const)(
    '%s at any change ends that cleaning at most (reserve of %i bytes)',
    (code, reserve) => {
      let failures = 0
      let reopened = 0
      for (let at = 1; ; at++) {
        const { world, log, told } = prepared(reserve)
        const { broker, disk, flusher } = world
        let struck = false
        const from = disk.operations
        disk.onOperation = ({ number, operation }) => {
          if (number !== from + at) return null
          struck = true
          // what is full can still be emptied
          return code === 'ENOSPC' && ['remove', 'flush'].includes(operation)
            ? null
            : { kind: 'error', code }
        }
        const cleaning = new LogCleaning(log, newKeys(), { segmentsMax: 3 })
        while (cleaning.outcome === null) if (cleaning.step() === 0) flusher.doWork()
        disk.onOperation = null
        // a swap that was given up is made durable, which a lost flush of the directory makes fail
        while (flusher.doWork() > 0);
        if (!struck) {
          expect(at).toBeGreaterThan(40)
          break
        }
        if (cleaning.outcome.kind === 'failed') failures++
        let now = log
        if (log.failure !== null) {
          // in the midst of a swap: an opening brings it to its end
          reopened++
          log.close()
          now = broker.open(CONFIG, ORIGIN)
          while (flusher.doWork() > 0);
        }
        check(now, told)
        const again = new LogCleaning(now, newKeys(), { segmentsMax: 3 })
        while (again.outcome === null) if (again.step() === 0) flusher.doWork()
        const kinds = [cleaning.outcome.kind, again.outcome.kind]
        expect([at, kinds.includes('cleaned')]).toEqual([at, true])
        check(now, told)
        expect(
          seenRecords(now).filter(({ offset }) => offset < now.cleanPoint.cleanTo).length,
        ).toBe(3)
        now.close()
        check(broker.open(CONFIG, ORIGIN), told)
      }
      if (reserve > 0) expect([failures, reopened]).toEqual([0, 0])
      else expect(failures).toBeGreaterThan(10)
    },
  )
})

describe('a swap that is given up', () => {
  const SEEDS_OF_CUT = 20
  /** A log whose first segments are about to give way to a cleaned one, the name of which is durable. */
  function swapping() {
    const world = simulated(false)
    const log = world.broker.open(CONFIG, ORIGIN)
    const told: Told = { appended: [], acknowledged: 0 }
    for (let i = 0; i < 3; i++) writeMore(world.broker, log, told)
    while (world.flusher.doWork() > 0);
    const cleaning = new LogCleaning(log, newKeys(), { segmentsMax: 3 })
    const isNamed = () => swapFiles(world).some((name) => name.includes('.swap-'))
    while (!isNamed()) if (cleaning.step() === 0) world.flusher.doWork()
    while (world.flusher.doWork() > 0);
    expect([cleaning.outcome, cleaning.isWaiting]).toEqual([null, false])
    return { world, log, told, cleaning }
  }
  const swapFiles = ({ disk }: World) =>
    disk.list(DIRECTORY).filter((name) => /cleaned$|swap-/.test(name))

  it('does not come back with a power cut', () => {
    for (let seed = 1; seed <= SEEDS_OF_CUT; seed++) {
      const { world, cleaning, told } = swapping()
      cleaning.cancel()
      expect(swapFiles(world)).toEqual([])
      while (world.flusher.doWork() > 0);
      world.disk.powerCut(seed * 7_919)
      expect([seed, swapFiles(world)]).toEqual([seed, []])
      checkAfter(world, told)
    }
  })

  it('takes nothing with it that was written after a truncation', () => {
    for (let seed = 1; seed <= SEEDS_OF_CUT; seed++) {
      const { world, log } = swapping()
      const { broker, disk, flusher } = world
      const end = log.segments[1]!.baseOffset - 1
      log.truncateTo(end)
      const at = log.logEndOffset
      const kept = seenRecords(log)
      // up to where the next segment began: one that came back would follow on it
      expect(append(log, keyed([['new', `${seed}`]])).baseOffset).toBe(at)
      while (flusher.doWork() > 0);
      expect(log.acknowledgedOffset).toBe(at + 1)
      disk.powerCut(seed * 7_919)
      flusher.forget()
      broker.start()
      const again = broker.open(CONFIG, ORIGIN)
      expect([seed, again.logEndOffset]).toEqual([seed, at + 1])
      // the entry that the log was cut may be lost: that it ends so early is damage then
      expect(again.failure ?? '').toMatch(/^$|^ends at offset \d+, but was whole to \d+$/)
      const seen = seenRecords(again)
      expect(seen.slice(0, -1)).toEqual(kept)
      expect(seen.at(-1)).toMatchObject({ offset: at, key: 'new', value: `${seed}` })
      expect(again.cleanPoint.gapsTo).toBeLessThanOrEqual(at)
    }
  })
})
