import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { writeCorpus } from './corpus.ts'
import { EngineProcess } from './engine-process.ts'
import { count, missing } from './requirements.ts'
import { run } from './run.ts'

const lines = count(100_000, 1_000_000)
const classPath = `${process.env.GRIOT_KAFKA_LIBS}/*`

describe.skipIf(missing('java'))(
  "Java's console producer and consumer move a real text file",
  () => {
    let directory: string
    let engine: EngineProcess
    let input: string

    beforeAll(async () => {
      directory = await mkdtemp(join(tmpdir(), 'griot-java-'))
      input = join(directory, 'input.txt')
      await writeCorpus(input, lines)
      engine = await EngineProcess.create(join(directory, 'data'))
      await engine.start()
    }, 60_000)

    afterAll(async () => {
      await engine?.end('SIGTERM')
      await rm(directory, { recursive: true, force: true })
    })

    for (const codec of ['none', 'gzip', 'snappy', 'lz4', 'zstd']) {
      it(`byte for byte with ${codec}`, async () => {
        const topic = `java-${codec}`
        const tool = (name: string) => [
          '-cp',
          classPath,
          '-Xmx512m',
          `org.apache.kafka.tools.${name}`,
        ]
        const created = await run('java', [
          ...tool('TopicCommand'),
          ...['--bootstrap-server', engine.bootstrap, '--create', '--topic', topic],
          ...['--partitions', '1'],
        ])
        expect(created.code, created.stderr).toBe(0)
        const produced = await run(
          'java',
          [
            ...tool('ConsoleProducer'),
            ...['--bootstrap-server', engine.bootstrap, '--topic', topic],
            ...['--compression-codec', codec, '--command-property', 'max.request.size=900000'],
          ],
          { stdin: input },
        )
        expect(produced.code, produced.stderr).toBe(0)
        const output = join(directory, `${codec}.txt`)
        const consumed = await run(
          'java',
          [
            ...tool('consumer.ConsoleConsumer'),
            ...['--bootstrap-server', engine.bootstrap, '--topic', topic, '--partition', '0'],
            ...['--offset', 'earliest', '--max-messages', String(lines), '--timeout-ms', '20000'],
          ],
          { stdoutFile: output },
        )
        expect(consumed.code, consumed.stderr).toBe(0)
        expect((await readFile(input)).equals(await readFile(output))).toBe(true)
      }, 170_000)
    }
  },
)
