/** What the commands that ask a running engine with the operator token share: options, refusals, how they end. */
import type { Command } from 'commander'
import {
  EngineAddressError,
  type EngineAnswer,
  type EngineTarget,
  EngineUnreachableError,
  wantsJson,
} from './engine-url.ts'
import { ExitCode } from './exit-code.ts'
import { FailedError, UsageError } from './failure.ts'

export interface EngineOptions extends EngineTarget {
  readonly json?: boolean
}

/** Adds the options that {@link EngineOptions} holds. */
export const withEngine = (command: Command): Command =>
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

/** Runs a command's work, and turns what it throws into a line on standard error and an exit code; with `--json` also into an object on standard output. */
export async function runOnEngine(
  options: EngineOptions,
  work: (json: boolean) => Promise<void>,
): Promise<void> {
  const json = wantsJson(options.json)
  try {
    await work(json)
  } catch (error) {
    const isUsage = error instanceof UsageError || error instanceof EngineAddressError
    const isExpected = error instanceof FailedError || error instanceof EngineUnreachableError
    if (!isUsage && !isExpected) throw error
    console.error(`griot: ${error.message}`)
    if (json) console.log(JSON.stringify({ error: { message: error.message } }))
    process.exitCode = isUsage ? ExitCode.USAGE : ExitCode.FAILED
  }
}

/** Throws a {@link FailedError} where the token is wanted, or what is asked is not served there at all. */
export function refuseUnserved({ url, status, body, hadToken }: EngineAnswer): void {
  if (status === 401) {
    const what = hadToken ? 'refuses that operator token' : 'wants the operator token'
    throw new FailedError(
      `${url} ${what}: it is in the data directory of its engine (--data-dir DIR), or given with --token-file FILE or GRIOT_TOKEN`,
    )
  }
  const { detail } = body as { readonly detail?: unknown }
  if (status === 404 && (typeof detail !== 'string' || detail.startsWith('nothing at '))) {
    throw new FailedError(
      `${url} takes no such orders: ask the admin address, or --data-dir, of an engine of this version`,
    )
  }
}
