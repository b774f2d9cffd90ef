/** The comparison's own parts: what counts as a difference, and what is done about those that are listed. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { metadata } from '../../src/protocol/03-metadata.ts'
import { createTopics } from '../../src/protocol/19-create-topics.ts'
import { apis } from '../../src/protocol/apis.ts'
import { decodeRequest, encodeRequest, joinFrame } from '../../src/protocol/codec.ts'
import { decodeRequestHeader } from '../../src/protocol/header.ts'
import { batchOf } from './batches.ts'
import { describeRecords } from './describe-records.ts'
import { type Answered, compare, fits, judge, type KnownDifference } from './diff.ts'
import { withDefaults } from './loose.ts'
import { mutations } from './mutate.ts'
import { flatten, maskIds, maskTimes, type Names } from './normalise.ts'
import { ranges } from './report.ts'
import { bases } from './scenarios/bases.ts'
import { scenarios } from './scenarios.ts'
import { Side, versionsOf } from './side.ts'

const names: Names = {
  learnTopic: () => {},
  topicId: (id) => (/^0+$/.test(id) ? 'zero-id' : 'some id'),
  producerId: String,
  sessionId: String,
  clusterId: () => '<cluster>',
  host: () => '<host>',
  port: () => '<port>',
  text: (text) => text,
  uuid: () => '<uuid>',
  nowMs: () => 1_700_000_000_000,
}

const flat = (entries: Record<string, string>) => new Map(Object.entries(entries))

const step = (version: number, answer: Record<string, string>, what = 'a step'): Answered => ({
  ...{ scenario: 's', step: what, api: 'Metadata', version },
  answer: flat(answer),
})

describe('an answer as paths', () => {
  const topic = (name: string, partitions: number[]) => ({
    ...{ errorCode: 0, name, topicId: 'a'.repeat(32), isInternal: false },
    partitions: partitions.map((partitionIndex) => ({
      ...{ errorCode: 5, partitionIndex, leaderId: 1, leaderEpoch: 0 },
      ...{ replicaNodes: [1, 2], isrNodes: [], offlineReplicas: [] },
    })),
    topicAuthorizedOperations: 0,
  })

  const answer = (topics: object[]) =>
    flatten(
      metadata.response,
      withDefaults(metadata.response, {
        ...{ brokers: [{ nodeId: 1, host: 'h', port: 5, rack: null }], clusterId: 'c', topics },
      }),
      names,
    )

  test('names elements by what tells them apart, in an order of their own', () => {
    const seen = answer([topic('b', [1, 0]), topic('a', [])])
    expect(seen).toEqual(answer([topic('a', []), topic('b', [0, 1])]))
    expect(seen.get('topics[b].partitions[1].errorCode')).toBe('5 LEADER_NOT_AVAILABLE')
    expect(seen.get('topics[b].partitions[1].replicaNodes')).toBe('[1, 2]')
    expect(seen.get('topics')).toBe('2 of them')
  })

  test('has words for ids and addresses', () => {
    const seen = answer([topic('a', [])])
    expect(seen.get('topics[a].topicId')).toBe('some id')
    expect(seen.get('clusterId')).toBe('<cluster>')
    expect(seen.get('brokers[1].port')).toBe('<port>')
    expect(seen.get('brokers[1].rack')).toBe('null')
  })

  test('numbers those with one name', () => {
    const seen = answer([topic('a', []), topic('a', [0])])
    expect([...seen.keys()].filter((path) => path.endsWith('].name'))).toEqual([
      'topics[a].name',
      'topics[a#2].name',
    ])
  })

  test('masks ids and moments in texts, and nothing else', () => {
    const uuid = 'c0ffee00-1234-4abc-8def-0123456789ab'
    expect(maskIds(`member-${uuid}`, () => '<n>')).toBe('member-<n>')
    expect(maskIds('topic id 8bMz3RwuS3m5d-0Az2kTqA', () => '')).toBe('topic id <id>')
    expect(maskIds('follower.replication.throttled.replicas', () => '')).not.toContain('<id>')
    expect(maskTimes('from 1700000000001 to 1500000000000', 1_700_000_000_000)).toBe(
      'from <time> to 1500000000000',
    )
  })

  test('tells batches by what a reader sees', () => {
    const one = batchOf(['a'])
    expect(describeRecords(one)).toMatch(/^\{0-0 magic=2 epoch=-1 attr=0 [0-9a-f]{8}\}$/)
    expect(describeRecords(one)).not.toBe(describeRecords(batchOf(['b'])))
    expect(describeRecords(one.subarray(0, 65))).toBe('{65 bytes of a cut batch}')
  })
})

describe('differences', () => {
  test('of several versions are one', () => {
    const kafka = [1, 2, 3].map((version) => step(version, { errorCode: '0 NONE', same: 'x' }))
    const griot = [1, 2, 3].map((version) => step(version, { errorCode: '1 ?', same: 'x' }))
    griot[1] = kafka[1]!
    expect(compare(kafka, griot)).toEqual([
      {
        ...{ scenario: 's', step: 'a step', api: 'Metadata', versions: [1, 3] },
        ...{ path: 'errorCode', kafka: '0 NONE', griot: '1 ?' },
      },
    ])
  })

  test('are told once for an element that one side lacks, and without the version in names', () => {
    const kafka = [step(7, { topics: '1 of them', 'topics[t-7].name': 'x', 'topics[t-7].id': 'y' })]
    const [, second, ...rest] = compare(kafka, [step(7, { topics: '0 of them' })])
    expect(second).toMatchObject({ path: 'topics[t-N].name', griot: '(absent)' })
    expect(rest).toEqual([])
  })

  test('in whether there was an answer hide all others', () => {
    const found = compare([step(1, { '(outcome)': 'silence' })], [step(1, { errorCode: '3 X' })])
    expect(found).toMatchObject([{ path: '(outcome)', kafka: 'silence', griot: '3 X' }])
  })

  test('in the steps themselves are told', () => {
    const found = compare([step(1, {}, 'one')], [step(1, {}, 'other')])
    expect(found).toMatchObject([{ path: '(step)', griot: 'other Metadata v1' }])
    expect(compare([step(1, {})], [])).toHaveLength(1)
  })
})

describe('listed differences', () => {
  const found = compare(
    [0, 1, 2].map((version) => step(version, { 'a[x].b': '1' })),
    [0, 1, 2].map((version) => step(version, { 'a[x].b': '2' })),
  )

  test('are known, version by version', () => {
    const listed: KnownDifference[] = [{ path: 'a[*].b', versions: '1-', reason: 'so' }]
    const { unknown, known, gone } = judge(found, listed)
    expect(unknown.map(({ versions }) => versions)).toEqual([[0]])
    expect(known.map(({ versions }) => versions)).toEqual([[1, 2]])
    expect(gone).toEqual([])
  })

  test('that are seen no more are told', () => {
    const listed = [
      { path: 'a[x].b', reason: 'so' },
      { path: 'a[x].c', reason: 'no' },
    ]
    expect(judge(found, listed).gone).toEqual([listed[1]])
  })

  test('are matched whole, with stars and bars, and dots are dots', () => {
    expect(fits('a|b*', 'bcd')).toBe(true)
    expect(fits('a', 'ab')).toBe(false)
    expect(fits('a.b', 'axb')).toBe(false)
    expect(fits(undefined, 'anything')).toBe(true)
  })

  test('each say why', async () => {
    const text = await readFile(join(import.meta.dirname, 'known-differences.json'), 'utf8')
    for (const { reason, ...what } of JSON.parse(text) as KnownDifference[]) {
      expect(reason.length, JSON.stringify(what)).toBeGreaterThan(20)
      expect(Object.keys(what).length, reason).toBeGreaterThan(0)
    }
  })

  test('are printed with their versions as ranges', () => {
    expect(ranges([3, 1, 2, 7])).toBe('1-3,7')
  })
})

describe('derived requests', () => {
  test('change one field each, and nothing of a base that others use', () => {
    const base = { topics: [{ name: 'a', numPartitions: 1 }], timeoutMs: 1 }
    const before = JSON.stringify(base)
    const made = mutations(createTopics.request, 7, base, 'unknown', new Set(['timeoutMs']))
    expect(JSON.stringify(base)).toBe(before)
    expect(made.map((one) => one.step)).toContain('topics[0].name = an unknown name')
    expect(made.map((one) => one.step)).toContain('topics = twice the first')
    expect(made.filter((one) => one.step.startsWith('timeoutMs'))).toEqual([])
    const negative = made.find((one) => one.step === 'topics[0].numPartitions = -2')!
    expect(negative.request).toMatchObject({ topics: [{ name: 'a', numPartitions: -2 }] })
  })

  test('come from a base that every version can carry, for every API', async () => {
    expect(apis.filter(({ key }) => bases[key] === undefined)).toEqual([])
    const side = new Side({ name: 'nobody', bootstrap: '127.0.0.1:1' })
    for (const api of apis) {
      // What these send depends on a member that has joined.
      if (api.key === 12 || api.key === 14) continue
      for (const version of versionsOf(api)) {
        const request = await bases[api.key]!.request(side, version, 'n')
        const full = withDefaults(api.request, request as Record<string, unknown>)
        const frame = joinFrame(encodeRequest(api, version, 1, 'c', full as never)).subarray(4)
        const { bodyOffset } = decodeRequestHeader(frame)
        expect(() => decodeRequest(api, version, frame, bodyOffset)).not.toThrow()
      }
    }
  })
})

test('scenarios have names of their own', () => {
  const all = scenarios.map(({ name }) => name)
  expect(new Set(all).size).toBe(all.length)
})
