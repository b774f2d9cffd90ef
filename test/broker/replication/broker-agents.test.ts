/** Replication as brokers do it: whole agents, several of them, killed and started again. */
import { describe, expect, it } from 'vitest'
import { ErrorCode } from '../../../src/base/error-code.ts'
import type { PartitionNumber } from '../../../src/base/ids.ts'
import { brokerPeer } from '../../../src/link/ports.ts'
import { ProduceReason } from '../../../src/link/produce-reason.ts'
import { baseOffsetOf, lastOffsetOf } from '../../../src/record/batch.ts'
import { RecordCursor } from '../../../src/record/records.ts'
import { idempotentBatch } from '../batches.ts'
import { CELL } from '../world.ts'
import { Agents, type Node } from './agents.ts'
import { Producers } from './producer.ts'

/** The values of a replica's log, in order; and whether offsets have no gap. */
function valuesOf(agents: Agents, node: Node, number: PartitionNumber): string[] {
  const log = agents.logOf(node, number)
  if (log === null) return []
  const values: string[] = []
  let next = log.logStartOffset
  log.readBatches(log.logStartOffset, (bytes, at) => {
    expect(baseOffsetOf(bytes, at)).toBe(next)
    next = lastOffsetOf(bytes, at) + 1
    const cursor = new RecordCursor(bytes, at)
    while (cursor.next()) values.push(new TextDecoder().decode(cursor.value()!))
    return true
  })
  return values
}

const leaderOf = (agents: Agents, number: PartitionNumber): Node | null => {
  const told = agents.leaders.get(number)
  return told === undefined || told.leader === 0 ? null : agents.node(told.leader)
}

describe('brokers that replicate', () => {
  it('elect the preferred replica at the first touch, and acknowledge what a majority has', () => {
    const agents = new Agents()
    const [number] = agents.createTopic({ replicas: [2, 1, 3] })
    agents.run(30)
    const two = agents.node(2)
    two.front.produce(number!, idempotentBatch(1, 0))
    agents.run(1)
    const refused = two.front.takeOne('produced')
    expect(refused.error).toBe(ErrorCode.NOT_LEADER_OR_FOLLOWER)
    expect(refused.reason).toBe(ProduceReason.electing)
    agents.runUntil('broker 2 leads', () => leaderOf(agents, number!) === two, 50)
    expect(agents.leaders.get(number!)).toMatchObject({ leaderEpoch: 1, isr: [2, 1, 3] })
    two.front.produce(number!, idempotentBatch(1, 0))
    agents.run(10)
    expect(two.front.takeOne('produced')).toMatchObject({ error: 0, baseOffset: 0 })
    for (const node of agents.nodes) {
      expect(valuesOf(agents, node, number!)).toEqual(['p1 s0'])
      expect(agents.logOf(node, number!)!.highWatermark).toBe(1)
    }
  })

  it('names no leader to a broker that follows, and another at once when the leader dies', () => {
    const agents = new Agents()
    const [number] = agents.createTopic()
    agents.run(30)
    const producers = new Producers(agents)
    const producer = producers.add(number!, 7)
    const turn = (turns: number) => {
      for (let i = 0; i < turns; i++) {
        producers.turn()
        agents.run(1)
      }
    }
    turn(100)
    const [one] = agents.nodes
    expect(leaderOf(agents, number!)?.id).toBe(1)
    const before = producer.acknowledged.size
    agents.kill(one!)
    turn(15)
    // at once: nobody waits for a time-out
    const second = leaderOf(agents, number!)
    expect([2, 3]).toContain(second?.id)
    turn(20)
    expect(producer.acknowledged.size).toBeGreaterThan(before + 5)
    agents.start(one!)
    turn(200)
    producer.isDone = true
    turn(100)
    expect(producer.unanswered).toBe(0)
    expect(producer.errors).toEqual([])
    const expected = Array.from({ length: producer.acknowledged.size }, (_, i) => `p7 s${i}`)
    for (const node of agents.nodes) expect(valuesOf(agents, node, number!)).toEqual(expected)
  })

  it('finds one that hangs, and takes it back as follower', () => {
    const agents = new Agents()
    const [number] = agents.createTopic()
    const { producer, turn } = producing(agents, number!)
    turn(100)
    const [one, two] = agents.nodes
    one!.isHung = true
    agents.runUntil('broker 2 leads', () => leaderOf(agents, number!) === two, 2_000)
    const isAlone = () => agents.leaders.get(number!)!.isr.join() === '2,3'
    agents.runUntil('it is out of sync', isAlone, 100)
    // what the front has sent it is lost with it, as far as the front knows
    agents.kill(one!)
    const before = producer.acknowledged.size
    turn(50)
    expect(producer.acknowledged.size).toBeGreaterThan(before)
    agents.start(one!)
    turn(500)
    expect(agents.leaders.get(number!)!.isr).toEqual([2, 1, 3])
    producer.isDone = true
    turn(100)
    expectSame(agents, number!, producer.acknowledged.size)
  })

  it('gives leadership back to the preferred replica once that has been there for a while', () => {
    const agents = new Agents()
    const [number] = agents.createTopic()
    const { producer, turn } = producing(agents, number!)
    turn(50)
    const [one] = agents.nodes
    agents.kill(one!)
    turn(50)
    expect(leaderOf(agents, number!)?.id).toBe(2)
    agents.start(one!)
    turn(4_000)
    expect(leaderOf(agents, number!)?.id).toBe(2)
    turn(3_000)
    expect(leaderOf(agents, number!)?.id).toBe(1)
    producer.isDone = true
    turn(100)
    expect(producer.errors).toEqual([])
    expectSame(agents, number!, producer.acknowledged.size)
  })

  it('refuses acks=all before the append while fewer keep up than min.insync.replicas asks for', () => {
    const agents = new Agents()
    const configs = { 'min.insync.replicas': '3' }
    const [number] = agents.createTopic({ configs })
    const { producer, turn } = producing(agents, number!)
    turn(50)
    producer.isDone = true
    turn(20)
    const [one, , three] = agents.nodes
    agents.kill(three!)
    agents.run(5)
    const sequence = producer.acknowledged.size
    const batch = idempotentBatch(producer.producerId, sequence)
    one!.front.produce(number!, batch)
    agents.run(20)
    expect(one!.front.takeOne('produced')).toMatchObject({
      error: ErrorCode.NOT_ENOUGH_REPLICAS,
      reason: ProduceReason.notEnoughReplicas,
    })
    expect(agents.logOf(one!, number!)!.logEndOffset).toBe(sequence)
    // acks=1 asks for no more than the leader
    one!.front.produce(number!, batch, { acks: 1 })
    agents.run(20)
    agents.start(three!)
    agents.run(100)
    expect(one!.front.takeOne('produced').error).toBe(0)
    one!.front.produce(number!, idempotentBatch(producer.producerId, sequence + 1))
    agents.run(20)
    expect(one!.front.takeOne('produced').error).toBe(0)
  })

  it('asks for no more replicas than there are, whatever min.insync.replicas says', () => {
    const agents = new Agents({ brokers: 4 })
    const configs = { 'min.insync.replicas': '3' }
    const [two] = agents.createTopic({ replicas: [1, 2], configs })
    const [three] = agents.createTopic({ replicas: [1, 2, 3], configs })
    const produced = (number: PartitionNumber, producerId: number) => {
      const { front } = agents.node(1)
      if (!agents.leaders.has(number)) {
        front.listOffsets(number, -1)
        agents.runUntil('it is led', () => agents.leaders.has(number))
        front.takeOne('offsets')
      }
      front.produce(number, idempotentBatch(producerId, 0))
      agents.run(50)
      return front.takeOne('produced').error
    }
    expect(produced(two!, 7)).toBe(0)
    expect(agents.logOf(agents.node(2), two!)!.logEndOffset).toBe(1)
    expect(produced(three!, 8)).toBe(0)
    // one that is taken out of the group as it is lost is missed all the same
    const lost = agents.node(3)
    agents.kill(lost)
    agents.lose(lost)
    agents.run(1_500)
    expect(produced(three!, 9)).toBe(ErrorCode.NOT_ENOUGH_REPLICAS)
  })

  it('fills a directory again that was emptied, and does not let it vote before', () => {
    const agents = new Agents()
    const [number] = agents.createTopic()
    const { producer, turn } = producing(agents, number!)
    turn(100)
    const [one, two, three] = agents.nodes
    agents.kill(one!)
    turn(50)
    agents.lose(one!)
    agents.start(one!)
    // the only other one that has everything is away: nobody may lead
    producer.isDone = true
    turn(30)
    agents.kill(leaderOf(agents, number!)!)
    expect(agents.up.length).toBe(2)
    turn(300)
    for (const node of [two!, three!]) if (!node.isUp) agents.start(node)
    producer.isDone = false
    turn(3_000)
    producer.isDone = true
    turn(200)
    expect(producer.errors).toEqual([])
    expectSame(agents, number!, producer.acknowledged.size)
    const { voters } = one!.agent.replica(number!)!.group!.raft.configuration
    expect([...voters].sort((a, b) => a - b)).toEqual([2, 3, 65_537])
  })

  it('hands what it leads over when its disk fails, and takes part again once it is well', () => {
    const agents = new Agents()
    const [number] = agents.createTopic()
    const { producer, turn } = producing(agents, number!)
    turn(100)
    const [one] = agents.nodes
    agents.disk.onOperation = ({ path }) =>
      path.startsWith(`${one!.root}/`) ? { kind: 'error', code: 'EIO' } : null
    const before = producer.acknowledged.size
    turn(300)
    expect(leaderOf(agents, number!)?.id).toBeGreaterThan(1)
    expect(producer.acknowledged.size).toBeGreaterThan(before + 50)
    agents.disk.onOperation = null
    if (!one!.isUp) agents.start(one!)
    turn(8_000)
    producer.isDone = true
    turn(200)
    expect(producer.errors).toEqual([])
    expectSame(agents, number!, producer.acknowledged.size)
  })

  it('does not lead where its disk takes no records, though it takes all else', () => {
    const agents = new Agents()
    const [number] = agents.createTopic()
    agents.run(30)
    const [one] = agents.nodes
    let sequence = 0
    let acknowledged = 0
    agents.disk.onOperation = ({ path, operation }) =>
      path.startsWith(`${one!.root}/`) && path.endsWith('.log') && operation === 'write'
        ? { kind: 'error', code: 'EIO' }
        : null
    // as a front does: whoever leads, and the preferred replica where nobody is known to
    for (let i = 0; i < 2_000; i++) {
      const told = agents.leaders.get(number!)?.leader ?? 0
      const node = agents.node(told === 0 ? 1 : told)
      node.front.produce(number!, idempotentBatch(1, sequence))
      agents.run(5)
      for (const reply of node.front.take()) {
        if (reply.kind !== 'produced' || reply.error !== 0) continue
        sequence++
        acknowledged++
      }
    }
    expect(acknowledged).toBeGreaterThan(1_000)
    expect(agents.leaders.get(number!)!.leaderEpoch).toBeLessThan(20)
  })

  it('keeps its voters while the image is begun anew', () => {
    const agents = new Agents()
    const [number] = agents.createTopic()
    const { turn } = producing(agents, number!)
    turn(100)
    const entries = agents.entries.slice(0, 2)
    for (const node of agents.nodes) {
      const to = brokerPeer(CELL, node.id)
      agents.controller.post(to, {
        kind: 'metadata',
        epoch: 1,
        first: 0,
        offset: 2,
        entries,
        more: true,
      })
    }
    turn(3_000)
    const { voters } = agents.nodes[0]!.agent.replica(number!)!.group!.raft.configuration
    expect([...voters].sort()).toEqual([1, 2, 3])
  })

  it('does not take part with files of another life, or without those that it had', () => {
    const agents = new Agents()
    const [number] = agents.createTopic()
    const { producer, turn } = producing(agents, number!)
    turn(50)
    const [, two, three] = agents.nodes
    // 2 is away, so 1 and 3 alone have what comes now
    agents.kill(two!)
    turn(100)
    agents.kill(three!)
    agents.disk.removeDirectory(agents.directory(three!, 1))
    producer.isDone = true
    turn(20)
    agents.kill(agents.node(1))
    agents.start(two!)
    agents.start(three!)
    agents.run(500)
    expect(agents.leaders.get(number!)?.leader ?? 0).not.toBe(2)
    expect(agents.logOf(three!, number!)).toBe(null)
    agents.start(agents.node(1))
    two!.front.produce(number!, idempotentBatch(99, 0))
    agents.run(500)
    expect(valuesOf(agents, agents.node(1), number!).length).toBeGreaterThanOrEqual(
      producer.acknowledged.size,
    )
  })

  it('deletes records on every replica, so that no leader brings them back', () => {
    const agents = new Agents()
    const [number] = agents.createTopic()
    const { producer, turn } = producing(agents, number!)
    turn(100)
    producer.isDone = true
    turn(20)
    const [one, two] = agents.nodes
    one!.front.deleteRecords(number!, 5)
    agents.run(30)
    expect(one!.front.takeOne('deleted')).toMatchObject({ error: 0, lowWatermark: 5 })
    for (const node of agents.nodes) {
      agents.runUntil('its start moves', () => agents.logOf(node, number!)!.logStartOffset === 5)
    }
    agents.kill(one!)
    agents.runUntil('broker 2 leads', () => leaderOf(agents, number!) === two, 100)
    one!.front.take()
    expect(agents.logOf(two!, number!)!.logStartOffset).toBe(5)
    // its next life, which replays what its group has agreed on
    agents.start(one!)
    two!.front.produce(number!, idempotentBatch(1, 0))
    agents.run(300)
    expect(agents.logOf(one!, number!)!.logStartOffset).toBe(5)
  })

  it('closes what nobody touches, without a word, and serves it again when it is touched', () => {
    const agents = new Agents({ settings: { dehydrateAfterMs: 2_000 } })
    const numbers = agents.createTopic({ partitions: 20 })
    const producers = new Producers(agents)
    const all = numbers.map((number, i) => producers.add(number, i + 1))
    const turn = (turns: number) => {
      for (let i = 0; i < turns; i++) {
        producers.turn()
        agents.run(1)
      }
    }
    const write = () => {
      for (const producer of all) producer.isDone = false
      turn(200)
      for (const producer of all) producer.isDone = true
      turn(100)
    }
    write()
    agents.run(80, 100)
    for (const { id, agent } of agents.nodes) {
      expect(agent.openLogs, `broker ${id}`).toBe(0)
      // nobody asks for a turn of its own but to look who lives
      expect(agent.nextTimerAtMs).toBeGreaterThan(agents.clock.monotonicMs() + 50)
    }
    const terms = numbers.map((number) => agents.leaders.get(number)!.leaderEpoch)
    write()
    numbers.forEach((number, i) => {
      expect(agents.leaders.get(number)!.leaderEpoch).toBeGreaterThan(terms[i]!)
      expect(all[i]!.errors).toEqual([])
      expectSame(agents, number, all[i]!.acknowledged.size, i + 1)
    })
  })

  it('loses, doubles and reorders nothing, whatever happens to its brokers', () => {
    const seeds = seedsOf()
    for (const seed of seeds) {
      try {
        storm(seed)
      } catch (error) {
        throw new Error(`seed ${seed}`, { cause: error })
      }
    }
  }, 120_000)
})

const seedsOf = (): number[] => {
  const { AGENT_SEEDS, AGENT_SEED } = process.env
  if (AGENT_SEED !== undefined) return [Number(AGENT_SEED)]
  return Array.from({ length: Number(AGENT_SEEDS ?? 4) }, (_, i) => i + 1)
}

/** Kills, hangs, cuts, deaths of the whole process, in any order; then all is well, and everything acknowledged is everywhere, once and in order. */
function storm(seed: number): void {
  const agents = new Agents({ seed })
  agents.run(30)
  const { random } = agents
  const numbers = agents.createTopic({ partitions: 3 })
  const producers = new Producers(agents)
  const all = numbers.flatMap((number, i) => [1, 2].map((k) => producers.add(number, i * 10 + k)))
  const cuts: [Node, Node][] = []
  const heal = () => {
    for (const [a, b] of cuts.splice(0)) {
      if (a.isUp) a.agent.cut(b.id, false)
      if (b.isUp) b.agent.cut(a.id, false)
    }
  }
  for (let i = 0; i < 1_500; i++) {
    producers.turn()
    agents.run(1)
    const event = random.below(400)
    const node = agents.nodes[random.below(3)]!
    const other = agents.nodes[node.id % 3]!
    if (event === 0 && node.isUp && agents.up.length > 1) agents.kill(node)
    else if (event < 8 && !node.isUp) agents.start(node)
    else if (event === 8) node.isHung = true
    else if (event < 12) for (const one of agents.nodes) one.isHung = false
    else if (event === 12 && node.isUp && other.isUp) {
      cuts.push([node, other])
      node.agent.cut(other.id, true)
      other.agent.cut(node.id, true)
    } else if (event < 16) heal()
    else if (event === 16 && random.chance(0.3)) agents.killAll(false)
  }
  heal()
  for (const node of agents.nodes) {
    node.isHung = false
    if (!node.isUp) agents.start(node)
  }
  const isQuiet = () => all.every(({ unanswered }) => unanswered === 0)
  for (const producer of all) producer.isDone = true
  for (let i = 0; i < 4_000 && !isQuiet(); i++) {
    producers.turn()
    agents.run(1)
  }
  const state = () =>
    [...numbers.map((n) => agents.describe(n)), ...all.map((one) => one.describe())].join('\n')
  expect(isQuiet(), `everything is answered\n${isQuiet() ? '' : state()}`).toBe(true)
  agents.run(500)
  for (const node of agents.nodes) expect(node.failure, `broker ${node.id}`).toBe(null)
  for (const number of numbers) {
    const [first, ...others] = agents.nodes.map((node) => valuesOf(agents, node, number))
    for (const values of others) expect(values).toEqual(first)
    for (const producer of all) {
      if (producer.partition !== number) continue
      expect(producer.errors).toEqual([])
      const own = first!.filter((value) => value.startsWith(`p${producer.producerId} `))
      const expected = Array.from(
        { length: producer.acknowledged.size },
        (_, i) => `p${producer.producerId} s${i}`,
      )
      expect(own).toEqual(expected)
    }
  }
}

/** One idempotent producer at work. */
function producing(agents: Agents, number: PartitionNumber, producerId = 7) {
  agents.run(30)
  const producers = new Producers(agents)
  const producer = producers.add(number, producerId)
  const turn = (turns: number) => {
    for (let i = 0; i < turns; i++) {
      producers.turn()
      agents.run(1)
    }
  }
  return { producers, producer, turn }
}

function expectSame(agents: Agents, number: PartitionNumber, count: number, producerId = 7): void {
  const expected = Array.from({ length: count }, (_, i) => `p${producerId} s${i}`).join()
  for (const node of agents.nodes) {
    expect(valuesOf(agents, node, number).join(), `broker ${node.id}`).toBe(expected)
  }
}
