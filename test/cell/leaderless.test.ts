import { describe, expect, test } from 'vitest'
import { ErrorCode } from '../../src/base/error-code.ts'
import { ProduceReason } from '../../src/link/produce-reason.ts'
import { bytesOf, names, P, world } from './router-world.ts'

const { NOT_LEADER_OR_FOLLOWER } = ErrorCode

describe('a partition that nobody has led for five seconds', () => {
  const leaderless = () => {
    const all = world()
    const { one, two, three, produce, pass, router, answers } = all
    one.die()
    produce('a', 7)
    router.locate(P, 0, 1, -1, answers, answers.expect('where'))
    router.coordinate(P, '/h', bytesOf('call'), answers, answers.expect('call'))
    const refuse = () => {
      for (const broker of [two, three]) {
        for (const { name } of [...broker.produces]) {
          broker.refuse(name, NOT_LEADER_OR_FOLLOWER, ProduceReason.electing)
        }
        broker.refuseAsks(NOT_LEADER_OR_FOLLOWER)
      }
    }
    const wait = (ms: number) => {
      for (let at = 0; at < ms; at += 20) {
        pass(20)
        refuse()
      }
    }
    return { ...all, refuse, wait }
  }

  test('holds nothing any more, and says so at once, until somebody leads', () => {
    const { wait, answers, router, produce, lead, two } = leaderless()
    wait(4_900)
    expect(answers.of).toEqual({})
    expect(router.isLeaderless(P)).toBe(false)
    wait(700)
    const refused = { a: [NOT_LEADER_OR_FOLLOWER], where: [NOT_LEADER_OR_FOLLOWER] }
    expect(answers.of).toEqual({ ...refused, call: [ErrorCode.NOT_COORDINATOR] })
    expect(router.isLeaderless(P)).toBe(true)
    expect(router.holding).toBe(0)
    produce('b', 7)
    router.listOffsets(P, -1, -1, answers, answers.expect('end'))
    expect([answers.of.b, answers.of.end]).toEqual([
      [NOT_LEADER_OR_FOLLOWER],
      [NOT_LEADER_OR_FOLLOWER],
    ])
    lead(2, 2)
    expect(router.isLeaderless(P)).toBe(false)
    produce('c', 7)
    expect(names(two.produces)).toEqual(['c'])
  })

  test('is looked for on, with questions alone, and known again by who answers', () => {
    const { wait, pass, router, two, three } = leaderless()
    wait(6_000)
    pass(500)
    const asked = [...two.asks, ...three.asks]
    expect(asked.map(({ kind }) => kind)).toEqual(['epoch'])
    expect([...two.produces, ...three.produces]).toEqual([])
    asked[0]!.answer(0)
    expect(router.isLeaderless(P)).toBe(false)
  })

  test('is asked seldom', () => {
    const { wait, two, three, router } = leaderless()
    let asked = 0
    for (const broker of [two, three]) {
      const { produce, epochEnd } = broker
      broker.produce = (...of) => {
        asked++
        produce.apply(broker, of)
      }
      broker.epochEnd = (...of) => {
        asked++
        epochEnd.apply(broker, of)
      }
    }
    wait(30_000)
    expect(asked).toBeGreaterThan(55)
    expect(asked).toBeLessThan(75)
    // nobody has wanted it for a minute
    wait(31_000)
    asked = 0
    wait(60_000)
    expect(asked).toBeGreaterThan(10)
    expect(asked).toBeLessThan(15)
    expect(router.isLeaderless(P)).toBe(true)
    asked = 0
    wait(20_000)
    expect(asked).toBeGreaterThan(25)
  })
})
