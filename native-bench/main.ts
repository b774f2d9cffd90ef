/**
 * `npm run bench`: produce and fetch of a running engine beside the loopback limit of this machine, in one run.
 * With `--bootstrap HOST:PORT` it measures that Kafka; without, it starts an engine of its own in a temporary directory.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { loopbackLimit } from './limits/limits.ts'
import { type Job, type JobResult, runJob } from './load/worker.ts'

const root = join(import.meta.dirname, '..')
const usage = `npm run bench -- [--bootstrap HOST:PORT] [--pid PID] [--seconds 5] [--rounds 3] [--json]`

interface Target {
  readonly bootstrap: string
  readonly pid: number | null
}

/** CPU seconds that a local process has used, or null where /proc does not tell. */
function cpuSeconds(pid: number | null): number | null {
  const path = `/proc/${pid}/stat`
  if (pid === null || !existsSync(path)) return null
  const fields = readFileSync(path, 'utf8').split(') ')[1]!.split(' ')
  return (Number(fields[11]) + Number(fields[12])) / 100
}

function rssBytes(pid: number | null): number | null {
  const path = `/proc/${pid}/status`
  if (pid === null || !existsSync(path)) return null
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(path, 'utf8'))![1]) * 1024
}

function runInProcess(job: Job): Promise<JobResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [import.meta.filename, '--job', JSON.stringify(job)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let text = ''
    child.stdout.on('data', (chunk) => (text += chunk))
    child.on('close', (code) =>
      code === 0 ? resolve(JSON.parse(text)) : reject(new Error(`load process ended with ${code}`)),
    )
  })
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      server.close(() => resolve(port))
    })
  })
}

async function startEngine(directory: string): Promise<{ target: Target; child: ChildProcess }> {
  const [kafka, http] = [await freePort(), await freePort()]
  const args = ['--data-dir', directory, '--brokers', '1', '--kafka-listen', `127.0.0.1:${kafka}`]
  const child = spawn(
    process.execPath,
    [join(root, 'dist/griot.cjs'), 'start', ...args, '--http-listen', `127.0.0.1:${http}`],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  )
  for (let attempt = 0; attempt < 400; attempt++) {
    const ready = await fetch(`http://127.0.0.1:${http}/health/ready`).then(
      (answer) => answer.ok,
      () => false,
    )
    if (ready) return { target: { bootstrap: `127.0.0.1:${kafka}`, pid: child.pid! }, child }
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  child.kill('SIGKILL')
  throw new Error('the engine did not become ready within 10 s')
}

const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1]!

interface Row {
  readonly name: string
  readonly job: Omit<Job, 'bootstrap' | 'seconds'>
}

const shape = { recordBytes: 1024, recordsPerBatch: 1000, bytesMax: 0 }
const rows: readonly Row[] = [
  {
    name: 'produce, 1 MB batches',
    job: { ...shape, kind: 'produce', topic: 'bench-large', inFlight: 5 },
  },
  {
    name: 'fetch, from the beginning',
    job: { ...shape, kind: 'fetch', topic: 'bench-large', inFlight: 1 },
  },
  {
    name: 'produce, one 100-byte record a request',
    job: {
      kind: 'produce',
      topic: 'bench-small',
      recordBytes: 100,
      recordsPerBatch: 1,
      inFlight: 1,
      bytesMax: 0,
    },
  },
  {
    name: 'the same, 64 requests in flight',
    job: {
      kind: 'produce',
      topic: 'bench-small',
      recordBytes: 100,
      recordsPerBatch: 1,
      inFlight: 64,
      bytesMax: 0,
    },
  },
]

async function measure(target: Target, seconds: number, rounds: number) {
  const limits = []
  const results = new Map<string, (JobResult & { brokerCpuSeconds: number | null })[]>()
  for (let round = 0; round < rounds; round++) {
    console.error(`round ${round + 1} of ${rounds}`)
    limits.push(await loopbackLimit(join(root, 'native-bench/limits/loopback.c'), 1 << 20, 1))
    for (const { name, job } of rows) {
      const before = cpuSeconds(target.pid)
      const result = await runInProcess({ ...job, bootstrap: target.bootstrap, seconds })
      const after = cpuSeconds(target.pid)
      const brokerCpuSeconds = before === null || after === null ? null : after - before
      results.set(name, [...(results.get(name) ?? []), { ...result, brokerCpuSeconds }])
      console.error(`  ${name}: ${(result.bytes / result.seconds / 1e6).toFixed(0)} MB/s`)
    }
  }
  return { limits, results }
}

function table({ limits, results }: Awaited<ReturnType<typeof measure>>): string {
  const limit = median(limits.map((l) => l.bytesPerSecond))
  const spread = (values: number[], digits = 0) => {
    const sorted = [...values].sort((a, b) => a - b)
    return `${median(sorted).toFixed(digits)} (${sorted[0]!.toFixed(digits)}–${sorted.at(-1)!.toFixed(digits)})`
  }
  const lines = [
    `Loopback, ${limits[0]!.program === 'c' ? 'a C program' : 'Node’s sockets'}, 1 MB chunks: ${spread(limits.map((l) => l.bytesPerSecond / 1e6))} MB/s; round trip p50 ${limits[0]!.roundTripUsP50 ?? '–'} µs`,
    '',
    '| workload | MB/s | of loopback | requests/s | p50 µs | p99 µs | broker CPU-s/GB | broker CPU µs/request |',
    '|---|---|---|---|---|---|---|---|',
  ]
  for (const [name, runs] of results) {
    const rates = runs.map((r) => r.bytes / r.seconds / 1e6)
    const cpu = runs.map((r) => r.brokerCpuSeconds ?? Number.NaN)
    lines.push(
      `| ${name} | ${spread(rates)} | ${((median(rates) * 1e8) / limit).toFixed(0)} % | ${spread(runs.map((r) => r.requests / r.seconds))} | ${spread(runs.map((r) => r.latencyUs.p50))} | ${spread(runs.map((r) => r.latencyUs.p99))} | ${median(runs.map((r, i) => (cpu[i]! / r.bytes) * 1e9)).toFixed(2)} | ${median(runs.map((r, i) => (cpu[i]! / r.requests) * 1e6)).toFixed(1)} |`,
    )
  }
  return lines.join('\n')
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      job: { type: 'string' },
      bootstrap: { type: 'string' },
      pid: { type: 'string' },
      seconds: { type: 'string', default: '5' },
      rounds: { type: 'string', default: '3' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return console.log(usage)
  if (values.job !== undefined) {
    console.log(JSON.stringify(await runJob(JSON.parse(values.job))))
    return
  }
  const directory =
    values.bootstrap === undefined ? mkdtempSync(join(tmpdir(), 'griot-bench-')) : null
  const own = directory === null ? null : await startEngine(directory)
  const target = own?.target ?? {
    bootstrap: values.bootstrap!,
    pid: values.pid === undefined ? null : Number(values.pid),
  }
  try {
    const idle = rssBytes(target.pid)
    const measured = await measure(target, Number(values.seconds), Number(values.rounds))
    const loaded = rssBytes(target.pid)
    if (values.json)
      console.log(
        JSON.stringify({ limits: measured.limits, results: [...measured.results], idle, loaded }),
      )
    else {
      console.log(table(measured))
      if (idle !== null)
        console.log(
          `\nRSS ${(idle / 1e6).toFixed(0)} MB idle, ${(loaded! / 1e6).toFixed(0)} MB after the load`,
        )
      const commit = spawnSync('git', ['rev-parse', '--short', 'HEAD'], {
        cwd: root,
        encoding: 'utf8',
      })
      console.log(
        `${new Date().toISOString().slice(0, 10)}, commit ${commit.stdout.trim()}, Node ${process.version}`,
      )
    }
  } finally {
    if (own !== null) {
      own.child.kill('SIGTERM')
      await new Promise((resolve) => own.child.once('exit', resolve))
    }
    if (directory !== null) rmSync(directory, { recursive: true, force: true })
  }
}

await main()
