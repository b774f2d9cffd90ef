/** `griot example`: prints files to run or watch an engine with; nothing is written or asked. */
import { realpathSync } from 'node:fs'
import { griotVersion } from '../server/version.ts'
import type { ExampleContext } from './example-context.ts'
import { composeFile, dockerfile } from './example-docker.ts'
import { grafanaExample } from './example-grafana.ts'
import { systemdUnit } from './example-systemd.ts'

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
