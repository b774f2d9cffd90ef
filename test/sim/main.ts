/** `npm run sim -- --seed N` replays one seed and tells everything; `--seeds N` runs many, and stops at the first that fails. */
import { optionsOf, runCommand, UsageError, wholeNumber } from '../command-options.ts'
import { FAULT_CLASSES, type FaultClass, isFaultClass } from './faults.ts'
import { simulate } from './simulation.ts'

const USAGE = `npm run sim -- [options]: whole engines of simulated brokers, whose disks, networks and clocks fail as a seed says

  --seeds N      so many seeds (100), until one fails
  --from N       the first of them (1)
  --keep-going   also after one that fails
  --seed N       that one alone, and what came of it
  --verbose      with everything that happens in it
  --steps N      how long each goes on
  --only NAMES   these faults alone, of ${FAULT_CLASSES.join(', ')}

Ends with 0 when nothing that was acknowledged was lost, doubled or reordered, and with 1 and the seed otherwise.`

const OPTIONS = {
  seed: { type: 'string' },
  seeds: { type: 'string', default: '100' },
  from: { type: 'string', default: '1' },
  steps: { type: 'string' },
  only: { type: 'string' },
  verbose: { type: 'boolean', default: false },
  'keep-going': { type: 'boolean', default: false },
} as const

interface Settings {
  readonly steps?: number
  readonly only: readonly FaultClass[] | null
}

function classesOf(text: string): FaultClass[] {
  const names = text.split(',').filter((name) => name !== '')
  return names.map((name) => {
    if (isFaultClass(name)) return name
    throw new UsageError(`--only: ${name} is none of ${FAULT_CLASSES.join(', ')}`)
  })
}

function replay(seed: number, settings: Settings, isVerbose: boolean): void {
  const trace = isVerbose ? (line: string) => console.log(line) : null
  const { errors, ...result } = simulate({ ...settings, seed, trace })
  console.log(JSON.stringify({ ...result, errors: Object.fromEntries(errors) }))
}

function many(count: number, from: number, settings: Settings, keepsGoing: boolean): void {
  const startedAtMs = performance.now()
  const failed: number[] = []
  let acknowledged = 0
  let faults = 0
  for (let i = 0; i < count; i++) {
    try {
      const result = simulate({ ...settings, seed: from + i })
      acknowledged += result.acknowledged
      faults += result.faults
    } catch (error) {
      failed.push(from + i)
      console.error(error instanceof Error ? error.message : error)
      if (!keepsGoing) break
    }
    const isTold = (i + 1) % 50 === 0
    if (isTold)
      console.log(`${i + 1} seeds, ${((performance.now() - startedAtMs) / 1e3).toFixed()} s`)
  }
  const seconds = ((performance.now() - startedAtMs) / 1e3).toFixed(1)
  console.log(`${acknowledged} batches acknowledged, ${faults} faults, ${seconds} s`)
  if (failed.length === 0) return
  console.log(`failed: ${failed.join(' ')}; npm run sim -- --seed ${failed[0]} --verbose`)
  process.exitCode = 1
}

await runCommand(USAGE, (args) => {
  const { seed, seeds, from, steps, only, verbose, ...rest } = optionsOf(args, OPTIONS)
  const settings = {
    ...(steps === undefined ? {} : { steps: wholeNumber('steps', steps, 1) }),
    only: only === undefined ? null : classesOf(only),
  }
  if (seed !== undefined) replay(wholeNumber('seed', seed), settings, verbose)
  else many(wholeNumber('seeds', seeds, 1), wholeNumber('from', from), settings, rest['keep-going'])
})
