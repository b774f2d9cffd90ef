import { describe, expect, it } from 'vitest'
import type { LogConfig } from '../../src/log/log-config.ts'
import { append, batchOf, simulated, storedBatches } from './support.ts'
import { checkAfter, live, liveUntil, SMALL, Story } from './workload.ts'

const TIMEOUT_MS = process.env.GRIOT_TEST_LONG ? 600_000 : 60_000
const SEEDS = process.env.GRIOT_TEST_LONG ? 50 : 2

/** Strikes at every single change that the workload makes on disk; returns how many there are. */
function strikeEverywhere(
  config: Partial<LogConfig>,
  seeds: number,
  after: (disk: ReturnType<typeof simulated>['disk'], seed: number) => boolean,
): number {
  for (let at = 1; ; at++) {
    for (let seed = 1; seed <= seeds; seed++) {
      const { disk, flusher, broker } = simulated(seed % 2 === 0)
      // Every other life notes its flushes in the midst of segments too.
      if (seed % 4 < 2) broker.noteEveryBytes = 300
      if (seed % 3 < 2) broker.flushEveryBytes = 300
      const story = new Story()
      const from = disk.operations
      const struck = liveUntil(disk, from + at, () => live(broker, flusher, config, story))
      if (!struck) return at - 1
      const keepsAcknowledged = after(disk, at * 1000 + seed)
      flusher.forget()
      try {
        checkAfter(broker, flusher, config, story, { keepsAcknowledged })
      } catch (error) {
        throw new Error(`struck at change ${at}, seed ${seed}: ${(error as Error).message}`, {
          cause: error,
        })
      }
    }
  }
}

describe('a power cut after every single write', () => {
  it(
    'with flush.messages=1 loses nothing acknowledged',
    () => {
      const config = { ...SMALL, flushMessages: 1 }
      const changes = strikeEverywhere(config, SEEDS, (disk, seed) => {
        disk.powerCut(seed)
        return true
      })
      expect(changes).toBeGreaterThan(200)
    },
    TIMEOUT_MS,
  )

  it('believes no index of which something in the midst was lost', () => {
    // notes what is whole, flushes no index: the first entry of the time index was lost, and the last was not
    const { disk, flusher, broker } = simulated(false)
    broker.noteEveryBytes = 300
    const story = new Story()
    const config = { ...SMALL, flushMessages: 1 }
    const from = disk.operations
    liveUntil(disk, from + 85, () => live(broker, flusher, config, story))
    disk.powerCut(85_029)
    flusher.forget()
    checkAfter(broker, flusher, config, story, { keepsAcknowledged: true })
  })

  it(
    'without flushing leaves a prefix of the log, and never garbage',
    () => {
      const changes = strikeEverywhere(SMALL, SEEDS + 1, (disk, seed) => {
        disk.powerCut(seed)
        return false
      })
      expect(changes).toBeGreaterThan(150)
    },
    TIMEOUT_MS,
  )
})

describe('a death of the process after every single write', () => {
  it(
    'loses nothing acknowledged, flushed or not',
    () => {
      const changes = strikeEverywhere(SMALL, 2, (disk) => {
        disk.kill()
        return true
      })
      expect(changes).toBeGreaterThan(150)
    },
    TIMEOUT_MS,
  )
})

describe('a power cut after a truncation', () => {
  it('brings back no segment that would follow on what was written since', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const { broker, disk, flusher } = simulated(false)
      const config = { segmentBytes: 300, indexIntervalBytes: 50, flushMessages: 1 }
      const log = broker.open(config)
      for (let i = 0; i < 12; i++) append(log, batchOf([`old ${i}`]))
      while (flusher.doWork() > 0);
      const next = log.segments[1]!.baseOffset
      log.truncateTo(next - 1)
      append(log, batchOf(['new']))
      while (flusher.doWork() > 0);
      expect([log.logEndOffset, log.acknowledgedOffset]).toEqual([next, next])
      disk.powerCut(seed * 7_919)
      flusher.forget()
      broker.start()
      const again = broker.open(config)
      expect([seed, again.logEndOffset]).toEqual([seed, next])
      expect(storedBatches(again).at(-1)!.tail).toContain('new')
    }
  })
})
