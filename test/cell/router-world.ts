/** A front's router among brokers that answer when they are told to. */
import { ManualClock } from '../../src/base/clock.ts'
import { asCellId, asPartitionNumber } from '../../src/base/ids.ts'
import { ReplicatedProxy } from '../../src/cell/replicated-proxy.ts'
import { Answers, batch, FakeBroker, FakeImage, type Sent } from './fake-brokers.ts'

export const P = asPartitionNumber(1)
const CELL = asCellId(1)

/** A router, three brokers that answer when they are told to, and what the front knows of leaders. */
export function world() {
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

export const names = (sent: readonly Sent[]) => sent.map(({ name }) => name)
export const bytesOf = (name: string) => new TextEncoder().encode(name)
export const callsOf = ({ asks }: FakeBroker) =>
  asks.filter(({ kind }) => kind === 'call').map(({ name }) => name)
