/** What became of each topic or group that a command was to change. */
import type { KafkaError } from '../kafka-client/errors.ts'
import { printJsonValue } from './cluster.ts'
import { ExitCode } from './exit-code.ts'
import { explainFailure } from './failure.ts'
import { printable } from './table.ts'

export interface ChangeOutcome {
  readonly name: string
  readonly error: KafkaError | null
  /** What is printed and told in JSON of one that went well; `status` is its one word. */
  readonly details?: Readonly<Record<string, unknown>>
}

/** Prints a line each (those that failed on standard error), and sets the exit code if any failed. */
export function printOutcomes(
  kind: string,
  status: string,
  outcomes: readonly ChangeOutcome[],
  json: boolean,
): void {
  if (json) printJsonValue(outcomes.map((outcome) => jsonOf(kind, status, outcome)))
  for (const { name, error, details } of outcomes) {
    if (error !== null) console.error(`griot: ${explainFailure(error)}`)
    else if (!json) console.log(lineOf(kind, status, name, details))
  }
  if (outcomes.some(({ error }) => error !== null)) process.exitCode = ExitCode.FAILED
}

function lineOf(kind: string, status: string, name: string, details: object = {}): string {
  const more = Object.entries(details)
    .filter(([key]) => key !== 'status')
    .map(([key, value]) => `${key} ${value}`)
  const word = (details as { status?: string }).status ?? status
  return `${kind} ${printable(name)}: ${[word, ...more].join(', ')}`
}

function jsonOf(kind: string, status: string, { name, error, details }: ChangeOutcome): object {
  if (error === null) return { [kind]: name, status, ...details }
  return {
    ...{ [kind]: name, status: 'failed' },
    error: jsonOfError(error),
  }
}

export const jsonOfError = (error: KafkaError | null): object | null =>
  error === null ? null : { code: error.code, name: error.codeName, message: error.message }
