/** Runs the limits by turns, round after round, so that what the machine does beside hits all of them alike. */
import { execFile } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { compile, compiler, sources } from './compile.ts'
import { type Context, LIMITS, type Limit, type LimitName } from './programs.ts'

/** The line that each program prints. Percentiles are there where the value is made of single durations. */
export interface LimitLine {
  readonly name: string
  readonly unit: 'B/s' | '1/s' | 'ms'
  readonly value: number
  readonly p50Us?: number
  readonly p99Us?: number
  readonly args: Readonly<Record<string, string | number>>
}

/** One limit with its rounds. */
export interface MeasuredLimit {
  readonly limit: LimitName
  readonly unit: LimitLine['unit']
  readonly lines: readonly LimitLine[]
}

export interface MeasureOptions {
  readonly rounds: number
  /** How long each program runs in each round; 1 unless given. */
  readonly seconds?: number
  /** Where files are written; the system's temporary directory unless given. */
  readonly directory?: string
  /** Told of each limit that this machine cannot have measured, once; standard error unless given. */
  readonly onSkip?: (limit: LimitName, why: string) => void
}

/** Exit code of a program whose limit is not there, as in limits.h. */
const NOT_HERE = 3

/** The limits that could be measured, in the order asked for. Throws when a program fails. */
export async function measureLimits(
  names: readonly LimitName[],
  options: MeasureOptions,
): Promise<MeasuredLimit[]> {
  const { onSkip = (limit, why) => console.error(`${limit} is skipped: ${why}`) } = options
  const measured = new Map<LimitName, LimitLine[]>(names.map((name) => [name, []]))
  for (let round = 0; round < options.rounds; round++) {
    for (const name of [...measured.keys()]) {
      const line = await measureLimit(name, options)
      if (typeof line !== 'string') measured.get(name)!.push(line)
      else {
        measured.delete(name)
        onSkip(name, line)
      }
    }
  }
  return [...measured].map(([limit, lines]) => ({ limit, unit: lines[0]!.unit, lines }))
}

/** One round of one limit, or why there is none. */
export async function measureLimit(
  name: LimitName,
  options: Omit<MeasureOptions, 'rounds' | 'onSkip'> = {},
): Promise<LimitLine | string> {
  const { seconds = 1, directory = tmpdir() } = options
  const limit: Limit = LIMITS[name]
  if (limit.kind === 'c' && compiler() === null) return 'no C compiler (cc, gcc or clang) is here'
  mkdirSync(directory, { recursive: true })
  const context: Context = { seconds, directory }
  const args = limit.args(context).map(String)
  const [program, first] =
    limit.kind === 'c'
      ? [compile(limit.program)!, []]
      : [process.execPath, [join(sources, `${limit.program}.mjs`)]]
  return new Promise((resolve, reject) => {
    execFile(program, [...first, ...args], { encoding: 'utf8' }, (error, stdout, stderr) => {
      if (error === null) resolve(parseLine(stdout))
      else if (error.code === NOT_HERE) resolve(stderr.trim())
      else reject(new Error(`${name} (${program} ${args.join(' ')}) failed: ${stderr}`))
    })
  })
}

/** Throws for anything but one JSON line of the agreed shape. */
export function parseLine(text: string): LimitLine {
  const line = JSON.parse(text) as Partial<LimitLine>
  const units: readonly unknown[] = ['B/s', '1/s', 'ms']
  const isRight =
    typeof line.name === 'string' &&
    units.includes(line.unit) &&
    Number.isFinite(line.value) &&
    line.value! > 0 &&
    typeof line.args === 'object'
  if (!isRight) throw new Error(`not the line of a limit: ${text}`)
  return line as LimitLine
}
