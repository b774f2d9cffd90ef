/** Coordinators of a partition with several replicas: what their tests share. */
import type { PartitionNumber } from '../../../src/base/ids.ts'
import type { BrokerAgentOptions } from '../../../src/broker/broker-agent.ts'
import { heartbeat } from '../../../src/protocol/12-heartbeat.ts'
import { decodeResponse, encodeRequest, joinFrame } from '../../../src/protocol/codec.ts'
import { Counting } from '../counting.ts'
import { Agents, type Node } from './agents.ts'

export function world(settings: BrokerAgentOptions['settings'] = {}) {
  const made: Counting[] = []
  const agents = new Agents({
    settings,
    newCoordinator: () => {
      made.push(new Counting())
      return made.at(-1)!
    },
  })
  agents.run(30)
  const [partition] = agents.createTopic({
    internal: true,
    configs: { 'cleanup.policy': 'compact' },
  })
  agents.run(2)
  return { agents, made, partition: partition! }
}

/** The answer's error code, or what the broker says where no coordinator has answered. */
export function ask(
  agents: Agents,
  node: Node,
  partition: PartitionNumber,
  groupId: string,
  turns = 40,
) {
  const request = { groupId, generationId: 0, memberId: '', groupInstanceId: null }
  const frame = joinFrame(encodeRequest(heartbeat, 4, 7, 'client', request)).subarray(4)
  const correlation = node.front.coordinate(partition, frame)
  agents.run(turns)
  for (const message of agents.told.splice(0)) {
    if (message.kind !== 'coordinated' || message.brokerId !== node.id) continue
    const { heads, bytes } = message
    let at = 0
    for (let i = 0; i < heads.length; i += 4) {
      const end = at + heads[i + 2]!
      if (heads[i] === correlation) {
        if (heads[i + 1] !== 0) return { refused: heads[i + 1]! }
        const { response } = decodeResponse(heartbeat, 4, bytes.subarray(at + 4, end))
        return { code: response.errorCode }
      }
      at = end
    }
  }
  return null
}

/** What a broker has refused since somebody was asked last: why, and 1 where it had looked at the request. */
export function refusals(agents: Agents, node: Node): number[][] {
  const all: number[][] = []
  for (const message of agents.told) {
    if (message.kind !== 'coordinated' || message.brokerId !== node.id) continue
    const { heads } = message
    for (let i = 0; i < heads.length; i += 4) {
      if (heads[i + 1] !== 0) all.push([heads[i + 1]!, heads[i + 3]!])
    }
  }
  return all
}

export const leader = (agents: Agents, partition: PartitionNumber): Node =>
  agents.node(agents.leaders.get(partition)!.leader)
