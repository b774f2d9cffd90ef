import { expect, test } from 'vitest'
import { fetch } from '../../src/protocol/01-fetch.ts'
import { metadata } from '../../src/protocol/03-metadata.ts'
import type { Api, ResponseInputOf } from '../../src/protocol/api.ts'
import { decodeResponse, encodeResponse, joinFrame } from '../../src/protocol/codec.ts'

const times = <T>(count: number, make: (i: number) => T): T[] =>
  Array.from({ length: count }, (_, i) => make(i))

const ID = '0123456789abcdef0123456789abcdef'

function roundTrip<A extends Api>(api: A, version: number, response: ResponseInputOf<A>) {
  const frame = encodeResponse(api, version, 7, response)
  const joined = joinFrame(frame)
  expect(joined.readInt32BE(0)).toBe(frame.byteLength - 4)
  return { chunks: frame.chunks, ...decodeResponse(api, version, joined.subarray(4)) }
}

test('a large answer is made in pieces, not copied again and again', () => {
  const topics = times(100_000, (i) => ({
    ...{ errorCode: 3, name: `topic-${i}`, topicId: ID as never, isInternal: false },
    ...{ partitions: [], topicAuthorizedOperations: i },
  }))
  const { chunks, correlationId, response } = roundTrip(metadata, 12, {
    ...{ throttleTimeMs: 0, brokers: [], clusterId: null, controllerId: 1, topics, errorCode: 0 },
  })
  expect(correlationId).toBe(7)
  expect(response.topics).toEqual(topics)
  expect(chunks.length).toBeGreaterThan(5)
  for (const { buffer } of chunks) expect(buffer.byteLength).toBeLessThanOrEqual(2 ** 20)
  // the next one begins with a slab as small as ever
  const small = roundTrip(metadata, 12, {
    ...{
      throttleTimeMs: 0,
      brokers: [],
      clusterId: null,
      controllerId: 1,
      topics: [],
      errorCode: 0,
    },
  })
  expect(small.chunks[0]!.buffer.byteLength).toBe(16 * 1024)
})

test('a tagged field that is larger than a piece stays whole, behind and before what is in pieces', () => {
  const nodeEndpoints = times(60_000, (nodeId) => ({
    ...{ nodeId, host: `node-${nodeId}`, port: 9092, rack: null },
  }))
  const responses = times(30_000, (i) => ({
    ...{ topic: '', topicId: ID as never },
    partitions: [
      {
        ...{ partitionIndex: i, errorCode: 6, highWatermark: -1, abortedTransactions: null },
        ...{ currentLeader: { leaderId: i, leaderEpoch: 1 }, records: null },
      },
    ],
  }))
  const { response } = roundTrip(fetch, 16, {
    ...{ throttleTimeMs: 0, errorCode: 0, sessionId: 0, responses, nodeEndpoints },
  })
  expect(response.nodeEndpoints).toEqual(nodeEndpoints)
  expect(response.responses).toMatchObject(responses)
})
