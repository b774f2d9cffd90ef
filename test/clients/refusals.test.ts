import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { buildBatch } from '../../src/record/builder.ts'
import { EngineProcess } from './engine-process.ts'
import { Wire } from './wire.ts'

const batchOf = (valueBytes: number, baseSequence = -1) =>
  buildBatch(
    [{ timestampMs: Date.now(), key: null, value: new Uint8Array(valueBytes) }],
    baseSequence < 0 ? {} : { producerId: 5, producerEpoch: 0, baseSequence },
  )

describe('a producer whose batch is refused', () => {
  let directory: string
  let engine: EngineProcess

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'griot-refusals-'))
    engine = await EngineProcess.create(join(directory, 'data'), 3)
    await engine.start()
  })

  afterAll(async () => {
    await engine?.end('SIGTERM')
    await rm(directory, { recursive: true, force: true })
  })

  it('is told why: by the front at once, and by the broker across its ring', async () => {
    const wire = await Wire.open(engine.bootstrap)
    await wire.createTopic('t', 1)
    const overhead = batchOf(1_099_000).length - 1_099_000
    expect(await wire.produce('t', 0, batchOf(1_100_000 - overhead))).toMatchObject({
      errorCode: 10,
      errorMessage: 'batch of 1100000 bytes exceeds max.message.bytes=1048588 of topic t (t-0)',
    })
    expect(await wire.produce('t', 0, batchOf(10, 0))).toMatchObject({
      errorCode: 0,
      errorMessage: null,
    })
    expect(await wire.produce('t', 0, batchOf(10, 4))).toMatchObject({
      errorCode: 45,
      errorMessage:
        'producer 5 (epoch 0, sequence 4) is out of order, batches before it are missing here (t-0)',
    })
    wire.close()
  })
})
