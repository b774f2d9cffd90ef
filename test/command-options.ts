/** Options of commands that developers run: what is wrong with them in one line, and what there is. */
import { type ParseArgsConfig, parseArgs } from 'node:util'

/** What was wrong with the command line, in a line for whoever wrote it. */
export class UsageError extends Error {
  override name = 'UsageError'
}

type Options = NonNullable<ParseArgsConfig['options']>
type Values<O extends Options> = ReturnType<typeof parseArgs<{ options: O }>>['values']

/** By `args`. Throws {@link UsageError}. */
export function optionsOf<O extends Options>(args: readonly string[], options: O): Values<O> {
  try {
    return parseArgs({ args: [...args], options }).values as Values<O>
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code?.startsWith('ERR_PARSE_ARGS') !== true) throw error
    throw new UsageError(message.split('. To specify')[0]!.split('\n')[0])
  }
}

/** A whole number from `min` on, and at most `max`. Throws {@link UsageError}. */
export function wholeNumber(
  name: string,
  text: string,
  min = 0,
  max = Number.MAX_SAFE_INTEGER,
): number {
  const number = Number(text)
  if (/^\d+$/.test(text) && number >= min && number <= max) return number
  const range = max === Number.MAX_SAFE_INTEGER ? `from ${min} on` : `from ${min} to ${max}`
  throw new UsageError(`--${name}: "${text}" is refused, it wants a whole number ${range}`)
}

/** Runs what a command does with its arguments; `--help` prints `usage`, and what is wrong with them is told with it, with exit code 2. */
export async function runCommand(
  usage: string,
  run: (args: readonly string[]) => unknown,
): Promise<void> {
  const args = process.argv.slice(2)
  if (args.includes('--help') || args.includes('-h')) {
    console.log(usage)
    return
  }
  try {
    await run(args)
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    console.error(`${error.message}\n\n${usage}`)
    process.exitCode = 2
  }
}
