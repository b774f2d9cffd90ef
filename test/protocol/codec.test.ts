import { describe, expect, it } from 'vitest'
import { produce } from '../../src/protocol/00-produce.ts'
import { fetch } from '../../src/protocol/01-fetch.ts'
import {
  decodeRequest,
  decodeResponse,
  encodeRequest,
  encodeResponse,
  joinFrame,
} from '../../src/protocol/codec.ts'
import { decodeRequestHeader } from '../../src/protocol/header.ts'

describe('codec', () => {
  it('smoke', () => {
    const f = joinFrame(
      encodeRequest(produce, 9, 7, 'me', {
        acks: -1,
        timeoutMs: 1000,
        topicData: [
          {
            name: 'tö',
            topicId: '0'.repeat(32) as never,
            partitionData: [{ index: 3, records: new Uint8Array([1, 2, 3]) }],
          },
        ],
      }),
    )
    const body = f.subarray(4)
    const h = decodeRequestHeader(body)
    expect(h).toMatchObject({ apiKey: 0, apiVersion: 9, correlationId: 7, clientId: 'me' })
    console.log(JSON.stringify(decodeRequest(produce, 9, body, h.bodyOffset)))
    const g = encodeResponse(fetch, 12, 9, {
      throttleTimeMs: 0,
      errorCode: 0,
      responses: [
        {
          topic: 'a',
          topicId: '0'.repeat(32) as never,
          partitions: [
            {
              partitionIndex: 0,
              errorCode: 0,
              highWatermark: 9,
              abortedTransactions: null,
              records: [new Uint8Array(2000), new Uint8Array(1)],
              currentLeader: { leaderId: 3, leaderEpoch: 3 },
            },
          ],
        },
      ],
    })
    expect(g.chunks.length).toBe(3)
    const d = decodeResponse(fetch, 12, joinFrame(g).subarray(4))
    expect(d.response.responses[0]!.partitions[0]!.records!.length).toBe(2001)
    console.log(produce.decoders.request[9]!.toString())
    console.log(produce.encoders.request[9]!.toString())
  })
})
