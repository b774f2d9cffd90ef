import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ZERO_TOPIC_ID } from '../../src/base/ids.ts'
import { fetch } from '../../src/protocol/01-fetch.ts'
import { metadata } from '../../src/protocol/03-metadata.ts'
import { apiVersions } from '../../src/protocol/18-api-versions.ts'
import { deleteTopics } from '../../src/protocol/20-delete-topics.ts'
import { initProducerId } from '../../src/protocol/22-init-producer-id.ts'
import type { Api } from '../../src/protocol/api.ts'
import { apis } from '../../src/protocol/apis.ts'
import {
  decodeRequest,
  encodeRequest,
  encodeResponse,
  joinFrame,
} from '../../src/protocol/codec.ts'
import { decodeRequestHeader, decodeResponseHeader } from '../../src/protocol/header.ts'
import { WireFormatError } from '../../src/protocol/wire-format-error.ts'
import { decodeBody, encodeBody, readVectors } from './vectors.ts'

const RUNS = process.env.GRIOT_TEST_LONG === undefined ? 300 : 10_000

const hex = (...parts: string[]): Buffer => Buffer.from(parts.join('').replaceAll(' ', ''), 'hex')

const request = (api: Api, version: number, body: Uint8Array) => () =>
  decodeRequest(api, version, body, 0)

/** True if the bytes are a message, false if they were refused as they should; any other end is thrown on. */
function survives(decode: () => unknown): boolean {
  try {
    decode()
    return true
  } catch (error) {
    if (error instanceof WireFormatError) return false
    throw error
  }
}

describe('a limit', () => {
  it('is 1,000,000 elements, even where the frame holds them', () => {
    const body = Buffer.alloc(4 + 2 * 1_000_001 + 4)
    body.writeInt32BE(1_000_001)
    expect(request(deleteTopics, 1, body)).toThrow(
      'DeleteTopics request v1: topicNames: 1000001 elements, more than the limit of 1000000',
    )
    body.writeInt32BE(250_000)
    expect(request(deleteTopics, 1, body)).not.toThrow()
  })

  it('is 250,000 elements in all arrays of a request together', () => {
    const body = Buffer.alloc(4 + 2 * 250_001 + 4)
    body.writeInt32BE(250_001)
    expect(request(deleteTopics, 1, body)).toThrow(
      'topicNames: 250001 elements in all arrays so far, more than the limit of 250000',
    )
    // 500 topics with 500 partitions each are one array too many
    const partitions = Buffer.concat([hex('0000 000001f4'), Buffer.alloc(500 * 16)])
    const topics = (count: number) =>
      Buffer.concat([
        hex('ffffffff', '00000000'.repeat(3), '00', '00000', count.toString(16).padStart(3, '0')),
        ...Array(count).fill(partitions),
      ])
    expect(request(fetch, 4, topics(499))).not.toThrow()
    expect(request(fetch, 4, topics(500))).toThrow(
      'topics[].partitions: 250500 elements in all arrays so far',
    )
  })

  it('is the bytes that are there: a longer array is refused before anything is made for it', () => {
    const before = process.memoryUsage().heapUsed
    for (let i = 0; i < 1000; i++) {
      expect(request(deleteTopics, 1, hex('000f4240', '00'.repeat(60)))).toThrow(
        'topicNames: 1000000 elements need at least 2000000 bytes, 60 left in the frame',
      )
    }
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(500e6)
    // A partition of a fetch takes 16 bytes in version 4: 3 of them cannot be in 47.
    const topic = ['ffffffff', '00000000'.repeat(3), '00', '00000001', '0001 61', '00000003']
    expect(request(fetch, 4, hex(...topic, '00'.repeat(47)))).toThrow(
      'Fetch request v4: topics[].partitions: 3 elements need at least 48 bytes, 47 left',
    )
  })

  it('is 10,000 tagged fields', () => {
    const tags = (count: number): Buffer =>
      Buffer.concat([hex('01 01'), uvarint(count), ...Array(count).fill(hex('63 00'))])
    expect(request(apiVersions, 3, tags(10_000))).not.toThrow()
    expect(request(apiVersions, 3, tags(10_001))).toThrow(
      'ApiVersions request v3: tagged section: 10001 tagged fields, more than the limit of 10000',
    )
    // Also where the version knows some, and in the header.
    const response = Buffer.concat([hex('0000 01 00000000'), uvarint(10_001), Buffer.alloc(30_000)])
    expect(() => decodeBody(apiVersions, 'response', 3, response)).toThrow(/10001 tagged fields/)
    const header = Buffer.concat([hex('0012 0003 00000001 ffff'), uvarint(10_001)])
    expect(() => decodeRequestHeader(header)).toThrow(
      'ApiVersions request header v3: tagged section: 10001 tagged fields',
    )
  })

  it('is 32,767 bytes a string, both ways', () => {
    const long = 'ä'.repeat(16_384)
    expect(() => encodeBody(initProducerId, 'request', 0, tx(long))).toThrow(
      /32768 bytes, more than/,
    )
    expect(() => encodeBody(initProducerId, 'request', 2, tx(long))).toThrow(
      /32768 bytes, more than/,
    )
    expect(() => encodeBody(initProducerId, 'request', 2, tx('a'.repeat(32_768)))).toThrow(/32768/)
    expect(() => encodeBody(initProducerId, 'request', 2, tx('a'.repeat(32_767)))).not.toThrow()
    const body = Buffer.concat([uvarint(32_769), Buffer.alloc(32_768 + 5)])
    expect(request(initProducerId, 2, body)).toThrow(
      'InitProducerId request v2: transactionalId: a string of 32768 bytes, more than the limit of 32767',
    )
    expect(() => encodeRequest(metadata, 4, 1, long, {} as never)).toThrow(/clientId: a string of/)
  })
})

const tx = (transactionalId: string) => ({ transactionalId, transactionTimeoutMs: 1 })

function uvarint(value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest & 127) | 128)
  return Buffer.from([...bytes, rest])
}

describe('an error', () => {
  const cases: [string, Api, number, Buffer, string][] = [
    [
      'a missing field, not the one before it',
      initProducerId,
      0,
      hex('ffff 0000'),
      'transactionTimeoutMs: the frame ends here: 4 bytes needed, 2 left',
    ],
    [
      'a string beyond the frame',
      initProducerId,
      0,
      hex('0003 6161'),
      'transactionalId: 3 bytes announced, 2 left in the frame',
    ],
    [
      'a negative length',
      initProducerId,
      0,
      hex('fffe 00000000'),
      'transactionalId: negative length -2',
    ],
    [
      'a negative count',
      deleteTopics,
      1,
      hex('80000000 00000000'),
      'topicNames: negative length -2147483648',
    ],
    [
      'null where it is not allowed',
      deleteTopics,
      1,
      hex('ffffffff 00000000'),
      'topicNames: null, which this version does not allow',
    ],
    [
      'null in the compact form',
      deleteTopics,
      4,
      hex('00 00000000 00'),
      'topicNames: null, which this version does not allow',
    ],
    [
      'an element',
      deleteTopics,
      1,
      hex('00000001 ffff 00000000'),
      'topicNames[]: null, which this version does not allow',
    ],
    [
      'a varint that never ends',
      deleteTopics,
      4,
      hex('ffffffffffff'),
      'topicNames: a varint of more than 32 bits',
    ],
    [
      'a varint cut short',
      deleteTopics,
      4,
      hex('ffff'),
      'topicNames: the frame ends within a varint',
    ],
    [
      'a missing tagged section',
      deleteTopics,
      4,
      hex('01 00000000'),
      'tagged section: the frame ends here: 1 bytes needed, 0 left',
    ],
    [
      'a tagged field beyond the frame',
      deleteTopics,
      4,
      hex('01 00000000 01 05 09'),
      'tagged section: 9 bytes announced, 0 left in the frame',
    ],
  ]
  for (const [what, api, version, body, message] of cases) {
    it(`names ${what}`, () => {
      const title = `${api.name} request v${version}: ${message}`
      expect(request(api, version, body)).toThrow(new WireFormatError(title))
    })
  }

  it('names a tagged field whose size is not that of its value', () => {
    const body = hex('0000 01 00000000', '01', '03', '02', '0101')
    expect(() => decodeBody(apiVersions, 'response', 3, body)).toThrow(
      'ApiVersions response v3: zkMigrationReady: a tagged field of 2 bytes whose value takes 1',
    )
  })

  it('names the header', () => {
    expect(() => decodeRequestHeader(hex('0000'))).toThrow('request header: 8 bytes needed, 2 in')
    expect(() => decodeRequestHeader(hex('0000 0009 00000001'))).toThrow(
      'Produce request header v9: clientId: the frame ends here',
    )
    expect(() => decodeRequestHeader(hex('0000 0009 00000001 0005 61'))).toThrow(
      'Produce request header v9: clientId: 5 bytes announced, 1 left in the frame',
    )
    expect(() => decodeRequestHeader(hex('0000 0009 00000001 fffd'))).toThrow('negative length -3')
    expect(() => decodeResponseHeader(metadata, 9, hex('000000'))).toThrow(
      'Metadata response header v9: 4 bytes needed, 3 in the frame',
    )
  })
})

describe('a header', () => {
  it('of an unknown API tells the key, and that no more was looked at', () => {
    expect(decodeRequestHeader(hex('7fff 0001 00000007'))).toEqual({
      apiKey: 32_767,
      apiVersion: 1,
      correlationId: 7,
      clientId: '',
      api: undefined,
      bodyOffset: 8,
    })
  })

  it('of a version from the future is read all the same', () => {
    const header = decodeRequestHeader(hex('0012 7fff 00000007 0002 6162', '01 63 01 00', '00'))
    expect(header).toMatchObject({ apiVersion: 32_767, clientId: 'ab', bodyOffset: 16 })
    expect(header.api?.isValid(header.apiVersion)).toBe(false)
  })

  it('without a client id counts as an empty one', () => {
    expect(decodeRequestHeader(hex('0003 0000 00000007 ffff'))).toMatchObject({ clientId: '' })
  })
})

const vectors = apis.flatMap((api) => {
  const { cases } = readVectors(api.key)
  // The longest ones tell nothing new here, and take long.
  return cases
    .filter(({ bytes }) => bytes.length < 4000)
    .map(({ d, v, bytes, unknown }) => ({ api, d, v, body: Buffer.from(unknown ?? bytes, 'hex') }))
})
const anyVector = fc.nat(vectors.length - 1).map((i) => vectors[i]!)

describe('bytes that are no message', () => {
  it('are refused wherever a message is cut short', () => {
    fc.assert(
      fc.property(anyVector, fc.double({ min: 0, max: 1, noNaN: true }), (vector, where) => {
        const { api, d, v, body } = vector
        const cut = Math.min(body.length - 1, Math.floor(body.length * where))
        // Messages have no padding: any proper beginning is too short.
        if (body.length === 0) return
        expect(() => decodeBody(api, d, v, body.subarray(0, cut))).toThrow(WireFormatError)
      }),
      { seed: 1, numRuns: RUNS },
    )
  })

  it('end in a value or a WireFormatError when a message is mutated, and never take long', () => {
    const edit = fc.record({ at: fc.nat(), to: fc.constantFrom(0, 1, 127, 128, 255, 254, 63) })
    let refused = 0
    fc.assert(
      fc.property(anyVector, fc.array(edit, { minLength: 1, maxLength: 6 }), (vector, edits) => {
        const { api, d, v } = vector
        const body = Buffer.from(vector.body)
        for (const { at, to } of edits) if (body.length > 0) body[at % body.length] = to
        const began = performance.now()
        if (!survives(() => decodeBody(api, d, v, body))) refused++
        expect(performance.now() - began).toBeLessThan(1000)
      }),
      { seed: 2, numRuns: 5 * RUNS },
    )
    expect(refused).toBeGreaterThan(RUNS / 2)
  })

  it('end so when they are random, header and all', () => {
    fc.assert(
      fc.property(anyVector, fc.uint8Array({ maxLength: 300 }), ({ api, d, v }, bytes) => {
        survives(() => decodeBody(api, d, v, bytes))
        const frame = Buffer.concat([Buffer.from([0, api.key, 0, v]), bytes])
        survives(() => decodeRequestHeader(frame))
        survives(() => decodeRequestHeader(bytes))
      }),
      { seed: 3, numRuns: 3 * RUNS },
    )
  })

  it('what survived a mutation encodes again, to something that decodes to the same', () => {
    fc.assert(
      fc.property(anyVector, fc.nat(), fc.nat(255), (vector, at, to) => {
        const { api, d, v } = vector
        const body = Buffer.from(vector.body)
        if (body.length > 0) body[at % body.length] = to
        let decoded: unknown
        if (!survives(() => (decoded = decodeBody(api, d, v, body)))) return
        expect(decodeBody(api, d, v, encodeBody(api, d, v, decoded))).toEqual(decoded)
      }),
      { seed: 4, numRuns: 3 * RUNS },
    )
  })

  it('the same in a frame that lies in the middle of a larger buffer', () => {
    const responses = [{ topic: 'a', topicId: ZERO_TOPIC_ID, partitions: [] }]
    const frame = joinFrame(
      encodeResponse(fetch, 11, 1, { throttleTimeMs: 0, errorCode: 0, responses }),
    )
    const around = Buffer.concat([Buffer.alloc(100, 255), frame, Buffer.alloc(100, 255)])
    const body = around.subarray(100 + 8, 100 + frame.length)
    for (let cut = 0; cut < body.length; cut++) {
      const start = body.byteOffset
      const view = new Uint8Array(body.buffer, start, cut)
      expect(() => decodeBody(fetch, 'response', 11, view)).toThrow(WireFormatError)
    }
  })
})
