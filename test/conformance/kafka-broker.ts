/** Apache Kafka from Maven Central, one broker that is its own controller, on free ports of loopback. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { freePorts } from '../clients/engine-process.ts'

const here = import.meta.dirname

/**
 * Where Kafka's jars are: GRIOT_KAFKA_LIBS, or `libs` beside this file, filled by Maven at the first run. Throws where
 * there is no Maven.
 */
export async function kafkaLibs(): Promise<string> {
  const given = process.env.GRIOT_KAFKA_LIBS
  if (given !== undefined) return given
  const libs = join(here, 'libs')
  if (existsSync(libs) && (await readdir(libs)).some((name) => name.startsWith('kafka_')))
    return libs
  console.log('fetching Apache Kafka from Maven Central, once')
  const args = ['-q', '-f', join(here, 'pom.xml'), 'dependency:copy-dependencies']
  const made = spawnSync('mvn', [...args, `-DoutputDirectory=${libs}`], { stdio: 'inherit' })
  if (made.status !== 0) throw new Error('mvn failed: a JDK 17+ and Maven are needed')
  return libs
}

const properties = (port: number, directory: string): string =>
  Object.entries({
    'process.roles': 'broker,controller',
    'node.id': 1,
    'controller.quorum.voters': `1@127.0.0.1:${port + 1}`,
    listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${port + 1}`,
    'controller.listener.names': 'CONTROLLER',
    'log.dirs': join(directory, 'data'),
    // What Griot has by default, too.
    'num.partitions': 4,
    'auto.create.topics.enable': true,
    // One broker.
    'offsets.topic.replication.factor': 1,
    'transaction.state.log.replication.factor': 1,
    'transaction.state.log.min.isr': 1,
    'share.coordinator.state.topic.replication.factor': 1,
    'share.coordinator.state.topic.min.isr': 1,
    // Small and quick.
    'offsets.topic.num.partitions': 1,
    'transaction.state.log.num.partitions': 1,
  })
    .map(([name, value]) => `${name}=${value}`)
    .join('\n')

export class KafkaBroker {
  readonly bootstrap: string
  readonly #child: ChildProcess
  stderr = ''

  private constructor(bootstrap: string, child: ChildProcess) {
    this.bootstrap = bootstrap
    this.#child = child
    child.stderr!.on('data', (chunk) => {
      this.stderr = (this.stderr + chunk).slice(-20_000)
    })
  }

  /** Formats `directory` and starts; resolves once it takes connections. Throws with its standard error if it ends. */
  static async start(libs: string, directory: string): Promise<KafkaBroker> {
    await mkdir(directory, { recursive: true })
    const port = await freePorts(2)
    const file = join(directory, 'server.properties')
    await writeFile(file, properties(port, directory))
    const java = [
      ...['-Xmx512m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-cp', `${libs}/*`],
      ...['-Dorg.slf4j.simpleLogger.defaultLogLevel=warn'],
    ]
    const id = Buffer.from('griot-compares..').toString('base64url')
    const format = ['kafka.tools.StorageTool', 'format', '-t', id, '-c', file]
    const formatted = spawnSync('java', [...java, ...format], { encoding: 'utf8' })
    if (formatted.status !== 0) throw new Error(`kafka format: ${formatted.stderr}`)
    const child = spawn('java', [...java, 'kafka.Kafka', file], {
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    const broker = new KafkaBroker(`127.0.0.1:${port}`, child)
    const deadline = Date.now() + 60_000
    while (!(await answers(port))) {
      if (child.exitCode !== null) throw new Error(`Kafka ended: ${broker.stderr}`)
      if (Date.now() > deadline) throw new Error(`Kafka does not listen: ${broker.stderr}`)
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
    return broker
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const exited = once(this.#child, 'exit')
    // Its data goes with it: nothing to save.
    this.#child.kill('SIGKILL')
    await exited
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
