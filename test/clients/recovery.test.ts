import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { lastOffsetOf, sizeInBytesOf } from '../../src/record/batch.ts'
import { buildBatch } from '../../src/record/builder.ts'
import { EngineProcess } from './engine-process.ts'
import { count } from './requirements.ts'
import { Wire } from './wire.ts'

const totalBytes = count(128, 1024) << 20

describe('recovery after kill -9', () => {
  let directory: string
  let engine: EngineProcess

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'griot-recovery-'))
    engine = await EngineProcess.create(join(directory, 'data'), 1)
    await engine.start()
  })

  afterAll(async () => {
    await engine?.end('SIGTERM')
    await rm(directory, { recursive: true, force: true })
  })

  it(`of ${totalBytes >> 20} MB takes well under 2 s and keeps every acknowledged record`, async () => {
    const value = Buffer.alloc(1_000, 'r')
    const records = Array.from({ length: 900 }, () => ({
      timestampMs: Date.now(),
      key: null,
      value,
    }))
    const batch = buildBatch(records)
    let wire = await Wire.open(engine.bootstrap)
    await wire.createTopic('large', 1)
    let acknowledged = -1
    for (let sent = 0; sent < totalBytes; sent += 4 * batch.length) {
      const answers = await Promise.all([0, 1, 2, 3].map(() => wire.produce('large', 0, batch)))
      for (const answer of answers) {
        expect(answer.errorCode).toBe(0)
        acknowledged = Math.max(acknowledged, answer.baseOffset + records.length - 1)
      }
    }
    wire.close()
    await engine.end('SIGKILL')
    const from = performance.now()
    await engine.start()
    const readyMs = performance.now() - from
    wire = await Wire.open(engine.bootstrap)
    const end = await wire.offsetAt('large', 0, -1)
    const recoveredMs = performance.now() - from
    expect(end).toBe(acknowledged + 1)
    const last = await wire.fetch('large', 0, acknowledged)
    expect(lastOffsetOf(last.records, 0)).toBe(acknowledged)
    expect(sizeInBytesOf(last.records, 0)).toBe(batch.length)
    wire.close()
    console.log(
      `${totalBytes >> 20} MB: ready after ${readyMs.toFixed(0)} ms, partition served after ${recoveredMs.toFixed(0)} ms`,
    )
    expect(recoveredMs).toBeLessThan(20_000)
  }, 120_000)
})
