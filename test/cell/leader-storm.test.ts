/** Commands over elections at random. */
import { describe, expect, test } from 'vitest'
import { ErrorCode } from '../../src/base/error-code.ts'
import { asBrokerId } from '../../src/base/ids.ts'
import { SeededRandom } from '../../src/base/random.ts'
import { ProduceReason } from '../../src/link/produce-reason.ts'
import type { FakeBroker, Sent } from './fake-brokers.ts'
import { world } from './router-world.ts'

const { NOT_LEADER_OR_FOLLOWER } = ErrorCode

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
  // who is not told finds out
  if (seed % 2 === 0) lead(group.leader, ++group.epoch)
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
