import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ZERO_TOPIC_ID } from '../../src/base/ids.ts'
import { produce } from '../../src/protocol/00-produce.ts'
import { fetch as fetchApi } from '../../src/protocol/01-fetch.ts'
import { listOffsets } from '../../src/protocol/02-list-offsets.ts'
import { metadata } from '../../src/protocol/03-metadata.ts'
import { findCoordinator } from '../../src/protocol/10-find-coordinator.ts'
import { createTopics } from '../../src/protocol/19-create-topics.ts'
import { deleteTopics } from '../../src/protocol/20-delete-topics.ts'
import { describeConfigs } from '../../src/protocol/32-describe-configs.ts'
import { describeTopicPartitions } from '../../src/protocol/75-describe-topic-partitions.ts'
import type { Api } from '../../src/protocol/api.ts'
import { REQUEST_ELEMENTS_MAX } from '../../src/protocol/wire-layout.ts'
import { count } from '../clients/requirements.ts'
import { fetchRequest, Wire } from '../clients/wire.ts'
import { batchAround, gzipBomb, zstdBomb } from './records.ts'
import { reportOf, Target } from './target.ts'

const times = <T>(count: number, make: (i: number) => T): T[] =>
  Array.from({ length: count }, (_, i) => make(i))
/** As many as a request may have, in two arrays one within the other. */
const MOST = count(50_000, REQUEST_ELEMENTS_MAX - 1)
const OPERATIONS = {
  includeClusterAuthorizedOperations: false,
  includeTopicAuthorizedOperations: false,
}
const topic = (name: string) => ({ name, topicId: ZERO_TOPIC_ID })
const toCreate = { numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] }
const fetchOf = (partitions: readonly object[]) => ({
  ...{ ...fetchRequest('wide', 0, 0, 1), maxWaitMs: 0 },
  topics: [{ topic: 'wide', topicId: ZERO_TOPIC_ID, partitions }],
})
const offsetsOf = (index: (i: number) => number) => ({
  ...{ replicaId: -1, isolationLevel: 0, timeoutMs: 0 },
  topics: [
    { name: 'wide', partitions: times(MOST, (i) => ({ partitionIndex: index(i), timestamp: -1 })) },
  ],
})

/** What fits into a frame and into every limit, and is absurd: each would have taken seconds, gigabytes or the process. */
const ABSURD: readonly (readonly [
  what: string,
  api: Api,
  version: number,
  request: () => unknown,
])[] = [
  [
    'one wide topic 100,000 times',
    metadata,
    5,
    () => ({
      ...{ topics: times(100_000, () => topic('wide')), allowAutoTopicCreation: false },
      ...OPERATIONS,
    }),
  ],
  [
    'topics that are not there',
    metadata,
    5,
    () => ({
      ...{ topics: times(MOST, (i) => topic(`x${i}`)), allowAutoTopicCreation: true },
      ...OPERATIONS,
    }),
  ],
  [
    'topics to create',
    createTopics,
    5,
    () => ({
      topics: times(MOST, (i) => ({ name: `x${i}`, ...toCreate })),
      ...{ timeoutMs: 1000, validateOnly: true },
    }),
  ],
  [
    'assignments',
    createTopics,
    5,
    () => ({
      topics: [
        {
          ...{ name: 'y', numPartitions: -1, replicationFactor: -1, configs: [] },
          assignments: times(MOST / 2, (i) => ({ partitionIndex: i, brokerIds: [1] })),
        },
      ],
      ...{ timeoutMs: 1000, validateOnly: true },
    }),
  ],
  [
    'configs',
    createTopics,
    5,
    () => ({
      topics: [
        { name: 'y', ...toCreate, configs: times(MOST, (i) => ({ name: `c${i}`, value: 'v' })) },
      ],
      ...{ timeoutMs: 1000, validateOnly: true },
    }),
  ],
  [
    'topics to delete',
    deleteTopics,
    5,
    () => ({ topicNames: times(MOST, (i) => `x${i}`), topics: [], timeoutMs: 1000 }),
  ],
  [
    'partitions that are not there',
    fetchApi,
    11,
    () =>
      fetchOf(
        times(MOST, (i) => ({ partition: i + 10_000, fetchOffset: 0, partitionMaxBytes: 1 })),
      ),
  ],
  [
    'one partition over and over',
    fetchApi,
    11,
    () => fetchOf(times(MOST, () => ({ partition: 0, fetchOffset: 0, partitionMaxBytes: 1 }))),
  ],
  ['offsets of partitions', listOffsets, 5, () => offsetsOf((i) => i)],
  ['offsets of one partition', listOffsets, 5, () => offsetsOf(() => 0)],
  [
    'one resource over and over',
    describeConfigs,
    4,
    () => ({
      resources: times(MOST, () => ({
        ...{ resourceType: 2, resourceName: 'wide', configurationKeys: null },
      })),
      ...{ includeSynonyms: true, includeDocumentation: true },
    }),
  ],
  [
    'coordinators',
    findCoordinator,
    4,
    () => ({ key: '', keyType: 0, coordinatorKeys: times(MOST, () => '') }),
  ],
  [
    'topics to describe',
    describeTopicPartitions,
    0,
    () => ({
      topics: times(MOST, (i) => ({ name: `x${i}` })),
      ...{ responsePartitionLimit: 2000, cursor: null },
    }),
  ],
  [
    'batches that are null',
    produce,
    8,
    () => ({
      ...{ transactionalId: null, acks: 1, timeoutMs: 1000 },
      topicData: [
        {
          ...topic('wide'),
          partitionData: times(MOST, () => ({ index: 0, records: null })),
        },
      ],
    }),
  ],
]

describe.skipIf(process.platform !== 'linux')('absurd requests that fit', () => {
  let target: Target

  beforeAll(async () => {
    target = await Target.start()
    const wire = await Wire.open(target.engine.bootstrap)
    await wire.createTopic('wide', 10_000)
    await wire.createTopic('compacted', 1, { 'cleanup.policy': 'compact' })
    wire.close()
  })

  afterAll(() => target?.stop())

  it(
    'are answered, two at a time, within bounds of memory and time',
    async () => {
      const before = target.rssMb()
      const peak = target.watchPeak()
      const probe = target.probe()
      const peaks: string[] = []
      for (const [what, api, version, request] of ABSURD) {
        const wires = await Promise.all([1, 2].map(() => Wire.open(target.engine.bootstrap)))
        const asked = request()
        const own = target.watchPeak()
        const from = performance.now()
        await Promise.all(wires.map((wire) => wire.request(api, version, asked as never))).catch(
          (error: Error) => {
            throw new Error(`${what}: ${error.message}`)
          },
        )
        const ms = performance.now() - from
        expect(ms, what).toBeLessThan(20_000)
        peaks.push(`${what} ${own.end().toFixed(0)} (${ms.toFixed(0)} ms)`)
        for (const wire of wires) wire.close()
      }
      const seen = await probe.end()
      const gauges = await target.whenQuiet(0)
      console.log(
        `${ABSURD.length} × 2 requests of ${MOST} elements: RSS ${before.toFixed(0)}, peak ${peak.end().toFixed(0)} MB; ${reportOf(seen)}\npeak of each, MB: ${peaks.join(', ')}`,
      )
      expect(seen.faults).toEqual([])
      expect(peak.end() - before).toBeLessThan(600)
      expect(gauges).toMatchObject({ inFlightBytes: 0, connections: 0 })
      expect(target.bugs).toEqual([])
    },
    count(55_000, 240_000),
  )

  it('of records that decompress to a gigabyte are refused as too large', async () => {
    const before = target.rssMb()
    const peak = target.watchPeak()
    const wire = await Wire.open(target.engine.bootstrap)
    const times = count(1, 5)
    for (const bomb of [batchAround(gzipBomb(900), 1), batchAround(zstdBomb(1000), 4)]) {
      for (let i = 0; i < times; i++) {
        const answer = await wire.produce('compacted', 0, bomb)
        expect(answer.errorCode).toBe(10)
        expect(answer.errorMessage).toContain('exceed the limit of 134217728 bytes')
      }
    }
    wire.close()
    console.log(`bombs: RSS ${before.toFixed(0)}, peak ${peak.end().toFixed(0)} MB`)
    expect(peak.end() - before).toBeLessThan(600)
    expect(target.bugs).toEqual([])
  }, 55_000)
})
