/** Kafka's own performance tools, run on an engine that is already there. */
import { once } from 'node:events'
import { existsSync, readdirSync } from 'node:fs'
import type { Sandbox } from '../common/sandbox.ts'

const HOW_TO_GET_TOOLS =
  'mvn -f test/clients/java/pom.xml dependency:copy-dependencies -DoutputDirectory=DIRECTORY gets it and what it needs'

export class JavaTools {
  readonly #libs: string
  readonly #bootstrap: string
  readonly #java: string
  readonly #sandbox: Sandbox

  /** `libs` is a directory with the jars of Apache Kafka, kafka-tools among them; `java` a program. */
  constructor(java: string, libs: string, bootstrap: string, sandbox: Sandbox) {
    this.#java = java
    this.#libs = libs
    this.#bootstrap = bootstrap
    this.#sandbox = sandbox
  }

  /** MB/s (10⁶ bytes of values), without the first fifth. */
  async produce(topic: string, records: number, bytes: number, batchBytes: number) {
    const settings = [
      `batch.size=${batchBytes}`,
      'linger.ms=5',
      'acks=all',
      'compression.type=none',
    ]
    const counts = ['--num-records', records, '--warmup-records', Math.floor(records / 5)]
    const text = await this.#run('ProducerPerformance', [
      ...['--bootstrap-server', this.#bootstrap, '--topic', topic, '--throughput', -1],
      ...[...counts, '--record-size', bytes, '--command-property', ...settings],
    ])
    // the line of all after the warm-up is the last one
    const found = [...text.matchAll(/records sent, ([\d.]+) records\/sec/g)].at(-1)
    return (expected(found, text) * bytes) / 1e6
  }

  /** MB/s (10⁶ bytes of values) while it fetched. */
  async consume(topic: string, records: number, bytes: number): Promise<number> {
    const text = await this.#run('ConsumerPerformance', [
      ...['--bootstrap-server', this.#bootstrap, '--topic', topic, '--num-records', records],
      ...['--timeout', 30_000, '--hide-header'],
    ])
    // start, end, MB, MB/s, records, records/s, ms to join, ms to fetch, MB/s and records/s while fetching
    const cells = text.trim().split('\n').at(-1)!.split(',')
    return (expected(cells.length === 10 ? ['', cells[9]!] : undefined, text) * bytes) / 1e6
  }

  /** Microseconds in the mean, sent one after the other has come. */
  async endToEnd(topic: string, records: number, bytes: number): Promise<number> {
    const text = await this.#run('EndToEndLatency', [this.#bootstrap, topic, records, 'all', bytes])
    return expected(/Avg latency: ([\d.]+) ms/.exec(text) ?? undefined, text) * 1000
  }

  async #run(tool: string, args: readonly (string | number)[]): Promise<string> {
    const child = this.#sandbox.spawn(
      this.#java,
      ['-cp', `${this.#libs}/*`, `org.apache.kafka.tools.${tool}`, ...args.map(String)],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    )
    let out = ''
    let error = ''
    child.stdout!.on('data', (chunk) => (out += chunk))
    child.stderr!.on('data', (chunk) => (error = (error + chunk).slice(-4000)))
    const [code] = await once(child, 'close')
    if (code !== 0) throw new Error(`${tool} ended with ${code}: ${out.slice(-1000)}${error}`)
    return out
  }
}

/** Throws, with what gets them, where they are not. */
export function assertTools(libs: string): void {
  const names = existsSync(libs) ? readdirSync(libs) : []
  if (names.some((name) => /^kafka-tools-\d/.test(name))) return
  throw new Error(`--libs ${libs}: there is no kafka-tools-VERSION.jar; ${HOW_TO_GET_TOOLS}`)
}

function expected(found: readonly string[] | undefined, text: string): number {
  const value = Number(found?.[1])
  if (!(value > 0)) throw new Error(`not the output that was expected: ${text.slice(-1000)}`)
  return value
}
