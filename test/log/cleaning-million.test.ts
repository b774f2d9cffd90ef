/** Commits without end to a bounded number of keys: the log stays small, and is read back quickly. */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { cleanablePart, isDirtyEnough } from '../../src/log/cleanable.ts'
import type { DiskError } from '../../src/log/disk.ts'
import { LogCleaning } from '../../src/log/log-cleaning.ts'
import { NodeDisk } from '../../src/log/node-disk.ts'
import { newAppendOutcome } from '../../src/log/outcomes.ts'
import type { PartitionLog } from '../../src/log/partition-log.ts'
import { buildBatch } from '../../src/record/builder.ts'
import { RecordCursor } from '../../src/record/records.ts'
import { newKeys } from './cleaning-support.ts'
import { Broker } from './support.ts'

const LONG = process.env.GRIOT_TEST_LONG !== undefined
const COMMITS = LONG ? 1_000_000 : 100_000
const KEYS = 12_000
const SEGMENT_BYTES = 4 * 2 ** 20
/** Commits that come within a turn. */
const PER_TURN = 16

const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'griot-million-'))
afterAll(() => fs.rmSync(directory, { recursive: true, force: true }))

/** Flushes are done in the next turn: what power cuts leave is shown elsewhere. */
type Done = (error: DiskError | null) => void
const requests: Done[] = []
const flush = {
  request: (_: string, done: Done) => void requests.push(done),
  remove: () => {},
}

/** Key and value as long as those of a committed offset. */
const keyOf = (key: number): Uint8Array =>
  Buffer.from(`  group-${key % 40}`.padEnd(24, '-') + `topic-${key % 300}`.padEnd(20, '-') + key)
const commitOf = (commit: number): Uint8Array => Buffer.from(`${commit}`.padStart(26, ' '))

const textOf = (key: Uint8Array): string =>
  Buffer.from(key.buffer, key.byteOffset, key.length).toString('latin1')

/** What the processor was busy with us: other work on the machine does not count. */
const cpuMs = (): number => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

/** Replays the log as a coordinator does: the last commit of each key. */
function replay(log: PartitionLog): { last: Map<string, number>; batches: number; bytes: number } {
  const last = new Map<string, number>()
  let batches = 0
  let bytes = 0
  log.readBatches(log.logStartOffset, (window, at, byteLength) => {
    const cursor = new RecordCursor(window, at)
    while (cursor.next()) {
      const key = cursor.key()!
      last.set(textOf(key), cursor.offset)
    }
    batches++
    bytes += byteLength
    return true
  })
  return { last, batches, bytes }
}

it(
  `${COMMITS} commits to ${KEYS} keys`,
  () => {
    const broker = new Broker(new NodeDisk(), flush, directory)
    broker.start()
    const cleanupPolicy = { delete: false, compact: true }
    const config = { segmentBytes: SEGMENT_BYTES, cleanupPolicy }
    const options = { origin: 'broker' } as const
    let log = broker.open(config, options)
    const out = newAppendOutcome()
    const keys = newKeys({ keysMax: 1 << 18, keyBytesMax: 16 << 20 })
    let cleaning: LogCleaning | null = null
    let [cleanings, cleaningMs, slowestMs, mostBytes, liveBytes] = [0, 0, 0, 0, 0]
    const wanted = new Map<string, number>()
    const step = () => {
      for (const done of requests.splice(0)) done(null)
      if (cleaning === null) {
        const part = cleanablePart(log, 0)
        if (part === null || !isDirtyEnough(part, log.config.minCleanableDirtyRatio)) return
        cleaning = new LogCleaning(log, keys)
      }
      const startedMs = cpuMs()
      cleaning.step()
      const tookMs = cpuMs() - startedMs
      cleaningMs += tookMs
      slowestMs = Math.max(slowestMs, tookMs)
      if (cleaning.outcome === null) return
      expect(cleaning.outcome.kind).toBe('cleaned')
      cleaning = null
      cleanings++
    }
    const startedMs = cpuMs()
    for (let commit = 0; commit < COMMITS; ) {
      for (let i = 0; i < PER_TURN && commit < COMMITS; i++, commit++) {
        const key = keyOf((commit * 7_919) % KEYS)
        const batch = buildBatch([{ timestampMs: commit, key, value: commitOf(commit) }])
        if (commit < KEYS) liveBytes += batch.length
        log.stage(batch, 0, 0, out)
        expect(out.error).toBe(0)
        wanted.set(textOf(key), commit)
      }
      expect(log.write()).toBe(null)
      step()
      mostBytes = Math.max(mostBytes, log.sizeBytes)
    }
    const wroteMs = cpuMs() - startedMs
    expect(cleanings).toBeGreaterThanOrEqual(Math.floor((COMMITS * 100) / SEGMENT_BYTES))
    // what is live, the segment that is written and the one that was sealed last, and the bit that came while it was cleaned
    expect(mostBytes).toBeLessThan(liveBytes + 2 * SEGMENT_BYTES + SEGMENT_BYTES / 4)
    log.close()
    broker.environment.recoveryPoints.close()
    broker.start()
    log = broker.open(config, options)
    const timesMs: number[] = []
    for (let round = 0; round < 5; round++) {
      const fromMs = cpuMs()
      const { last } = replay(log)
      timesMs.push(cpuMs() - fromMs)
      expect(last.size).toBe(KEYS)
      for (const [key, offset] of wanted) if (last.get(key) !== offset) throw new Error(key)
    }
    const { batches, bytes } = replay(log)
    const mb = (count: number) => `${(count / 2 ** 20).toFixed(1)} MB`
    console.log(
      `${COMMITS} commits, ${KEYS} keys: live ${mb(liveBytes)}, at most ${mb(mostBytes)}, ${cleanings} cleanings of ` +
        `${(cleaningMs / cleanings).toFixed(0)} ms in all (a step ${slowestMs.toFixed(1)} ms at most), written in ${wroteMs.toFixed(0)} ms; ` +
        `${mb(bytes)} in ${batches} batches read back in ${timesMs.map((ms) => ms.toFixed(0)).join(', ')} ms, all of the processor`,
    )
    log.close()
  },
  LONG ? 300_000 : 60_000,
)
