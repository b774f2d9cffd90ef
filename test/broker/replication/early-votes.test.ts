/** A candidate asks for votes while its own is made durable: which nobody leads before. */
import { describe, expect, it } from 'vitest'
import { Role } from '../../../src/raft/types.ts'
import { idempotentBatch } from '../batches.ts'
import { Agents, type Node } from './agents.ts'

/** One partition, led by broker 1; the flushes of `two` are held until they are let go. */
function world() {
  const agents = new Agents()
  agents.run(30)
  const [partition] = agents.createTopic({ configs: { 'flush.messages': '9223372036854775807' } })
  agents.run(2)
  const [one, two, three] = agents.nodes as [Node, Node, Node]
  one.front.produce(partition!, idempotentBatch(1, 0))
  agents.runUntil('the first leads', () => agents.leaders.get(partition!)?.leader === 1, 200)
  agents.run(20)
  const raftOf = (node: Node) => node.agent.replica(partition!)!.group!.raft
  const hold = () => {
    const doWork = two.flusher.doWork.bind(two.flusher)
    two.flusher.doWork = () => 0
    return () => {
      two.flusher.doWork = doWork
    }
  }
  return { agents, partition: partition!, one, two, three, raftOf, hold }
}

describe('votes', () => {
  it('are asked for and given before that of who asks is durable; it leads once it is', () => {
    const { agents, one, two, three, raftOf, hold } = world()
    const release = hold()
    const { term } = raftOf(three)
    agents.kill(one)
    agents.run(20)
    expect([raftOf(two).role, raftOf(two).term]).toEqual([Role.CANDIDATE, term + 1])
    // the other has given it its vote, and waits
    expect([raftOf(three).role, raftOf(three).term]).toEqual([Role.FOLLOWER, term + 1])
    expect(raftOf(three).awaited).toBe(raftOf(two).id)
    release()
    agents.run(3)
    expect([raftOf(two).role, raftOf(two).term]).toEqual([Role.LEADER, term + 1])
  })

  it('of a candidate that dies before its own is durable elect nobody twice', () => {
    const { agents, partition, one, two, three, raftOf, hold } = world()
    hold()
    const { term } = raftOf(three)
    agents.kill(one)
    agents.run(10)
    expect(raftOf(two).role).toBe(Role.CANDIDATE)
    agents.kill(two)
    agents.start(one)
    agents.start(two)
    const led = new Map<number, number>()
    for (let i = 0; i < 400; i++) {
      agents.run(1)
      for (const node of agents.up) {
        const raft = node.agent.replica(partition)?.group?.raft
        if (raft?.role !== Role.LEADER) continue
        expect(led.get(raft.term) ?? raft.id).toBe(raft.id)
        led.set(raft.term, raft.id)
      }
    }
    expect([...led.keys()].every((one) => one > term)).toBe(true)
    expect(led.size).toBeGreaterThan(0)
  })

  it('are not asked for before that where the leader hands over: it serves until then', () => {
    const { agents, partition, one, two, raftOf, hold } = world()
    const release = hold()
    one.agent.onControl({
      ...{ kind: 'move-leadership', correlation: 1, partition, to: two.id },
    })
    agents.run(6)
    expect([raftOf(one).role, raftOf(two).role]).toEqual([Role.LEADER, Role.CANDIDATE])
    release()
    agents.run(10)
    expect(raftOf(two).role).toBe(Role.LEADER)
  })
})
