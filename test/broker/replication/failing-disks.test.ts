/** Replicas whose disks refuse some of what they are asked for, or lose what was not flushed. */
import { describe, expect, it } from 'vitest'
import type { PartitionNumber } from '../../../src/base/ids.ts'
import { brokerPeer } from '../../../src/link/ports.ts'
import { ProduceReason } from '../../../src/link/produce-reason.ts'
import { HARD_STATES_FILE } from '../../../src/log/hard-states-format.ts'
import { idempotentBatch, plainBatch } from '../batches.ts'
import { CELL } from '../world.ts'
import { Agents, type Node } from './agents.ts'

const complaintsOf = ({ lines }: Agents) =>
  lines.filter(({ fields }) => /InvariantError|TypeError/.test(`${fields.stack}`))

function expectAlike(agents: Agents, number: PartitionNumber): void {
  const ends = agents.nodes.map((node) => {
    const { logStartOffset, logEndOffset, highWatermark } = agents.logOf(node, number)!
    return [logStartOffset, logEndOffset, highWatermark]
  })
  expect(ends).toEqual([ends[0], ends[0], ends[0]])
}

/** Who leads; somebody must. */
function leaderOf(agents: Agents, number: PartitionNumber): Node {
  let leader = 0
  agents.runUntil('somebody leads', () => {
    leader = agents.leaders.get(number)?.leader ?? 0
    if (leader === 0) for (const { front } of agents.up) front.produce(number, plainBatch())
    return leader !== 0
  })
  agents.run(20)
  for (const { front } of agents.up) front.take()
  return agents.node(leader)
}

describe('replicas on disks that fail', () => {
  it('have what was written of a turn before a write failed', () => {
    const agents = new Agents()
    const [number] = agents.createTopic()
    const leader = leaderOf(agents, number!)
    const before = agents.logOf(leader, number!)!.logEndOffset
    let writes = 0
    agents.disk.onOperation = ({ path, operation }) =>
      path.startsWith(`${leader.root}/`) && path.endsWith('.log') && operation === 'write'
        ? ++writes === 1
          ? null
          : { kind: 'error', code: 'EIO' }
        : null
    // a large one is written where it is, the small one with the turn
    leader.front.produce(number!, plainBatch(1, 40_000))
    leader.front.produce(number!, plainBatch())
    agents.run(1)
    agents.disk.onOperation = null
    expect(agents.logOf(leader, number!)!.logEndOffset).toBe(before + 1)
    agents.run(100)
    const next = leaderOf(agents, number!)
    next.front.produce(number!, plainBatch())
    agents.run(200)
    expect(complaintsOf(agents)).toEqual([])
    expectAlike(agents, number!)
  })

  it('are not in sync from then on, and are again once they have caught up', () => {
    const agents = new Agents()
    const [number] = agents.createTopic()
    const leader = leaderOf(agents, number!)
    const follower = agents.nodes.find(({ id }) => id !== leader.id)!
    const isr = () => agents.leaders.get(number!)!.isr
    let sequence = 0
    const write = (turns: number) => {
      for (let i = 0; i < turns; i++) {
        if (i % 10 === 0) leader.front.produce(number!, idempotentBatch(7, sequence++))
        agents.run(1)
      }
    }
    write(50)
    expect(isr()).toContain(follower.id)
    agents.disk.onOperation = ({ path, operation }) =>
      path.startsWith(`${follower.root}/`) && operation === 'write'
        ? { kind: 'error', code: 'EIO' }
        : null
    write(100)
    expect(isr()).not.toContain(follower.id)
    expect(isr()).toHaveLength(2)
    const { isFailing } = follower.environment.space!
    expect([isFailing, leader.environment.space!.isFailing]).toEqual([true, false])
    // it is tried again now and then
    for (let i = 0; i < 20; i++) {
      write(1_000)
      expect(isr(), `after ${i} s`).not.toContain(follower.id)
    }
    agents.disk.onOperation = null
    write(8_000)
    expect(isr()).toContain(follower.id)
    write(4_000)
    expect(follower.environment.space!.isFailing).toBe(false)
    // one that failed while it lacked nothing says so, too
    agents.run(3_000)
    follower.control.post(brokerPeer(CELL, leader.id), {
      kind: 'replica-failed',
      brokerId: follower.id,
      partition: number!,
    })
    agents.run(100)
    expect(isr()).not.toContain(follower.id)
    agents.run(13_000)
    expect(isr()).toContain(follower.id)
  })

  it('do not say that nothing was appended where what a failed write left cannot be removed', () => {
    for (const [bytes, removes] of [
      [6_000, true],
      [6_000, false],
      // written where it is, not with the turn
      [40_000, true],
      [40_000, false],
    ] as const) {
      const agents = new Agents()
      const [number] = agents.createTopic()
      const leader = leaderOf(agents, number!)
      leader.front.produce(number!, plainBatch(1, 6_000))
      agents.run(20)
      leader.front.take()
      const before = agents.logOf(leader, number!)!.logEndOffset
      agents.disk.onOperation = ({ path, operation }) => {
        if (!path.startsWith(`${leader.root}/`)) return null
        const isIndex = operation === 'write' && path.endsWith('.index')
        const isRemoval = operation === 'truncate' && path.endsWith('.log')
        return isIndex || (isRemoval && !removes) ? { kind: 'error', code: 'EIO' } : null
      }
      leader.front.produce(number!, plainBatch(1, bytes))
      agents.run(1)
      const reason = removes ? ProduceReason.electing : ProduceReason.leadershipLost
      const where = `${bytes} ${removes}`
      expect(leader.front.takeOne('produced'), where).toMatchObject({ error: 6, reason })
      agents.killAll(false)
      agents.disk.onOperation = null
      agents.run(50)
      leaderOf(agents, number!)
      const end = agents.logOf(leader, number!)!.logEndOffset
      expect(end > before, where).toBe(!removes)
    }
  })

  it('hand over where the disk refuses a new segment, too', () => {
    const agents = new Agents()
    const [number] = agents.createTopic({ configs: { 'segment.ms': '100' } })
    const leader = leaderOf(agents, number!)
    agents.clock.advance(200)
    agents.disk.onOperation = ({ path, operation }) =>
      path.startsWith(`${leader.root}/`) && path.endsWith('.log') && operation === 'open'
        ? { kind: 'error', code: 'EIO' }
        : null
    leader.front.produce(number!, idempotentBatch(9, 0))
    leader.front.produce(number!, idempotentBatch(9, 1))
    agents.runUntil('another leads', () => {
      const told = agents.leaders.get(number!)?.leader ?? 0
      return told !== 0 && told !== leader.id
    })
    agents.disk.onOperation = null
    expect(leader.front.take().every((reply) => 'error' in reply && reply.error !== 0)).toBe(true)
  })

  it('move the start of their logs once the disk keeps it', () => {
    const agents = new Agents()
    const [number] = agents.createTopic()
    const leader = leaderOf(agents, number!)
    for (let i = 0; i < 10; i++) leader.front.produce(number!, plainBatch())
    agents.run(50)
    const follower = agents.nodes.find((node) => node !== leader)!
    agents.disk.onOperation = ({ path }) =>
      path.startsWith(`${follower.root}/`) && path.endsWith('.logstart')
        ? { kind: 'error', code: 'EIO' }
        : null
    leader.front.deleteRecords(number!, 5)
    agents.run(100)
    expect(agents.logOf(leader, number!)!.logStartOffset).toBe(5)
    expect(agents.logOf(follower, number!)!.logStartOffset).toBe(0)
    agents.disk.onOperation = null
    agents.run(1_000)
    expectAlike(agents, number!)
  })

  it('come back from a power cut in whatever moment of their beginning', () => {
    let votes = 0
    for (let turns = 1; turns <= 40; turns++) {
      const agents = new Agents({ seed: turns, settings: { failedRetryMs: 50 } })
      for (const path of ['/', '/data']) agents.disk.flush(path)
      const [number] = agents.createTopic({ configs: { 'flush.messages': '1' } })
      for (const { front } of agents.up) front.produce(number!, idempotentBatch(1, 0))
      agents.run(turns)
      agents.killAll(true)
      votes += agents.nodes.filter(({ root }) =>
        agents.disk.exists(`${root}/${HARD_STATES_FILE}`),
      ).length
      agents.run(20)
      const leader = leaderOf(agents, number!)
      for (let i = 0; i < 5; i++) {
        leader.front.produce(number!, plainBatch())
        agents.run(60)
      }
      const open = agents.nodes.map((node) => agents.logOf(node, number!) !== null)
      const said = agents.lines.slice(-5).map(({ message }) => message)
      expect(open, `${turns} turns, ${said}`).toEqual([true, true, true])
      expectAlike(agents, number!)
    }
    expect(votes).toBeGreaterThan(10)
  })
})
