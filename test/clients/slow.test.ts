import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fetch as fetchApi } from '../../src/protocol/01-fetch.ts'
import { buildBatch } from '../../src/record/builder.ts'
import { EngineProcess } from './engine-process.ts'
import { fetchRequest, Wire } from './wire.ts'

const memoryMb = 128
const rssMb = (pid: number) =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1024
const percentile = (values: number[], p: number) =>
  [...values].sort((a, b) => a - b)[
    Math.min(values.length - 1, Math.floor((values.length * p) / 100))
  ]!
const filled = (bytes: number) =>
  buildBatch([{ timestampMs: Date.now(), key: null, value: new Uint8Array(bytes).fill(120) }])

describe.skipIf(process.platform !== 'linux')(
  'slow and large clients cost bounded memory and nobody else’s latency',
  () => {
    let directory: string
    let engine: EngineProcess

    beforeAll(async () => {
      directory = await mkdtemp(join(tmpdir(), 'griot-slow-'))
      engine = await EngineProcess.create(join(directory, 'data'), 3, ['--memory', `${memoryMb}M`])
      await engine.start()
    })

    afterAll(async () => {
      await engine?.end('SIGTERM')
      await rm(directory, { recursive: true, force: true })
    })

    /** Produces and reads back one record at a time for a while; milliseconds of each round. */
    async function probe(topic: string, rounds: number): Promise<number[]> {
      const wire = await Wire.open(engine.bootstrap)
      const batch = filled(100)
      const times: number[] = []
      for (let i = 0; i < rounds; i++) {
        const from = performance.now()
        const answer = await wire.produce(topic, 0, batch)
        expect(answer.errorCode).toBe(0)
        const read = await wire.fetch(topic, 0, answer.baseOffset)
        expect(read.records.length).toBeGreaterThan(100)
        times.push(performance.now() - from)
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
      wire.close()
      return times
    }

    it('20 readers that ask for gigabytes and never drain their sockets', async () => {
      const wire = await Wire.open(engine.bootstrap)
      await wire.createTopic('flood', 1)
      await wire.createTopic('probe', 1)
      for (let i = 0; i < 200; i++) await wire.produce('flood', 0, filled(1_000_000))
      const before = await probe('probe', 200)
      const idle = rssMb(engine.pid)
      const readers = await Promise.all(
        Array.from({ length: 20 }, () => Wire.open(engine.bootstrap)),
      )
      for (const reader of readers) {
        reader.socket.pause()
        for (let i = 0; i < 50; i++)
          reader.send(fetchApi, 11, fetchRequest('flood', 0, i, 50 << 20))
      }
      const during = await probe('probe', 200)
      const peak = rssMb(engine.pid)
      for (let i = 0; i < 50; i++) await wire.produce('flood', 0, filled(1_000_000))
      const afterMore = rssMb(engine.pid)
      for (const reader of readers) reader.close()
      wire.close()
      console.log(
        `RSS ${idle.toFixed(0)} MB, with stuck readers ${peak.toFixed(0)}, after 50 MB more ${afterMore.toFixed(0)} (--memory ${memoryMb}M); ` +
          `p99 ${percentile(before, 99).toFixed(1)} ms before, ${percentile(during, 99).toFixed(1)} ms during`,
      )
      expect(Math.max(peak, afterMore) - idle).toBeLessThan(2 * memoryMb)
      expect(percentile(during, 50)).toBeLessThan(10 * percentile(before, 50) + 50)
    }, 55_000)

    it('batches as large as max.message.bytes allows, from several connections at once', async () => {
      const wire = await Wire.open(engine.bootstrap)
      await wire.createTopic('huge', 3, { 'max.message.bytes': '12000000' })
      await wire.createTopic('beside', 1)
      const before = await probe('beside', 100)
      const idle = rssMb(engine.pid)
      const batch = filled(11_900_000)
      const writers = await Promise.all(
        Array.from({ length: 6 }, () => Wire.open(engine.bootstrap)),
      )
      let peak = 0
      const watch = setInterval(() => (peak = Math.max(peak, rssMb(engine.pid))), 20)
      const probing = probe('beside', 100)
      const answers = await Promise.all(
        writers.flatMap((writer, i) => [0, 1].map(() => writer.produce('huge', i % 3, batch))),
      )
      const during = await probing
      clearInterval(watch)
      expect(answers.map((answer) => answer.errorCode)).toEqual(answers.map(() => 0))
      const back = await wire.fetch('huge', 0, 0, 1_000)
      expect(back.records.length).toBe(batch.length)
      const refused = await wire.produce('huge', 0, filled(12_100_000))
      expect(refused.errorCode).toBe(10)
      console.log(
        `RSS ${idle.toFixed(0)} MB, peak ${peak.toFixed(0)} MB; probe p50 ${percentile(before, 50).toFixed(1)}, p99 ${percentile(before, 99).toFixed(1)} ms before, ${percentile(during, 50).toFixed(1)}, ${percentile(during, 99).toFixed(1)} ms during`,
      )
      expect(peak - idle).toBeLessThan(3 * memoryMb)
      expect(percentile(during, 50)).toBeLessThan(10 * percentile(before, 50) + 50)
      for (const writer of writers) writer.close()
      wire.close()
    }, 55_000)
  },
)
