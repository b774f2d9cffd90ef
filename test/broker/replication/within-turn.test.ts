/** What comes in the midst of a broker's turn, between what it stages and what it writes, and before it knows anything. */
import { describe, expect, it } from 'vitest'
import { ErrorCode } from '../../../src/base/error-code.ts'
import { asBrokerId, type PartitionNumber } from '../../../src/base/ids.ts'
import { brokerPeer } from '../../../src/link/ports.ts'
import { ProduceReason } from '../../../src/link/produce-reason.ts'
import { idempotentBatch } from '../batches.ts'
import { CELL } from '../world.ts'
import { Agents } from './agents.ts'
import { Producers } from './producer.ts'

/** One idempotent producer, which has written a while and is done. */
function written(agents: Agents, number: PartitionNumber) {
  agents.run(30)
  const producers = new Producers(agents)
  const producer = producers.add(number, 7)
  for (let i = 0; i < 120; i++) {
    producer.isDone = i >= 100
    producers.turn()
    agents.run(1)
  }
  const [one] = agents.nodes
  return { one, producer, end: agents.logOf(one!, number)!.logEndOffset }
}

describe('brokers within a turn', () => {
  it('deletes records in the turn in which others are written', () => {
    const agents = new Agents()
    const [number] = agents.createTopic()
    const { one, producer, end } = written(agents, number!)
    one!.front.produce(number!, idempotentBatch(producer.producerId, end))
    one!.front.deleteRecords(number!, 5)
    one!.front.produce(number!, idempotentBatch(producer.producerId, end + 1))
    agents.run(40)
    const answers = one!.front.take().map((reply) => ({ kind: reply.kind, error: reply.error }))
    expect(answers.toSorted((a, b) => (a.kind < b.kind ? -1 : 1))).toEqual([
      { kind: 'deleted', error: 0 },
      { kind: 'produced', error: 0 },
      { kind: 'produced', error: 0 },
    ])
    for (const node of agents.nodes) {
      const { logStartOffset, highWatermark } = agents.logOf(node, number!)!
      expect([logStartOffset, highWatermark]).toEqual([5, end + 2])
    }
  })

  it('is asked to hand over in the midst of a turn, and first writes what it has staged', () => {
    // the rest of the messages is taken where a command needs its buffer
    const agents = new Agents({ settings: { controlPerTurn: 1 } })
    const [number] = agents.createTopic()
    const { one, producer, end } = written(agents, number!)
    const front = agents.frontControl
    const to = brokerPeer(CELL, one!.id)
    front.post(to, { kind: 'describe-metadata', correlation: 1 })
    one!.front.produce(number!, idempotentBatch(producer.producerId, end))
    one!.front.produce(number!, idempotentBatch(producer.producerId, end + 1, 4_000))
    const partition = number!
    front.post(to, { kind: 'move-leadership', correlation: 2, partition, to: asBrokerId(2) })
    agents.runUntil('broker 2 leads', () => agents.leaders.get(number!)?.leader === 2, 200)
    agents.run(50)
    const complaints = agents.lines.filter(({ level }) => level === 'error' || level === 'fatal')
    expect(complaints).toEqual([])
    expect(agents.logOf(agents.node(2), number!)!.highWatermark).toBe(end + 4_001)
  })

  it('say that they do not lead, not that there is no such partition, before they know of any', () => {
    const agents = new Agents()
    const [number] = agents.createTopic()
    agents.run(30)
    const [one] = agents.nodes
    agents.kill(one!)
    agents.start(one!)
    // nobody has told it anything
    while (one!.control.poll() !== undefined);
    one!.front.produce(number!, idempotentBatch(1, 0))
    agents.run(1)
    const { error, reason } = one!.front.takeOne('produced')
    expect(error).toBe(ErrorCode.NOT_LEADER_OR_FOLLOWER)
    expect(reason).toBe(ProduceReason.notLeader)
  })
})
