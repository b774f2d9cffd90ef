/** Groups that nobody uses: who leads them goes on leading, whatever has a replica's log opened. */
import { describe, expect, it } from 'vitest'
import type { PartitionNumber } from '../../../src/base/ids.ts'
import { plainBatch } from '../batches.ts'
import { Agents, type Node } from './agents.ts'

const SETTINGS = { dehydrateAfterMs: 2_000, retentionSweepMs: 20_000 }

/** A partition with a record, led by broker 1, that is closed on all brokers. */
function closedGroup(configs: Record<string, string> = {}) {
  const agents = new Agents({ settings: SETTINGS })
  const [number] = agents.createTopic({ configs })
  agents.run(30)
  agents.node(1).front.produce(number!, plainBatch(1, 100, agents.clock.wallMs()))
  agents.runUntil('it is led', () => agents.leaders.get(number!)?.leader === 1)
  agents.node(1).front.produce(number!, plainBatch(1, 100, agents.clock.wallMs()))
  agents.run(20)
  for (const node of agents.nodes) node.front.take()
  const isClosed = () => agents.up.every((node) => isClosedOn(node, number!))
  agents.runUntil('it is closed', isClosed, 20_000)
  return { agents, number: number!, told: { ...agents.leaders.get(number!)! } }
}

const isClosedOn = (node: Node, number: PartitionNumber): boolean =>
  (node.agent.replica(number)?.log ?? null) === null

describe('a leader of a group that nobody uses', () => {
  it('stays leader when a follower is opened for retention', () => {
    const { agents, number, told } = closedGroup({ 'retention.ms': '60000' })
    const bytes = (node: Node) =>
      agents.disk
        .list(agents.directory(node, 1))
        .filter((name) => name.endsWith('.log'))
        .reduce((sum, name) => sum + agents.disk.size(`${agents.directory(node, 1)}/${name}`), 0)
    expect(agents.nodes.map((node) => bytes(node) > 0)).toEqual([true, true, true])
    agents.run(15_000, 10)
    expect(agents.nodes.map(bytes)).toEqual([0, 0, 0])
    expect(agents.leaders.get(number)).toEqual(told)
    // and it leads as soon as somebody writes
    agents.node(1).front.produce(number, plainBatch(1, 100, agents.clock.wallMs()))
    agents.run(20)
    agents.node(1).front.take()
    expect(agents.leaders.get(number)).toMatchObject({ leader: 1, leaderEpoch: 2 })
  })

  it('stays leader when a follower is asked for it', () => {
    for (const id of [2, 3]) {
      const { agents, number, told } = closedGroup()
      for (let i = 0; i < 5; i++) {
        agents.node(id).front.locate(number, 0)
        agents.run(300)
        for (const node of agents.nodes) node.front.take()
      }
      expect(agents.leaders.get(number), `broker ${id} was asked`).toEqual(told)
    }
  })

  it('stays leader when a follower that was started anew is opened', () => {
    const { agents, number, told } = closedGroup({ 'retention.ms': '3600000' })
    agents.kill(agents.node(2))
    agents.run(50)
    agents.start(agents.node(2))
    const leaders = new Set<number>()
    for (let i = 0; i < 60_000; i++) {
      agents.run(1)
      leaders.add(agents.leaders.get(number)!.leader)
    }
    agents.node(2).front.locate(number, 0)
    agents.run(500)
    leaders.add(agents.leaders.get(number)!.leader)
    expect([...leaders]).toEqual([1])
    // it had to be told who leads, once
    expect(agents.leaders.get(number)!.leaderEpoch).toBeLessThanOrEqual(told.leaderEpoch + 1)
  })
})
