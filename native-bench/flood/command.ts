/** `npm run bench -- flood`: one tenant asks for everything there is, and what another one sees of that. */
import { writeFileSync } from 'node:fs'
import { type Command, InvalidArgumentError } from 'commander'
import { circumstances, circumstancesLine } from '../common/machine.ts'
import { fileToWrite, positiveNumber } from '../common/options.ts'
import { type FloodName, floodNames } from './floods.ts'
import { measureFloods } from './measure.ts'
import { floodText, RATIO_GOAL, ratioOf } from './text.ts'

interface Options {
  readonly flood: readonly FloodName[]
  readonly repeats: number
  readonly connections: number
  readonly seconds: number
  readonly warmup: number
  readonly brokers: number
  readonly memory: string
  readonly elsewhere?: boolean
  readonly json?: string
}

export function registerFlood(program: Command): void {
  program
    .command('flood')
    .description('one tenant floods, another produces 1 MB/s: its p99 without and with that')
    .option('--flood <NAMES>', `of ${floodNames.join(', ')}`, namesOf, floodNames)
    .option('--repeats <N>', 'looks at each, by turns', positiveNumber, 3)
    .option('--connections <N>', 'of the flood', positiveNumber, 2000)
    .option('--seconds <N>', 'measured without it, and again with it', positiveNumber, 5)
    .option('--warmup <N>', 'seconds before, of both', positiveNumber, 1)
    .option('--brokers <N>', 'of the engine', positiveNumber, 1)
    .option('--memory <SIZE>', 'of the engine', '256M')
    .option(
      '--elsewhere',
      'floods go to a process that does next to nothing: what of it is the machine’s',
    )
    .option('--json <FILE>', 'also write what was found into a file', fileToWrite)
    .action(run)
}

function namesOf(text: string): FloodName[] {
  const names = text.split(',') as FloodName[]
  for (const name of names) {
    if (floodNames.includes(name)) continue
    throw new InvalidArgumentError(`There is no flood '${name}': ${floodNames.join(', ')}.`)
  }
  return names
}

async function run(options: Options): Promise<void> {
  const { flood: floods, warmup: warmupSeconds, elsewhere, json, ...rest } = options
  const at = circumstances()
  const print = (line: string) => console.error(line)
  const seen = await measureFloods({
    ...{ ...rest, floods, warmupSeconds, print },
    isElsewhere: elsewhere === true,
  })
  console.log(floodText(seen))
  console.log(`\n${circumstancesLine(at)}`)
  if (json !== undefined) writeFileSync(json, JSON.stringify(seen, null, 2))
  const isOver = floods.some((name) => ratioOf(name, seen) >= RATIO_GOAL)
  if (isOver) process.exitCode = 1
}
