/**
 * Sends the same requests to Apache Kafka and to Griot and prints where the answers differ: `npm run conformance`.
 *
 *   --only TEXT   scenarios whose name contains TEXT
 *   --wide        long values in full
 *   --all         listed differences too
 *   --json FILE   all differences as JSON
 *   --show        what Kafka answered, step by step
 *
 * Ends with 0 when every difference is listed in known-differences.json and every listed one was seen.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { apiVersions } from '../../src/protocol/18-api-versions.ts'
import { EngineProcess } from '../clients/engine-process.ts'
import { type Answered, compare, type Difference, judge, type KnownDifference } from './diff.ts'
import { startKafkaBroker } from './kafka-broker.ts'
import { summary, table } from './report.ts'
import { scenarios } from './scenarios.ts'
import { Side } from './side.ts'

const { values: options } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    wide: { type: 'boolean', default: false },
    all: { type: 'boolean', default: false },
    json: { type: 'string' },
    show: { type: 'boolean', default: false },
  },
})

const directory = await mkdtemp(join(tmpdir(), 'griot-conformance-'))
const started: (() => Promise<unknown>)[] = []
try {
  process.exitCode = await run()
} finally {
  for (const stop of started) await stop()
  await rm(directory, { recursive: true, force: true })
}

async function run(): Promise<number> {
  const kafkaBroker = await startKafkaBroker(join(directory, 'kafka'))
  started.push(() => kafkaBroker.stop('SIGKILL'))
  const engine = await EngineProcess.create(join(directory, 'griot'), 1)
  started.push(() => engine.end('SIGTERM'))
  await engine.start()
  const kafka = new Side({ name: 'Kafka', bootstrap: kafkaBroker.bootstrap })
  const griot = new Side({ name: 'Griot', bootstrap: engine.bootstrap })
  await Promise.all([kafka.prepare(), griot.prepare()])
  const differences: Difference[] = []
  let asked = 0
  const served = await servedKeys(griot)
  for (const { name, run, needs } of scenarios) {
    if (!name.includes(options.only)) continue
    const missing = (needs ?? []).filter((key) => !served.has(key))
    if (missing.length > 0 && !options.show) {
      console.log(`${name}: left out, Griot does not serve API ${missing.join(', ')}`)
      continue
    }
    const begun = performance.now()
    const [ours, theirs] = [griot.answered.length, kafka.answered.length]
    const results = await Promise.allSettled(
      [kafka, griot].map(async (side) => {
        await side.begin(name)
        await run(side)
        await side.end()
      }),
    )
    for (const one of results) {
      if (one.status === 'rejected') console.log(`${name}: ${one.reason?.stack ?? one.reason}`)
    }
    if (options.show) show(kafka.answered.slice(theirs))
    const found = compare(kafka.answered.slice(theirs), griot.answered.slice(ours))
    differences.push(...found)
    asked += kafka.answered.length - theirs
    const ms = Math.round(performance.now() - begun)
    console.log(
      `${name}: ${kafka.answered.length - theirs} requests, ${found.length} differences, ${ms} ms`,
    )
  }
  if (options.show) console.log(kafkaBroker.stderr())
  return report(differences, asked, kafka.skipped.length)
}

async function servedKeys(side: Side): Promise<ReadonlySet<number>> {
  const software = { clientSoftwareName: 'griot', clientSoftwareVersion: '1' }
  const { apiKeys } = await side.quietly(apiVersions, 3, software)
  return new Set(apiKeys.map(({ apiKey }) => apiKey))
}

function show(steps: readonly Answered[]): void {
  for (const { step, api, version, answer } of steps) {
    console.log(`\n${step} (${api} v${version})`)
    for (const [path, text] of answer) console.log(`    ${path}: ${text}`)
  }
}

async function report(differences: Difference[], asked: number, skipped: number): Promise<number> {
  const file = join(import.meta.dirname, 'known-differences.json')
  const listed = JSON.parse(await readFile(file, 'utf8')) as KnownDifference[]
  const judged = judge(differences, listed)
  const gone = options.only === '' ? judged.gone : []
  if (options.json !== undefined)
    await writeFile(options.json, JSON.stringify(differences, null, 1))
  if (options.all && judged.known.length > 0)
    console.log(`\nlisted:\n${table(judged.known, options.wide)}`)
  if (judged.unknown.length > 0) console.log(`\n${table(judged.unknown, options.wide)}`)
  if (skipped > 0) console.log(`\n${skipped} requests that their version cannot carry`)
  console.log(`\n${summary({ ...judged, gone }, asked)}`)
  return judged.unknown.length === 0 && gone.length === 0 ? 0 : 1
}
