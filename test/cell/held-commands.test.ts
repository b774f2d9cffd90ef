import { describe, expect, test } from 'vitest'
import { ErrorCode } from '../../src/base/error-code.ts'
import { Waiter } from '../../src/cell/watch-table.ts'
import { ProduceReason } from '../../src/link/produce-reason.ts'
import { Answers, batch } from './fake-brokers.ts'
import { bytesOf, callsOf, names, P, world } from './router-world.ts'

const { NOT_LEADER_OR_FOLLOWER, LEADER_NOT_AVAILABLE } = ErrorCode

describe('produces of a replicated partition', () => {
  test('go to the leader at once, and its answer to who asked', () => {
    const { produce, one, answers, router } = world()
    produce('a', 7)
    produce('b', -1)
    expect(names(one.produces)).toEqual(['a', 'b'])
    one.answer('b', { baseOffset: 5 })
    one.answer('a', { baseOffset: 4 })
    expect(answers.of).toEqual({ a: [0], b: [0] })
    expect(router.holding).toBe(0)
  })

  test('of a leader that died go again to the next, oldest first, without one that nobody would know again', () => {
    const { produce, one, two, lead, turn, answers, router } = world()
    for (const name of ['a', 'b', 'c']) produce(name, 7)
    produce('plain', -1)
    one.die()
    expect(answers.of).toEqual({ plain: [NOT_LEADER_OR_FOLLOWER] })
    produce('d', 8)
    produce('late', -1)
    lead(2, 2)
    expect(names(two.produces)).toEqual(['a', 'b', 'c', 'd', 'late'])
    turn()
    for (const name of ['a', 'b', 'c', 'd', 'late']) two.answer(name)
    expect(Object.values(answers.of).filter(([error]) => error === 0)).toHaveLength(5)
    expect(router.holding).toBe(0)
  })

  test('that were held for a leader are counted, once each, and others are not', () => {
    const { produce, one, two, lead, turn, answers, router } = world()
    for (const name of ['a', 'b', 'quick']) produce(name, 7)
    one.answer('quick')
    router.locate(P, 0, 1, -1, answers, answers.expect('look'))
    router.listOffsets(P, -1, -1, answers, answers.expect('offsets'))
    const { notLeader } = ProduceReason
    for (const name of ['a', 'b']) one.refuse(name, NOT_LEADER_OR_FOLLOWER, notLeader)
    one.refuseAsks(NOT_LEADER_OR_FOLLOWER)
    lead(2, 2)
    // the next does not lead either
    for (const name of ['a', 'b']) two.refuse(name, NOT_LEADER_OR_FOLLOWER, notLeader)
    two.refuseAsks(NOT_LEADER_OR_FOLLOWER)
    lead(1, 3)
    turn()
    for (const name of ['a', 'b']) one.answer(name)
    one.answerAsks()
    produce('late', 7)
    one.answer('late')
    expect(Object.values(answers.of)).toEqual(Array.from({ length: 6 }, () => [0]))
    expect(router.counts).toEqual({ produces: 2, fetches: 1, others: 1 })
  })

  test('that never left for the broker that died are held, whoever sent them', () => {
    const { produce, one, two, lead, answers } = world()
    produce('plain', -1)
    one.die(LEADER_NOT_AVAILABLE, ProduceReason.noLeader)
    expect(answers.of).toEqual({})
    lead(2, 2)
    expect(names(two.produces)).toEqual(['plain'])
  })

  test.each([
    [ProduceReason.notLeader, [], ['id', 'plain']],
    [ProduceReason.electing, [], ['id', 'plain']],
    [ProduceReason.leadershipLost, ['plain'], ['id']],
  ])('refused for reason %i are held, or not', (reason, refused, sentAgain) => {
    const { produce, one, two, lead, answers } = world()
    produce('id', 7)
    produce('plain', -1)
    one.refuse('id', NOT_LEADER_OR_FOLLOWER, reason)
    one.refuse('plain', NOT_LEADER_OR_FOLLOWER, reason)
    expect(Object.keys(answers.of)).toEqual(refused)
    lead(2, 2)
    expect(names(two.produces)).toEqual(sentAgain)
  })

  test('other refusals are the client’s', () => {
    const { produce, one, answers } = world()
    for (const error of [ErrorCode.NOT_ENOUGH_REPLICAS, ErrorCode.MESSAGE_TOO_LARGE, 45]) {
      produce(`${error}`, 7)
      one.refuse(`${error}`, error, 0)
      expect(answers.of[`${error}`]).toEqual([error])
    }
  })

  test('a late answer of one that led is no answer to what was sent again', () => {
    const { produce, one, two, lead, answers } = world()
    produce('a', 7)
    lead(2, 2)
    expect(names(two.produces)).toEqual(['a'])
    one.refuse('a', NOT_LEADER_OR_FOLLOWER, ProduceReason.leadershipLost)
    expect(answers.of).toEqual({})
    two.answer('a', { baseOffset: 9 })
    expect(answers.of).toEqual({ a: [0] })
  })

  test('that are taken away from one while another has some go to that one after them', () => {
    const { produce, one, two, lead, turn, pass, answers, router } = world()
    for (const name of ['a', 'b']) produce(name, 7)
    for (const name of ['a', 'b']) {
      one.refuse(name, NOT_LEADER_OR_FOLLOWER, ProduceReason.notLeader)
    }
    turn()
    pass(20)
    // it leads, and the front is not told of it yet
    two.answer('a')
    produce('c', 7)
    lead(2, 2)
    expect(names(two.produces)).toEqual(['b'])
    two.answer('b')
    expect(names(two.produces)).toEqual(['c'])
    two.answer('c')
    expect(answers.of).toEqual({ a: [0], b: [0], c: [0] })
    expect(router.holding).toBe(0)
  })

  test('without a producer id are answered by the one that led, alive, and never by two', () => {
    const { produce, one, two, lead, answers, router } = world()
    produce('done', -1)
    produce('lost', -1)
    lead(2, 2)
    expect(two.produces).toEqual([])
    one.answer('done')
    one.refuse('lost', NOT_LEADER_OR_FOLLOWER, ProduceReason.leadershipLost)
    expect(answers.of).toEqual({ done: [0], lost: [NOT_LEADER_OR_FOLLOWER] })
    expect(router.holding).toBe(0)
  })

  test('with a leader that hangs go to the next; their frames are kept until it can read them no more', () => {
    const { produce, one, two, lead, hung, answers } = world()
    produce('id', 7)
    produce('plain', -1)
    hung.add(1)
    lead(2, 2)
    expect(names(two.produces)).toEqual(['id'])
    two.answer('id')
    expect(answers.of).toEqual({ plain: [NOT_LEADER_OR_FOLLOWER], id: [0] })
    expect(answers.retained).toBe(2)
    one.die()
    expect(answers.retained).toBe(0)
    expect(answers.of).toEqual({ plain: [NOT_LEADER_OR_FOLLOWER], id: [0] })
  })

  test('wait through two elections in a row', () => {
    const { produce, one, two, three, lead, answers } = world()
    produce('a', 7)
    produce('b', 7)
    one.die()
    lead(2, 2)
    two.die()
    lead(3, 3)
    expect(names(three.produces)).toEqual(['a', 'b'])
    three.answer('a')
    three.answer('b')
    expect(answers.of).toEqual({ a: [0], b: [0] })
  })

  test('whose time is up are not sent any more', () => {
    const { produce, one, two, lead, answers, pass, router } = world()
    produce('a', 7)
    one.die()
    produce('b', 7)
    answers.isOver = true
    lead(2, 2)
    expect(two.produces).toEqual([])
    pass(20)
    expect(router.holding).toBe(0)
  })

  test('behind one of the same producer whose time is up are refused, and nobody else’s', () => {
    const { router, produce, one, two, lead, answers } = world()
    const over = new Answers()
    router.produce(P, -1, batch('7/0', 7), over, over.expect('7/0'))
    for (const [name, id] of [
      ['7/1', 7],
      ['8/0', 8],
      ['7/2', 7],
      ['plain', -1],
    ] as const)
      produce(name, id)
    one.die(LEADER_NOT_AVAILABLE, ProduceReason.noLeader)
    over.isOver = true
    lead(2, 2)
    expect(names(two.produces)).toEqual(['8/0', 'plain'])
    expect(over.of).toEqual({ '7/0': [ErrorCode.REQUEST_TIMED_OUT] })
    expect(answers.of).toEqual({ '7/1': [NOT_LEADER_OR_FOLLOWER], '7/2': [NOT_LEADER_OR_FOLLOWER] })
  })

  test('are not held for longer than 30 s, whatever leaders do', () => {
    const { produce, brokers, image, router, pass, lead, answers } = world()
    for (const broker of brokers) broker.die()
    produce('a', 7)
    for (let at = 0; at < 29_000; at += 1000) {
      pass(1000)
      // somebody was elected, and is dead by now
      for (const broker of brokers) broker.alive = true
      lead(1, image.epoch + 1)
      for (const broker of brokers) broker.die(LEADER_NOT_AVAILABLE, ProduceReason.noLeader)
    }
    expect(answers.of).toEqual({})
    pass(2000)
    expect(answers.of).toEqual({ a: [NOT_LEADER_OR_FOLLOWER] })
    expect(router.holding).toBe(0)
  })

  test('that overtook a refused one are held behind it', () => {
    const { produce, one, two, lead, answers } = world()
    for (const name of ['a', 'b']) produce(name, 7)
    produce('c', 8)
    one.refuse('a', NOT_LEADER_OR_FOLLOWER, ProduceReason.electing)
    one.refuse('b', ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER, ProduceReason.outOfSequence)
    one.refuse('c', ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER, ProduceReason.outOfSequence)
    expect(answers.of).toEqual({ c: [ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER] })
    lead(2, 2)
    expect(names(two.produces)).toEqual(['a', 'b'])
  })

  test('are refused when their topic is deleted', () => {
    const { produce, one, image, pass, answers, router } = world()
    produce('a', 7)
    one.die()
    image.replicas = []
    image.leader = 0
    pass(20)
    expect(answers.of).toEqual({ a: [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION] })
    expect(router.holding).toBe(0)
  })
})

describe('while nobody is told of', () => {
  test('the oldest is tried with one living replica after the other, every 20 ms, and no other', () => {
    const { produce, one, two, three, turn, pass } = world()
    produce('a', 7)
    produce('b', 7)
    one.die()
    turn()
    expect([names(two.produces), names(three.produces)]).toEqual([['a'], []])
    two.refuse('a', NOT_LEADER_OR_FOLLOWER, ProduceReason.electing)
    expect(turn()).toBe(0)
    pass(20)
    expect([names(two.produces), names(three.produces)]).toEqual([[], ['a']])
    three.answer('a')
    expect(names(three.produces)).toEqual(['b'])
  })

  test('a leader that says that it does not lead is not asked again at once', () => {
    const { produce, one, two, turn, pass, router, clock } = world()
    produce('a', 7)
    one.refuse('a', NOT_LEADER_OR_FOLLOWER, ProduceReason.notLeader)
    expect(turn()).toBe(0)
    expect(router.hasWork).toBe(false)
    expect(router.nextTimerAtMs).toBe(clock.monotonicMs() + 20)
    pass(20)
    expect(names(two.produces)).toEqual(['a'])
  })

  test('a refusal from before a leader was told of delays nothing', () => {
    const { produce, one, two, lead, turn } = world()
    produce('a', 7)
    one.die()
    turn()
    expect(names(two.produces)).toEqual(['a'])
    lead(2, 2)
    turn()
    two.refuse('a', NOT_LEADER_OR_FOLLOWER, ProduceReason.electing)
    turn()
    expect(names(two.produces)).toEqual(['a'])
  })

  test('a partition that nobody has led yet gets its oldest batch alone', () => {
    const { produce, one, image, lead, turn } = world()
    image.epoch = 0
    produce('a', 7)
    produce('b', 7)
    turn()
    expect(names(one.produces)).toEqual(['a'])
    one.refuse('a', NOT_LEADER_OR_FOLLOWER, ProduceReason.electing)
    lead(1, 1)
    expect(names(one.produces)).toEqual(['a', 'b'])
  })
})

describe('questions', () => {
  test('of a leader that died are asked of the next', () => {
    const { router, one, two, lead, answers } = world()
    router.locate(P, 0, 1, -1, answers, answers.expect('where'))
    router.deleteRecords(P, 5, answers, answers.expect('delete'))
    one.die()
    lead(2, 2)
    expect(two.asks.map(({ kind }) => kind).sort()).toEqual(['delete', 'locate'])
    two.answerAsks()
    expect(answers.of).toEqual({ where: [0], delete: [0] })
  })

  test('are refused after five seconds', () => {
    const { router, brokers, answers, pass } = world()
    for (const broker of brokers) broker.die()
    router.listOffsets(P, -1, -1, answers, answers.expect('end'))
    pass(4_990)
    expect(answers.of).toEqual({})
    pass(20)
    expect(answers.of).toEqual({ end: [NOT_LEADER_OR_FOLLOWER] })
    expect(router.holding).toBe(0)
  })

  test('that a hanging broker has are asked of the next leader, and its answer is nobody’s', () => {
    const { router, one, two, lead, hung, answers } = world()
    router.locate(P, 0, 1, -1, answers, answers.expect('where'))
    hung.add(1)
    lead(2, 2)
    two.answerAsks()
    one.answerAsks()
    expect(answers.of).toEqual({ where: [0] })
  })

  test('to coordinators go again when refused, in order, and not when their broker died with them', () => {
    const { router, one, two, three, lead, turn, answers } = world()
    const call = (name: string) =>
      router.coordinate(P, '/h', bytesOf(name), answers, answers.expect(name))
    call('carried out?')
    one.die()
    expect(answers.of).toEqual({ 'carried out?': [ErrorCode.NOT_COORDINATOR] })
    for (const name of ['a', 'b', 'c']) call(name)
    turn()
    // nobody gets a call who is not known to lead
    expect(two.asks.map(({ kind }) => kind)).toEqual(['epoch'])
    two.refuseAsks(NOT_LEADER_OR_FOLLOWER)
    lead(2, 2)
    expect(callsOf(two)).toEqual(['a', 'b', 'c'])
    two.refuseAsks(ErrorCode.NOT_COORDINATOR)
    lead(3, 3)
    expect(callsOf(three)).toEqual(['a', 'b', 'c'])
  })

  test('to coordinators are the client’s when one has looked at them, and had to go', () => {
    const { router, one, two, lead, turn, answers } = world()
    router.coordinate(P, '/h', bytesOf('a'), answers, answers.expect('a'))
    one.refuseAsks(ErrorCode.NOT_COORDINATOR, true)
    lead(2, 2)
    turn()
    expect(answers.of).toEqual({ a: [ErrorCode.NOT_COORDINATOR] })
    expect(two.asks).toEqual([])
  })

  test('to coordinators go to whom a question finds to lead, all of them', () => {
    const { router, one, two, turn, answers } = world()
    one.die()
    for (const name of ['a', 'b']) router.coordinate(P, '/h', bytesOf(name), answers, 0)
    turn()
    two.answerAsks()
    expect(callsOf(two)).toEqual(['a', 'b'])
  })

  test('to a coordinator wait for those before them that one has who led', () => {
    const { router, one, two, lead, turn, answers } = world()
    const call = (name: string) =>
      router.coordinate(P, '/h', bytesOf(name), answers, answers.expect(name))
    call('commit 100')
    call('commit 200')
    // told of before the refusals come
    lead(2, 2)
    call('commit 300')
    turn()
    expect(callsOf(two)).toEqual([])
    const [first, second] = one.asks.splice(0)
    first!.answer(ErrorCode.NOT_COORDINATOR)
    turn()
    call('commit 400')
    expect(callsOf(two)).toEqual([])
    second!.answer(ErrorCode.NOT_COORDINATOR)
    turn()
    expect(callsOf(two)).toEqual(['commit 100', 'commit 200', 'commit 300', 'commit 400'])
    two.answerAsks()
    expect(Object.values(answers.of)).toEqual([[0], [0], [0], [0]])
    expect(router.holding).toBe(0)
  })

  test('to a coordinator wait no longer once one that led has answered', () => {
    const { router, one, two, lead, turn, answers } = world()
    router.coordinate(P, '/h', bytesOf('a'), answers, answers.expect('a'))
    lead(2, 2)
    router.coordinate(P, '/h', bytesOf('b'), answers, answers.expect('b'))
    one.answerAsks()
    turn()
    expect(callsOf(two)).toEqual(['b'])
    expect(answers.of).toEqual({ a: [0] })
  })

  test('who waits for records looks again when another leads', () => {
    class Recorder extends Waiter {
      woken: number[] = []
      onWoken(error: number): void {
        this.woken.push(error)
      }
    }
    const { router, one, lead } = world()
    const [waiter, gone] = [new Recorder(), new Recorder()]
    one.die()
    router.watch(P, 3, waiter)
    router.watch(P, 3, gone)
    router.unwatch(gone)
    expect(waiter.woken).toEqual([])
    lead(2, 2)
    expect([waiter.woken, gone.woken]).toEqual([[NOT_LEADER_OR_FOLLOWER], []])
  })
})
