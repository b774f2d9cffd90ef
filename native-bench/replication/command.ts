/** `npm run bench -- replication`: what three replicas cost beside one, and how long a broker that dies is missed. */
import { writeFileSync } from 'node:fs'
import { type Command, InvalidArgumentError } from 'commander'
import { circumstances, circumstancesLine } from '../common/machine.ts'
import { fileToWrite, positiveInteger, positiveNumber } from '../common/options.ts'
import { figuresText } from '../common/report.ts'
import { Sandbox } from '../common/sandbox.ts'
import { griotSide, hasChaos } from '../peers/griot.ts'
import { SETTLE_TIMEOUT_MS } from '../peers/page-cache.ts'
import { assertRoom, roomAt } from '../peers/preflight.ts'
import { killRow } from '../peers/rows-replicated.ts'
import { COMPARED, KILLED, measureReplication } from './measure.ts'
import { replicationFigures, replicationText } from './text.ts'

const ROUNDS = 5
const SECONDS = 15
const WARMUP_SECONDS = 5
const REST_MS = 3_000
/** Logs of 1 GB with one replica and with three, the data of catch-up, and what the next segments take. */
const NEEDS = { diskBytes: 24e9, memoryBytes: 8e9 }

interface Options {
  readonly rounds: number
  readonly seconds: number
  readonly warmup: number
  readonly dataDir?: string
  readonly json?: string
}

export function registerReplication(program: Command): void {
  const names = [...COMPARED, KILLED]
  program
    .command('replication')
    .description('what three replicas cost beside one, and how long a broker that dies is missed')
    .argument('[workloads...]', `which: ${names.join(', ')}; all unless said`, workload)
    .option('--rounds <N>', 'pairs of runs of each workload', positiveInteger, ROUNDS)
    .option('--seconds <N>', 'measured, of a run', positiveNumber, SECONDS)
    .option('--warmup <N>', 'seconds before, of every run', positiveNumber, WARMUP_SECONDS)
    .option('--data-dir <DIR>', 'where temporary directories are made')
    .option('--json <FILE>', 'also write the figures into a file, for compare', fileToWrite)
    .action((workloads: readonly string[], options: Options) =>
      run(workloads.length === 0 ? names : workloads, options),
    )
}

function workload(name: string, before: readonly string[] = []): string[] {
  const names = [...COMPARED, KILLED]
  if (names.includes(name)) return [...before, name]
  throw new InvalidArgumentError(`there are ${names.join(', ')}.`)
}

async function run(workloads: readonly string[], options: Options): Promise<void> {
  const at = circumstances()
  const sandbox = new Sandbox(options.dataDir, 'griot-replication-')
  try {
    assertRoom('replication', NEEDS, roomAt(sandbox.place), sandbox.place)
    const { seconds, warmup, rounds } = options
    const side = griotSide(sandbox)
    const found = await measureReplication({
      ...{ workloads, rounds, sandbox, side, settleMs: SETTLE_TIMEOUT_MS },
      timing: {
        ...{ seconds, warmupSeconds: warmup, restMs: REST_MS, size: 1 },
        freshWarmupSeconds: { griot: warmup, kafka: warmup },
      },
      killed: hasChaos()
        ? { side: griotSide(sandbox, 'Griot', { chaos: true }), row: killRow() }
        : 'this griot has no --chaos, so that none of its brokers can be killed',
      print: (line) => console.error(line),
    })
    console.log(replicationText(found))
    console.log(`\n${rounds} rounds of ${seconds} s; ${circumstancesLine(at)}`)
    if (options.json !== undefined) {
      writeFileSync(options.json, figuresText('replication', replicationFigures(found), found))
    }
  } finally {
    await sandbox.close()
  }
}
