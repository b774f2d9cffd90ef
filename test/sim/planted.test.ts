/**
 * Each planted bug is found: with the seed that was recorded, or, where that run has taken another course since, by a short hunt. In long runs by a hunt
 * of its own, and then that seed must find nothing without it. `SIM_RECORD=1` hunts anew, and writes the seeds down.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { PLANTED, type PlantedBug, UNCAUGHT } from './planted.ts'
import { OUT, plant, run } from './planting.ts'

const SEEDS_FILE = join(import.meta.dirname, 'planted-seeds.json')
const HUNTS = process.env.GRIOT_TEST_LONG !== undefined || process.env.SIM_RECORD !== undefined
/** A bug that so many seeds do not show is not found. */
const HUNT_SEEDS = 200
const SHORT_HUNT_SEEDS = 40
const NOT_FOUND = { caughtBy: null, message: '' }
const TIMEOUT_MS = HUNTS ? 900_000 : 120_000

const recorded: Record<string, number> = JSON.parse(readFileSync(SEEDS_FILE, 'utf8'))
const nameOf = (bug: PlantedBug): string => `planted-${PLANTED.indexOf(bug)}`

afterAll(() => {
  if (process.env.SIM_RECORD !== undefined) {
    writeFileSync(SEEDS_FILE, `${JSON.stringify(recorded, null, 2)}\n`)
  }
  rmSync(OUT, { recursive: true, force: true })
})

describe('planted bugs', () => {
  it('has ten, six of them outside of raft', () => {
    expect(PLANTED.length).toBeGreaterThanOrEqual(10)
    const outside = PLANTED.filter(({ file }) => !file.startsWith('raft/'))
    expect(outside.length).toBeGreaterThanOrEqual(6)
    expect(Object.keys(recorded).sort()).toEqual(PLANTED.map(({ name }) => name).sort())
  })

  it.each(PLANTED)('$name', { timeout: TIMEOUT_MS }, async (bug) => {
    const file = await plant(bug, nameOf(bug))
    const { only } = bug
    let found = HUNTS ? NOT_FOUND : run(file, { from: recorded[bug.name]!, seeds: 1, only })
    const seeds = HUNTS ? HUNT_SEEDS : SHORT_HUNT_SEEDS
    if (found.caughtBy === null) found = run(file, { from: 1, seeds, only })
    expect(found.caughtBy, 'the seed that shows it').not.toBe(null)
    recorded[bug.name] = found.caughtBy!
    // it is the bug that this seed shows
    if (HUNTS) {
      const clean = await plant(null, 'clean')
      expect(run(clean, { from: found.caughtBy!, seeds: 1, only }).message).toBe('')
    }
  })

  it('that are not caught can be planted all the same', async () => {
    for (const bug of UNCAUGHT) await plant(bug, 'uncaught')
  })
})
