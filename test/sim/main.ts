/** `npm run sim -- --seed N` replays one seed and tells everything; `--seeds N` runs many, and stops at the first that fails. */
import { parseArgs } from 'node:util'
import { FAULT_CLASSES, isFaultClass } from './faults.ts'
import { simulate } from './simulation.ts'

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    seeds: { type: 'string' },
    from: { type: 'string', default: '1' },
    steps: { type: 'string' },
    only: { type: 'string' },
    verbose: { type: 'boolean', default: false },
    'keep-going': { type: 'boolean', default: false },
  },
})

function numberOf(name: string, text: string): number {
  const number = Number(text)
  if (!Number.isSafeInteger(number) || number < 0) throw new Error(`--${name} wants a number`)
  return number
}

function classesOf(text: string) {
  const names = text.split(',').filter((name) => name !== '')
  return names.map((name) => {
    if (isFaultClass(name)) return name
    throw new Error(`--only: ${name} is none of ${FAULT_CLASSES.join(', ')}`)
  })
}

const options = {
  ...(values.steps === undefined ? {} : { steps: numberOf('steps', values.steps) }),
  only: values.only === undefined ? null : classesOf(values.only),
}

function replay(seed: number): void {
  const trace = values.verbose ? (line: string) => console.log(line) : null
  const { errors, ...result } = simulate({ ...options, seed, trace })
  console.log(JSON.stringify({ ...result, errors: Object.fromEntries(errors) }))
}

function many(count: number, from: number): void {
  const startedAtMs = performance.now()
  const failed: number[] = []
  let acknowledged = 0
  let faults = 0
  for (let i = 0; i < count; i++) {
    try {
      const result = simulate({ ...options, seed: from + i })
      acknowledged += result.acknowledged
      faults += result.faults
    } catch (error) {
      failed.push(from + i)
      console.error(error instanceof Error ? error.message : error)
      if (!values['keep-going']) break
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

if (values.seed !== undefined) replay(numberOf('seed', values.seed))
else many(numberOf('seeds', values.seeds ?? '100'), numberOf('from', values.from))
