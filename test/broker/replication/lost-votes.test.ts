/** Terms and votes of a broker are damaged: it comes back as another, and is filled anew by those who have what was committed. */
import { expect, it } from 'vitest'
import { HARD_STATES_FILE } from '../../../src/log/hard-states-format.ts'
import { Agents } from './agents.ts'
import { Producers } from './producer.ts'

it('a broker whose votes are damaged ends, and is filled anew as another', () => {
  const agents = new Agents({ settings: { failedRetryMs: 500 } })
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
  const turnUntil = (what: string, isDone: () => boolean, turnsMax = 8_000) => {
    for (let i = 0; i < turnsMax && !isDone(); i++) turn(1)
    if (!isDone()) throw new Error(`not yet: ${what}\n${agents.describe(number!)}`)
  }
  turn(50)
  // later votes say that those before were durable
  for (let i = 0; i < 3; i++) {
    const [another] = agents.createTopic()
    producers.add(another!, 8 + i)
    turn(50)
  }
  const two = agents.node(2)
  agents.kill(two)
  const path = `${two.root}/${HARD_STATES_FILE}`
  agents.disk.flipBit(path, 40)
  agents.start(two)
  turnUntil('it ends', () => two.failure !== null)
  expect(`${two.failure}`).toContain('terms and votes cannot be kept any more: they are damaged')
  turn(50)
  agents.renew(two)
  agents.start(two)
  const isr = () => [...agents.leaders.get(number!)!.isr].sort().join()
  turnUntil(
    'it keeps up again',
    () => isr() === '1,2,3' && two.agent.replica(number!)?.group !== null,
  )
  expect(two.failure).toBeNull()
  producer.isDone = true
  turnUntil('all is answered', () => producer.unanswered === 0)
  turn(200)
  expect(producer.errors).toEqual([])
  const { raft } = two.agent.replica(number!)!.group!
  expect(raft.configuration.voters).toContain(raft.id)
  expect(raft.id).toBe(65_536 + 2)
  for (const node of agents.nodes) {
    expect(agents.logOf(node, number!)!.logEndOffset).toBe(producer.acknowledged.size)
  }
})
