/** Replicas that were to move though nobody could lead them, as versions before took down: whoever has one says so, and nothing is taken for filled. */
import { expect, it } from 'vitest'
import { idempotentBatch } from '../batches.ts'
import { Agents } from './agents.ts'
import { Mover } from './mover.ts'

const isLost = (left: number[]) => ({ leader: 0, isLost: true, isr: left })

/** A record on brokers 3, 4 and 5; then the directories of the last two are emptied, and the replicas are to move. */
function moved(target: readonly number[], loses = [4, 5]) {
  const agents = new Agents({ brokers: 5 })
  const [number] = agents.createTopic({ replicas: [3, 4, 5] })
  const mover = new Mover(agents)
  agents.node(3).front.produce(number!, idempotentBatch(1, 0))
  agents.runUntil('it is led', () => agents.leaders.size === 1)
  agents.run(500)
  agents.leaders.clear()
  const lost = loses.map((id) => agents.node(id))
  for (const node of lost) agents.kill(node)
  for (const node of lost) agents.lose(node)
  mover.move('topic-1', target)
  for (const node of lost) agents.start(node)
  return { agents, number: number!, mover }
}

it('have fronts told that nobody can lead them, and by whom they are held, again after a start', () => {
  for (const target of [[3, 1, 2], [3]]) {
    const { agents, number } = moved(target)
    agents.runUntil('it is told', () => agents.leaders.get(number)?.isLost === true)
    expect(agents.leaders.get(number)).toMatchObject(isLost([3]))
    agents.killAll(false)
    agents.runUntil('it is told again', () => agents.leaders.get(number)?.isLost === true)
    expect(agents.leaders.get(number)).toMatchObject(isLost([3]))
    // what brokers 4 and 5 had is nowhere
    agents.run(15_000)
    expect(agents.asked.filter(({ kind }) => kind === 'directory-filled')).toEqual([])
    expect(agents.node(1).agent.image.replicasOf(number)).toEqual([...target, 4, 5])
  }
})

it('say nothing of that where most of them are left: they move, and the directory is filled', () => {
  const { agents, number, mover } = moved([3, 1, 2], [5])
  const told: unknown[] = []
  for (let i = 0; i < 6_000; i++) {
    agents.run(1)
    const change = agents.leaders.get(number)
    if (change?.isLost === true) told.push(change)
    if (agents.asked.some(({ kind }) => kind === 'replicas-settled')) mover.turn()
  }
  expect(told).toEqual([])
  expect(agents.node(1).agent.image.replicasOf(number)).toEqual([3, 1, 2])
  expect(agents.leaders.get(number)).toMatchObject({ leader: 3 })
})
