import { describe, expect, expectTypeOf, it } from 'vitest'
import { asTopicId, type TopicId, ZERO_TOPIC_ID } from '../../src/base/ids.ts'
import { type ProduceRequestInput, produce } from '../../src/protocol/00-produce.ts'
import { type FetchResponseInput, fetch } from '../../src/protocol/01-fetch.ts'
import { listOffsets } from '../../src/protocol/02-list-offsets.ts'
import { type MetadataRequest, metadata } from '../../src/protocol/03-metadata.ts'
import { initProducerId } from '../../src/protocol/22-init-producer-id.ts'
import { describeTopicPartitions } from '../../src/protocol/75-describe-topic-partitions.ts'
import { type Api, api } from '../../src/protocol/api.ts'
import {
  decodeRequest,
  decodeResponse,
  encodeRequest,
  encodeResponse,
  joinFrame,
} from '../../src/protocol/codec.ts'
import { decodeRequestHeader } from '../../src/protocol/header.ts'
import { array, bytes, float64, string, struct, uint16, uint32 } from '../../src/protocol/schema.ts'
import { always, between, since } from '../../src/protocol/version-range.ts'
import { WireFormatError } from '../../src/protocol/wire-format-error.ts'
import { decodeBody, encodeBody } from './vectors.ts'

const TOPIC_ID = asTopicId('00112233445566778899aabbccddeeff')

const produceOf = (...records: (Uint8Array | readonly Uint8Array[] | null)[]) =>
  ({
    acks: -1,
    timeoutMs: 30_000,
    topicData: [
      {
        name: 'orders',
        topicId: ZERO_TOPIC_ID,
        partitionData: records.map((each, index) => ({ index, records: each })),
      },
    ],
  }) satisfies ProduceRequestInput

const fetchedPartition = (records: Uint8Array | readonly Uint8Array[] | null) => ({
  partitionIndex: 0,
  errorCode: 0,
  highWatermark: 10,
  abortedTransactions: null,
  records,
})

const fetched = (records: Uint8Array | readonly Uint8Array[] | null) =>
  ({
    throttleTimeMs: 0,
    errorCode: 0,
    responses: [
      { topic: 'orders', topicId: ZERO_TOPIC_ID, partitions: [fetchedPartition(records)] },
    ],
  }) satisfies FetchResponseInput

describe('a request', () => {
  it('goes there and comes back, with every field present whatever the version', () => {
    const value = produceOf(Uint8Array.of(1, 2, 3), null)
    for (const version of [3, 8, 9, 13]) {
      const frame = joinFrame(encodeRequest(produce, version, 7, 'me', value))
      expect(frame.readInt32BE(0)).toBe(frame.length - 4)
      const { bodyOffset, ...header } = decodeRequestHeader(frame.subarray(4))
      expect(header).toEqual({
        apiKey: 0,
        apiVersion: version,
        correlationId: 7,
        clientId: 'me',
        api: produce,
      })
      const decoded = decodeRequest(produce, version, frame.subarray(4), bodyOffset)
      expect(Object.keys(decoded)).toEqual(Object.keys(produce.request))
      expect(decoded.transactionalId).toBeNull()
      expect(decoded.topicData[0]!.name).toBe(version < 13 ? 'orders' : '')
      expect(decoded.topicData[0]!.partitionData[0]!.records).toEqual(Uint8Array.of(1, 2, 3))
      expect(decoded.topicData[0]!.partitionData[1]!.records).toBeNull()
    }
  })

  it('gives records as views of its frame', () => {
    const frame = joinFrame(encodeRequest(produce, 9, 1, 'me', produceOf(Uint8Array.of(1, 2, 3))))
    const { bodyOffset } = decodeRequestHeader(frame.subarray(4))
    const decoded = decodeRequest(produce, 9, frame.subarray(4), bodyOffset)
    const records = decoded.topicData[0]!.partitionData[0]!.records!
    expect(records.buffer).toBe(frame.buffer)
    frame[records.byteOffset - frame.byteOffset] = 99
    expect(records[0]).toBe(99)
  })

  it('is read from shared memory as from any other', () => {
    const frame = joinFrame(encodeRequest(fetch, 13, 1, 'me', fetchRequest(2 ** 40)))
    const shared = new Uint8Array(new SharedArrayBuffer(frame.length))
    shared.set(frame)
    const { bodyOffset } = decodeRequestHeader(shared.subarray(4))
    const decoded = decodeRequest(fetch, 13, shared.subarray(4), bodyOffset)
    expect(decoded.topics[0]!.topicId).toBe(TOPIC_ID)
    expect(decoded.topics[0]!.partitions[0]!.fetchOffset).toBe(2 ** 40)
  })

  it('may be followed by bytes that nobody asked for, as in Kafka', () => {
    const body = encodeBody(metadata, 'request', 9, metadataRequest(['a']))
    const decoded = decodeBody(metadata, 'request', 9, Buffer.concat([body, Buffer.alloc(9, 255)]))
    expect((decoded as MetadataRequest).topics).toHaveLength(1)
  })

  it('has the types that its schema says', () => {
    type Request = ReturnType<typeof decodeRequest<typeof produce>>
    expectTypeOf<Request['transactionalId']>().toEqualTypeOf<string | null>()
    expectTypeOf<Request['topicData'][number]['topicId']>().toEqualTypeOf<TopicId>()
    expectTypeOf<
      Request['topicData'][number]['partitionData'][number]['records']
    >().toEqualTypeOf<Uint8Array | null>()
    expectTypeOf<MetadataRequest['topics']>().toEqualTypeOf<
      { topicId: TopicId; name: string | null }[] | null
    >()
  })
})

const fetchRequest = (fetchOffset: number) => ({
  maxWaitMs: 500,
  minBytes: 1,
  topics: [
    {
      topic: 'orders',
      topicId: TOPIC_ID,
      partitions: [{ partition: 0, fetchOffset, partitionMaxBytes: 1 }],
    },
  ],
  forgottenTopicsData: [],
})

const metadataRequest = (names: readonly string[] | null) => ({
  topics: names?.map((name) => ({ topicId: ZERO_TOPIC_ID, name })) ?? null,
  includeClusterAuthorizedOperations: false,
  includeTopicAuthorizedOperations: false,
})

describe('what a version cannot carry', () => {
  it('is dropped if ignorable or at its default, and refused by name if not', () => {
    const id = { transactionalId: 'tx', transactionTimeoutMs: 1 }
    expect(() => encodeBody(initProducerId, 'request', 2, { ...id, producerId: -1 })).not.toThrow()
    expect(() => encodeBody(initProducerId, 'request', 3, { ...id, producerId: 5 })).not.toThrow()
    expect(() => encodeBody(initProducerId, 'request', 2, { ...id, producerId: 5 })).toThrow(
      new WireFormatError(
        'InitProducerId request v2: producerId: this version has no such field, and its value is not the default',
      ),
    )
    // Fetch's session id in a request is ignorable, its forgotten topics are not.
    const forgotten = [{ topic: 'a', topicId: ZERO_TOPIC_ID, partitions: [0] }]
    const request = { ...fetchRequest(0), sessionId: 4 }
    expect(() => encodeBody(fetch, 'request', 6, request)).not.toThrow()
    expect(() =>
      encodeBody(fetch, 'request', 6, { ...request, forgottenTopicsData: forgotten }),
    ).toThrow(/^Fetch request v6: forgottenTopicsData: this version has no such field/)
  })

  it('is a struct that differs from its default in any field', () => {
    const of = (leaderId: number) => {
      const partition = { ...fetchedPartition(null), currentLeader: { leaderId, leaderEpoch: -1 } }
      const responses = [{ topic: 'a', topicId: ZERO_TOPIC_ID, partitions: [partition] }]
      return encodeBody(fetch, 'response', 11, { ...fetched(null), responses })
    }
    expect(() => of(-1)).not.toThrow()
    expect(() => of(3)).toThrow(/responses\[\]\.partitions\[\]\.currentLeader: this version has no/)
  })

  it('is null where only later versions allow it', () => {
    expect(() => encodeBody(metadata, 'request', 1, metadataRequest(null))).not.toThrow()
    expect(() => encodeBody(metadata, 'request', 0, metadataRequest(null))).toThrow(
      'Metadata request v0: topics: no value, and this version does not allow null',
    )
  })

  it('is any version outside the range, Produce 2 included', () => {
    for (const version of [2, 14, -1]) {
      expect(() => decodeRequest(produce, version, Buffer.alloc(8), 0)).toThrow(
        `Produce request v${version}: version not spoken here, only 3 to 13`,
      )
      expect(() => encodeResponse(produce, version, 1, {} as never)).toThrow(WireFormatError)
    }
  })

  it('leaves the next frame as it should be', () => {
    const good = joinFrame(encodeResponse(fetch, 12, 1, fetched(new Uint8Array(2000))))
    const bad = { ...fetched(new Uint8Array(2000)), responses: [{ topic: 'a', topicId: 'x' }] }
    expect(() => encodeResponse(fetch, 13, 1, bad as never)).toThrow(/topicId: not a UUID/)
    expect(joinFrame(encodeResponse(fetch, 12, 1, fetched(new Uint8Array(2000))))).toEqual(good)
  })
})

describe('int64', () => {
  const timestamps = (values: readonly number[]) => ({
    replicaId: -1,
    isolationLevel: 0,
    topics: [
      {
        name: 'a',
        partitions: values.map((timestamp, partitionIndex) => ({ partitionIndex, timestamp })),
      },
    ],
    timeoutMs: 0,
  })
  const roundTrip = (values: readonly number[]): number[] => {
    const body = encodeBody(listOffsets, 'request', 1, timestamps(values))
    const decoded = decodeRequest(listOffsets, 1, body, 0)
    return decoded.topics[0]!.partitions.map(({ timestamp }) => timestamp)
  }

  it('is exact within 2^53', () => {
    const exact = [0, 1, -1, -2, 2 ** 31, -(2 ** 31), 2 ** 32, -(2 ** 32), 2 ** 53, -(2 ** 53)]
    const near = exact.flatMap((value) => [value - 1, value + 1]).filter(Number.isSafeInteger)
    expect(roundTrip([...exact, ...near])).toEqual([...exact, ...near])
  })

  it('saturates, so that the smallest and the largest long survive', () => {
    const body = encodeBody(
      listOffsets,
      'request',
      1,
      timestamps([2 ** 63, 2 ** 70, -(2 ** 63), -Infinity]),
    )
    const longs = Array.from({ length: 4 }, (_, i) => body.readBigInt64BE(body.length - 8 - 12 * i))
    const max = 2n ** 63n - 1n
    expect(longs.reverse()).toEqual([max, max, -(2n ** 63n), -(2n ** 63n)])
    expect(roundTrip([2 ** 63, -(2 ** 63)])).toEqual([2 ** 63, -(2 ** 63)])
  })
})

describe('what no API has today but the vocabulary offers', () => {
  const odd = api({
    key: 98,
    name: 'Odd',
    versions: between(0, 1),
    flexibleFrom: 1,
    request: {
      port: uint16(),
      big: uint32(),
      ratio: float64(),
      blob: bytes({ nullable: always }),
      late: bytes({ versions: since(1) }),
      ids: array(string({ nullable: always, entity: 'groupId' })),
      maybe: struct({ name: string({ entity: 'groupId' }) }, { nullable: always, default: null }),
      tagged: struct(
        { blob: bytes(), note: string({ default: 'none' }) },
        { versions: since(1), nullable: always, tagged: 3, default: null },
      ),
    },
    response: {},
  })
  const value = {
    port: 65_535,
    big: 2 ** 32 - 1,
    ratio: -0.1,
    blob: Uint8Array.of(1),
    late: new Uint8Array(0),
    ids: ['a', null, 'c'],
    maybe: { name: 'x' },
    tagged: null,
  }

  it('works in both encodings', () => {
    for (const version of [0, 1]) {
      expect(
        decodeBody(odd, 'request', version, encodeBody(odd, 'request', version, value)),
      ).toEqual(value)
      const nulls = { ...value, blob: null, maybe: null }
      expect(
        decodeBody(odd, 'request', version, encodeBody(odd, 'request', version, nulls)),
      ).toEqual(nulls)
    }
  })

  it('moves a tagged value when its size takes more than one byte', () => {
    for (const size of [0, 100, 126, 127, 128, 16_000, 17_000, 3_000_000]) {
      const blob = new Uint8Array(size).fill(7)
      const full = { ...value, tagged: { blob, note: 'ü' } }
      const body = encodeBody(odd, 'request', 1, full)
      const { tagged } = decodeRequest(odd, 1, body, 0)
      expect(tagged!.note).toBe('ü')
      expect(Buffer.compare(tagged!.blob, blob)).toBe(0)
    }
  })
})

describe('a frame', () => {
  it('takes large records as views, small ones as copies', () => {
    const small = new Uint8Array(1023).fill(1)
    const large = new Uint8Array(1024).fill(2)
    const frame = encodeResponse(fetch, 12, 1, fetched([small, large, small, large, large]))
    expect(frame.chunks.filter((chunk) => chunk === large)).toHaveLength(3)
    expect(frame.chunks).not.toContain(small)
    expect(frame.chunks.reduce((sum, { length }) => sum + length, 0)).toBe(frame.byteLength)
    const whole = joinFrame(frame)
    expect(whole.readInt32BE(0)).toBe(frame.byteLength - 4)
    const { correlationId, response } = decodeResponse(fetch, 12, whole.subarray(4))
    expect(correlationId).toBe(1)
    expect(response.responses[0]!.partitions[0]!.records).toEqual(
      Uint8Array.from(Buffer.concat([small, large, small, large, large])),
    )
  })

  it('is one chunk when it is small, and stays as it is while others are made', () => {
    const frames = Array.from({ length: 2000 }, (_, i) => {
      const frame = encodeResponse(initProducerId, 4, i, {
        throttleTimeMs: 0,
        errorCode: 0,
        producerId: i,
        producerEpoch: 0,
      })
      return { frame, copy: joinFrame(frame) }
    })
    for (const [i, { frame, copy }] of frames.entries()) {
      expect(frame.chunks).toHaveLength(1)
      expect(joinFrame(frame)).toEqual(copy)
      expect(decodeResponse(initProducerId, 4, copy.subarray(4)).response.producerId).toBe(i)
    }
  })

  it('grows beyond its slab, also behind a splice', () => {
    const name = 'n'.repeat(200)
    const large = new Uint8Array(5000).fill(3)
    const responses = Array.from({ length: 500 }, (_, i) => ({
      topic: name + i,
      topicId: ZERO_TOPIC_ID,
      partitions: [fetchedPartition(i === 250 ? large : Uint8Array.of(i))],
    }))
    const frame = encodeResponse(fetch, 11, 1, { ...fetched(null), responses })
    expect(frame.chunks).toContain(large)
    const { response } = decodeResponse(fetch, 11, joinFrame(frame).subarray(4))
    expect(response.responses.map(({ topic }) => topic)).toEqual(responses.map((r) => r.topic))
    expect(response.responses[499]!.partitions[0]!.records).toEqual(Uint8Array.of(499))
  })
})

describe('the compiler', () => {
  it('makes nothing before it is needed, and each codec once', () => {
    const fresh: Api = api({
      key: 97,
      name: 'Fresh',
      versions: between(0, 2),
      flexibleFrom: undefined,
      request: { name: string({ entity: 'groupId' }) },
      response: {},
    })
    const made = () =>
      [fresh.decoders, fresh.encoders].flatMap(({ request, response }) => [
        ...request.filter(Boolean),
        ...response.filter(Boolean),
      ])
    expect(made()).toEqual([])
    const body = encodeBody(fresh, 'request', 1, { name: 'a' })
    decodeBody(fresh, 'request', 1, body)
    const first = made()
    expect(first).toHaveLength(2)
    decodeBody(fresh, 'request', 1, encodeBody(fresh, 'request', 1, { name: 'b' }))
    expect(made()).toEqual(first)
  })

  it('keeps strings apart that share a slot, and those that are not ASCII', () => {
    const names = Array.from({ length: 5000 }, (_, i) => [`t${i}`, `ä${i}`, `${i}😀`]).flat()
    for (let round = 0; round < 2; round++) {
      const body = encodeBody(metadata, 'request', 4, metadataRequest(names))
      const decoded = decodeRequest(metadata, 4, body, 0)
      expect(decoded.topics!.map(({ name }) => name)).toEqual(names)
    }
  })

  it('keeps a name apart from bytes that are no UTF-8 but look like it', () => {
    for (let i = 0; i < 5000; i++) {
      for (const encoding of ['utf8', 'latin1'] as const) {
        // Spread out, so that some of them share a slot with their own other encoding.
        const name = Buffer.from(`${(i * 2_654_435_761) % 2 ** 32}é`, encoding)
        const body = Buffer.concat([Buffer.from([0, 0, 0, 1, 0, name.length]), name])
        expect(decodeRequest(metadata, 1, body, 0).topics![0]!.name).toBe(name.toString())
      }
    }
  })

  it('keeps ids apart that share a slot', () => {
    for (let word = 0; word < 4; word++) {
      for (let i = 0; i < 3000; i++) {
        const id = Buffer.alloc(16)
        id.writeInt32BE(i, 4 * word)
        const body = Buffer.concat([Buffer.from([2]), id, Buffer.from([0, 0, 0, 0, 0])])
        expect(decodeRequest(metadata, 12, body, 0).topics![0]!.topicId).toBe(id.toString('hex'))
      }
    }
  })

  it('refuses what is no id, and says where', () => {
    for (const bad of ['', '0'.repeat(31), 'A'.repeat(32), `${'0'.repeat(31)}g`, 'é'.repeat(32)]) {
      const topics = [{ topicId: asTopicId(bad), name: null }]
      expect(() => encodeBody(metadata, 'request', 12, { ...metadataRequest([]), topics })).toThrow(
        'Metadata request v12: topics[].topicId: not a UUID of 32 lower-case hex digits',
      )
    }
  })

  it('reads a cursor, the nullable struct, both ways', () => {
    for (const cursor of [null, { topicName: 'a', partitionIndex: 3 }]) {
      const request = { topics: [{ name: 'a' }], responsePartitionLimit: 7, cursor }
      const body = encodeBody(describeTopicPartitions, 'request', 0, request)
      expect(decodeRequest(describeTopicPartitions, 0, body, 0)).toEqual(request)
    }
  })
})
