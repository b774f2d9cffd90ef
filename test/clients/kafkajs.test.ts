import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CompressionCodecs, CompressionTypes, Kafka, logLevel } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { compress, decompress, prepareCompression } from '../../src/record/compression.ts'
import { writeCorpus } from './corpus.ts'
import { EngineProcess } from './engine-process.ts'
import { fetchAll } from './kafkajs-fetch.ts'
import { count } from './requirements.ts'

const lines = count(100_000, 1_000_000)

// kafkajs brings gzip only; the other codecs are plug-ins, here made of the libraries that the engine uses
const plugIn = (codec: 2 | 3 | 4) => () => ({
  compress: async (encoder: { buffer: Buffer }) => Buffer.from(compress(codec, encoder.buffer)),
  decompress: async (buffer: Buffer) => Buffer.from(decompress(codec, buffer, 64 << 20)),
})

describe('kafkajs without a group moves a real text file', () => {
  let directory: string
  let engine: EngineProcess
  let text: string[]
  let kafka: Kafka

  beforeAll(async () => {
    await prepareCompression()
    CompressionCodecs[CompressionTypes.Snappy] = plugIn(2)
    CompressionCodecs[CompressionTypes.LZ4] = plugIn(3)
    CompressionCodecs[CompressionTypes.ZSTD] = plugIn(4)
    directory = await mkdtemp(join(tmpdir(), 'griot-kafkajs-'))
    const input = join(directory, 'input.txt')
    await writeCorpus(input, lines)
    text = (await readFile(input, 'utf8')).trimEnd().split('\n')
    engine = await EngineProcess.create(join(directory, 'data'))
    await engine.start()
    kafka = new Kafka({ brokers: [engine.bootstrap], logLevel: logLevel.NOTHING })
  }, 60_000)

  afterAll(async () => {
    await engine?.end('SIGTERM')
    await rm(directory, { recursive: true, force: true })
  })

  const codecs = ['None', 'GZIP', 'Snappy', 'LZ4', 'ZSTD'] as const
  for (const codec of codecs) {
    it(`line for line with ${codec}`, async () => {
      const topic = `kafkajs-${codec}`
      const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 })
      await producer.connect()
      for (let at = 0; at < text.length; at += 5_000) {
        const messages = text.slice(at, at + 5_000).map((value) => ({ value, partition: 0 }))
        await producer.send({ topic, acks: -1, compression: CompressionTypes[codec], messages })
      }
      await producer.disconnect()
      let at = 0
      for await (const message of fetchAll(kafka, topic, 0)) {
        expect(Number(message.offset)).toBe(at)
        if (message.value!.toString() !== text[at]) expect(message.value!.toString()).toBe(text[at])
        at++
      }
      expect(at).toBe(text.length)
    }, 110_000)
  }
})
