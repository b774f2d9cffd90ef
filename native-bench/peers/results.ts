/** Results on disk: one file for each run of a row, of which the newest is kept and committed. */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Circumstances } from '../common/machine.ts'
import type { Figures, Measure, Round } from './measures.ts'

/** Raised when a file of before can no longer be read as one of now. */
const FORMAT = 1

export interface RowResult {
  readonly format: typeof FORMAT
  readonly row: string
  readonly title: string
  /** What Griot was held against, with its version. */
  readonly peer: string
  readonly command: string
  readonly at: Circumstances
  /** Java's version where there was one. */
  readonly java: string | null
  /** Of the machine before anything was started: 0 is quiet. */
  readonly loadBefore: number
  /** Cores that were busy with something else during the row, in the mean; null where nobody could tell. Older results lack it. */
  readonly othersCores?: number | null
  /** Of a run, measured. */
  readonly seconds: number
  readonly measures: readonly Measure[]
  readonly rounds: readonly Round[]
  /** What else there is to say: the rate of an open loop, what the idle side took. */
  readonly notes: readonly string[]
}

/** Five significant digits: more would be noise, and grow the repository. JSON has no NaN: what was not measured is left out. */
const compact = (figures: Figures): Figures =>
  Object.fromEntries(
    Object.entries(figures)
      .filter(([, value]) => Number.isFinite(value))
      .map(([key, value]) => [key, Number(value.toPrecision(5))]),
  )

export const fileName = (result: RowResult): string => {
  const time = result.at.date.slice(0, 19).replaceAll(':', '')
  return `${result.row}-${time}-${(result.at.commit ?? 'unknown').replace('+', '-changed')}.json`
}

/** Writes `result` into `directory` and removes older ones of its row. Returns the path. */
export function keepResult(directory: string, result: RowResult): string {
  mkdirSync(directory, { recursive: true })
  const path = join(directory, fileName(result))
  const { rounds, ...rest } = result
  const lines = rounds.map(({ griot, peer }) =>
    JSON.stringify({ griot: compact(griot), peer: compact(peer) }),
  )
  const head = JSON.stringify(rest, null, 1).slice(0, -2)
  writeFileSync(path, `${head},\n "rounds": [\n  ${lines.join(',\n  ')}\n ]\n}\n`)
  for (const [older, other] of readAll(directory)) {
    if (other.row === result.row && other.at.date < result.at.date) rmSync(join(directory, older))
  }
  return path
}

/** The newest result of each row in `directory`. Throws naming the file that is none of ours. */
export function newestResults(directory: string): ReadonlyMap<string, RowResult> {
  const newest = new Map<string, RowResult>()
  for (const [, result] of readAll(directory)) {
    const known = newest.get(result.row)
    if (known === undefined || known.at.date < result.at.date) newest.set(result.row, result)
  }
  return newest
}

function readAll(directory: string): [name: string, result: RowResult][] {
  let names: string[]
  try {
    names = readdirSync(directory)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
  return names
    .filter((name) => name.endsWith('.json'))
    .map((name) => [name, read(join(directory, name))])
}

function read(path: string): RowResult {
  let found: Partial<RowResult> | null
  try {
    found = JSON.parse(readFileSync(path, 'utf8'))
  } catch (error) {
    throw new Error(`${path} is no JSON: ${(error as Error).message}`)
  }
  if (found?.format !== FORMAT || !Array.isArray(found.rounds))
    throw new Error(`${path} is no result of format ${FORMAT}: run its row again, or remove it`)
  return found as RowResult
}
