/** The disk of one broker is full, and no other broker lives on it: the others lead, and it takes part as far as it can. */
import { describe, expect, it } from 'vitest'
import { ErrorCode } from '../../../src/base/error-code.ts'
import type { PartitionNumber } from '../../../src/base/ids.ts'
import { plainBatch } from '../batches.ts'
import { Agents, type AgentsOptions } from './agents.ts'
import { Producers } from './producer.ts'

function world(options: AgentsOptions = {}) {
  const agents = new Agents({ diskReserveBytes: 16 * 1024, ...options })
  const numbers = [1, 2, 3].map((n) => {
    const others = [1, 2, 3].filter((id) => id !== n)
    return agents.createTopic({ replicas: [n, ...others] })[0]!
  })
  agents.run(30)
  const producers = new Producers(agents)
  const all = numbers.map((number, i) => producers.add(number, 7 + i))
  const turn = (turns: number) => {
    for (let i = 0; i < turns; i++) {
      producers.turn()
      agents.run(1, 5)
    }
  }
  const turnUntil = (what: string, isDone: () => boolean, turnsMax = 6_000) => {
    for (let i = 0; i < turnsMax && !isDone(); i++) turn(1)
    if (!isDone()) throw new Error(`not yet: ${what}\n${agents.describe(numbers[0]!)}`)
  }
  const leader = (number: PartitionNumber) => agents.leaders.get(number)?.leader
  const leaders = () => numbers.map(leader).join()
  turnUntil('all are led', () => leaders() === '1,2,3')
  turn(20)
  const acknowledged = () => all.reduce((sum, one) => sum + one.acknowledged.size, 0)
  /** Nothing is lost, and nobody saw an error. */
  const finish = () => {
    for (const one of all) one.isDone = true
    turnUntil('all is answered', () => all.every((one) => one.unanswered === 0))
    turn(300)
    all.forEach((one, i) => {
      expect(one.errors).toEqual([])
      for (const node of agents.nodes) {
        const log = agents.logOf(node, numbers[i]!)
        if (log !== null) expect(log.logEndOffset, `${node.id}`).toBe(one.acknowledged.size)
      }
    })
  }
  const said = (text: RegExp, broker: number) =>
    agents.lines.filter(({ message, fields }) => fields.broker === broker && text.test(message))
  return { agents, numbers, all, turn, turnUntil, leaders, acknowledged, finish, said }
}

describe('a full disk that is one broker’s own', () => {
  it('has others lead at once, without an error, and leadership return when there is room', () => {
    const { agents, turn, turnUntil, leaders, acknowledged, finish, said } = world()
    const one = agents.node(1)
    one.disk.failWith('ENOSPC')
    const from = agents.clock.monotonicMs()
    turnUntil('another leads', () => !leaders().includes('1'))
    expect(agents.clock.monotonicMs() - from).toBeLessThan(1_000)
    // it is not offered leadership again and again, and does not take it
    const before = acknowledged()
    for (let i = 0; i < 2_400; i++) {
      turn(1)
      expect(leaders()).not.toContain('1')
    }
    expect(acknowledged() - before).toBeGreaterThan(2_000)
    expect(said(/^Disk is full: produce is left to/, 1)).toHaveLength(1)
    expect(one.failure).toBeNull()
    one.disk.failWith(null)
    turnUntil('it leads again', () => leaders() === '1,2,3')
    expect(said(/^Disk has space again/, 1)).toHaveLength(1)
    finish()
  })

  it('keeps nobody busy, and is left out of who keeps up until there is room', () => {
    const { agents, numbers, all, turn, turnUntil, finish } = world()
    const three = agents.node(3)
    three.disk.failWith('ENOSPC')
    turn(100)
    for (const one of all) one.isDone = true
    const isr = () => [...agents.leaders.get(numbers[0]!)!.isr].sort().join()
    turnUntil('it is out', () => isr() === '1,2', 12_000)
    let due = 0
    for (let i = 0; i < 1_000; i++) {
      turn(1)
      if (three.agent.nextTimerAtMs <= agents.clock.monotonicMs() - 5) due++
    }
    expect(due).toBeLessThan(500)
    expect(three.failure).toBeNull()
    three.disk.failWith(null)
    turnUntil('it is in again', () => isr() === '1,2,3')
    finish()
  })

  it('of a broker that is started anew has it lead nothing', () => {
    const { agents, turn, turnUntil, leaders, finish } = world()
    const one = agents.node(1)
    agents.kill(one)
    one.disk.failWith('ENOSPC')
    turnUntil('another leads', () => !leaders().includes('1'))
    agents.start(one)
    turn(2_400)
    expect(leaders()).not.toContain('1')
    one.disk.failWith(null)
    turnUntil('it leads again', () => leaders() === '1,2,3')
    finish()
  })

  it('has it lead all the same where nobody else can: what is there is read', () => {
    const { agents, numbers, all, turn, turnUntil } = world()
    const number = numbers[0]!
    for (const one of all) one.isDone = true
    turnUntil('all is answered', () => all.every((one) => one.unanswered === 0))
    for (const node of agents.nodes) node.disk.failWith('ENOSPC')
    turn(600)
    const lives = () => agents.leaders.get(number)?.leader ?? 0
    turnUntil('somebody leads', () => lives() !== 0)
    const node = agents.node(lives())
    node.front.take()
    node.front.produce(number, plainBatch())
    node.front.locate(number, 0)
    agents.run(5)
    const replies = node.front.take()
    expect(replies.find(({ kind }) => kind === 'located')).toMatchObject({ error: 0 })
    const refused = replies.find(({ kind }) => kind === 'produced')
    expect([ErrorCode.KAFKA_STORAGE_ERROR, ErrorCode.NOT_LEADER_OR_FOLLOWER]).toContain(
      (refused as { error: number }).error,
    )
    for (const { failure } of agents.nodes) expect(failure).toBeNull()
  })
})

describe('a full disk that several brokers share', () => {
  it('has produce refused, and leaves leadership where it is', () => {
    const { agents, numbers, all, turn, turnUntil, leaders } = world({ hasOneDisk: true })
    for (const one of all) one.isDone = true
    turnUntil('all is answered', () => all.every((one) => one.unanswered === 0))
    agents.node(1).environment.space!.setMark(Number.MAX_SAFE_INTEGER)
    turn(500)
    expect(leaders()).toBe('1,2,3')
    const { front } = agents.node(1)
    front.take()
    front.produce(numbers[0]!, plainBatch())
    agents.run(5)
    expect(front.takeOne('produced').error).toBe(ErrorCode.KAFKA_STORAGE_ERROR)
  })
})
