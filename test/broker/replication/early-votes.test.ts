/** A candidate asks for votes while its own is made durable: which nobody leads before. */
import { describe, expect, it } from 'vitest'
import { type Message, Role } from '../../../src/raft/types.ts'
import { idempotentBatch } from '../batches.ts'
import { Agents, type AgentsOptions, type Node } from './agents.ts'

/** One partition, led by broker 1; the flushes of `two` are held until they are let go. */
function world(settings: AgentsOptions['settings'] = {}, seed = 1) {
  const agents = new Agents({ settings, seed })
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

  it('of a candidate that dies before it has written its own elect nobody twice, when it asks again in the same term', () => {
    const { agents, partition, one, two, three, raftOf } = world()
    const { term } = raftOf(three)
    // its disk takes none of them
    agents.disk.onOperation = ({ operation, path }) =>
      operation === 'write' && path.startsWith(`${two.root}/raft-hard-states`)
        ? { kind: 'error', code: 'EIO' }
        : null
    agents.kill(one)
    agents.run(10)
    expect([raftOf(two).role, raftOf(two).term]).toEqual([Role.CANDIDATE, term + 1])
    expect(raftOf(three).awaited).toBe(raftOf(two).id)
    agents.kill(two)
    agents.disk.onOperation = null
    agents.start(two)
    const led = new Map<number, number>()
    let hasForgotten = false
    for (let i = 0; i < 400; i++) {
      agents.run(1)
      const opened = two.agent.replica(partition)?.group?.raft
      hasForgotten ||= opened?.term === term
      for (const node of agents.up) {
        const raft = node.agent.replica(partition)?.group?.raft
        if (raft?.role !== Role.LEADER) continue
        expect(led.get(raft.term) ?? raft.id).toBe(raft.id)
        led.set(raft.term, raft.id)
      }
    }
    expect([hasForgotten, led.size > 0]).toEqual([true, true])
    expect([...led.keys()].every((one) => one > term)).toBe(true)
  })

  it('count once they are durable, also where the group was closed and opened again meanwhile', () => {
    const { agents, partition, one, two, three, raftOf } = world({ failedRetryMs: 1 })
    // what it votes is not durable from here on
    const doWork = three.flusher.doWork.bind(three.flusher)
    three.flusher.doWork = () => 0
    const groupOf = (node: Node) => node.agent.replica(partition)!.group!
    const { id: to } = raftOf(three)
    agents.kill(one)
    agents.runUntil('it has given its vote', () => raftOf(three).awaited !== 0, 20)
    const raft = raftOf(two)
    const { id: from, term, end } = raft
    // its log fails: the replica is opened again by the next message
    agents.logOf(three, partition)!.fail('a disk error')
    groupOf(three).flushed()
    agents.run(2)
    expect(three.agent.replica(partition)!.group).toBe(null)
    // who does not know that it has asked asks again in the same term
    const again: Message = {
      ...{ from, to, term, type: 'vote', lastTerm: term - 1, end, isTransfer: false },
    }
    const ready = raft.ready.bind(raft)
    raft.ready = () => {
      raft.ready = ready
      const next = ready()
      return { ...next, messages: [...next.messages, again] }
    }
    groupOf(two).flushed()
    agents.run(4)
    expect(raftOf(three).term).toBe(term)
    expect([raft.role, raft.term]).toEqual([Role.CANDIDATE, term])
    three.flusher.doWork = doWork
    agents.runUntil('somebody leads', () => raft.role === Role.LEADER, 500)
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

/** Each flush of that broker's takes so long. */
function slowDown(agents: Agents, { flusher }: Node, byMs: number): void {
  const doWork = flusher.doWork.bind(flusher)
  let sinceMs = -1
  flusher.doWork = () => {
    const nowMs = agents.clock.monotonicMs()
    if (flusher.pending === 0) return 0
    if (sinceMs < 0) sinceMs = nowMs
    if (nowMs - sinceMs < byMs) return 0
    sinceMs = -1
    return doWork()
  }
}

describe('disks that take long to flush', () => {
  it.each([
    ['both that are left', 100, [2, 3]],
    ['both that are left', 300, [2, 3]],
    ['who asks', 300, [2]],
    ['who is asked', 300, [3]],
    ['who is asked', 1_000, [3]],
  ])('of %s, %d ms, are waited for by an election', (_, byMs, slow) => {
    for (let seed = 1; seed <= 5; seed++) {
      const { agents, partition, one } = world({}, seed)
      for (const id of slow) slowDown(agents, agents.node(id), byMs)
      agents.kill(one)
      const isLed = () => (agents.leaders.get(partition)?.leader ?? 0) > 1
      agents.runUntil(`another leads (seed ${seed})`, isLed, 20 * byMs)
    }
  })
})
