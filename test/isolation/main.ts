/** The proof as a program, for copies of the source with a leak in them: `--apis 3,75`, all unless given; `--busy`: the other tenant goes on with its life; `--replicated`: partitions have three replicas; `--listeners`: tenants come in at their own. Prints what it finds. */
import { parseArgs } from 'node:util'
import { servedApis } from '../../src/front/handlers.ts'
import { prove } from './proof.ts'

const isGiven = { type: 'boolean' } as const
const { values } = parseArgs({
  options: { apis: { type: 'string' }, busy: isGiven, replicated: isGiven, listeners: isGiven },
})
const keys = values.apis?.split(',').map(Number)
const apis = servedApis.filter(({ key }) => keys === undefined || keys.includes(key))
const { compared, findings } = prove({
  ...{ apis, mutationsMax: 1, isBusy: values.busy === true },
  replicas: values.replicated === true ? 3 : 1,
  hasListeners: values.listeners === true,
})
process.stdout.write(`compared: ${compared}\nfindings: ${findings.length}\n`)
for (const { where, withA, withoutA } of findings.slice(0, 5)) {
  process.stdout.write(`${where}\n  with A: ${withA}\n  without: ${withoutA}\n`)
}
