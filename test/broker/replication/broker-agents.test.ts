/** Replication as brokers do it: whole agents, several of them, killed and started again. */
import { describe, expect, it } from 'vitest'
import { ErrorCode } from '../../../src/base/error-code.ts'
import type { PartitionNumber } from '../../../src/base/ids.ts'
import { ProduceReason } from '../../../src/link/produce-reason.ts'
import { baseOffsetOf, lastOffsetOf } from '../../../src/record/batch.ts'
import { RecordCursor } from '../../../src/record/records.ts'
import { idempotentBatch } from '../batches.ts'
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
    agents.run(5)
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
    agents.run(5)
    const producers = new Producers(agents)
    const producer = producers.add(number!, 7)
    const turn = (turns: number) => {
      for (let i = 0; i < turns; i++) {
        producers.turn()
        agents.run(1)
      }
    }
    turn(100)
    const [one, two] = agents.nodes
    expect(leaderOf(agents, number!)).toBe(one)
    two!.front.produce(number!, idempotentBatch(1, 0))
    turn(1)
    const before = producer.acknowledged.size
    agents.kill(one!)
    turn(10)
    // within ten turns: nobody waits for a time-out
    expect(leaderOf(agents, number!)?.id).toBe(2)
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
})
