import { describe, expect, test } from 'vitest'
import { ManualClock } from '../../src/base/clock.ts'
import { ErrorCode } from '../../src/base/error-code.ts'
import { asBrokerId, asCellId, asPartitionNumber } from '../../src/base/ids.ts'
import { SeededRandom } from '../../src/base/random.ts'
import { ReplicatedProxy } from '../../src/cell/replicated-proxy.ts'
import { Waiter } from '../../src/cell/watch-table.ts'
import { ProduceReason } from '../../src/link/produce-reason.ts'
import { Answers, batch, FakeBroker, FakeImage, type Sent } from './fake-brokers.ts'

const P = asPartitionNumber(1)
const CELL = asCellId(1)

/** A router, three brokers that answer when they are told to, and what the front knows of leaders. */
function world() {
  const clock = new ManualClock()
  const image = new FakeImage()
  const brokers = [1, 2, 3].map((id) => new FakeBroker(id))
  const hung = new Set<number>()
  const router = new ReplicatedProxy({
    ...{ cellId: CELL, clock, image: image.view },
    proxyOf: (id) => {
      const broker = brokers[id - 1]
      return broker?.alive && !hung.has(id) ? broker : undefined
    },
    brokers: () => brokers,
  })
  const answers = new Answers()
  const lead = (broker: number, epoch: number) => {
    image.leader = broker
    image.epoch = epoch
    router.onLeader(P)
  }
  const turn = () => router.doWork(clock.monotonicMs())
  const pass = (ms: number) => {
    clock.advance(ms)
    turn()
  }
  const produce = (name: string, producerId: number, acks = -1) =>
    router.produce(P, acks, batch(name, producerId), answers, answers.expect(name))
  lead(1, 1)
  const [one, two, three] = brokers as [FakeBroker, FakeBroker, FakeBroker]
  return {
    clock,
    image,
    router,
    answers,
    hung,
    lead,
    turn,
    pass,
    produce,
    brokers,
    one,
    two,
    three,
  }
}

const names = (sent: readonly Sent[]) => sent.map(({ name }) => name)
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
    const { router, one, two, lead, turn, answers } = world()
    const call = (name: string) =>
      router.coordinate(P, '/h', new TextEncoder().encode(name), answers, answers.expect(name))
    call('carried out?')
    one.die()
    expect(answers.of).toEqual({ 'carried out?': [ErrorCode.NOT_COORDINATOR] })
    for (const name of ['a', 'b', 'c']) call(name)
    turn()
    expect(two.asks.map(({ name }) => name)).toEqual(['a'])
    two.refuseAsks(ErrorCode.NOT_COORDINATOR)
    lead(2, 2)
    expect(two.asks.map(({ name }) => name)).toEqual(['a', 'b', 'c'])
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

/** A log that brokers share: what is committed survives, the rest may. It knows batches again as Kafka's does. */
class Group {
  log: string[] = []
  leader = 1
  epoch = 1
  committed = 0

  take(broker: FakeBroker, one: Sent): void {
    const { name, producerId } = one
    if (broker.brokerId !== asBrokerId(this.leader)) {
      broker.refuse(name, NOT_LEADER_OR_FOLLOWER, ProduceReason.notLeader)
      return
    }
    const number = Number(name.split('/')[1])
    const hasGap = number > 0 && !this.log.includes(`${producerId}/${number - 1}`)
    const isKnown = producerId >= 0 && this.log.includes(name)
    if (producerId >= 0 && !isKnown && hasGap) {
      broker.refuse(name, ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER, ProduceReason.outOfSequence)
      return
    }
    if (!isKnown) this.log.push(name)
    one.isAppended = true
  }

  serve(brokers: readonly FakeBroker[], committed: number): void {
    for (const broker of brokers) {
      for (const one of [...broker.produces]) if (!one.isAppended) this.take(broker, one)
    }
    this.committed = Math.max(this.committed, Math.min(committed, this.log.length))
    for (const broker of brokers) {
      for (const { name, isAppended } of [...broker.produces]) {
        if (isAppended && this.log.indexOf(name) < this.committed) broker.answer(name)
      }
    }
  }

  /** The next broker leads; of what is not committed it has `kept`. */
  fall(old: FakeBroker, kept: number, dies: boolean): void {
    this.log = this.log.slice(0, this.committed + kept)
    this.leader = (this.leader % 3) + 1
    this.epoch++
    if (dies) {
      old.die()
      old.alive = true
      return
    }
    for (const { name, isAppended } of [...old.produces]) {
      if (isAppended) old.refuse(name, NOT_LEADER_OR_FOLLOWER, ProduceReason.leadershipLost)
    }
  }
}

function storm(seed: number) {
  const random = new SeededRandom(seed)
  const { brokers, lead, turn, pass, produce, answers, router } = world()
  const group = new Group()
  const sent: { name: string; producer: number }[] = []
  const counts = [0, 0, 0]
  for (let step = 0; step < 300; step++) {
    const what = random.below(10)
    if (what < 4) {
      const producer = random.below(3)
      const id = producer === 2 ? -1 : producer
      const name = `${id}/${counts[producer]!++}`
      sent.push({ name, producer })
      produce(name, id)
    } else if (what < 7) group.serve(brokers, random.below(group.log.length + 10))
    else if (what < 9) pass(random.below(30))
    else {
      const kept = random.below(group.log.length - group.committed + 1)
      group.fall(brokers[group.leader - 1]!, kept, random.chance(0.5))
      if (random.below(3) > 0) lead(group.leader, group.epoch)
    }
    turn()
  }
  lead(group.leader, ++group.epoch)
  for (let i = 0; i < 40; i++) {
    pass(25)
    group.serve(brokers, Number.POSITIVE_INFINITY)
  }
  return { sent, log: group.log, answers, holding: router.holding }
}

describe('over elections at random', () => {
  test.each(Array.from({ length: 200 }, (_, seed) => seed))(
    'seed %i: nothing is lost, twice or out of order',
    (seed) => {
      const { sent, log, answers, holding } = storm(seed)
      expect(holding).toBe(0)
      for (const { name, producer } of sent) {
        const codes = answers.of[name]
        expect(codes, name).toHaveLength(1)
        const times = log.filter((one) => one === name).length
        if (producer < 2) expect(codes, name).toEqual([0])
        if (codes![0] === 0) expect(times, name).toBe(1)
        else expect(times, name).toBeLessThanOrEqual(1)
      }
      for (const producer of ['0', '1']) {
        const numbers = log
          .filter((one) => one.startsWith(`${producer}/`))
          .map((one) => Number(one.slice(2)))
        expect(numbers).toEqual(numbers.map((_, index) => index))
      }
    },
  )
})
