/** Apache Kafka on loopback: nodes that are broker and controller at once, with the defaults of its own scripts and broker. */
import { type ChildProcess, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { endChild, type Sandbox } from '../common/sandbox.ts'
import type { Broker } from './broker.ts'
import { freePorts } from './ports.ts'

/** What kafka-run-class.sh gives the JVM. */
const PERFORMANCE_OPTIONS = [
  ...['-server', '-XX:+UseG1GC', '-XX:MaxGCPauseMillis=20'],
  ...['-XX:InitiatingHeapOccupancyPercent=35', '-XX:+ExplicitGCInvokesConcurrent'],
  '-Djava.awt.headless=true',
]
const LISTEN_TIMEOUT_MS = 120_000
const KEPT_STDERR = 20_000

export interface KafkaOptions {
  readonly java: string
  readonly libs: string
  readonly nodes: 1 | 3
  /** Of the JVM. */
  readonly jvm?: readonly string[]
  /** Beside what is needed to run at all. */
  readonly properties?: Readonly<Record<string, string | number | boolean>>
}

interface Node {
  readonly id: number
  readonly child: ChildProcess
  readonly port: number
  stderr(): string
}

export const DEFAULT_JVM: readonly string[] = ['-Xmx1g', ...PERFORMANCE_OPTIONS]

/** `server.properties` of node `node` of `nodes`, on two ports of its own from `port` on. */
export function serverProperties(
  options: Pick<KafkaOptions, 'nodes' | 'properties'>,
  node: number,
  port: number,
  directory: string,
): string {
  const ids = Array.from({ length: options.nodes }, (_, i) => i + 1)
  const client = port + 2 * (node - 1)
  const copies = options.nodes
  return Object.entries({
    'process.roles': 'broker,controller',
    'node.id': node,
    'controller.quorum.voters': ids.map((id) => `${id}@127.0.0.1:${port + 2 * id - 1}`).join(','),
    listeners: `PLAINTEXT://127.0.0.1:${client},CONTROLLER://127.0.0.1:${client + 1}`,
    'controller.listener.names': 'CONTROLLER',
    'log.dirs': join(directory, 'data'),
    // as many as there are nodes: the default of 3 cannot be had of one
    'offsets.topic.replication.factor': copies,
    'transaction.state.log.replication.factor': copies,
    'transaction.state.log.min.isr': Math.min(2, copies),
    'share.coordinator.state.topic.replication.factor': copies,
    'share.coordinator.state.topic.min.isr': Math.min(2, copies),
    ...options.properties,
  })
    .map(([name, value]) => `${name}=${value}\n`)
    .join('')
}

/**
 * Starts `options.nodes` nodes in folders of `directory`, which is formatted where it is new, and waits until all take
 * connections. Throws with the standard error of the one that ended.
 */
export async function startKafka(
  sandbox: Pick<Sandbox, 'spawn'>,
  options: KafkaOptions,
  directory: string,
): Promise<Broker> {
  const port = await freePorts(2 * options.nodes)
  const jvm = [...(options.jvm ?? DEFAULT_JVM), '-cp', `${options.libs}/*`]
  jvm.push('-Dorg.slf4j.simpleLogger.defaultLogLevel=warn')
  let formatMs = 0
  const fileOf = (id: number) => join(directory, `node-${id}`, 'server.properties')
  const spawnNode = (id: number): Node => {
    const child = sandbox.spawn(options.java, [...jvm, 'kafka.Kafka', fileOf(id)], {
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    return { id, child, port: port + 2 * (id - 1), stderr: collect(child) }
  }
  const nodes = Array.from({ length: options.nodes }, (_, i) => {
    const folder = join(directory, `node-${i + 1}`)
    mkdirSync(folder, { recursive: true })
    writeFileSync(fileOf(i + 1), serverProperties(options, i + 1, port, folder))
    if (!existsSync(join(folder, 'data/meta.properties')))
      formatMs += format(options.java, jvm, fileOf(i + 1))
    return spawnNode(i + 1)
  })
  try {
    await Promise.all(nodes.map((node) => listening(node.child, node.port, node.stderr)))
  } catch (error) {
    await Promise.all(nodes.map((node) => endChild(node.child, 'SIGKILL')))
    throw error
  }
  const indexOf = (id: number): number => {
    const at = nodes.findIndex((node) => node.id === id)
    if (at < 0) throw new Error(`Kafka has no node ${id}: there are ${options.nodes}`)
    return at
  }
  return {
    bootstrap: nodes.map((node) => `127.0.0.1:${node.port}`).join(','),
    // one that was started again has another
    get pids() {
      return nodes.map((node) => node.child.pid!)
    },
    formatMs,
    kill: async (id) => await endChild(nodes[indexOf(id)]!.child, 'SIGKILL'),
    revive: async (id) => {
      const node = spawnNode(id)
      nodes[indexOf(id)] = node
      await listening(node.child, node.port, node.stderr)
    },
    stderr: () => nodes.map((node) => node.stderr()).join(''),
    stop: async (signal) => {
      await Promise.all(nodes.map((node) => endChild(node.child, signal)))
    },
  }
}

/** Returns the milliseconds that it took. */
function format(java: string, jvm: readonly string[], file: string): number {
  const from = performance.now()
  const id = Buffer.from('griot-compares..').toString('base64url')
  const args = ['kafka.tools.StorageTool', 'format', '-t', id, '-c', file]
  const done = spawnSync(java, [...jvm, ...args], { encoding: 'utf8' })
  if (done.error !== undefined) throw done.error
  if (done.status !== 0) throw new Error(`formatting Kafka's directory failed: ${done.stderr}`)
  return performance.now() - from
}

function collect(child: ChildProcess): () => string {
  let text = ''
  child.once('error', (error) => {
    text += error.message
  })
  child.stderr!.on('data', (chunk) => {
    text = (text + chunk).slice(-KEPT_STDERR)
  })
  return () => text
}

async function listening(child: ChildProcess, port: number, stderr: () => string): Promise<void> {
  const deadline = Date.now() + LISTEN_TIMEOUT_MS
  while (!(await answers(port))) {
    if (child.pid === undefined) throw new Error(`Kafka cannot be run: ${stderr()}`)
    if (child.exitCode !== null || child.signalCode !== null)
      throw new Error(`Kafka ended with ${child.exitCode ?? child.signalCode}: ${stderr()}`)
    if (Date.now() > deadline)
      throw new Error(`Kafka does not listen on ${port} after ${LISTEN_TIMEOUT_MS} ms: ${stderr()}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port })
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}
