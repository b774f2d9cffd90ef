/** `npm run bench -- micro`: functions of the engine by themselves, each subject in a process of its own, round after round. */
import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { Argument, type Command } from 'commander'
import { circumstances, circumstancesLine } from '../common/machine.ts'
import { markdownTable } from '../common/markdown.ts'
import { fileToWrite, positiveInteger, positiveNumber } from '../common/options.ts'
import { type Figure, figuresText } from '../common/report.ts'
import { format, median, spread } from '../common/statistics.ts'
import { type CaseResult, measureCase } from './measure.ts'
import { SUBJECTS, type SubjectName, subjectNames } from './subjects.ts'

interface Options {
  readonly filter: string
  readonly rounds: number
  readonly ms: number
  readonly json?: string
}

export function registerMicro(program: Command): void {
  program
    .command('micro')
    .description(
      'codec, batches, CRC, rings, look-ups, dispatch, counters: operations a second and bytes allocated',
    )
    .addArgument(
      new Argument('[subjects...]', 'which ones; all unless given').choices(subjectNames),
    )
    .option('--filter <TEXT>', 'only cases whose name has this in it', '')
    .option('--rounds <N>', 'how many processes measure each', positiveInteger, 5)
    .option('--ms <N>', 'how long each case is measured', positiveNumber, 100)
    .option('--json <FILE>', 'also write the figures into a file, for compare', fileToWrite)
    .action(run)
  // what a measuring process is started with
  program.command('micro-subject <name> <ms> <filter>', { hidden: true }).action(runSubject)
}

async function runSubject(name: string, ms: string, filter: string): Promise<void> {
  const { cases, close } = SUBJECTS[name as SubjectName]()
  try {
    for (const one of cases) {
      if (one.name.includes(filter)) console.log(JSON.stringify(await measureCase(one, Number(ms))))
    }
  } finally {
    close?.()
  }
}

/** Results by case, one a round. */
export async function measureMicro(
  subjects: readonly SubjectName[],
  options: Pick<Options, 'filter' | 'rounds' | 'ms'>,
): Promise<Map<string, CaseResult[]>> {
  const results = new Map<string, CaseResult[]>()
  for (let round = 0; round < options.rounds; round++) {
    for (const subject of subjects) {
      for (const result of await inProcess(subject, options.ms, options.filter)) {
        results.set(result.name, [...(results.get(result.name) ?? []), result])
      }
    }
  }
  return results
}

/** A young generation that holds what a stretch allocates, and a collection on demand. */
const V8_FLAGS = ['--expose-gc', '--max-semi-space-size=64', '--min-semi-space-size=64']

function inProcess(subject: SubjectName, ms: number, filter: string): Promise<CaseResult[]> {
  return new Promise((resolve, reject) => {
    const args = [import.meta.filename, 'micro-subject', subject, String(ms), '--', filter]
    const child = spawn(process.execPath, [...V8_FLAGS, ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let text = ''
    child.once('error', reject)
    child.stdout.on('data', (chunk) => (text += chunk))
    child.on('close', (code) => {
      if (code !== 0) reject(new Error(`${subject} ended with ${code}`))
      else resolve(text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line)])))
    })
  })
}

async function run(subjects: readonly SubjectName[], options: Options): Promise<void> {
  const asked = subjects.length === 0 ? subjectNames : subjects
  const results = await measureMicro(asked, options)
  if (results.size === 0) throw new Error(`no case has "${options.filter}" in its name`)
  console.log(microTable(results))
  console.log(`\n${circumstancesLine(circumstances())}`)
  if (options.json !== undefined) {
    writeFileSync(options.json, figuresText('micro', [...results].flatMap(figuresOf)))
  }
}

/** What `compare` reads: speed and allocation of each case. */
export function figuresOf([name, rounds]: [string, readonly CaseResult[]]): Figure[] {
  const speed = rounds.map(({ operationsPerSecond }) => operationsPerSecond)
  const figures: Figure[] = [{ name, unit: 'op/s', better: 'higher', values: speed }]
  for (const [what, of] of [
    ['heap', 'heapBytes'],
    ['buffers', 'bufferBytes'],
  ] as const) {
    const values = rounds.flatMap((round) => round[of] ?? [])
    if (values.length === 0) continue
    figures.push({ name: `${name}: ${what}`, unit: 'B/op', better: 'lower', values })
  }
  return figures
}

export function microTable(results: ReadonlyMap<string, readonly CaseResult[]>): string {
  const rows = [...results].map(([name, rounds]) => {
    const { bytes } = rounds[0]!
    const perSecond = rounds.map(({ operationsPerSecond }) => operationsPerSecond)
    const allocated = (of: 'heapBytes' | 'bufferBytes') =>
      format(median(rounds.flatMap((round) => round[of] ?? [])))
    return [
      name,
      spread(perSecond),
      format(1e9 / median(perSecond)),
      bytes === null ? '' : format((median(perSecond) * bytes) / 1e6),
      allocated('heapBytes'),
      allocated('bufferBytes'),
    ]
  })
  return markdownTable(
    ['case', 'op/s, median (range)', 'ns/op', 'MB/s', 'heap B/op', 'buffers B/op'],
    rows,
  )
}
