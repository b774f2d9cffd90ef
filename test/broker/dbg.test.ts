import { it } from 'vitest'
import { Agents } from './replication/agents.ts'
import { Producers } from './replication/producer.ts'
it('x', () => {
    const agents = new Agents()
    const [number] = agents.createTopic()
    agents.run(30)
    const producers = new Producers(agents)
    const p = producers.add(number!, 7)
    const show = () => { for (const n of agents.nodes) { const r = n.agent.replica(number!); console.log(n.id, n.isUp, 'role', r?.group?.raft.role, 'term', r?.group?.raft.term, 'ldr', r?.group?.raft.leader, 'end', r?.group?.raft.end, 'commit', r?.group?.raft.commit, r?.log?.logEndOffset, 'unreach', [...(r?.group?.raft.unreachable ?? [])], r?.group?.hasWork) } }
    for (let i = 0; i < 100; i++) { producers.turn(); agents.run(1) }
    agents.kill(agents.nodes[0]!)
    for (let i = 0; i < 14; i++) { producers.turn(); agents.run(1); console.log('turn', i); show() }
    console.log(agents.lines.slice(-10).map((l) => JSON.stringify(l)).join('\n'))
})
