/** `npm run bench -- move`: a partition moves to other brokers while it is written and read, and what that does to its clients. */
import { writeFileSync } from 'node:fs'
import type { Command } from 'commander'
import { circumstances, circumstancesLine } from '../common/machine.ts'
import { fileToWrite, positiveNumber } from '../common/options.ts'
import { Sandbox } from '../common/sandbox.ts'
import { startGriot } from '../peers/griot.ts'
import { assertRoom, roomAt } from '../peers/preflight.ts'
import { workloadFile } from '../peers/variants.ts'
import { measureMove } from './measure.ts'
import { moveText } from './text.ts'

const GB = 5
const SECONDS = 60
const WARMUP_SECONDS = 5
const BROKERS = 6
/** Each byte is there six times for a while, and more is written all the time. */
const DISK_BYTES_PER_BYTE = 9

interface Options {
  readonly gb: number
  readonly seconds: number
  readonly warmup: number
  readonly dataDir?: string
  readonly json?: string
}

export function registerMove(program: Command): void {
  program
    .command('move')
    .description('a partition moves to other brokers while it is written and read')
    .option('--gb <N>', 'written before, in 10⁹ bytes of records', positiveNumber, GB)
    .option('--seconds <N>', 'measured without a move, and again with one', positiveNumber, SECONDS)
    .option('--warmup <N>', 'seconds before, of both', positiveNumber, WARMUP_SECONDS)
    .option('--data-dir <DIR>', 'where temporary directories are made')
    .option('--json <FILE>', 'also write what was found into a file', fileToWrite)
    .action(run)
}

async function run({ gb, seconds, warmup, dataDir, json }: Options): Promise<void> {
  const at = circumstances()
  const sandbox = new Sandbox(dataDir, 'griot-move-')
  try {
    const preloadBytes = Math.round(gb * 1e9)
    const needs = { diskBytes: preloadBytes * DISK_BYTES_PER_BYTE, memoryBytes: 2e9 }
    assertRoom('move', needs, roomAt(sandbox.place), sandbox.place)
    const workload = workloadFile('move-replicas')
    const topics = workload.topics.map((set) => ({ ...set, preloadBytes }))
    const broker = await startGriot(sandbox, sandbox.directory(), { brokers: BROKERS })
    try {
      const found = await measureMove({
        ...{ workload: { ...workload, topics }, broker, brokers: BROKERS },
        ...{ seconds, warmupSeconds: warmup, print: (line: string) => console.error(line) },
      })
      console.log(moveText(found))
      console.log(`\n${circumstancesLine(at)}`)
      if (json !== undefined) writeFileSync(json, JSON.stringify(found, null, 2))
      if (found.lost !== null) process.exitCode = 1
    } finally {
      await broker.stop('SIGKILL')
    }
  } finally {
    await sandbox.close()
  }
}
