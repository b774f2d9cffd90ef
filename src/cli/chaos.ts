/** `griot chaos …`: makes brokers of a running engine fail, if it was started for that. */
import type { Command } from 'commander'
import { parseDurationMs } from '../server/units.ts'
import {
  EngineAddressError,
  type EngineAnswer,
  EngineUnreachableError,
  tellEngine,
  wantsJson,
} from './engine-url.ts'
import { ExitCode } from './exit-code.ts'
import { FailedError, UsageError } from './failure.ts'

interface ChaosOptions {
  readonly url?: string
  readonly dataDir?: string
  readonly tokenFile?: string
  readonly json?: boolean
  readonly for?: string
  readonly by?: string
  readonly code?: string
}

export function addChaosCommands(chaos: Command): void {
  chaos
    .helpCommand(false)
    .addHelpText(
      'after',
      '\nBrokers are numbered from 1. What lasts also ends with `griot chaos heal`.',
    )
  withEngine(
    chaos
      .command('kill-broker <N>')
      .description('its thread dies; another one takes its place after 250 ms'),
  ).action((n: string, options: ChaosOptions) =>
    run(options, () => ({ action: 'kill-broker', broker: brokerOf(n) })),
  )
  withEngine(
    chaos.command('pause-broker <N>').description('its thread stands still, as if it hung'),
  )
    .requiredOption('--for <DURATION>', 'how long: 5s')
    .action((n: string, options: ChaosOptions) =>
      run(options, () => ({ action: 'pause-broker', broker: brokerOf(n), ...forOf(options) })),
    )
  withFor(withEngine(chaos.command('fail-disk <N>').description('each change to its files fails')))
    .option('--code <CODE>', 'EIO: broken; ENOSPC: full (default: EIO)')
    .action((n: string, options: ChaosOptions) =>
      run(options, () => {
        const code = options.code === undefined ? {} : { code: options.code.toUpperCase() }
        return { action: 'fail-disk', broker: brokerOf(n), ...code, ...forOf(options) }
      }),
    )
  withFor(
    withEngine(chaos.command('slow-disk <N>').description('each disk operation takes longer')),
  )
    .requiredOption('--by <DURATION>', 'by how much: 50ms')
    .action((n: string, options: ChaosOptions) =>
      run(options, () => {
        const byMs = durationOf('--by', options.by!)
        return { action: 'slow-disk', broker: brokerOf(n), byMs, ...forOf(options) }
      }),
    )
  withFor(
    withEngine(chaos.command('partition <N> <M>').description('the two do not hear each other')),
  ).action((n: string, m: string, options: ChaosOptions) =>
    run(options, () => {
      const [broker, other] = [brokerOf(n), brokerOf(m)]
      return { action: 'partition', broker, other, ...forOf(options) }
    }),
  )
  withEngine(chaos.command('heal-disk <N>').description('its disk is well again')).action(
    (n: string, options: ChaosOptions) =>
      run(options, () => ({ action: 'heal-disk', broker: brokerOf(n) })),
  )
  withEngine(chaos.command('heal').description('all that lasts is over')).action(
    (options: ChaosOptions) => run(options, () => ({ action: 'heal' })),
  )
}

const withEngine = (command: Command): Command =>
  command
    .option('--url <URL>', 'address of the engine (default: GRIOT_URL)')
    .option(
      '--data-dir <DIR>',
      'or the data directory of one on this machine (default: GRIOT_DATA_DIR, or ./griot-data)',
    )
    .option(
      '--token-file <FILE>',
      'file with the operator token (default: GRIOT_TOKEN, or that of the data directory)',
    )
    .option('--json', 'print JSON (default: GRIOT_JSON)')
    .allowExcessArguments(false)

const withFor = (command: Command): Command =>
  command.option('--for <DURATION>', 'how long (default: until it is healed)')

type Order = Readonly<Record<string, string | number>>

async function run(options: ChaosOptions, orderOf: () => Order): Promise<void> {
  const json = wantsJson(options.json)
  try {
    const faults = faultsOf(await tellEngine(options, '/admin/chaos', orderOf()))
    if (json) console.log(JSON.stringify({ faults }))
    else console.log(['done', ...faults.map((fault) => `  ${fault}`)].join('\n'))
  } catch (error) {
    const isUsage = error instanceof UsageError || error instanceof EngineAddressError
    const isExpected = error instanceof FailedError || error instanceof EngineUnreachableError
    if (!isUsage && !isExpected) throw error
    console.error(`griot: ${error.message}`)
    if (json) console.log(JSON.stringify({ error: { message: error.message } }))
    process.exitCode = isUsage ? ExitCode.USAGE : ExitCode.FAILED
  }
}

/** What is at fault on demand now. Throws {@link FailedError} where the engine refused. */
function faultsOf({ url, status, body, hadToken }: EngineAnswer): readonly string[] {
  const { detail, faults } = body as { detail?: string; faults?: readonly string[] }
  if (status === 200 && Array.isArray(faults)) return faults
  if (status === 401) {
    const what = hadToken ? 'refuses that operator token' : 'wants the operator token'
    throw new FailedError(
      `${url} ${what}: it is in the data directory of its engine (--data-dir DIR), or given with --token-file FILE or GRIOT_TOKEN`,
    )
  }
  if (status === 404) {
    throw new FailedError(
      `${url} takes no such orders: ask the admin address, or --data-dir, of an engine of this version`,
    )
  }
  throw new FailedError(`${url} refuses: ${detail ?? `status ${status}`}`)
}

function brokerOf(text: string): number {
  if (/^[1-9]\d{0,4}$/.test(text)) return Number(text)
  throw new UsageError(`"${text}" is refused: brokers are numbers from 1`)
}

const forOf = (options: ChaosOptions): { readonly forMs?: number } =>
  options.for === undefined ? {} : { forMs: durationOf('--for', options.for) }

function durationOf(option: string, text: string): number {
  try {
    return parseDurationMs(text)
  } catch (error) {
    throw new UsageError(`option ${option}: "${text}" is refused, it ${(error as Error).message}`)
  }
}
