#!/usr/bin/env node
/** `griot-bench`: the load harness by itself, as the package installs it. */
import { Command } from 'commander'
import { errorLine } from '../common/errors.ts'
import { addLoadCommands } from './command.ts'

const program = new Command('griot-bench')
  .description('Measures any Kafka: throughput, latency, and what it costs the broker')
  .helpCommand(false)
addLoadCommands(program)
program.parseAsync().catch((error: unknown) => {
  console.error(errorLine(error))
  process.exitCode = 1
})
