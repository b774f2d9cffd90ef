/** How clients of several kinds log in. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Kafka, logLevel, type SASLOptions } from 'kafkajs'
import { classPath } from './ecosystem/java-process.ts'
import { type RunOptions, type RunResult, run } from './run.ts'

export interface Login {
  readonly mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512'
  readonly username: string
  readonly password: string
}

/** Arguments of kcat, and of what else takes librdkafka's names. */
export const kcatLogin = ({ mechanism, username, password }: Login): string[] => [
  ...['-X', 'security.protocol=SASL_PLAINTEXT', '-X', `sasl.mechanisms=${mechanism}`],
  ...['-X', `sasl.username=${username}`, '-X', `sasl.password=${password}`],
]

export const kafkajsOf = (brokers: readonly string[], login?: Login): Kafka =>
  new Kafka({
    ...{ brokers: [...brokers], logLevel: logLevel.NOTHING },
    ...(login && {
      sasl: { ...login, mechanism: login.mechanism.toLowerCase() } as SASLOptions,
    }),
    retry: { initialRetryTime: 50, maxRetryTime: 200, retries: 3 },
  })

const module = (mechanism: Login['mechanism']): string =>
  mechanism === 'PLAIN' ? 'plain.PlainLoginModule' : 'scram.ScramLoginModule'

/** Apache Kafka's command line tools, as somebody who has logged in. */
export class KafkaTools {
  readonly #directory = mkdtempSync(join(tmpdir(), 'griot-tools-'))
  #files = 0

  /** A file for `--command-config` and its like. */
  config({ mechanism, username, password }: Login): string {
    const file = join(this.#directory, `${++this.#files}.properties`)
    const jaas = `org.apache.kafka.common.security.${module(mechanism)} required username="${username}" password="${password}";`
    const lines = [
      ...['security.protocol=SASL_PLAINTEXT', `sasl.mechanism=${mechanism}`],
      `sasl.jaas.config=${jaas}`,
    ]
    writeFileSync(file, lines.join('\n'))
    return file
  }

  /** Runs a class of Kafka's; what it says on both outputs comes as `stdout`. */
  async run(
    program: string,
    args: readonly string[],
    options: RunOptions = {},
  ): Promise<RunResult> {
    // the least that starts fast: these programs live for seconds
    const jvm = ['-Xmx256m', '-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-cp', classPath]
    const result = await run('java', [...jvm, program, ...args], options)
    const { stdout, stderr } = result
    const said = `${stdout}${stderr}`.split('\n').filter((line) => !line.startsWith('SLF4J'))
    return { ...result, stdout: said.join('\n').trim() }
  }

  close(): void {
    rmSync(this.#directory, { recursive: true, force: true })
  }
}
