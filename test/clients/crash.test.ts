import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { SeededRandom } from '../../src/base/random.ts'
import { EngineProcess } from './engine-process.ts'
import { count, missing } from './requirements.ts'
import { run } from './run.ts'

const rounds = count(4, 20)
const partitions = 6
const seed = Number(process.env.GRIOT_SEED ?? 20_261_123)

describe.skipIf(missing('librdkafka') || missing('kcat'))(
  'kill -9 under an idempotent librdkafka producer',
  () => {
    let directory: string
    let engine: EngineProcess
    let producer: ChildProcess
    const topic = 'crash'

    beforeAll(async () => {
      directory = await mkdtemp(join(tmpdir(), 'griot-crash-'))
      engine = await EngineProcess.create(join(directory, 'data'), 3, [
        '--default-partitions',
        String(partitions),
      ])
      await engine.start()
    })

    afterAll(async () => {
      producer?.kill('SIGKILL')
      await engine?.end('SIGKILL')
      await rm(directory, { recursive: true, force: true })
    })

    it(
      `${rounds} rounds: every acknowledged record is there once, in order`,
      async () => {
        console.log(`seed ${seed}`)
        const random = new SeededRandom(seed)
        const ackFile = join(directory, 'acknowledged')
        const script = join(import.meta.dirname, 'librdkafka/crash-producer.mjs')
        producer = spawn(process.execPath, [
          script,
          engine.bootstrap,
          topic,
          String(partitions),
          ackFile,
        ])
        let complaints = ''
        producer.stderr!.on('data', (chunk) => (complaints += chunk))
        for (let round = 0; round < rounds; round++) {
          await new Promise((resolve) => setTimeout(resolve, 700 + random.below(1_500)))
          await engine.end('SIGKILL')
          await engine.start()
        }
        await new Promise((resolve) => setTimeout(resolve, 1_500))
        const ended = once(producer, 'exit')
        producer.kill('SIGTERM')
        const [code] = await ended
        expect(complaints).toBe('')
        expect(code).toBe(0)
        await check(ackFile)
      },
      rounds * 8_000 + 60_000,
    )

    /** Reads everything back and holds it against the acknowledgements. */
    async function check(ackFile: string): Promise<void> {
      const args = ['-C', '-b', engine.bootstrap, '-t', topic, '-o', 'beginning', '-e', '-q']
      const read = await run('kcat', [...args, '-X', 'check.crcs=true', '-f', '%p %o %S %s\n'])
      expect(read.code, read.stderr).toBe(0)
      const stored = new Map<string, number>()
      const lastOf = new Map<string, { offset: number; sequence: number }>()
      const seen = new Set<number>()
      for (const line of read.stdout.trimEnd().split('\n')) {
        const [partition, offset, size, sequence, padding] = line.split(' ') as [
          string,
          string,
          string,
          string,
          string,
        ]
        expect(Number(size)).toBe(sequence.length + 1 + padding.length)
        const last = lastOf.get(partition) ?? { offset: -1, sequence: -1 }
        expect(Number(offset)).toBe(last.offset + 1)
        if (Number(sequence) <= last.sequence)
          expect.fail(`out of order or twice: ${line.slice(0, 60)}`)
        lastOf.set(partition, { offset: Number(offset), sequence: Number(sequence) })
        seen.add(Number(sequence))
        stored.set(`${partition} ${offset}`, Number(sequence))
      }
      const acknowledgements = (await readFile(ackFile, 'utf8')).trimEnd().split('\n')
      for (const line of acknowledgements) {
        const [partition, offset, sequence] = line.split(' ') as [string, string, string]
        const there = stored.get(`${partition} ${offset}`)
        // an offset of −1 (acknowledged as a duplicate after its batch left the cache) still needs its record
        if (Number(offset) >= 0 && there !== Number(sequence))
          expect.fail(`lost: ${line}, found ${there}`)
        if (!seen.has(Number(sequence))) expect.fail(`lost: ${line}`)
      }
      console.log(`${acknowledgements.length} acknowledged, ${stored.size} stored, ${rounds} kills`)
      expect(acknowledgements.length).toBeGreaterThan(1_000)
      expect(stored.size).toBe(acknowledgements.length)
    }
  },
)
