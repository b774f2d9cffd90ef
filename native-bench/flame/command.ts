/** `npm run bench -- flame WORKLOAD`: where an engine of one's own spends its time under a workload, kernel and native code included. */
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Command, InvalidArgumentError } from 'commander'
import { startEngine } from '../common/engine.ts'
import { circumstances, circumstancesLine } from '../common/machine.ts'
import { fileToWrite, positiveNumber } from '../common/options.ts'
import type { Sandbox } from '../common/sandbox.ts'
import { runWorkload } from '../load/run-workload.ts'
import { readWorkload, workloadNames } from '../load/workload-files.ts'
import { flameSvg } from './flame-svg.ts'
import { type Frame, foldSamples, parseSamples } from './folded.ts'

interface Options {
  readonly seconds: number
  readonly warmup: number
  readonly svg?: string
}

const SAMPLES_PER_SECOND = 499
const SCRIPT_BYTES_MAX = 2 ** 30

export function registerFlame(program: Command): void {
  program
    .command('flame')
    .description('a flame graph of an engine of its own under a workload; needs Linux and perf')
    .argument('<WORKLOAD>', `one of ${workloadNames().join(', ')}, or a file`, (name) => {
      try {
        readWorkload(name)
        return name
      } catch (error) {
        throw new InvalidArgumentError((error as Error).message)
      }
    })
    .option('--seconds <N>', 'sampled', positiveNumber, 10)
    .option('--warmup <N>', 'seconds of load before', positiveNumber, 5)
    .option('--svg <FILE>', 'where it is written (default: WORKLOAD.svg here)', fileToWrite)
    .action(run)
}

async function run(workload: string, options: Options): Promise<void> {
  if (spawnSync('perf', ['--version']).status !== 0) {
    throw new Error('perf is not here: install it (linux-perf, linux-tools) to draw a flame graph')
  }
  const asked = readWorkload(workload)
  const brokers = Math.max(...asked.topics.map(({ replicationFactor }) => replicationFactor))
  const engine = await startEngine(['--perf-basic-prof'], brokers)
  const { sandbox } = engine
  // Node's names for compiled functions
  sandbox.removeAtEnd(`/tmp/perf-${engine.pid}.map`)
  // a load that nobody samples is not gone on with
  const failed = new AbortController()
  try {
    const data = join(sandbox.directory(), 'perf.data')
    const load = runWorkload(asked, {
      bootstrap: engine.bootstrap,
      warmupSeconds: options.warmup,
      measureSeconds: options.seconds + 1,
      signal: failed.signal,
      onProgress: ({ phase, elapsedSeconds }) => {
        if (process.stderr.isTTY) process.stderr.write(`\r${phase} ${elapsedSeconds.toFixed(0)} s `)
      },
    })
    const samples = record(sandbox, engine.pid, data, options).catch((error) => {
      failed.abort(error)
      throw error
    })
    const [loaded, sampled] = await Promise.allSettled([load, samples])
    if (sampled.status === 'rejected') throw sampled.reason
    if (loaded.status === 'rejected') throw loaded.reason
    const result = loaded.value
    const root = foldSamples(parseSamples(script(data)), engine.pid)
    if (root.samples === 0) throw new Error('perf took no samples: may this user sample processes?')
    const file = options.svg ?? `${workload}.svg`
    const at = circumstancesLine(circumstances())
    writeFileSync(
      file,
      flameSvg(root, `${result.workload.name}: ${result.workload.description}. ${at}`),
    )
    console.log(`${shares(root)}\n${root.samples} samples, drawn in ${file}\n${at}`)
  } finally {
    await engine.stop()
  }
}

/** Begins when the load has warmed up. */
async function record(
  sandbox: Sandbox,
  pid: number,
  data: string,
  { warmup, seconds }: Options,
): Promise<void> {
  await sleep(warmup * 1000)
  const args = ['record', '-g', '-F', `${SAMPLES_PER_SECOND}`, '-p', `${pid}`, '-o', data]
  const perf = sandbox.spawn('perf', [...args, '--', 'sleep', `${seconds}`], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let said = ''
  perf.stderr!.on('data', (chunk) => {
    said += chunk
  })
  const [code] = await once(perf, 'close')
  if (code !== 0) throw new Error(`perf record ended with ${code}: ${said.trim()}`)
}

function script(data: string): string {
  const args = ['script', '-i', data, '-F', 'tid,ip,sym,dso', '--no-inline']
  const { status, stdout, stderr } = spawnSync('perf', args, {
    encoding: 'utf8',
    maxBuffer: SCRIPT_BYTES_MAX,
  })
  if (status !== 0) throw new Error(`perf script ended with ${status}: ${stderr.slice(0, 500)}`)
  return stdout
}

/** Where samples were taken, by kind of code and by thread. */
function shares(root: Frame): string {
  const kinds = new Map<string, number>()
  const visit = (frame: Frame): void => {
    let own = frame.samples
    for (const child of frame.children.values()) {
      own -= child.samples
      visit(child)
    }
    kinds.set(frame.kind, (kinds.get(frame.kind) ?? 0) + own)
  }
  visit(root)
  const threads = [...root.children.values()].map(({ name, samples }) => [name, samples] as const)
  return [...threads, ...[...kinds].filter(([kind]) => kind !== 'thread')]
    .map(([name, samples]) => `${((100 * samples) / root.samples).toFixed(0)} % ${name}`)
    .join(', ')
}
