// Runs the script of a client against `griot start`, directly and through a TCP relay on other ports of 127.0.0.2 that clients are told
// of by --kafka-advertise. Usage: node run.mjs NAME… (or all). Makes what the script needs first; ends with 1 when any fails.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const here = import.meta.dirname
const root = join(here, '../../..')
/** What is built or installed once stays here: binaries of Go, virtual environments of Python. */
const cache = join(tmpdir(), `griot-clients-${process.getuid?.() ?? 0}`)
const BROKERS = 3

function must(command, args, options = {}) {
  const { status, error } = spawnSync(command, args, { stdio: 'inherit', ...options })
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${error?.message ?? status}`)
}

const goOf = (name) => () => {
  const binary = join(cache, name)
  must('go', ['build', '-o', binary, '.'], { cwd: join(here, name) })
  return [binary]
}
const pythonOf = (name) => () => {
  const environment = join(cache, name)
  if (!existsSync(join(environment, 'ready'))) {
    must('python3', ['-m', 'venv', environment])
    const requirements = join(here, name, 'requirements.txt')
    must(join(environment, 'bin/pip'), ['install', '--quiet', '-r', requirements])
    mkdirSync(join(environment, 'ready'))
  }
  return [join(environment, 'bin/python'), '-u', join(here, name, 'client.py')]
}

/** How to make each client, and its command before BOOTSTRAP and PREFIX. */
const clients = {
  platformatic: () => {
    const directory = join(here, 'platformatic')
    const node = join(directory, 'node_modules/node/bin/node')
    if (!existsSync(node)) must('npm', ['ci', '--no-audit', '--no-fund'], { cwd: directory })
    return [node, join(directory, 'platformatic.mjs')]
  },
  'franz-go': goOf('franz-go'),
  sarama: goOf('sarama'),
  'kafka-go': goOf('kafka-go'),
  'kafka-python': pythonOf('kafka-python'),
  'confluent-kafka': pythonOf('confluent-kafka'),
  aiokafka: pythonOf('aiokafka'),
  'java-tools': () => {
    const libs = process.env.GRIOT_KAFKA_LIBS ?? join(here, '../java/target/libs')
    process.env.GRIOT_KAFKA_LIBS = libs
    if (!existsSync(libs)) {
      const copy = ['dependency:copy-dependencies', `-DoutputDirectory=${libs}`]
      must('mvn', ['-q', '-B', '-f', join(here, '../java/pom.xml'), ...copy])
    }
    return [process.execPath, join(here, 'java-tools/java-tools.mjs')]
  },
}

const isFree = (host, port) =>
  new Promise((resolve) => {
    const server = createServer().once('error', () => resolve(false))
    server.listen(port, host, () => server.close(() => resolve(true)))
  })

/** `count` consecutive free ports below the ephemeral ones. */
async function freePorts(count) {
  for (;;) {
    const first = 12_000 + Math.floor(Math.random() * 18_000)
    const ports = Array.from({ length: count }, (_, i) => first + i)
    const free = await Promise.all(
      ports.flatMap((port) => ['127.0.0.1', '127.0.0.2'].map((host) => isFree(host, port))),
    )
    if (!free.includes(false)) return first
  }
}

async function end(child, signal) {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill(signal)
  await exited
}

/** An engine as `npm start` starts it, but for its ports. */
async function startEngine(directory, kafkaPort, httpPort, extra) {
  const options = [
    ...['--data-dir', join(directory, 'data'), '--kafka-listen', `127.0.0.1:${kafkaPort}`],
    ...['--http-listen', `127.0.0.1:${httpPort}`, '--brokers', String(BROKERS), ...extra],
  ]
  const child = spawn(process.execPath, [join(root, 'dist/griot.cjs'), 'start', ...options], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  child.log = ''
  child.stderr.on('data', (chunk) => {
    child.log = (child.log + chunk).slice(-20_000)
  })
  for (;;) {
    if (child.exitCode !== null) throw new Error(`griot start ended: ${child.log}`)
    const url = `http://127.0.0.1:${httpPort}/health/ready`
    const ready = await fetch(url).then(
      ({ ok }) => ok,
      () => false,
    )
    if (ready) return child
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

/** Runs `command` once against an engine of its own; true when it ended with 0. */
async function runOnce(name, command, isRelayed) {
  const directory = mkdtempSync(join(tmpdir(), 'griot-client-'))
  const first = await freePorts(BROKERS + 1)
  const relayed = await freePorts(BROKERS)
  const bootstrap = isRelayed ? `127.0.0.2:${relayed}` : `127.0.0.1:${first}`
  const children = []
  try {
    const advertise = isRelayed ? ['--kafka-advertise', bootstrap] : []
    const engine = await startEngine(directory, first, first + BROKERS, advertise)
    children.push(engine)
    let relay
    if (isRelayed) {
      const args = [join(here, '../relay.mjs'), bootstrap, `127.0.0.1:${first}`, String(BROKERS)]
      relay = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
      children.push(relay)
      relay.output = ''
      relay.stdout.on('data', (chunk) => {
        relay.output += chunk
      })
      while (!relay.output.includes('relaying')) await once(relay.stdout, 'data')
    }
    const from = performance.now()
    const [program, ...args] = command
    const child = spawn(program, [...args, bootstrap, name], { stdio: 'inherit' })
    children.push(child)
    const [code] = await once(child, 'exit')
    const seconds = ((performance.now() - from) / 1_000).toFixed(1)
    const way = isRelayed ? 'through a relay' : 'directly'
    console.log(`${name}, ${way}: ${code === 0 ? 'passed' : `FAILED with ${code}`} in ${seconds} s`)
    if (code !== 0) console.log(engine.log.split('\n').slice(-10).join('\n'))
    if (!isRelayed) return code === 0
    await end(relay, 'SIGTERM')
    const { connections } = JSON.parse(relay.output.trim().split('\n').at(-1))
    const metrics = await (await fetch(`http://127.0.0.1:${first + BROKERS}/metrics`)).text()
    const opened = Number(
      /^kafka_server_socket_server_metrics_connection_creation_total\{[^}]*\} (\d+)$/m.exec(
        metrics,
      )?.[1],
    )
    const total = connections.reduce((sum, count) => sum + count, 0)
    console.log(`connections through the relay's ports: ${connections}; the engine saw ${opened}`)
    return code === 0 && opened === total
  } finally {
    for (const child of children.reverse()) await end(child, 'SIGTERM')
    rmSync(directory, { recursive: true, force: true })
  }
}

const named = process.argv.slice(2)
const names = named.includes('all') ? Object.keys(clients) : named
if (names.length === 0 || names.some((name) => clients[name] === undefined)) {
  console.error(`usage: node run.mjs all | ${Object.keys(clients).join(' | ')} …`)
  process.exit(2)
}
if (!existsSync(join(root, 'dist/griot.cjs'))) must('npm', ['run', 'build'], { cwd: root })
mkdirSync(cache, { recursive: true })
let failed = 0
for (const name of names) {
  const command = clients[name]()
  for (const isRelayed of [false, true]) {
    if (!(await runOnce(name, command, isRelayed))) failed++
  }
}
console.log(failed === 0 ? 'all passed' : `${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1
