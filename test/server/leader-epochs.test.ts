/** What a client that has seen leader epochs meets when the engine is started anew. */
import { mkdtempSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ErrorCode } from '../../src/base/error-code.ts'
import { ZERO_TOPIC_ID } from '../../src/base/ids.ts'
import { fetch as fetchApi } from '../../src/protocol/01-fetch.ts'
import { metadata } from '../../src/protocol/03-metadata.ts'
import type { Wire } from '../clients/wire.ts'
import { ChaosEngine } from './chaos-engine.ts'

const TOPIC = 'restarted'

let dataDir: string
let engine: ChaosEngine
beforeEach(() => {
  dataDir = mkdtempSync(path.join(os.tmpdir(), 'griot-epochs-'))
})
afterEach(async () => {
  await engine.close()
  rmSync(dataDir, { recursive: true, force: true })
})

const start = async (): Promise<Wire> => {
  engine = await ChaosEngine.start(3, { dataDir })
  return engine.wire()
}

async function partitionOf(wire: Wire) {
  const { topics } = await wire.request(metadata, 9, {
    topics: [{ name: TOPIC, topicId: ZERO_TOPIC_ID }],
    includeClusterAuthorizedOperations: false,
    includeTopicAuthorizedOperations: false,
  })
  const { errorCode, leaderId, leaderEpoch } = topics[0]!.partitions[0]!
  return { errorCode, leaderId, leaderEpoch }
}

async function readAs(wire: Wire, epoch: number) {
  const partition = { partition: 0, currentLeaderEpoch: epoch, fetchOffset: 0 }
  const { responses } = await wire.request(fetchApi, 11, {
    ...{ maxWaitMs: 5_000, minBytes: 1, maxBytes: 1 << 20, sessionId: 0, sessionEpoch: -1 },
    topics: [
      {
        topic: TOPIC,
        topicId: ZERO_TOPIC_ID,
        partitions: [{ ...partition, partitionMaxBytes: 1 << 20 }],
      },
    ],
    forgottenTopicsData: [],
  })
  const { errorCode, highWatermark } = responses[0]!.partitions[0]!
  return { errorCode, highWatermark }
}

test('a reader is told no epoch before the one that it has seen, and is sent to look again', async () => {
  let wire = await start()
  await engine.withAdmin((admin) =>
    admin.createTopics({ topics: [{ topic: TOPIC, numPartitions: 1 }] }),
  )
  const producer = await engine.producer()
  await producer.send({ topic: TOPIC, messages: [{ value: 'a' }] })
  const { leaderEpoch: seen } = await partitionOf(wire)
  expect(seen).toBeGreaterThan(0)
  await engine.close()

  wire = await start()
  expect(await partitionOf(wire)).toMatchObject({ errorCode: 0, leaderEpoch: -1 })
  expect(await readAs(wire, seen)).toMatchObject({ errorCode: ErrorCode.FENCED_LEADER_EPOCH })
  const { leaderEpoch: now } = await partitionOf(wire)
  expect(now).toBeGreaterThan(seen)
  expect(await readAs(wire, now)).toEqual({ errorCode: ErrorCode.NONE, highWatermark: 1 })
}, 60_000)
