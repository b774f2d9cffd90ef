/** The commands for tenants and their keys: a bundle of its own, loaded only for them, so that `griot start` stays quick. */
import type { Command } from 'commander'
import { addKeyCommands } from './key.ts'
import { addPlanCommands } from './plan.ts'
import { addTenantCommands } from './tenant-commands.ts'

/** Adds what `name` has to `command`. */
export function addOperatorCommand(command: Command, name: string): void {
  if (name === 'key') addKeyCommands(command)
  else if (name === 'plan') addPlanCommands(command)
  else addTenantCommands(command)
}
