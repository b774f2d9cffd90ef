import { execFileSync, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { LogCleaning } from '../../src/log/log-cleaning.ts'
import { NodeDisk } from '../../src/log/node-disk.ts'
import type { PartitionLog } from '../../src/log/partition-log.ts'
import { Codec } from '../../src/record/batch.ts'
import { prepareCompression } from '../../src/record/compression.ts'
import { keyed, newKeys, seenBatches } from './cleaning-support.ts'
import { append, Broker, batchOf } from './support.ts'

const libs = process.env.GRIOT_KAFKA_LIBS ?? ''

function javaWorks(): boolean {
  try {
    execFileSync('java', ['-version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

const able = libs !== '' && fs.existsSync(libs) && javaWorks()
if (!able) {
  console.log(
    "dump-log: skipped. It needs a JDK and GRIOT_KAFKA_LIBS, a directory with Kafka's jars: kafka-tools 4.x and what it depends on, from Maven Central or the libs directory of a Kafka download",
  )
}

const MAIN_CLASSES = ['org.apache.kafka.tools.DumpLogSegments', 'kafka.tools.DumpLogSegments']

/** What the tool prints; what it finds wrong goes to its error output. */
function dump(args: readonly string[]): string {
  for (const main of MAIN_CLASSES) {
    const run = spawnSync('java', ['-cp', `${libs}/*`, main, ...args], {
      encoding: 'utf8',
      maxBuffer: 64 << 20,
    })
    if (/could not find or load main class/i.test(run.stderr)) continue
    expect(run.status, run.stderr).toBe(0)
    return run.stdout + run.stderr
  }
  throw new Error(`none of ${MAIN_CLASSES.join(', ')} is in ${libs}`)
}

/** What the tool says when an index does not agree with its log, or a batch is not what it should be. */
const COMPLAINTS =
  /mismatch|index offset|non-consecutive|out of order|out-of-order|invalid|corrupt|isvalid: false|exception/i

describe.skipIf(!able)("Kafka's own DumpLogSegments", () => {
  let directory = ''
  let log: PartitionLog
  const batches: number[] = []

  beforeAll(async () => {
    await prepareCompression()
    directory = fs.mkdtempSync(path.join(os.tmpdir(), 'griot-dump-'))
    const flush = {
      request: (_: string, done: (error: null) => void) => queueMicrotask(() => done(null)),
      remove: () => {},
    }
    const broker = new Broker(new NodeDisk(), flush, directory)
    broker.start()
    log = broker.open({ segmentBytes: 20_000, indexIntervalBytes: 1_000 })
    const codecs = [Codec.none, Codec.gzip, Codec.snappy, Codec.lz4, Codec.zstd]
    const sequences = new Map<number, number>()
    for (let i = 0; i < 300; i++) {
      const producerId = 1000 + (i % 3)
      const values = Array.from({ length: 1 + (i % 7) }, (_, n) => `record ${i}-${n} `.repeat(20))
      const baseSequence = sequences.get(producerId) ?? 0
      const idempotent = { producerId, producerEpoch: 0, baseSequence }
      const timestampMs = 1_700_000_000_000 + ((i * 37) % 101) * 1000 + i
      const out = append(
        log,
        batchOf(values, {
          codec: codecs[i % 5]!,
          timestampMs,
          ...(i % 4 === 0 ? {} : idempotent),
        }),
        i < 100 ? 0 : 4,
      )
      expect(out.error, out.faultMessage ?? '').toBe(0)
      if (i % 4 !== 0) sequences.set(producerId, baseSequence + values.length)
      batches.push(out.baseOffset)
    }
    log.flushAll(() => {})
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(log.close().dirty).toBe(false)
  })

  afterAll(() => fs.rmSync(directory, { recursive: true, force: true }))

  const files = (...suffixes: string[]) =>
    fs
      .readdirSync(log.directory)
      .filter((name) => suffixes.some((suffix) => name.endsWith(suffix)))
      .map((name) => path.join(log.directory, name))

  it('reads logs, indexes and snapshots with no complaint, and finds every batch', () => {
    expect(log.segments.length).toBeGreaterThan(2)
    const all = files('.log', '.index', '.timeindex', '.snapshot')
    const said = dump(['--files', all.join(','), '--deep-iteration', '--print-data-log'])
    // Version 4.3 finds fault with every log that does not begin at 0: nothing came before its first offset.
    const own = /^Non-consecutive offsets in .*?(\d{20})\.log\n {2}-1 is followed by (\d+)\n(?! )/gm
    const fair = said.replaceAll(own, (all, base, first) =>
      Number(base) === Number(first) ? '' : all,
    )
    expect(fair.split('\n').filter((line) => COMPLAINTS.test(line))).toEqual([])
    const bases = [...said.matchAll(/^baseOffset: (\d+) /gm)].map((match) => Number(match[1]))
    expect(bases.sort((a, b) => a - b)).toEqual(batches)
    expect(said).toMatch(/payload: record 299-5 record/)
    expect(said).toMatch(/producerId: 1001 producerEpoch: 0 .*lastSequence: \d+/)
    expect(said.match(/compresscodec: zstd/g)!.length).toBeGreaterThan(50)
  }, 60_000)

  it('finds the indexes sane, and in accord with the logs', () => {
    const indexes = files('.index', '.timeindex')
    const sane = dump(['--files', indexes.join(','), '--index-sanity-check'])
    expect(sane.match(/passed sanity check/g)).toHaveLength(indexes.length)
    const verified = dump(['--files', indexes.join(','), '--verify-index-only'])
    expect(verified.split('\n').filter((line) => COMPLAINTS.test(line))).toEqual([])
  }, 60_000)
})

describe.skipIf(!able)("Kafka's own DumpLogSegments, of a log that was cleaned", () => {
  let directory = ''
  let log: PartitionLog
  let expected: ReturnType<typeof seenBatches> = []

  beforeAll(async () => {
    await prepareCompression()
    directory = fs.mkdtempSync(path.join(os.tmpdir(), 'griot-dump-cleaned-'))
    const flush = {
      request: (_: string, done: (error: null) => void) => queueMicrotask(() => done(null)),
      remove: () => {},
    }
    const broker = new Broker(new NodeDisk(), flush, directory)
    broker.start()
    const cleanupPolicy = { delete: false, compact: true }
    const config = { segmentBytes: 20_000, indexIntervalBytes: 1_000, cleanupPolicy }
    log = broker.open({ ...config, deleteRetentionMs: 60_000 }, { origin: 'broker' })
    const codecs = [Codec.none, Codec.none, Codec.gzip, Codec.lz4, Codec.zstd]
    const sequences = [0, 0, 0]
    for (let i = 0; i < 400; i++) {
      const records = Array.from({ length: 1 + (i % 7) }, (_, n) => {
        const key = `key ${(i * 7 + n * 13) % 90}`
        return [key, (i + n) % 11 === 0 ? null : `record ${i}-${n} `.repeat(8)] as const
      })
      const producerId = i % 3
      const baseSequence = sequences[producerId]!
      sequences[producerId] = baseSequence + records.length
      // the last of one producer is superseded wholly
      const idempotent = { producerId: 1_000 + producerId, producerEpoch: 0, baseSequence }
      const timestampMs = 1_700_000_000_000 + i * 10
      const options = {
        codec: codecs[i % 5]!,
        timestampMs,
        stepMs: 1,
        ...(i < 50 ? idempotent : {}),
      }
      expect(append(log, keyed(records, options), i >> 6).error).toBe(0)
    }
    await new Promise((resolve) => setTimeout(resolve, 20))
    for (let round = 0; round < 2; round++) {
      const cleaning = new LogCleaning(log, newKeys(), { bytesPerStep: 5_000 })
      for (let steps = 0; steps < 10_000 && cleaning.outcome === null; steps++) {
        if (cleaning.step() === 0) await new Promise((resolve) => setImmediate(resolve))
      }
      if (round === 0) expect(cleaning.outcome).toMatchObject({ kind: 'cleaned', more: false })
    }
    expected = seenBatches(log)
    expect(expected.filter(({ records }) => records.length === 0).length).toBeGreaterThan(0)
    log.flushAll(() => {})
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(log.close().dirty).toBe(false)
  })

  afterAll(() => fs.rmSync(directory, { recursive: true, force: true }))

  const files = (...suffixes: string[]) =>
    fs
      .readdirSync(log.directory)
      .filter((name) => suffixes.some((suffix) => name.endsWith(suffix)))
      .map((name) => path.join(log.directory, name))

  it('finds every record that stayed, the delete horizons, and no fault but the gaps', () => {
    const all = files('.log', '.index', '.timeindex', '.snapshot')
    const said = dump(['--files', all.join(','), '--deep-iteration', '--print-data-log'])
    const gaps =
      /^Non-consecutive offsets in .*\n(?: {2}\d+ is followed by \d+\n| {2}-1 is .*\n)+/gm
    const rest = said.replaceAll(gaps, '')
    expect(rest.split('\n').filter((line) => COMPLAINTS.test(line))).toEqual([])
    const bases = [...said.matchAll(/^baseOffset: (\d+) /gm)].map((match) => Number(match[1]))
    expect(bases.sort((a, b) => a - b)).toEqual(expected.map(({ base }) => base))
    const offsets = [...said.matchAll(/^\| offset: (\d+) /gm)].map((match) => Number(match[1]))
    const wanted = expected.flatMap(({ records }) => records.map(({ offset }) => offset))
    expect(offsets.sort((a, b) => a - b)).toEqual(wanted)
    expect(said).toMatch(/deleteHorizonMs: OptionalLong\[\d+\]/)
  }, 60_000)

  it('finds the indexes sane, and in accord with the logs', () => {
    const indexes = files('.index', '.timeindex')
    const sane = dump(['--files', indexes.join(','), '--index-sanity-check'])
    // of segments of which next to nothing is left
    expect(sane.match(/passed sanity check|index is empty/g)).toHaveLength(indexes.length)
    const verified = dump(['--files', indexes.join(','), '--verify-index-only'])
    expect(verified.split('\n').filter((line) => COMPLAINTS.test(line))).toEqual([])
  }, 60_000)
})
