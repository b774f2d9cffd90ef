/** The throttle of replication (KIP-73): replicas that do not keep up are copied at a rate, and nobody else is slowed down. */
import { describe, expect, it } from 'vitest'
import { asBrokerId, type PartitionNumber } from '../../../src/base/ids.ts'
import { plainBatch } from '../batches.ts'
import { TENANT, topicId } from '../world.ts'
import { Agents } from './agents.ts'
import { Mover } from './mover.ts'

const BATCH = plainBatch(1, 8_000)
const COUNT = 250
const BYTES = BATCH.length * COUNT
const RATE = 500_000

interface Throttle {
  readonly rates?: Readonly<Record<number, Readonly<Record<string, string>>>>
  readonly topic?: Readonly<Record<string, string>>
}

function write(agents: Agents, number: PartitionNumber, count: number): void {
  const leader = agents.node(agents.leaders.get(number)!.leader)
  for (let i = 0; i < count; i++) {
    leader.front.produce(number, BATCH)
    agents.run(1)
    leader.front.take()
  }
}

/** A partition of two megabytes on brokers 1 to 3. */
function world(replicas: readonly number[] = [1, 2, 3]) {
  const agents = new Agents({ brokers: 5 })
  const [number] = agents.createTopic({ replicas, configs: { 'segment.bytes': '1048576' } })
  agents.run(30)
  agents.node(1).front.produce(number!, BATCH)
  agents.runUntil('it is led', () => agents.leaders.get(number!)?.leader === 1)
  agents.node(1).front.take()
  write(agents, number!, COUNT)
  const mover = new Mover(agents)
  const throttle = ({ rates = {}, topic = {} }: Throttle) => {
    for (const [broker, configs] of Object.entries(rates)) {
      const brokerId = asBrokerId(Number(broker))
      agents.publish({ kind: 'broker-configs', tenantId: TENANT, brokerId, configs })
    }
    const configs = { 'retention.ms': '-1', ...topic }
    agents.publish({ kind: 'topic-configs', tenantId: TENANT, topicId: topicId(1), configs })
    agents.run(5)
  }
  const wanted = (brokers: readonly number[]) =>
    agents.node(1).agent.image.movingPartitions().size === 0 &&
    agents.node(1).agent.image.replicasOf(number!).join() === brokers.join()
  /** Milliseconds that a move takes. */
  const move = (brokers: readonly number[], msMax = 20_000): number => {
    mover.move('topic-1', brokers)
    const from = agents.clock.monotonicMs()
    while (!wanted(brokers)) {
      agents.run(1)
      mover.turn()
      if (agents.clock.monotonicMs() - from > msMax) throw new Error(agents.describe(number!))
    }
    return agents.clock.monotonicMs() - from
  }
  return { agents, number: number!, throttle, move, mover }
}

const EXPECTED_MS = (BYTES * 1_000) / RATE

function expectAbout(tookMs: number, ms = EXPECTED_MS): void {
  expect(tookMs).toBeGreaterThan(ms * 0.75)
  // the last of it is what may be on its way, or is committed a moment later; and moves are looked at once a second
  expect(tookMs).toBeLessThan(ms * 1.3 + 2_000)
}

describe('copying of replicas', () => {
  it('goes as fast as it can where nothing is throttled', () => {
    expect(world().move([1, 2, 4])).toBeLessThan(EXPECTED_MS / 2)
  })

  it('keeps to the rate of the follower', () => {
    const { throttle, move, agents, number } = world()
    throttle({
      rates: { 4: { 'follower.replication.throttled.rate': `${RATE}` } },
      topic: { 'follower.replication.throttled.replicas': '0:4' },
    })
    expectAbout(move([1, 2, 4]))
    expect(agents.logOf(agents.node(4), number)!.logEndOffset).toBe(COUNT)
  })

  it('keeps to the rate of the leader, for all who copy from it together', () => {
    const { throttle, move } = world()
    throttle({
      rates: { 1: { 'leader.replication.throttled.rate': `${RATE}` } },
      topic: { 'leader.replication.throttled.replicas': '*' },
    })
    expectAbout(move([1, 4, 5]), 2 * EXPECTED_MS)
  })

  it('of replicas that are not named is not slowed down', () => {
    const { throttle, move } = world()
    throttle({
      rates: {
        1: { 'leader.replication.throttled.rate': '1000' },
        4: { 'follower.replication.throttled.rate': '1000' },
      },
      topic: {
        'leader.replication.throttled.replicas': '0:2,1:1',
        'follower.replication.throttled.replicas': '0:5,1:4',
      },
    })
    expect(move([1, 2, 4])).toBeLessThan(EXPECTED_MS / 2)
  })

  it('goes on at once when the throttle is taken away', () => {
    const { throttle, mover, agents, number } = world()
    throttle({
      rates: {
        1: { 'leader.replication.throttled.rate': '1' },
        4: { 'follower.replication.throttled.rate': '1' },
      },
      topic: {
        'leader.replication.throttled.replicas': '*',
        'follower.replication.throttled.replicas': '*',
      },
    })
    mover.move('topic-1', [1, 2, 4])
    for (let i = 0; i < 3_000; i++) {
      agents.run(1)
      mover.turn()
    }
    expect(agents.node(1).agent.image.movingPartitions().size).toBe(1)
    throttle({ rates: { 1: {}, 4: {} } })
    for (let i = 0; i < 4_000; i++) {
      agents.run(1)
      mover.turn()
    }
    expect(agents.node(1).agent.image.movingPartitions().size).toBe(0)
    expect(agents.logOf(agents.node(4), number)!.logEndOffset).toBe(COUNT)
  })

  it('of those that keep up is not slowed down, however little is left of the rates', () => {
    const { throttle, agents, number } = world()
    const rate = {
      'leader.replication.throttled.rate': '1',
      'follower.replication.throttled.rate': '1',
    }
    throttle({
      rates: { 1: rate, 2: rate, 3: rate },
      topic: {
        'leader.replication.throttled.replicas': '*',
        'follower.replication.throttled.replicas': '*',
      },
    })
    write(agents, number, COUNT)
    agents.run(20)
    for (const node of agents.nodes.slice(0, 3)) {
      expect(agents.logOf(node, number)!.highWatermark).toBe(2 * COUNT)
    }
  })

  it('rests until there is something to do: a throttled copy does not keep its broker busy', () => {
    const { throttle, mover, agents } = world()
    throttle({
      rates: { 4: { 'follower.replication.throttled.rate': '100000' } },
      topic: { 'follower.replication.throttled.replicas': '*' },
    })
    mover.move('topic-1', [1, 2, 4])
    let due = 0
    for (let i = 0; i < 4_000; i++) {
      agents.run(1)
      mover.turn()
      if (agents.node(4).agent.nextTimerAtMs <= agents.clock.monotonicMs() - 1) due++
    }
    expect(due).toBeLessThan(1_000)
  })
})
