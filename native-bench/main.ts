/** `npm run bench -- SUBCOMMAND`: every subcommand is a folder of its own with one `register…` function. */
import { Command } from 'commander'
import { registerBaseline } from './baseline/command.ts'
import { errorLine } from './common/errors.ts'
import { Sandbox } from './common/sandbox.ts'
import { registerCompare } from './compare/command.ts'
import { registerFlame } from './flame/command.ts'
import { registerFlood } from './flood/command.ts'
import { registerLimits } from './limits/command.ts'
import { registerLoad } from './load/command.ts'
import { registerLoadCheck } from './load-check/command.ts'
import { registerMicro } from './micro/command.ts'
import { registerMove } from './move/command.ts'
import { registerPeers } from './peers/command.ts'
import { registerQuick } from './quick/command.ts'
import { registerReplication } from './replication/command.ts'

const program = new Command('npm run bench --')
  .description('What this machine can do, and what Griot does on it')
  .helpCommand(false)

registerBaseline(program)
registerLimits(program)
registerFlame(program)
registerFlood(program)
registerCompare(program)
registerLoad(program)
registerLoadCheck(program)
registerMicro(program)
registerMove(program)
registerPeers(program)
registerQuick(program)
registerReplication(program)

// `npm run bench -- --quick` is how the guard is known
const args = process.argv
  .slice(2)
  .map((word, at) => (at === 0 && word === '--quick' ? 'quick' : word))
process.once('uncaughtException', (error) => {
  console.error(errorLine(error))
  Sandbox.closeAllNow()
  process.exit(1)
})
try {
  await program.parseAsync(args, { from: 'user' })
} catch (error) {
  console.error(errorLine(error))
  process.exitCode = 1
}
