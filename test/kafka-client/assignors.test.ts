import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type AssignorMember, assign } from '../../src/kafka-client/assignors.ts'
import {
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
} from '../../src/kafka-client/consumer-protocol.ts'

const member = (
  memberId: string,
  topics: readonly string[],
  owned: readonly string[] = [],
  generationId = 1,
): AssignorMember => ({
  ...{ memberId, topics, generationId },
  owned: owned.map((text) => ({ topic: text.slice(0, -1), partition: Number(text.at(-1)) })),
})

const told = (assignment: ReturnType<typeof assign>) =>
  Object.fromEntries(
    [...assignment].map(([id, parts]) => [id, parts.map((p) => p.topic + p.partition).sort()]),
  )

describe('range', () => {
  test('gives runs, the first members one more, topic by topic', () => {
    const members = [member('b', ['t', 'u']), member('a', ['t', 'u']), member('c', ['u'])]
    const counts = new Map([
      ['t', 3],
      ['u', 3],
    ])
    expect(told(assign('range', members, counts))).toEqual({
      a: ['t0', 't1', 'u0'],
      b: ['t2', 'u1'],
      c: ['u2'],
    })
  })

  test('more members than partitions leave some without', () => {
    const members = ['a', 'b', 'c'].map((id) => member(id, ['t']))
    expect(told(assign('range', members, new Map([['t', 2]])))).toEqual({
      ...{ a: ['t0'], b: ['t1'], c: [] },
    })
  })
})

describe('cooperative-sticky', () => {
  const four = new Map([['t', 4]])

  test('keeps what members hold', () => {
    const members = [member('a', ['t'], ['t3', 't1']), member('b', ['t'], ['t0', 't2'])]
    expect(told(assign('cooperative-sticky', members, four))).toEqual({
      ...{ a: ['t1', 't3'], b: ['t0', 't2'] },
    })
  })

  test('takes from who has most, and gives to nobody what another still holds', () => {
    const members = [member('a', ['t'], ['t0', 't1', 't2', 't3']), member('b', ['t'])]
    const first = told(assign('cooperative-sticky', members, four))
    expect([first.a!.length, first.b]).toEqual([2, []])
    // the owner has given them up and both have joined again
    const again = [member('a', ['t'], first.a!, 2), member('b', ['t'], [], 2)]
    const second = told(assign('cooperative-sticky', again, four))
    expect(second.a).toEqual(first.a)
    expect([...second.a!, ...second.b!].sort()).toEqual(['t0', 't1', 't2', 't3'])
  })

  test('of two that claim a partition the later generation is right, of equals neither', () => {
    const later = [member('a', ['t'], ['t0'], 5), member('b', ['t'], ['t0'], 6)]
    const one = new Map([['t', 1]])
    // a still claims it: it is left out until a has let go
    expect(told(assign('cooperative-sticky', later, one))).toEqual({ a: [], b: [] })
    const settled = [member('a', ['t'], [], 7), member('b', ['t'], ['t0'], 7)]
    expect(told(assign('cooperative-sticky', settled, one))).toEqual({ a: [], b: ['t0'] })
  })
})

test('whatever members hold, every partition has one reader after the rounds, and loads are even', () => {
  const groups = fc.record({
    counts: fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 4 }),
    // which topics each member reads, as bits
    reads: fc.array(fc.integer({ min: 1, max: 15 }), { minLength: 1, maxLength: 6 }),
    holders: fc.array(fc.integer({ min: -1, max: 5 }), { minLength: 30, maxLength: 30 }),
  })
  fc.assert(
    fc.property(groups, fc.constantFrom('range', 'cooperative-sticky'), (group, name) => {
      const counts = new Map(group.counts.map((count, i) => [`t${i}`, count]))
      const all = [...counts].flatMap(([topic, count]) =>
        Array.from({ length: count }, (_, partition) => ({ topic, partition })),
      )
      let members: AssignorMember[] = group.reads.map((bits, i) => ({
        memberId: `m${i}`,
        topics: [...counts.keys()].filter((_, t) => bits & (1 << t)),
        owned: all.filter((_, at) => group.holders[at] === i),
        generationId: 1,
      }))
      let assignment = assign(name, members, counts)
      for (let round = 2; round < 5; round++) {
        members = members.map((m) => ({
          ...m,
          owned: assignment.get(m.memberId)!,
          generationId: round,
        }))
        assignment = assign(name, members, counts)
      }
      const readers = (topic: string) => members.filter((m) => m.topics.includes(topic))
      for (const { topic, partition } of all) {
        const owners = members.filter((m) =>
          assignment.get(m.memberId)!.some((p) => p.topic === topic && p.partition === partition),
        )
        expect(owners.length).toBe(readers(topic).length === 0 ? 0 : 1)
        for (const owner of owners) expect(owner.topics).toContain(topic)
        if (name === 'range' || owners.length === 0) continue
        const load = (m: AssignorMember) => assignment.get(m.memberId)!.length
        const least = Math.min(...readers(topic).map(load))
        expect(load(owners[0]!) - least).toBeLessThan(2)
      }
    }),
    { numRuns: 300 },
  )
})

describe('the consumer protocol', () => {
  const owned = [
    { topic: 't', partition: 0 },
    { topic: 't', partition: 9 },
    { topic: 'ü', partition: 1 },
  ]

  test('comes back as it went', () => {
    const subscription = { topics: ['t', 'ü'], owned, generationId: 7 }
    expect(decodeSubscription(encodeSubscription(subscription))).toEqual(subscription)
    expect(decodeAssignment(encodeAssignment(owned))).toEqual(owned)
    expect(decodeAssignment(new Uint8Array(0))).toEqual([])
  })

  test('reads what older and newer clients send', () => {
    // version 0 as kafka-python sends it, and a version of the future with more behind
    const version0 = Buffer.from('00000000000100017400000000', 'hex')
    expect(decodeSubscription(version0)).toEqual({ topics: ['t'], owned: [], generationId: -1 })
    const future = Buffer.concat([encodeSubscription({ topics: ['t'], owned, generationId: 3 })])
    future.writeInt16BE(9, 0)
    expect(decodeSubscription(Buffer.concat([future, Buffer.from('more')]))).toEqual({
      ...{ topics: ['t'], owned, generationId: 3 },
    })
  })

  test('refuses lengths that lie', () => {
    expect(() => decodeSubscription(Buffer.from('00007fffffff', 'hex'))).toThrow(RangeError)
    expect(() => decodeAssignment(Buffer.from('0000000000010040', 'hex'))).toThrow(RangeError)
  })
})
