/** What a broker says of a replica that it does not lead: as far as it knows to be committed, and nothing where it may be behind without knowing. */
import { describe, expect, it } from 'vitest'
import { ErrorCode } from '../../../src/base/error-code.ts'
import type { PartitionNumber } from '../../../src/base/ids.ts'
import { FetchSource } from '../../../src/link/commands.ts'
import { Role } from '../../../src/raft/types.ts'
import { idempotentBatch } from '../batches.ts'
import type { Reply } from '../fake-front.ts'
import { Agents, type AgentsOptions, type Node } from './agents.ts'

/** A partition that broker 1 leads, with `records` records that all three brokers have. */
function world(records = 3, options: AgentsOptions = {}) {
  const agents = new Agents(options)
  const [number] = agents.createTopic()
  agents.run(30)
  const [one, two, three] = agents.nodes as [Node, Node, Node]
  one.front.epochEnd(number!, 0)
  agents.runUntil('broker 1 leads', () => agents.leaders.get(number!)?.leader === 1, 200)
  for (let sequence = 0; sequence < records; sequence++) {
    one.front.produce(number!, idempotentBatch(1, sequence))
    agents.run(10)
  }
  for (const node of agents.nodes) node.front.take()
  return { agents, number: number!, one, two, three }
}

type Located = Reply & { readonly kind: 'located' }

function locate(
  agents: Agents,
  node: Node,
  number: PartitionNumber,
  offset: number,
  currentLeaderEpoch = -1,
): Located {
  node.front.locate(number, offset, { ofReplica: true, currentLeaderEpoch })
  agents.turn(node)
  return node.front.takeOne('located')
}

const wokenOf = (node: Node) => node.front.take().filter(({ kind }) => kind === 'woken')

describe('a follower', () => {
  it('says where records are up to its high watermark, and what there is not', () => {
    const { agents, number, two } = world()
    expect(locate(agents, two, number, 0)).toMatchObject({
      ...{ error: 0, source: FetchSource.FILE, batchBaseOffset: 0 },
      ...{ highWatermark: 3, logEndOffset: 3, logStartOffset: 0, leaderEpoch: 1 },
    })
    expect(locate(agents, two, number, 3)).toMatchObject({ error: 0, source: FetchSource.NONE })
    expect(locate(agents, two, number, 4).error).toBe(ErrorCode.OFFSET_NOT_AVAILABLE)
    expect(locate(agents, two, number, -5).error).toBe(ErrorCode.OFFSET_OUT_OF_RANGE)
    expect(locate(agents, two, number, 0, 1).error).toBe(0)
    expect(locate(agents, two, number, 0, 0).error).toBe(ErrorCode.FENCED_LEADER_EPOCH)
    expect(locate(agents, two, number, 0, 2).error).toBe(ErrorCode.UNKNOWN_LEADER_EPOCH)
  })

  it('has what comes next in its ring once somebody reads its end', () => {
    const { agents, number, one, two } = world()
    locate(agents, two, number, 3)
    one.front.produce(number, idempotentBatch(1, 3))
    agents.run(10)
    expect(locate(agents, two, number, 3)).toMatchObject({
      ...{ error: 0, source: FetchSource.RING, highWatermark: 4 },
    })
  })

  it('wakes who waits for it, apart from who waits for a leader', () => {
    const { agents, number, one, two } = world()
    two.front.watch(number, 3, true)
    one.front.watch(number, 3)
    agents.run(5)
    expect([...wokenOf(one), ...wokenOf(two)]).toEqual([])
    one.front.produce(number, idempotentBatch(1, 3))
    agents.run(10)
    const woken = { kind: 'woken', error: 0, highWatermark: 4 }
    expect(wokenOf(two)).toMatchObject([{ ...woken, isOfReplica: true }])
    expect(wokenOf(one)).toMatchObject([{ ...woken, isOfReplica: false }])
    // who comes late is told at once
    two.front.watch(number, 3, true)
    agents.turn(two)
    expect(wokenOf(two)).toMatchObject([{ ...woken, isOfReplica: true }])
  })

  it('shows nothing that is not known to be committed, though it has it', () => {
    const { agents, number, one, two, three } = world()
    locate(agents, two, number, 3)
    three.isHung = true
    one.front.produce(number, idempotentBatch(1, 3))
    agents.turn(one)
    // what broker 2 has stored the leader never hears of
    one.isHung = true
    agents.turn(two)
    agents.turn(two)
    expect(agents.logOf(two, number)!.logEndOffset).toBe(4)
    expect(locate(agents, two, number, 3)).toMatchObject({
      ...{ error: 0, source: FetchSource.NONE, highWatermark: 3, logEndOffset: 4 },
    })
    two.front.watch(number, 3, true)
    agents.turn(two)
    expect(wokenOf(two)).toEqual([])
  })

  it('that is cut off says that it does not know, and serves again when it hears its leader', () => {
    const { agents, number, one, two, three } = world()
    for (const other of [one, two]) {
      three.agent.cut(other.id, true)
      other.agent.cut(three.id, true)
    }
    agents.run(5)
    one.front.produce(number, idempotentBatch(1, 3))
    agents.run(20)
    expect(locate(agents, three, number, 0).error).toBe(ErrorCode.NOT_LEADER_OR_FOLLOWER)
    expect(locate(agents, two, number, 3)).toMatchObject({ error: 0, highWatermark: 4 })
    for (const other of [one, two]) {
      three.agent.cut(other.id, false)
      other.agent.cut(three.id, false)
    }
    agents.run(300)
    expect(locate(agents, three, number, 3)).toMatchObject({ error: 0, highWatermark: 4 })
  })

  it('that was started anew serves when it knows what is committed, not when it hears its leader', () => {
    const { agents, number, one, three } = world()
    agents.kill(three)
    agents.run(5)
    for (const sequence of [3, 4, 5]) {
      one.front.produce(number, idempotentBatch(1, sequence))
      agents.run(10)
    }
    agents.start(three)
    // the next leader has yet to find out how far the others are
    agents.kill(one)
    const seen = new Set<number>()
    for (let turn = 0; turn < 300; turn++) {
      const { error, highWatermark } = locate(agents, three, number, 0)
      if (error === 0) seen.add(highWatermark)
      agents.run(1)
    }
    expect(agents.leaders.get(number)?.leader).toBe(2)
    // it never tells of less than it had before
    expect([...seen].filter((highWatermark) => highWatermark < 3)).toEqual([])
    expect(seen).toContain(6)
  })

  it('serves on under the next leader once it hears of it, never less than it had', () => {
    const { agents, number, one, two, three } = world()
    agents.kill(one)
    // until it hears of the next one it does not know
    for (let turn = 0; turn < 100; turn++) {
      const { error, highWatermark } = locate(agents, three, number, 0)
      if (error === 0) expect(highWatermark).toBe(3)
      else expect(error).toBe(ErrorCode.NOT_LEADER_OR_FOLLOWER)
      agents.run(1)
    }
    expect(agents.leaders.get(number)?.leader).toBe(2)
    two.front.produce(number, idempotentBatch(1, 3))
    agents.run(10)
    expect(locate(agents, three, number, 3, 2)).toMatchObject({ error: 0, highWatermark: 4 })
  })

  it('that is asleep is not woken by a reader, so that it takes the lead from nobody', () => {
    const { agents, number, one, two } = world(3, { settings: { dehydrateAfterMs: 200 } })
    const isAsleep = (node: Node) => node.agent.replica(number)?.group == null
    agents.runUntil('all sleep', () => agents.nodes.every(isAsleep), 5_000)
    expect(locate(agents, two, number, 0).error).toBe(ErrorCode.REPLICA_NOT_AVAILABLE)
    two.front.watch(number, 3, true)
    agents.run(300)
    expect(wokenOf(two)).toMatchObject([{ error: ErrorCode.REPLICA_NOT_AVAILABLE }])
    expect(agents.nodes.every(isAsleep)).toBe(true)
    // as the front does it: the leader first, and then the follower is to hear from it
    one.front.locate(number, 0)
    agents.run(60)
    const epoch = agents.leaders.get(number)!.leaderEpoch
    one.front.locate(number, 0)
    two.front.epochEnd(number, 0)
    agents.run(100)
    expect(agents.leaders.get(number)).toMatchObject({ leader: 1, leaderEpoch: epoch })
    expect(one.agent.replica(number)!.group!.raft.role).toBe(Role.LEADER)
    two.front.take()
    expect(locate(agents, two, number, 0)).toMatchObject({ error: 0, highWatermark: 3 })
  })

  it('whose topic goes tells who waits for it', () => {
    const { agents, number, two } = world()
    two.front.watch(number, 3, true)
    agents.run(5)
    agents.deleteTopic(1)
    agents.run(5)
    expect(wokenOf(two)).toMatchObject([{ error: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION }])
    expect(locate(agents, two, number, 0).error).toBe(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
  })
})
