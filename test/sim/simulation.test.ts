/** Some seeds of the simulator with each run, and many in long ones. A failing one is replayed by `npm run sim -- --seed N --verbose`. */
import { describe, expect, it } from 'vitest'
import { drawSwarm, FAULT_CLASSES, randomOf } from './faults.ts'
import { type SimulationResult, simulate } from './simulation.ts'

const SEEDS = process.env.GRIOT_TEST_LONG ? 500 : 15
const NEAR_SEEDS = process.env.GRIOT_TEST_LONG ? 100 : 5
const TIMEOUT_MS = process.env.GRIOT_TEST_LONG ? 1_800_000 : 180_000

/**
 * Seeds that fail for reasons that are known and not mended yet; the simulator replays them. Known, and shown by none of the first 500 since controllers keep
 * snapshots: a bit flips in the last batch of a log, which no recovery point covers, and after a death of the thread it is taken for one that was not written to
 * its end.
 */
const OPEN: ReadonlyMap<number, string> = new Map()

/** All that fail are told, not only the first. */
function tried(seed: number, failed: string[], readsFollowers = false): SimulationResult | null {
  try {
    return simulate({ seed, readsFollowers })
  } catch (error) {
    failed.push((error as Error).message.slice(0, 300))
    return null
  }
}

describe('simulated brokers, controller, front and clients', () => {
  it(
    `whatever happens, lose and double nothing, and come to rest afterwards (${SEEDS} seeds)`,
    () => {
      let acknowledged = 0
      let faults = 0
      let commits = 0
      let read = 0
      let snapshots = 0
      let cuts = 0
      const failed: string[] = []
      for (let seed = 1; seed <= SEEDS; seed++) {
        if (OPEN.has(seed)) continue
        const result = tried(seed, failed)
        if (result === null) continue
        acknowledged += result.acknowledged
        faults += result.faults
        commits += result.commits
        read += result.read
        snapshots += result.snapshots
        if (result.metadataStart > 0) cuts++
      }
      expect(failed).toEqual([])
      // a simulator in which nothing happens finds nothing
      expect(acknowledged).toBeGreaterThan(SEEDS * 200)
      expect(faults).toBeGreaterThan(SEEDS * 5)
      expect(commits).toBeGreaterThan(SEEDS * 20)
      expect(read).toBeGreaterThan(SEEDS * 100)
      expect(snapshots).toBeGreaterThan(SEEDS * 4)
      expect(cuts).toBeGreaterThan(SEEDS / 4)
    },
    TIMEOUT_MS,
  )

  it(
    `are read from followers, which show nothing that is not committed (${NEAR_SEEDS} seeds)`,
    () => {
      let readNear = 0
      const failed: string[] = []
      for (let seed = 1_001; seed <= 1_000 + NEAR_SEEDS; seed++) {
        readNear += tried(seed, failed, true)?.readNear ?? 0
      }
      expect(failed).toEqual([])
      expect(readNear).toBeGreaterThan(NEAR_SEEDS * 50)
    },
    TIMEOUT_MS,
  )

  it('does the same again with the same seed, and something else with another', () => {
    const digests = [7, 7, 8].map((seed) => simulate({ seed, steps: 400 }).digest)
    expect(digests[1]).toBe(digests[0])
    expect(digests[2]).not.toBe(digests[0])
  })

  it('draws every class of faults now and then, and leaves each out now and then', () => {
    const swarms = Array.from({ length: 50 }, (_, i) => drawSwarm(randomOf(i + 1), null))
    for (const fault of FAULT_CLASSES) {
      const on = swarms.filter(({ classes }) => classes.has(fault)).length
      expect(on, fault).toBeGreaterThan(5)
      expect(on, fault).toBeLessThan(45)
    }
  })
})
