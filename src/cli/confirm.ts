/** Asks whether something is meant that cannot be undone. */
import { createInterface } from 'node:readline/promises'
import { FailedError, UsageError } from './failure.ts'

/** Asks on a terminal; elsewhere `--yes` is wanted. Throws a {@link FailedError} unless the answer is yes, a {@link UsageError} where nobody can be asked. */
export async function confirmDeletion(what: string, names: readonly string[]): Promise<void> {
  if (!process.stdin.isTTY || !process.stderr.isTTY) {
    throw new UsageError(`${what} (${names.join(', ')}): --yes says that this is meant`)
  }
  const prompt = createInterface({ input: process.stdin, output: process.stderr })
  try {
    const answer = await prompt.question(`${names.join('\n')}\n${what}; delete? [y/N] `)
    if (!/^y(es)?$/i.test(answer.trim())) throw new FailedError('nothing was deleted')
  } finally {
    prompt.close()
  }
}
