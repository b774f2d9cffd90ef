/** `run` and `list`, for griot-bench and for `npm run bench -- load`. */
import { writeFileSync } from 'node:fs'
import { type Command, InvalidArgumentError } from 'commander'
import { securityOf } from '../../src/cli/client-security.ts'
import { NO_CONFIG, readCommandConfig } from '../../src/cli/command-config.ts'
import { circumstancesLine } from '../common/machine.ts'
import { fileToWrite, positiveInteger, positiveNumber } from '../common/options.ts'
import { END_SIGNALS } from '../common/sandbox.ts'
import { parseBootstrap } from './cluster.ts'
import { resultHtml } from './html.ts'
import { type Progress, runWorkload } from './run-workload.ts'
import { saved } from './saved.ts'
import { progressText, resultText } from './text.ts'
import { readWorkload, workloadNames } from './workload-files.ts'

interface Options {
  readonly bootstrap?: string
  readonly commandConfig?: string
  readonly pid: readonly number[]
  readonly seconds: number
  readonly warmup: number
  readonly json?: string
  readonly html?: string
  readonly set: readonly string[]
  readonly keep: boolean
  readonly prefix?: string
}

export function registerLoad(program: Command): void {
  addLoadCommands(
    program
      .command('load')
      .description('the load harness: workloads against any Kafka; also installed as griot-bench')
      .helpCommand(false),
  )
}

export function addLoadCommands(to: Command): void {
  to.command('list')
    .description('the workloads that come with the package')
    .action(() => {
      for (const name of workloadNames()) {
        console.log(`${name.padEnd(20)} ${readWorkload(name).description}`)
      }
    })
  to.command('run')
    .description('one workload against a running Kafka of any kind; makes topics of its own')
    .argument('<workload>', 'a name of `list`, or a file that ends with .json')
    .option('-b, --bootstrap <host:port>', 'the broker, or several with commas', address)
    .option(
      '--command-config <file>',
      "client properties as Kafka's tools or librdkafka take them: bootstrap.servers, TLS, a login",
    )
    .option('--pid <pids...>', 'its processes on this machine, for CPU, memory, files', pids)
    .option('--seconds <s>', 'how long to measure', positiveNumber, 15)
    .option('--warmup <s>', 'how long to run before that', zeroOrMore, 5)
    .option('--json <file>', 'write the result as JSON', fileToWrite)
    .option('--html <file>', 'write a report with plots', fileToWrite)
    .option('--set <path=value...>', 'change a field of the workload, as in produce.rate=1000')
    .option('--keep', 'leave the topics there', false)
    .option('--prefix <prefix>', 'use the topics of an earlier run with --keep')
    .action((workload: string, options: Options) => run(workload, options))
}

function address(text: string): string {
  try {
    parseBootstrap(text)
    return text
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message)
  }
}

const pids = (text: string, before: readonly number[] = []): number[] => [
  ...before,
  ...text.split(',').map(positiveInteger),
]

function zeroOrMore(text: string): number {
  return text === '0' ? 0 : positiveNumber(text)
}

async function run(name: string, options: Options): Promise<void> {
  const stop = new AbortController()
  const onSignal = () => stop.abort(new Error('stopped'))
  for (const signal of END_SIGNALS) process.once(signal, onSignal)
  const line = new ProgressLine()
  try {
    const workload = readWorkload(name, options.set ?? [])
    const result = await runWorkload(workload, {
      ...{ ...entrance(options), pids: options.pid ?? [], keep: options.keep },
      ...{ warmupSeconds: options.warmup, measureSeconds: options.seconds, signal: stop.signal },
      ...(options.prefix === undefined ? {} : { prefix: options.prefix }),
      onProgress: (progress) => line.show(progress),
    })
    line.end()
    const record = saved(result, ['griot-bench', ...process.argv.slice(2)].join(' '))
    console.log(resultText(result))
    if (options.keep) console.log(`Topics stay: --prefix ${result.prefix}`)
    console.log(`\n${circumstancesLine(record.circumstances)}`)
    if (options.json !== undefined) writeFileSync(options.json, JSON.stringify(record, null, 1))
    if (options.html !== undefined) writeFileSync(options.html, resultHtml(record))
  } catch (error) {
    line.end()
    console.error(`griot-bench: ${(error as Error).message}`)
    process.exitCode = 1
  } finally {
    for (const signal of END_SIGNALS) process.off(signal, onSignal)
  }
}

/** Where the run comes in, and how. Throws an Error that names what is wrong or missing. */
function entrance({ bootstrap, commandConfig }: Options) {
  const { security, general } =
    commandConfig === undefined ? NO_CONFIG : readCommandConfig(commandConfig)
  const named = bootstrap ?? general.get('brokers')?.text
  if (named === undefined) {
    throw new Error('-b HOST:PORT, or bootstrap.servers in --command-config, is wanted')
  }
  parseBootstrap(named)
  return { bootstrap: named, security: securityOf(security, {}) }
}

const LINE_EVERY_S = 5

/** On a terminal one line, written over each second; elsewhere a line every few seconds and at each change of phase. */
class ProgressLine {
  #phase = ''
  #shownAt = 0
  #hasLine = false

  show(progress: Progress): void {
    const text = progressText(progress)
    if (process.stderr.isTTY) {
      process.stderr.write(`\r\x1b[K${text.slice(0, (process.stderr.columns || 80) - 1)}`)
      this.#hasLine = true
      return
    }
    const isNew = progress.phase !== this.#phase
    if (!isNew && progress.elapsedSeconds - this.#shownAt < LINE_EVERY_S) return
    this.#phase = progress.phase
    this.#shownAt = progress.elapsedSeconds
    process.stderr.write(`${text}\n`)
  }

  end(): void {
    if (this.#hasLine) process.stderr.write('\r\x1b[K')
    this.#hasLine = false
  }
}
