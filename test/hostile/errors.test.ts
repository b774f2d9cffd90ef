import { once } from 'node:events'
import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ErrorCode } from '../../src/base/error-code.ts'
import { ZERO_TOPIC_ID } from '../../src/base/ids.ts'
import { produce } from '../../src/protocol/00-produce.ts'
import { fetch as fetchApi } from '../../src/protocol/01-fetch.ts'
import { listOffsets } from '../../src/protocol/02-list-offsets.ts'
import { metadata } from '../../src/protocol/03-metadata.ts'
import { apiVersions } from '../../src/protocol/18-api-versions.ts'
import { createTopics } from '../../src/protocol/19-create-topics.ts'
import { deleteTopics } from '../../src/protocol/20-delete-topics.ts'
import { describeConfigs } from '../../src/protocol/32-describe-configs.ts'
import type { Api } from '../../src/protocol/api.ts'
import { decodeResponse, encodeRequest, joinFrame } from '../../src/protocol/codec.ts'
import { Codec, stampCrc, writeInt32 } from '../../src/record/batch.ts'
import { buildBatch } from '../../src/record/builder.ts'
import { fetchRequest, Wire } from '../clients/wire.ts'
import { batchAround } from './records.ts'
import { Target } from './target.ts'

const ID = '0123456789abcdef0123456789abcdef' as typeof ZERO_TOPIC_ID
const record = (key: Uint8Array | null, bytes = 1) => ({
  ...{ timestampMs: Date.now(), key, value: new Uint8Array(bytes) },
})
const batch = (options = {}) => buildBatch([record(Buffer.from('k'))], options).slice()
const changed = (change: (batch: Uint8Array) => void, stamp = true): Uint8Array => {
  const made = batch()
  change(made)
  if (stamp) stampCrc(made, 0)
  return made
}
const produceOf = (name: string, index: number, records: Uint8Array | null, acks = -1) => ({
  ...{ transactionalId: null, acks, timeoutMs: 5_000 },
  topicData: [{ name, topicId: ID, partitionData: [{ index, records }] }],
})
const fetchOf = (more: object, topic = 't', partition = 0, offset = 0) => ({
  ...{ ...fetchRequest(topic, partition, offset, 1_000), maxWaitMs: 0 },
  ...more,
})
const offsetsOf = (name: string, indexes: number[], timestamp = -1) => ({
  ...{ replicaId: -1, isolationLevel: 0, timeoutMs: 0 },
  topics: [{ name, partitions: indexes.map((partitionIndex) => ({ partitionIndex, timestamp })) }],
})
const createOf = (...topics: object[]) => ({
  topics: topics.map((one) => ({
    ...{ name: 'made', numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] },
    ...one,
  })),
  ...{ timeoutMs: 5_000, validateOnly: true },
})
const configsOf = (resourceType: number, resourceName: string) => ({
  resources: [{ resourceType, resourceName, configurationKeys: null }],
  ...{ includeSynonyms: false, includeDocumentation: false },
})
const metadataOf = (name: string | null, allowAutoTopicCreation: boolean) => ({
  ...{ topics: [{ name, topicId: ZERO_TOPIC_ID }], allowAutoTopicCreation },
  ...{ includeClusterAuthorizedOperations: false, includeTopicAuthorizedOperations: false },
})

/** What is wrong, and what a Kafka broker says to it. */
const CASES: readonly (readonly [
  what: string,
  api: Api,
  version: number,
  request: () => object,
  error: number,
])[] = [
  [
    'a wrong CRC',
    produce,
    8,
    () =>
      produceOf(
        't',
        0,
        changed((b) => (b[b.length - 1]! ^= 1), false),
      ),
    ErrorCode.CORRUPT_MESSAGE,
  ],
  [
    'magic 1',
    produce,
    8,
    () =>
      produceOf(
        't',
        0,
        changed((b) => (b[16] = 1), false),
      ),
    ErrorCode.INVALID_RECORD,
  ],
  [
    'two batches',
    produce,
    8,
    () => produceOf('t', 0, Buffer.concat([batch(), batch()])),
    ErrorCode.INVALID_RECORD,
  ],
  ['no batch', produce, 8, () => produceOf('t', 0, null), ErrorCode.INVALID_RECORD],
  [
    'a count that is not that of its offsets',
    produce,
    8,
    () =>
      produceOf(
        't',
        0,
        changed((b) => writeInt32(b, 57, 1_000_000)),
      ),
    ErrorCode.INVALID_RECORD,
  ],
  [
    'a batch cut short',
    produce,
    8,
    () => produceOf('t', 0, batch().subarray(0, 40)),
    ErrorCode.INVALID_RECORD,
  ],
  [
    'a codec that there is not',
    produce,
    8,
    () =>
      produceOf(
        't',
        0,
        changed((b) => (b[22] = 7)),
      ),
    ErrorCode.UNSUPPORTED_COMPRESSION_TYPE,
  ],
  [
    'no key on a compacted topic',
    produce,
    8,
    () => produceOf('c', 0, buildBatch([record(null)])),
    ErrorCode.INVALID_RECORD,
  ],
  [
    'garbage that is said to be gzip, where records are looked at',
    produce,
    8,
    () =>
      produceOf(
        'c',
        0,
        changed((b) => (b[22] = Codec.gzip)),
      ),
    ErrorCode.INVALID_RECORD,
  ],
  [
    'more than max.message.bytes',
    produce,
    8,
    () => produceOf('t', 0, buildBatch([record(null, 1_100_000)])),
    ErrorCode.MESSAGE_TOO_LARGE,
  ],
  [
    'acks that there are not',
    produce,
    8,
    () => produceOf('t', 0, batch(), 7),
    ErrorCode.INVALID_REQUIRED_ACKS,
  ],
  [
    'a topic that is not there',
    produce,
    8,
    () => produceOf('nope', 0, batch()),
    ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
  ],
  [
    'a partition that is not there',
    produce,
    8,
    () => produceOf('t', 7, batch()),
    ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
  ],
  [
    'a negative partition',
    produce,
    8,
    () => produceOf('t', -1, batch()),
    ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
  ],
  [
    'a topic id that is not there',
    produce,
    13,
    () => produceOf('', 0, batch()),
    ErrorCode.UNKNOWN_TOPIC_ID,
  ],
  [
    'a fetch beyond the log',
    fetchApi,
    11,
    () => fetchOf({}, 't', 0, 1e12),
    ErrorCode.OFFSET_OUT_OF_RANGE,
  ],
  ['a negative offset', fetchApi, 11, () => fetchOf({}, 't', 0, -5), ErrorCode.OFFSET_OUT_OF_RANGE],
  [
    'a fetch of no topic',
    fetchApi,
    11,
    () => fetchOf({}, 'nope'),
    ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
  ],
  [
    'a session that is not there',
    fetchApi,
    11,
    () => fetchOf({ sessionId: 5, sessionEpoch: 3 }),
    ErrorCode.FETCH_SESSION_ID_NOT_FOUND,
  ],
  [
    'offsets of a partition twice',
    listOffsets,
    5,
    () => offsetsOf('t', [0, 0]),
    ErrorCode.INVALID_REQUEST,
  ],
  [
    'offsets of no topic',
    listOffsets,
    5,
    () => offsetsOf('nope', [0]),
    ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
  ],
  [
    'a special time before its version',
    listOffsets,
    5,
    () => offsetsOf('t', [0], -3),
    ErrorCode.UNSUPPORTED_VERSION,
  ],
  [
    'metadata of no topic',
    metadata,
    5,
    () => metadataOf('nope', false),
    ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
  ],
  [
    'metadata of a name that none can have',
    metadata,
    5,
    () => metadataOf('a b\n', true),
    ErrorCode.INVALID_TOPIC_EXCEPTION,
  ],
  [
    'metadata without a name',
    metadata,
    11,
    () => metadataOf(null, false),
    ErrorCode.INVALID_REQUEST,
  ],
  [
    'a topic that is there',
    createTopics,
    5,
    () => createOf({ name: 't' }),
    ErrorCode.TOPIC_ALREADY_EXISTS,
  ],
  [
    'a name that none can have',
    createTopics,
    5,
    () => createOf({ name: '../x' }),
    ErrorCode.INVALID_TOPIC_EXCEPTION,
  ],
  [
    'no partitions',
    createTopics,
    5,
    () => createOf({ numPartitions: 0 }),
    ErrorCode.INVALID_PARTITIONS,
  ],
  [
    'no replicas',
    createTopics,
    5,
    () => createOf({ replicationFactor: 0 }),
    ErrorCode.INVALID_REPLICATION_FACTOR,
  ],
  [
    '2 billion partitions',
    createTopics,
    5,
    () => createOf({ numPartitions: 2 ** 31 - 1 }),
    ErrorCode.POLICY_VIOLATION,
  ],
  [
    'a config that there is not',
    createTopics,
    5,
    () => createOf({ configs: [{ name: 'x', value: 'y' }] }),
    ErrorCode.INVALID_CONFIG,
  ],
  ['a topic twice', createTopics, 5, () => createOf({}, {}), ErrorCode.INVALID_REQUEST],
  [
    'a broker that is not there',
    createTopics,
    5,
    () =>
      createOf({
        numPartitions: -1,
        replicationFactor: -1,
        assignments: [{ partitionIndex: 0, brokerIds: [9] }],
      }),
    ErrorCode.INVALID_REPLICA_ASSIGNMENT,
  ],
  [
    'no such topic to delete',
    deleteTopics,
    5,
    () => ({ topicNames: ['nope'], topics: [], timeoutMs: 1 }),
    ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
  ],
  [
    'a topic to delete twice',
    deleteTopics,
    5,
    () => ({ topicNames: ['nope', 'nope'], topics: [], timeoutMs: 1 }),
    ErrorCode.INVALID_REQUEST,
  ],
  [
    'no such id to delete',
    deleteTopics,
    6,
    () => ({ topicNames: [], topics: [{ name: null, topicId: ID }], timeoutMs: 1 }),
    ErrorCode.UNKNOWN_TOPIC_ID,
  ],
  [
    'configs of no topic',
    describeConfigs,
    4,
    () => configsOf(2, 'nope'),
    ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
  ],
  ['configs of no broker', describeConfigs, 4, () => configsOf(4, '99'), ErrorCode.INVALID_REQUEST],
  [
    'a software name with a space',
    apiVersions,
    3,
    () => ({ clientSoftwareName: 'a b', clientSoftwareVersion: '1' }),
    ErrorCode.INVALID_REQUEST,
  ],
]

/** The first error code in an answer, from the outside in. */
function errorOf(value: unknown): number {
  if (Array.isArray(value)) return value.map(errorOf).find((code) => code !== 0) ?? 0
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return 0
  const { errorCode } = value as { errorCode?: number }
  return errorCode || errorOf(Object.values(value))
}

describe('each wrong request is answered as a Kafka broker answers it', () => {
  let target: Target

  beforeAll(async () => {
    target = await Target.start()
    const wire = await Wire.open(target.engine.bootstrap)
    await wire.createTopic('t', 1)
    await wire.createTopic('c', 1, { 'cleanup.policy': 'compact' })
    wire.close()
  })

  afterAll(() => target?.stop())

  it.each(CASES)('%s', async (_, api, version, request, error) => {
    const wire = await Wire.open(target.engine.bootstrap)
    expect(errorOf(await wire.request(api, version, request() as never))).toBe(error)
    wire.close()
  })

  it('an unknown version of ApiVersions, in the oldest format', async () => {
    const frame = joinFrame(
      encodeRequest(apiVersions, 3, 9, 'x', {
        clientSoftwareName: 'x',
        clientSoftwareVersion: '1',
      }),
    )
    frame.writeInt16BE(99, 6)
    const answer = await exchange(frame)
    const { correlationId, response } = decodeResponse(apiVersions, 0, answer.subarray(4))
    expect([correlationId, response.errorCode]).toEqual([9, ErrorCode.UNSUPPORTED_VERSION])
    expect(response.apiKeys.map(({ apiKey }) => apiKey)).toEqual([18])
  })

  it('offsets by time among stored records that nobody can read: an error, and a line that names them', async () => {
    const wire = await Wire.open(target.engine.bootstrap)
    await wire.createTopic('poisoned', 1)
    const poison = batchAround(Buffer.from('no gzip'), Codec.gzip)
    expect((await wire.produce('poisoned', 0, poison)).errorCode).toBe(ErrorCode.NONE)
    const answer = await wire.request(listOffsets, 7, offsetsOf('poisoned', [0], 1))
    expect(errorOf(answer)).toBe(ErrorCode.UNKNOWN_SERVER_ERROR)
    await target.logged('records that were stored cannot be read')
    wire.close()
  })

  it('by an end with a line: an unknown API, an unknown version, what is no request', async () => {
    const frame = joinFrame(encodeRequest(metadata, 5, 9, 'x', metadataOf('t', false)))
    const apart = (at: number, value: number) => {
      const made = Buffer.from(frame)
      made.writeInt16BE(value, at)
      return made
    }
    expect(await exchange(apart(4, 999))).toHaveLength(0)
    expect(await exchange(apart(6, 99))).toHaveLength(0)
    const cut = Buffer.concat([Buffer.from([0, 0, 0, 14]), frame.subarray(4, 18)])
    expect(await exchange(cut)).toHaveLength(0)
    for (const reason of ['API 999', 'Metadata version 99', 'Metadata request v5: ']) {
      await target.logged(reason)
    }
  })

  async function exchange(frame: Buffer): Promise<Buffer> {
    const socket = connect({ host: target.host, port: target.port, allowHalfOpen: true })
    const chunks: Buffer[] = []
    socket.on('data', (chunk) => chunks.push(chunk)).on('error', () => {})
    socket.end(frame)
    await once(socket, 'close')
    return Buffer.concat(chunks)
  }
})
