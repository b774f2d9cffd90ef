/** `griot …`: finds the subcommand and runs it. The main thread. */
import { Argument, Command, CommanderError } from 'commander'
import { OPTIONS } from '../server/options.ts'
import { griotVersion } from '../server/version.ts'
import type { ExampleName } from './example.ts'
import { ExitCode } from './exit-code.ts'

async function main(argv: readonly string[]): Promise<void> {
  passOverGoneReader()
  const program = new Command('griot')
    .description('Kafka for many tenants in one Node.js process')
    .version(griotVersion(), '-V, --version', 'print the version')
    .helpCommand(false)
    .exitOverride()
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error:/, 'griot:')) })
  addStart(program)
  await addClientCommands(program, argv[2])
  addHealth(program)
  await addOperatorCommands(program, argv[2])
  await addChaos(program, argv[2])
  addExample(program)
  addVersion(program)
  try {
    await program.parseAsync(argv as string[])
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    // help and version end here too, with code 0
    process.exitCode = error.exitCode === 0 ? ExitCode.OK : ExitCode.USAGE
  }
}

/** `| head` has enough: nothing is wrong, and an engine goes on. What has more to print listens itself, to end at once. */
function passOverGoneReader(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
  })
}

function addStart(program: Command): void {
  const start = program
    .command('start')
    .description('start an engine and serve Kafka clients until SIGINT or SIGTERM')
  for (const { name, placeholder, help, shown, isList, isSwitch } of OPTIONS) {
    const value = isSwitch ? `[${placeholder}]` : `<${placeholder}>`
    const [flags, text] = [`--${name} ${value}`, `${help} (default: ${shown})`]
    if (isList) start.option(flags, text, collect)
    else start.option(flags, text)
  }
  start
    .option('--config <FILE>', 'options from a YAML or JSON file, by the names above')
    .allowExcessArguments(false)
    .addHelpText(
      'after',
      '\nEvery option is also an environment variable: --data-dir is GRIOT_DATA_DIR.',
    )
    .addHelpText('after', 'The first that speaks wins: flag, environment, file, default.')
    .action(async (options: Record<string, string | string[]>) => {
      const { runStart } = await import('./start.ts')
      await runStart(options)
    })
}

const collect = (value: string, earlier: readonly string[] = []): string[] => [...earlier, value]

/** What speaks Kafka to a running cluster; in a bundle of its own. */
const CLIENT_COMMANDS = {
  topic: 'make, list, describe, change and delete topics',
  group: 'list, describe, delete and move consumer groups',
  produce: 'write records from standard input or files',
  consume: 'read records and print them',
  top: 'rates, lag and brokers, live',
} as const

/** Only the command that was asked for has its options; of the others `griot --help` needs the names. */
async function addClientCommands(program: Command, asked: string | undefined): Promise<void> {
  for (const [name, description] of Object.entries(CLIENT_COMMANDS)) {
    if (name === asked) {
      const { addClientCommand } = await import('./client-commands.ts')
      addClientCommand(program, name, description)
    } else
      program.command(name).description(description).allowExcessArguments().allowUnknownOption()
  }
}

function addHealth(program: Command): void {
  program
    .command('health')
    .description('ask a running engine how it is; ends with 1 unless it serves')
    .option('--url <URL>', 'address of the engine (default: GRIOT_URL)')
    .option(
      '--data-dir <DIR>',
      'or the data directory of one on this machine (default: GRIOT_DATA_DIR, or ./griot-data; without any: http://127.0.0.1:8082)',
    )
    .option('--json', 'print what the engine answers')
    .allowExcessArguments(false)
    .action(async (options: { url?: string; dataDir?: string; json?: boolean }) => {
      const { runHealth } = await import('./health.ts')
      await runHealth(options)
    })
}

/** For the operator of a running engine, over HTTP; in a bundle of its own. */
const OPERATOR_COMMANDS = {
  tenant: 'make, list, change, suspend and delete tenants: Kafka clusters of their own',
  plan: 'make, list, change and delete plans: what tenants may have, by name',
  key: 'make, list and revoke the API keys of a tenant',
} as const

async function addOperatorCommands(program: Command, asked: string | undefined): Promise<void> {
  for (const [name, description] of Object.entries(OPERATOR_COMMANDS)) {
    const command = program.command(name).description(description)
    if (name !== asked) continue
    const { addOperatorCommand } = await import('./operator-commands.ts')
    addOperatorCommand(command, name)
  }
}

/** Only when asked for, `griot --help` needs the name. */
async function addChaos(program: Command, asked: string | undefined): Promise<void> {
  const chaos = program
    .command('chaos')
    .description('make brokers of an engine that was started with --chaos fail')
  if (asked !== 'chaos') return
  const { addChaosCommands } = await import('./chaos.ts')
  addChaosCommands(chaos)
}

function addExample(program: Command): void {
  const what = new Argument(
    '<what>',
    'systemd: a unit; docker: a Dockerfile; compose: with kafka-ui and Prometheus; grafana: a dashboard',
  )
  program
    .command('example')
    .description('print a file to run or watch an engine with')
    .addArgument(what.choices(['systemd', 'docker', 'compose', 'grafana']))
    .allowExcessArguments(false)
    .action(async (name: ExampleName) => {
      const { runExample } = await import('./example.ts')
      runExample(name)
    })
}

function addVersion(program: Command): void {
  program
    .command('version')
    .description('print the version')
    .option('--json', 'as JSON, with that of Node.js')
    .allowExcessArguments(false)
    .action(async (options: { json?: boolean }) => {
      const { runVersion } = await import('./version.ts')
      runVersion(options)
    })
}

void main(process.argv)
