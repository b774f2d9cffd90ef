// Starts engines, uses them a little and closes them: the process must then end by itself. argv[2]: how many at once.
import { setTimeout as sleep } from 'node:timers/promises'
import { Griot } from '../../dist/index.js'

/** What keeps the event loop alive, but for standard output and the requests that an import has just made. */
async function resources() {
  await sleep(50)
  return process.getActiveResourcesInfo().filter((name) => name !== 'PipeWrap')
}

const before = await resources()
const engines = await Promise.all(
  Array.from({ length: Number(process.argv[2]) }, () => Griot.start()),
)
const directories = engines.map((griot) => griot.dataDir)
await Promise.all(engines.map((griot) => griot.close()))
console.log(JSON.stringify({ before, after: await resources(), directories }))
