/** The commands that speak Kafka, any Kafka: a bundle of its own, loaded only for them, so that `griot start` stays quick. */
import type { Command } from 'commander'
import { addGroupCommands } from './group-commands.ts'
import { addConsumeCommand, addProduceCommand } from './record-commands.ts'
import { addTopCommand } from './top-command.ts'
import { addTopicCommands } from './topic-commands.ts'

/** Adds the command `name` to `program`. */
export function addClientCommand(program: Command, name: string, description: string): void {
  switch (name) {
    case 'topic':
      addTopicCommands(program.command(name).description(description))
      return
    case 'group':
      addGroupCommands(program.command(name).description(description))
      return
    case 'produce':
      addProduceCommand(program)
      return
    case 'consume':
      addConsumeCommand(program)
      return
    case 'top':
      addTopCommand(program)
      return
    default:
      throw new RangeError(`no such command: ${name}`)
  }
}
