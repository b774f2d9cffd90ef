// Time from spawn to /health/ready (griot start, three brokers; fresh and old directory), from call to promise (the
// embedded engine, one broker), and idle RSS. Usage: node native-bench/start.mjs [ROUNDS]
import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const rounds = Number(process.argv[2] ?? 7)
const dist = join(import.meta.dirname, '../dist')
const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1]
const line = (name, values, unit) =>
  console.log(
    `${name}: ${median(values).toFixed(0)} ${unit} (${Math.min(...values).toFixed(0)}–${Math.max(...values).toFixed(0)}, ${values.length} runs)`,
  )

const rssOf = (pid) =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024

// the first screen is printed once clients are served
async function start(dataDir) {
  const from = performance.now()
  const child = spawn(
    process.execPath,
    [
      join(dist, 'griot.cjs'),
      'start',
      '--data-dir',
      dataDir,
      '--kafka-listen',
      '127.0.0.1:0',
      '--http-listen',
      '127.0.0.1:0',
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  await new Promise((resolve, reject) => {
    child.stdout.once('data', resolve)
    child.once('exit', () => reject(new Error('griot start ended')))
  })
  const readyMs = performance.now() - from
  await new Promise((resolve) => setTimeout(resolve, 1_000))
  const rss = rssOf(child.pid)
  child.kill('SIGTERM')
  await new Promise((resolve) => child.once('exit', resolve))
  return { readyMs, rss }
}

const fresh = []
const old = []
const rss = []
for (let round = 0; round < rounds; round++) {
  const directory = mkdtempSync(join(tmpdir(), 'griot-start-'))
  const first = await start(join(directory, 'data'))
  fresh.push(first.readyMs)
  rss.push(first.rss)
  old.push((await start(join(directory, 'data'))).readyMs)
  rmSync(directory, { recursive: true, force: true })
}
line('griot start, three brokers, fresh directory, spawn to ready', fresh, 'ms')
line('griot start, three brokers, old directory, spawn to ready', old, 'ms')
line('idle RSS, one second after', rss, 'MB')

const embedded = []
for (let round = 0; round < rounds; round++) {
  const script = `const from = performance.now(); const { Griot } = await import(${JSON.stringify(join(dist, 'index.js'))});
    const griot = await Griot.start({ brokers: 1 }); console.log(performance.now() - from); await griot.close()`
  const run = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
  })
  if (run.status !== 0) throw new Error(run.stderr)
  embedded.push(Number(run.stdout))
}
line('embedded, one broker, import to started', embedded, 'ms')
