/** What a tenant can see of others all the same ({@link EXCEPTIONS}): that it is so, and that it is no more. */
import { expect, it } from 'vitest'
import { metadata } from '../../src/protocol/03-metadata.ts'
import { createTopics } from '../../src/protocol/19-create-topics.ts'
import { saslAuthenticate } from '../../src/protocol/36-sasl-authenticate.ts'
import { describeQuorum } from '../../src/protocol/55-describe-quorum.ts'
import type { Api } from '../../src/protocol/api.ts'
import { decodeResponse } from '../../src/protocol/codec.ts'
import type { Entity } from '../../src/protocol/entity.ts'
import { type Field, type Fields, INT32_MAX } from '../../src/protocol/schema.ts'
import { plainToken } from '../front/tenants.ts'
import { EXCEPTIONS } from './masks.ts'
import { DEFAULT_B, type Resident, World, type WorldOptions } from './world.ts'

type Row = Readonly<Record<string, unknown>>

const shown: string[] = []

function worlds(options: Omit<WorldOptions, 'hasA'> = {}) {
  const withA = new World({ ...options, hasA: true })
  return { withA, withoutA: new World({ ...options, hasA: false }), a: withA.a! }
}

function ask(resident: Resident, api: Api, version: number, request: object): Row {
  const outcome = resident.ask(api, version, request)
  if (outcome.kind !== 'answered') throw new Error(`${api.name}: ${outcome.kind}`)
  return decodeResponse(api, version, outcome.bytes).response as Row
}

const make = (resident: Resident, name: string, numPartitions: number) =>
  ask(resident, createTopics, 7, {
    topics: [{ name, numPartitions, replicationFactor: -1 }],
    timeoutMs: 1_000,
  })

/** An answer without fields that have that tag. */
function without(entity: Entity, fields: Fields, row: Row): Row {
  const kept = Object.entries(fields).map(([name, field]) => [
    name,
    valueWithout(entity, field, row[name]),
  ])
  return Object.fromEntries(kept)
}

function valueWithout(entity: Entity, field: Field, value: unknown): unknown {
  if (field.entity === entity) return undefined
  if (field.fields !== undefined && value !== null && value !== undefined) {
    return without(entity, field.fields, value as Row)
  }
  if (!Array.isArray(value)) return value
  return value.map((one) => valueWithout(entity, field.element!, one))
}

it('placement: which brokers have a new partition, and nothing else', () => {
  shown.push('placement')
  const { withA, withoutA, a } = worlds()
  make(a, 'odd', 1)
  for (const world of [withA, withoutA]) make(world.b, 'late', 1)
  const [got, expected] = [withA, withoutA].map(({ b }) =>
    ask(b, metadata, 12, { topics: [{ name: 'late', topicId: '0'.repeat(32) }] }),
  )
  expect(got).not.toEqual(expected)
  const rest = (answer: Row) => without('brokerId', metadata.response, answer)
  expect(rest(got!)).toEqual(rest(expected!))
  expect(JSON.stringify(rest(got!))).toContain('late')
})

it('room: that there is none for as many, without a number that is not its own', () => {
  shown.push('room')
  const { withA, withoutA, a } = worlds({ partitionsMax: 40 })
  make(a, 'many', 20)
  const [got, expected] = [withA, withoutA].map(({ b }) => make(b, 'late', 12))
  expect(expected).toMatchObject({ topics: [{ errorCode: 0 }] })
  expect(got).toMatchObject({
    topics: [
      {
        errorCode: 44,
        errorMessage: 'Cannot create 12 partitions: the brokers have no room for as many.',
      },
    ],
  })
})

it('quorum: the tenant default sees how far the metadata log is, and no other tenant does', () => {
  shown.push('quorum')
  const partitions = [{ partitionIndex: 0 }]
  const request = { topics: [{ topicName: '__cluster_metadata', partitions }] }
  const { withA, withoutA } = worlds({ b: DEFAULT_B })
  const [got, expected] = [withA, withoutA].map(({ b }) => ask(b, describeQuorum, 2, request))
  expect(got).not.toEqual(expected)
  const others = worlds()
  const told = [others.withA, others.withoutA].map(({ b }) => ask(b, describeQuorum, 2, request))
  expect(told[0]).toEqual(told[1])
})

it('address: a login that fails is told so later where others have failed, whoever they were', () => {
  shown.push('address')
  const { withA, withoutA, a } = worlds()
  const login = (resident: Resident) =>
    resident.ask(
      saslAuthenticate,
      2,
      { authBytes: plainToken(resident.facts.keyId, 'no such secret') },
      { mechanism: 'PLAIN' },
    )
  login(a)
  const [got, expected] = [login(withA.b), login(withoutA.b)]
  expect(expected).toMatchObject({ kind: 'answered', afterMs: 0 })
  expect(got).toMatchObject({ kind: 'answered', bytes: (expected as { bytes: Buffer }).bytes })
  expect((got as { afterMs: number }).afterMs).toBeGreaterThan(0)
  expect((got as { afterMs: number }).afterMs).toBeLessThan(INT32_MAX)
})

it('are all shown here', () => {
  expect(shown).toEqual(Object.keys(EXCEPTIONS))
})
