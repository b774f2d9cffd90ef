import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { SeededRandom } from '../../src/base/random.ts'
import { deleteTopics } from '../../src/protocol/20-delete-topics.ts'
import { Codec, codecOf, sizeInBytesOf } from '../../src/record/batch.ts'
import { buildBatch } from '../../src/record/builder.ts'
import { prepareCompression } from '../../src/record/compression.ts'
import { decompressedBody } from '../../src/record/inspect.ts'
import { type LogRecord, readRecords } from '../../src/record/records.ts'
import { EngineProcess } from './engine-process.ts'
import { Wire } from './wire.ts'

const codecs = [Codec.none, Codec.gzip, Codec.snappy, Codec.lz4, Codec.zstd]

describe('what a topic is made with holds through the whole engine', () => {
  let directory: string
  let engine: EngineProcess
  let wire: Wire

  beforeAll(async () => {
    await prepareCompression()
    directory = await mkdtemp(join(tmpdir(), 'griot-topics-'))
    engine = await EngineProcess.create(join(directory, 'data'))
    await engine.start()
    wire = await Wire.open(engine.bootstrap)
  })

  afterAll(async () => {
    wire?.close()
    await engine?.end('SIGTERM')
    await rm(directory, { recursive: true, force: true })
  })

  /** Every record of partition 0, and the codecs that its batches are stored with. */
  async function readAll(topic: string, end: number) {
    const records: LogRecord[] = []
    const stored = new Set<number>()
    while (records.length < end) {
      const { records: bytes } = await wire.fetch(topic, 0, records.length)
      for (let at = 0; at < bytes.length; at += sizeInBytesOf(bytes, at)) {
        stored.add(codecOf(bytes, at))
        records.push(...readRecords(bytes, at, decompressedBody(bytes, at, 1 << 24)))
      }
    }
    return { values: records.map((r) => Buffer.from(r.value!).toString()), records, stored }
  }

  const batch = (values: readonly string[], codec: Codec, timestampMs = Date.now()) =>
    buildBatch(
      values.map((value) => ({ timestampMs, key: null, value: Buffer.from(value) })),
      { codec },
    )

  it('compression.type, with the order in which one connection sent its batches', async () => {
    await wire.createTopic('gzipped', 1, { 'compression.type': 'gzip' })
    const sent = Array.from({ length: 200 }, (_, i) => [`${i}-a`, `${i}-b`.padEnd(100, '.')])
    const answers = await Promise.all(
      sent.map((values, i) => wire.produce('gzipped', 0, batch(values, codecs[i % 5]!))),
    )
    expect(answers.map((a) => [a.errorCode, a.baseOffset])).toEqual(sent.map((_, i) => [0, 2 * i]))
    const { values, stored } = await readAll('gzipped', 400)
    expect(values).toEqual(sent.flat())
    expect([...stored]).toEqual([Codec.gzip])
  })

  it('LogAppendTime: every record, answer and look-up has the time of the append', async () => {
    await wire.createTopic('stamped', 1, { 'message.timestamp.type': 'LogAppendTime' })
    const from = Date.now()
    for (const codec of codecs) {
      const answer = await wire.produce('stamped', 0, batch(['a', 'b'], codec, 1_000))
      expect(answer.logAppendTimeMs).toBeGreaterThanOrEqual(from)
    }
    const { records } = await readAll('stamped', 10)
    for (const { timestampMs } of records) expect(timestampMs).toBeGreaterThanOrEqual(from)
    expect(await wire.offsetAt('stamped', 0, from)).toBe(0)
    expect(await wire.offsetAt('stamped', 0, Date.now() + 60_000)).toBe(-1)
  })

  it('offsets by time are exact, inside of batches of every codec and over segments', async () => {
    await wire.createTopic('timed', 1, { 'segment.bytes': '1048576' })
    const random = new SeededRandom(11)
    const base = Date.now() - 1_800_000
    const times: number[] = []
    for (let b = 0; b < 100; b++) {
      const records = Array.from({ length: 30 }, () => {
        const timestampMs = base + b * 1_000 + random.below(3_000)
        times.push(timestampMs)
        const value = Buffer.from(Array.from({ length: 500 }, () => random.below(256)))
        return { timestampMs, key: null, value }
      })
      const answer = await wire.produce('timed', 0, buildBatch(records, { codec: codecs[b % 5]! }))
      expect(answer.errorCode).toBe(0)
    }
    const asked = Array.from({ length: 150 }, () => base - 1_000 + random.below(105_000))
    const found = await Promise.all(asked.map((time) => wire.offsetAt('timed', 0, time)))
    expect(found).toEqual(asked.map((time) => times.findIndex((t) => t >= time)))
  }, 20_000)

  it('a deleted topic takes its directories along, and one of its name begins anew', async () => {
    const directories = async () => {
      const names = await readdir(engine.dataDir, { recursive: true })
      return names.filter((name) => /-\d+$/.test(name) && /[0-9a-f]{32}-\d+$/.test(name))
    }
    const others = (await directories()).length
    await wire.createTopic('short-lived', 3)
    for (let i = 0; i < 3; i++) await wire.produce('short-lived', i, batch(['x'], Codec.none))
    expect(await directories()).toHaveLength(others + 3)
    const asked = { topics: [], topicNames: ['short-lived'], timeoutMs: 5_000 }
    expect((await wire.request(deleteTopics, 5, asked)).responses[0]!.errorCode).toBe(0)
    await expect.poll(directories, { timeout: 10_000 }).toHaveLength(others)
    await wire.createTopic('short-lived', 3)
    expect(await wire.produce('short-lived', 0, batch(['y'], Codec.none))).toMatchObject({
      ...{ errorCode: 0, baseOffset: 0 },
    })
    await engine.end('SIGKILL')
    await engine.start()
    wire = await Wire.open(engine.bootstrap)
    expect((await readAll('short-lived', 1)).values).toEqual(['y'])
    expect(await directories()).toHaveLength(others + 1)
  }, 20_000)
})
