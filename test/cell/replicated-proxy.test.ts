/** What a front does with commands about replicated partitions while leaders come and go, against brokers of a few lines. */
import { describe, expect, it } from 'vitest'
import { ManualClock } from '../../src/base/clock.ts'
import { ErrorCode } from '../../src/base/error-code.ts'
import {
  asBrokerId,
  asCellId,
  asPartitionNumber,
  type BrokerId,
  type PartitionNumber,
} from '../../src/base/ids.ts'
import { SeededRandom } from '../../src/base/random.ts'
import type {
  BrokerProxy,
  EpochEndSink,
  LocateSink,
  ProduceSink,
} from '../../src/cell/broker-proxy.ts'
import { failedEpochEnd, failedLocated, failedProduced } from '../../src/cell/failed-replies.ts'
import { ReplicatedProxy } from '../../src/cell/replicated-proxy.ts'
import type { MetadataView } from '../../src/image/view.ts'
import { ProduceReason } from '../../src/link/produce-reason.ts'
import { baseSequenceOf, producerIdOf } from '../../src/record/batch.ts'
import { idempotentBatch, plainBatch } from '../broker/batches.ts'

const P = asPartitionNumber(1)
const CELL = asCellId(1)

interface Sent {
  readonly batch: Uint8Array
  readonly sink: ProduceSink
  readonly token: number
}

/** The partition's log, as its group has it: what is committed, and what the leader has appended beyond. */
interface Log {
  committed: Uint8Array[]
  uncommitted: Uint8Array[]
}

class FakeBroker {
  readonly brokerId: BrokerId
  readonly cellId = CELL
  alive = true
  leads = false
  /** Commands in its ring. */
  ring: Sent[] = []
  /** Appended, not answered. */
  waiting: Sent[] = []
  located: { sink: LocateSink; token: number }[] = []
  readonly log: Log

  constructor(id: number, log: Log) {
    this.brokerId = asBrokerId(id)
    this.log = log
  }

  produce(_p: PartitionNumber, _acks: number, batch: Uint8Array, sink: ProduceSink, token: number) {
    this.ring.push({ batch, sink, token })
  }

  locate(_p: number, _o: number, _m: number, _e: number, sink: LocateSink, token: number): void {
    this.located.push({ sink, token })
  }

  epochEnd(_p: number, _l: number, _e: number, sink: EpochEndSink, token: number): void {
    const error = this.leads ? ErrorCode.NONE : ErrorCode.NOT_LEADER_OR_FOLLOWER
    sink.onEpochEnd(token, failedEpochEnd(error))
  }

  dismiss(): void {}

  /** Looks at its next command. */
  turn(): void {
    const next = this.ring.shift()
    if (next === undefined) return
    if (!this.leads) this.#refuse(next, ProduceReason.electing)
    else this.#append(next)
  }

  #append(sent: Sent): void {
    const { batch } = sent
    const all = [...this.log.committed, ...this.log.uncommitted]
    const own = all.filter((one) => producerIdOf(one, 0) === producerIdOf(batch, 0))
    const last = own.length === 0 ? -1 : baseSequenceOf(own.at(-1)!, 0)
    const isIdempotent = producerIdOf(batch, 0) >= 0
    const sequence = baseSequenceOf(batch, 0)
    if (isIdempotent && own.slice(-5).some((one) => baseSequenceOf(one, 0) === sequence)) {
      this.waiting.push(sent)
    } else if (isIdempotent && sequence !== last + 1) {
      const error = ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER
      sent.sink.onProduced(sent.token, {
        ...failedProduced(error),
        reason: ProduceReason.outOfSequence,
      })
    } else {
      this.log.uncommitted.push(batch)
      this.waiting.push(sent)
    }
  }

  /** A majority has everything. */
  commit(): void {
    this.log.committed.push(...this.log.uncommitted.splice(0))
    const done = { ...failedProduced(ErrorCode.NONE), reason: ProduceReason.NONE }
    for (const { sink, token } of this.waiting.splice(0)) sink.onProduced(token, done)
  }

  /** It leads no more: what was not committed the next leader has, from the first on up to some, or has not. */
  depose(kept: number): void {
    this.leads = false
    this.log.committed.push(...this.log.uncommitted.slice(0, kept))
    this.log.uncommitted = []
    for (const sent of this.waiting.splice(0)) this.#refuse(sent, ProduceReason.leadershipLost)
  }

  /** Its thread dies: all that it has not answered fails in the front. */
  die(): void {
    this.alive = false
    const gone = failedProduced(ErrorCode.NOT_LEADER_OR_FOLLOWER)
    for (const { sink, token } of [...this.waiting.splice(0), ...this.ring.splice(0)]) {
      sink.onProduced(token, gone)
    }
    for (const { sink, token } of this.located.splice(0)) {
      sink.onLocated(token, failedLocated(ErrorCode.NOT_LEADER_OR_FOLLOWER))
    }
  }

  #refuse({ sink, token }: Sent, reason: number): void {
    sink.onProduced(token, { ...failedProduced(ErrorCode.NOT_LEADER_OR_FOLLOWER), reason })
  }
}

function world(seed = 1) {
  const random = new SeededRandom(seed)
  const clock = new ManualClock()
  const log: Log = { committed: [], uncommitted: [] }
  const brokers = [1, 2, 3].map((id) => new FakeBroker(id, log))
  let told: BrokerId | 0 = asBrokerId(1)
  let epoch = 1
  const image = {
    leaderOf: () => told,
    leaderEpochOf: () => epoch,
    replicasOf: () => brokers.map(({ brokerId }) => brokerId),
  } as unknown as MetadataView
  const proxy = new ReplicatedProxy({
    ...{ cellId: CELL, image, clock },
    proxyOf: (broker) => brokers[broker - 1] as unknown as BrokerProxy,
    brokers: () => brokers as unknown as BrokerProxy[],
  })
  const tell = (leader: BrokerId | 0) => {
    if (leader !== 0) epoch++
    told = leader
    proxy.onLeader(P)
  }
  const leader = () => brokers.find(({ leads }) => leads)
  /** Who leads, and the front is not told of yet. */
  let untold: FakeBroker | null = null
  /** Somebody of those who live is elected, and what is uncommitted goes or stays; the front is told at once, or later. */
  const elect = (next: FakeBroker, isTold = true) => {
    leader()?.depose(random.below(log.uncommitted.length + 1))
    next.leads = true
    untold = isTold ? null : next
    if (isTold) tell(next.brokerId)
  }
  const turn = () => {
    for (const broker of brokers) if (broker.alive && random.chance(0.7)) broker.turn()
    if (random.chance(0.5)) leader()?.commit()
    if (untold !== null && random.chance(0.1)) {
      const late: FakeBroker = untold
      untold = null
      if (late.alive && late.leads) tell(late.brokerId)
    }
    proxy.doWork(clock.monotonicMs())
    clock.advance(1)
  }
  return { random, clock, log, brokers, proxy, tell, leader, elect, turn }
}

class Answers implements ProduceSink {
  readonly errors = new Map<number, number>()
  retained = 0
  isOver = false
  onProduced(token: number, { error }: { readonly error: number }): void {
    expect(this.errors.has(token), 'an answer comes once').toBe(false)
    this.errors.set(token, error)
  }
  retainBatch(): void {
    this.retained++
  }
  releaseBatch(): void {
    this.retained--
  }
}

const sequencesOf = (log: Log, producerId: number): number[] =>
  log.committed
    .filter((batch) => producerIdOf(batch, 0) === producerId)
    .map((batch) => baseSequenceOf(batch, 0))

describe('commands about replicated partitions', () => {
  it('see no error, no loss, no double and no reordering, whatever becomes of leaders, while producers have ids', () => {
    for (let seed = 1; seed <= 300; seed++) {
      const { random, log, brokers, proxy, tell, leader, elect, turn } = world(seed)
      elect(brokers[0]!)
      const sink = new Answers()
      const next = [0, 0]
      let sent = 0
      let answered = 0
      for (let i = 0; i < 300; i++) {
        const producer = random.below(2)
        // answers go out in the order of requests, so a client has no more on its way than this from the oldest on
        while (sink.errors.has(answered)) answered++
        const unanswered = sent - answered
        if (random.chance(0.6) && unanswered < 5) {
          proxy.produce(P, -1, idempotentBatch(producer, next[producer]!++), sink, sent++)
        }
        turn()
        const event = random.below(60)
        const one = brokers[random.below(3)]!
        if (event === 0 && one.alive) elect(one, random.chance(0.5))
        if (event === 1 && one.alive && brokers.filter(({ alive }) => alive).length > 1) {
          if (one.leads) {
            // what a follower has of it stays
            const kept = log.uncommitted.slice(0, random.below(log.uncommitted.length + 1))
            log.committed.push(...kept)
            log.uncommitted = []
            one.leads = false
          }
          one.die()
        }
        if (event === 2) leader()?.depose(random.below(log.uncommitted.length + 1))
        if (event === 3) tell(0)
        if (event < 8 && leader() === undefined) {
          const living = brokers.filter(({ alive }) => alive)
          elect(living[random.below(living.length)]!, random.chance(0.5))
        }
        if (event === 9) one.alive = true
      }
      if (leader() === undefined) elect(brokers.find(({ alive }) => alive)!)
      for (let i = 0; i < 200; i++) turn()
      leader()!.commit()
      for (let i = 0; i < 200; i++) turn()
      expect(sink.errors.size, `seed ${seed}: all are answered`).toBe(sent)
      expect([...new Set(sink.errors.values())], `seed ${seed}`).toEqual([ErrorCode.NONE])
      for (const producer of [0, 1]) {
        const expected = Array.from({ length: next[producer]! }, (_, i) => i)
        expect(sequencesOf(log, producer), `seed ${seed}`).toEqual(expected)
      }
      expect(sink.retained).toBe(0)
      expect(proxy.holding).toBe(0)
    }
  })

  it('tell who has no producer id that its batch may or may not be there, and send it again where it is not', () => {
    const { brokers, proxy, elect, log } = world()
    const [one, two] = brokers
    elect(one!)
    const sink = new Answers()
    proxy.produce(P, -1, plainBatch(), sink, 0)
    one!.turn()
    one!.depose(1)
    expect(sink.errors.get(0)).toBe(ErrorCode.NOT_LEADER_OR_FOLLOWER)
    // refused before anything was appended: it is nobody's error
    proxy.produce(P, -1, plainBatch(), sink, 1)
    one!.turn()
    expect(sink.errors.has(1)).toBe(false)
    elect(two!)
    two!.turn()
    two!.commit()
    expect(sink.errors.get(1)).toBe(ErrorCode.NONE)
    expect(log.committed).toHaveLength(2)
  })

  it('ask one living replica after the other while nobody is known to lead, with the oldest only', () => {
    const { brokers, proxy, tell, clock } = world()
    const [one, two, three] = brokers
    tell(0)
    const sink = new Answers()
    for (let i = 0; i < 3; i++) proxy.produce(P, -1, idempotentBatch(1, i), sink, i)
    one!.alive = false
    proxy.doWork(clock.monotonicMs())
    expect(brokers.map(({ ring }) => ring.length)).toEqual([0, 1, 0])
    two!.turn()
    proxy.doWork(clock.monotonicMs())
    expect(three!.ring).toHaveLength(0)
    clock.advance(20)
    proxy.doWork(clock.monotonicMs())
    expect(brokers.map(({ ring }) => ring.length)).toEqual([0, 0, 1])
    // twice as long
    expect(proxy.nextTimerAtMs).toBe(clock.monotonicMs() + 40)
  })

  it('are not sent twice to one who was asked and is told of as leader before it has answered', () => {
    const { brokers, proxy, tell, elect, turn, log, clock } = world()
    const [one] = brokers
    tell(0)
    const sink = new Answers()
    for (let i = 0; i < 2; i++) proxy.produce(P, -1, plainBatch(), sink, i)
    proxy.doWork(clock.monotonicMs())
    expect(one!.ring).toHaveLength(1)
    elect(one!)
    expect(one!.ring).toHaveLength(1)
    for (let i = 0; i < 50; i++) turn()
    expect([...sink.errors.values()]).toEqual([ErrorCode.NONE, ErrorCode.NONE])
    expect(log.committed).toHaveLength(2)
  })

  it('do not wait for a broker that hangs once another leads, and keep the frame that it may look at', () => {
    const { brokers, proxy, elect, tell } = world()
    const [one, two] = brokers
    elect(one!)
    const sink = new Answers()
    proxy.produce(P, -1, idempotentBatch(1, 0), sink, 0)
    // it hangs with the command in its ring; the others elect
    one!.leads = false
    two!.leads = true
    tell(two!.brokerId)
    two!.turn()
    two!.commit()
    expect(sink.errors.get(0)).toBe(ErrorCode.NONE)
    expect(sink.retained).toBe(1)
    one!.turn()
    expect(sink.retained).toBe(0)
    expect(sink.errors.size).toBe(1)
  })

  it('are dropped, not sent late, when the time of their clients is up', () => {
    const { brokers, proxy, tell, elect, turn } = world()
    tell(0)
    for (const broker of brokers) broker.alive = false
    const sink = new Answers()
    proxy.produce(P, -1, idempotentBatch(1, 0), sink, 0)
    turn()
    sink.isOver = true
    for (let i = 0; i < 30; i++) turn()
    expect(sink.errors.get(0)).toBe(ErrorCode.REQUEST_TIMED_OUT)
    brokers[0]!.alive = true
    elect(brokers[0]!)
    expect(brokers[0]!.ring).toHaveLength(0)
  })

  it('hold a question until somebody leads, for five seconds at most', () => {
    const { brokers, proxy, tell, elect, turn, clock } = world()
    const [one] = brokers
    elect(one!)
    const errors: number[] = []
    const sink = { onLocated: (_token: number, { error }: { error: number }) => errors.push(error) }
    proxy.locate(P, 0, 1, -1, sink as unknown as LocateSink, 0)
    one!.die()
    tell(0)
    for (const broker of brokers) broker.alive = false
    for (let i = 0; i < 100; i++) turn()
    expect(errors).toEqual([])
    brokers[1]!.alive = true
    elect(brokers[1]!)
    expect(brokers[1]!.located).toHaveLength(1)
    const { sink: asked, token } = brokers[1]!.located.shift()!
    asked.onLocated(token, { ...failedLocated(ErrorCode.NONE) })
    expect(errors).toEqual([ErrorCode.NONE])
    brokers[1]!.alive = false
    tell(0)
    proxy.locate(P, 0, 1, -1, sink as unknown as LocateSink, 1)
    clock.advance(5_000)
    turn()
    expect(errors).toEqual([ErrorCode.NONE, ErrorCode.NOT_LEADER_OR_FOLLOWER])
    expect(proxy.holding).toBe(0)
  })
})
