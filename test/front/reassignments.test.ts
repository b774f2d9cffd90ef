/** Moves of replicas, as the front passes them on and tells of them; a controller that answers as the test says. */
import { describe, expect, test } from 'vitest'
import { ErrorCode } from '../../src/base/error-code.ts'
import { alterPartitionReassignmentsHandler } from '../../src/front/45-alter-partition-reassignments.ts'
import { listPartitionReassignmentsHandler } from '../../src/front/46-list-partition-reassignments.ts'
import type { AnyHandler, RequestContext } from '../../src/front/context.ts'
import type { ControllerRequest, ControllerResponse } from '../../src/image/request.ts'
import { refuseAll } from '../../src/image/results.ts'
import { alterPartitionReassignments } from '../../src/protocol/45-alter-partition-reassignments.ts'
import { listPartitionReassignments } from '../../src/protocol/46-list-partition-reassignments.ts'
import type { Api, RequestInputOf, RequestOf, ResponseOf } from '../../src/protocol/api.ts'
import {
  decodeRequest,
  decodeResponse,
  encodeRequest,
  encodeResponse,
  joinFrame,
} from '../../src/protocol/codec.ts'
import { decodeRequestHeader } from '../../src/protocol/header.ts'
import { requireScopes } from '../../src/tenant/scope.ts'

const NOBODY = { error: ErrorCode.REQUEST_TIMED_OUT, message: 'The controller does not answer.' }

/** Has the handler answer a request as it comes from the wire; null: no controller does, and its client refuses for it. */
function handled<A extends Api>(
  handler: AnyHandler,
  api: A,
  version: number,
  request: RequestInputOf<A>,
  answer: ControllerResponse | null,
  image: object = { topicByName: () => undefined },
) {
  requireScopes(handler.api, handler.scopes)
  const frame = joinFrame(encodeRequest(api, version, 1, 'c', request)).subarray(4)
  const header = decodeRequestHeader(frame)
  const decoded: RequestOf<A> = decodeRequest(api, version, frame, header.bodyOffset)
  const asked: { tenantId: string; request: ControllerRequest }[] = []
  let told: ResponseOf<A> | undefined
  const context = {
    version,
    session: { tenantId: 'the tenant' },
    may: () => true,
    services: {
      image,
      controller: {
        request(
          tenantId: string,
          request: ControllerRequest,
          done: (response: ControllerResponse) => void,
        ) {
          asked.push({ tenantId, request })
          done(answer ?? refuseAll(request, NOBODY))
        },
      },
    },
    reply(response: never) {
      const bytes = joinFrame(encodeResponse(api, version, 1, response)).subarray(4)
      told = decodeResponse(api, version, bytes).response
    },
  }
  handler.handle(decoded, context as unknown as RequestContext, frame)
  return { asked, told: told! }
}

describe('AlterPartitionReassignments', () => {
  const alter = (
    version: number,
    request: RequestInputOf<typeof alterPartitionReassignments>,
    answer: ControllerResponse | null,
    image?: object,
  ) =>
    handled(
      alterPartitionReassignmentsHandler,
      alterPartitionReassignments,
      version,
      request,
      answer,
      image,
    )
  const topics = [
    {
      name: 't',
      partitions: [
        { partitionIndex: 0, replicas: [3, 1] },
        { partitionIndex: 1, replicas: null },
      ],
    },
  ]

  test('tells the controller who has replicas of what nobody can lead: it hears of no leaders', () => {
    const image = {
      topicByName: (tenantId: string, name: string) =>
        tenantId === 'the tenant' && name === 't'
          ? { partitionCount: 1, numberOf: (index: number) => 70 + index }
          : undefined,
      isLost: (number: number) => number === 70,
      isrOf: () => [3],
    }
    const { asked } = alter(1, { topics }, null, image)
    expect(asked[0]!.request).toMatchObject({
      topics: [{ partitions: [{ leftOn: [3] }, { index: 1, replicas: null }] }],
    })
    const other = { ...image, isLost: () => false }
    const [{ request } = { request: null }] = alter(1, { topics }, null, other).asked
    expect(JSON.stringify(request)).not.toMatch(/leftOn/)
  })

  test('asks the controller for what is to be, on behalf of the tenant', () => {
    const moved = [
      {
        name: 't',
        partitions: [
          { index: 0, error: 0, message: null },
          { index: 1, error: 85, message: 'No partition reassignment is in progress.' },
        ],
      },
    ]
    for (const version of [0, 1]) {
      const { asked, told } = alter(
        version,
        { topics },
        { kind: 'alter-reassignments', topics: moved },
      )
      expect(asked).toEqual([
        {
          tenantId: 'the tenant',
          request: {
            kind: 'alter-reassignments',
            allowReplicationFactorChange: true,
            topics: [
              {
                name: 't',
                partitions: [
                  { index: 0, replicas: [3, 1] },
                  { index: 1, replicas: null },
                ],
              },
            ],
          },
        },
      ])
      expect(told).toMatchObject({ errorCode: 0, allowReplicationFactorChange: true })
      expect(told.responses[0]!.partitions).toEqual([
        { partitionIndex: 0, errorCode: 0, errorMessage: null },
        {
          partitionIndex: 1,
          errorCode: 85,
          errorMessage: 'No partition reassignment is in progress.',
        },
      ])
    }
  })

  test('passes on, and says again, that the number of replicas must stay', () => {
    const request = { allowReplicationFactorChange: false, topics }
    const { asked, told } = alter(1, request, { kind: 'alter-reassignments', topics: [] })
    expect(asked[0]!.request).toMatchObject({ allowReplicationFactorChange: false })
    expect(told.allowReplicationFactorChange).toBe(false)
  })

  test('says when the controller does not answer', () => {
    const { told } = alter(1, { topics }, null)
    const partitions = told.responses.flatMap(({ partitions }) => partitions)
    expect(partitions).toHaveLength(topics.flatMap(({ partitions }) => partitions).length)
    for (const partition of partitions) {
      expect(partition).toMatchObject({ errorCode: 7, errorMessage: NOBODY.message })
    }
  })

  test('is refused before the controller sees it when there is no time for it', () => {
    for (const version of [0, 1]) {
      for (const timeoutMs of [0, -1]) {
        const { asked, told } = alter(version, { topics, timeoutMs }, null)
        expect(asked).toEqual([])
        expect(told).toMatchObject({ errorCode: 7, errorMessage: null })
        expect(told.responses).toMatchObject([
          {
            name: 't',
            partitions: [
              { partitionIndex: 0, errorCode: 7, errorMessage: null },
              { partitionIndex: 1, errorCode: 7, errorMessage: null },
            ],
          },
        ])
      }
    }
  })

  test('is answered at once when it names nothing, whatever time there is', () => {
    for (const timeoutMs of [0, 5_000]) {
      const { asked, told } = alter(1, { topics: [], timeoutMs }, null)
      expect(asked).toEqual([])
      expect(told).toMatchObject({ errorCode: 0, errorMessage: '', responses: [] })
    }
  })

  test('is refused before the controller sees it when it names too much', () => {
    const partitions = Array.from({ length: 10_001 }, (_, partitionIndex) => ({
      partitionIndex,
      replicas: [1],
    }))
    const { asked, told } = alter(1, { topics: [{ name: 't', partitions }] }, null)
    expect(asked).toEqual([])
    expect(told.errorCode).toBe(44)
    expect(told.errorMessage).toMatch(/10001, the limit is 10000/)
  })
})

describe('ListPartitionReassignments', () => {
  const list = (
    topics: RequestInputOf<typeof listPartitionReassignments>['topics'],
    answer: ControllerResponse | null,
  ) =>
    handled(
      listPartitionReassignmentsHandler,
      listPartitionReassignments,
      0,
      topics === undefined ? {} : { topics },
      answer,
    )
  const none = { kind: 'list-reassignments', error: 0, message: null, topics: [] } as const

  test('tells of what the controller knows to be moved', () => {
    const { asked, told } = list(undefined, {
      ...none,
      topics: [
        {
          name: 't',
          partitions: [{ index: 4, replicas: [3, 1, 2], adding: [3], removing: [2] }],
        },
      ],
    })
    expect(asked[0]!.request).toEqual({ kind: 'list-reassignments', topics: null })
    expect(told).toMatchObject({ errorCode: 0, errorMessage: null })
    expect(told.topics).toEqual([
      {
        name: 't',
        partitions: [
          {
            partitionIndex: 4,
            replicas: [3, 1, 2],
            addingReplicas: [3],
            removingReplicas: [2],
          },
        ],
      },
    ])
  })

  test('of what is asked for, each partition once', () => {
    const topics = [
      { name: 't', partitionIndexes: [0, 0, 1] },
      { name: 't', partitionIndexes: [1, 2] },
    ]
    const { asked } = list(topics, none)
    expect(asked[0]!.request).toMatchObject({ topics: [{ name: 't', indexes: [0, 1, 2] }] })
  })

  test('says when the controller does not answer', () => {
    const { told } = list(null, null)
    expect(told).toMatchObject({ errorCode: 7, errorMessage: NOBODY.message })
  })
})
