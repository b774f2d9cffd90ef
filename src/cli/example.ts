/** `griot example`: prints files to run or watch an engine with; nothing is written or asked. */
import { realpathSync } from 'node:fs'
import { griotVersion } from '../server/version.ts'
import { composeFile, dockerfile } from './example-docker.ts'
import { grafanaExample } from './example-grafana.ts'
import { systemdUnit } from './example-systemd.ts'

/** What the examples go by. */
export interface ExampleContext {
  readonly version: string
  /** Absolute paths of the node and the griot that print it. */
  readonly node: string
  readonly launcher: string
}

const EXAMPLES = {
  systemd: systemdUnit,
  docker: dockerfile,
  compose: composeFile,
  grafana: grafanaExample,
} as const

export type ExampleName = keyof typeof EXAMPLES

export const EXAMPLE_NAMES = Object.keys(EXAMPLES) as readonly ExampleName[]

export const example = (name: ExampleName, context: ExampleContext): string =>
  EXAMPLES[name](context)

export function runExample(name: ExampleName): void {
  const launcher = realpathSync(process.argv[1]!)
  process.stdout.write(example(name, { version: griotVersion(), node: process.execPath, launcher }))
}
