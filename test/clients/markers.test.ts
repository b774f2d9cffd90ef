import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { SeededRandom } from '../../src/base/random.ts'
import { computedCrcOf, sizeInBytesOf, storedCrcOf } from '../../src/record/batch.ts'
import { buildBatch } from '../../src/record/builder.ts'
import { readRecords } from '../../src/record/records.ts'
import { EngineProcess } from './engine-process.ts'
import { count } from './requirements.ts'
import { Wire } from './wire.ts'

const topics = ['markers-a', 'markers-b', 'markers-c']
const partitions = 4
const seconds = count(8, 60)

/** Every record says where it belongs; the filling makes a foreign byte inside a value visible too. */
const marker = (topic: string, partition: number) =>
  `${topic}/${partition}/${`${topic}-${partition}.`.repeat(30)}`

describe('segments roll, are deleted and reopened under read load', () => {
  let directory: string
  let engine: EngineProcess

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'griot-markers-'))
    engine = await EngineProcess.create(join(directory, 'data'), 3)
    await engine.start()
  })

  afterAll(async () => {
    await engine?.end('SIGTERM')
    await rm(directory, { recursive: true, force: true })
  })

  it(
    'and a reader never sees a byte of another partition',
    async () => {
      const admin = await Wire.open(engine.bootstrap)
      for (const topic of topics) {
        await admin.createTopic(topic, partitions, {
          'segment.bytes': '1048576',
          'retention.bytes': '3000000',
          'file.delete.delay.ms': '0',
        })
      }
      admin.close()
      // the second half reads and writes segments that a kill has closed
      const first = await load()
      await engine.end('SIGKILL')
      await engine.start()
      const second = await load()
      const ends = await Wire.open(engine.bootstrap)
      const starts = await Promise.all(
        topics.flatMap((topic) =>
          Array.from({ length: partitions }, (_, partition) => ends.offsetAt(topic, partition, -2)),
        ),
      )
      ends.close()
      const written = first.written + second.written
      const moved = first.moved + second.moved
      console.log(
        `${written} written, ${first.records} and, after kill -9, ${second.records} read, ${moved} reads found their segment gone, log starts ${starts}`,
      )
      expect(Math.min(first.records, second.records)).toBeGreaterThan(10_000)
      // retention has deleted segments while they were read
      expect(Math.max(...starts)).toBeGreaterThan(0)
    },
    seconds * 1_000 + 40_000,
  )

  /** Half the time: everybody writes, everybody reads. */
  async function load() {
    const endAt = Date.now() + seconds * 500
    const writers = topics.flatMap((topic) =>
      Array.from({ length: partitions }, (_, partition) => write(topic, partition, endAt)),
    )
    const readers = Array.from({ length: 8 }, (_, i) => read(i, endAt))
    const written = (await Promise.all(writers)).reduce((a, b) => a + b, 0)
    const seen = await Promise.all(readers)
    return {
      written,
      records: seen.reduce((sum, reader) => sum + reader.records, 0),
      moved: seen.reduce((sum, reader) => sum + reader.outOfRange, 0),
    }
  }

  async function write(topic: string, partition: number, endAt: number): Promise<number> {
    const wire = await Wire.open(engine.bootstrap)
    const value = Buffer.from(marker(topic, partition))
    const random = new SeededRandom(partition + 1)
    let written = 0
    while (Date.now() < endAt) {
      const length = 1 + random.below(200)
      const record = { timestampMs: Date.now(), key: null, value }
      const answer = await wire.produce(
        topic,
        partition,
        buildBatch(Array.from({ length }, () => record)),
      )
      expect(answer.errorCode).toBe(0)
      written += length
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    wire.close()
    return written
  }

  async function read(seed: number, endAt: number) {
    const wire = await Wire.open(engine.bootstrap)
    const random = new SeededRandom(seed + 100)
    let records = 0
    let outOfRange = 0
    while (Date.now() < endAt) {
      const topic = topics[random.below(topics.length)]!
      const partition = random.below(partitions)
      const expected = marker(topic, partition)
      let offset = await wire.offsetAt(topic, partition, -2)
      for (let turn = 0; turn < 20 && Date.now() < endAt; turn++) {
        const answer = await wire.fetch(topic, partition, offset, 16_384 << random.below(6))
        if (answer.errorCode === 1) {
          outOfRange++
          offset = Math.max(answer.logStartOffset, 0)
          break
        }
        expect(answer.errorCode).toBe(0)
        offset = checkBatches(answer.records, offset, expected, (n) => (records += n))
        if (random.chance(0.1))
          offset = Math.max(answer.logStartOffset, offset - random.below(2_000))
      }
    }
    wire.close()
    return { records, outOfRange }
  }

  /** Checks every whole batch; returns the next offset. */
  function checkBatches(
    bytes: Uint8Array,
    offset: number,
    expected: string,
    add: (n: number) => void,
  ): number {
    let next = offset
    for (let at = 0; at + 61 <= bytes.length; at += sizeInBytesOf(bytes, at)) {
      if (at + sizeInBytesOf(bytes, at) > bytes.length) break
      expect(computedCrcOf(bytes, at)).toBe(storedCrcOf(bytes, at))
      const batch = readRecords(bytes, at)
      for (const record of batch) {
        const text = Buffer.from(record.value!).toString()
        if (text !== expected)
          expect.fail(
            `offset ${record.offset} of ${expected.slice(0, 14)} holds ${text.slice(0, 40)}`,
          )
        if (at > 0 && record.offset !== next)
          expect.fail(`offset ${record.offset} where ${next} was expected`)
        next = record.offset + 1
      }
      add(batch.length)
    }
    return next
  }
})
