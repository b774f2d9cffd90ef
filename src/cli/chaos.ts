/** `griot chaos …`: makes brokers of a running engine fail, if it was started for that. */
import type { Command } from 'commander'
import { parseDurationMs } from '../server/units.ts'
import { type EngineOptions, refuseUnserved, runOnEngine, withEngine } from './engine-command.ts'
import { type EngineAnswer, tellEngine } from './engine-url.ts'
import { awaitStarted } from './engine-wait.ts'
import { FailedError, UsageError } from './failure.ts'

interface ChaosOptions extends EngineOptions {
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

const withFor = (command: Command): Command =>
  command.option('--for <DURATION>', 'how long (default: until it is healed)')

type Order = Readonly<Record<string, string | number>>

async function run(options: ChaosOptions, orderOf: () => Order): Promise<void> {
  await runOnEngine(options, async (json) => {
    const order = orderOf()
    await awaitStarted(options)
    const faults = faultsOf(await tellEngine(options, 'POST', '/admin/chaos', order))
    if (json) console.log(JSON.stringify({ faults }))
    else console.log(['done', ...faults.map((fault) => `  ${fault}`)].join('\n'))
  })
}

/** What is at fault on demand now. Throws {@link FailedError} where the engine refused. */
function faultsOf(answer: EngineAnswer): readonly string[] {
  const { url, status, body } = answer
  const { detail, faults } = body as { detail?: string; faults?: readonly string[] }
  if (status === 200 && Array.isArray(faults)) return faults
  refuseUnserved(answer)
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
