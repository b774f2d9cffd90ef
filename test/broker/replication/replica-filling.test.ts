/** A broker whose directory is emptied has its replicas filled anew, though nobody touches them: whole agents, over a simulated disk. */
import { describe, expect, it } from 'vitest'
import type { PartitionNumber } from '../../../src/base/ids.ts'
import type { MetadataEntry } from '../../../src/image/entry.ts'
import type { ControlMessage } from '../../../src/link/control.ts'
import { idempotentBatch } from '../batches.ts'
import { Agents, type Node } from './agents.ts'

type Filling = Extract<ControlMessage, { kind: 'filling' }>

/** A record in each partition; then everything is closed, as nobody touches it. */
function quiet(partitions: number, brokers = 3, replicas = [1, 2, 3]) {
  const agents = new Agents({ brokers, settings: { dehydrateAfterMs: 1_000 } })
  const numbers = agents.createTopic({ partitions, replicas })
  const { front } = agents.node(replicas[0]!)
  for (const number of numbers) front.produce(number, idempotentBatch(1, 0))
  agents.runUntil('all are led', () => agents.leaders.size === partitions)
  // refused while nobody led, or there already
  for (const number of numbers) front.produce(number, idempotentBatch(1, 0))
  agents.runUntil('all have everything, and sleep', () => asleep(agents), 20_000)
  for (const { agent } of agents.nodes) expect(agent.openLogs).toBe(0)
  server(agents)
  return { agents, numbers }
}

const asleep = (agents: Agents) => agents.up.every(({ agent }) => agent.openLogs === 0)

/** What brokers have said to the server since they were asked last. */
function server(agents: Agents): Filling[] {
  const said: Filling[] = []
  for (;;) {
    const envelope = agents.server.poll()
    if (envelope === undefined) return said
    if (envelope.message.kind === 'filling') said.push(envelope.message)
  }
}

/** Partitions that others were asked to wake, from now on. */
function wakesOf(node: Node): PartitionNumber[] {
  const asked: PartitionNumber[] = []
  const { control } = node
  const post = control.post.bind(control)
  control.post = (to, message) => {
    if (message.kind === 'wake-groups') {
      expect(message.partitions.length).toBeLessThanOrEqual(64)
      asked.push(...message.partitions)
    }
    post(to, message)
  }
  return asked
}

const isFilled = (agents: Agents, broker: number) =>
  agents.asked.some((one) => one.kind === 'directory-filled' && one.brokerId === broker)

const isOf = (broker: number) => (entry: MetadataEntry) =>
  entry.kind === 'broker-directory' && entry.brokerId === broker

function lose(agents: Agents, ...nodes: Node[]): void {
  for (const node of nodes) agents.kill(node)
  for (const node of nodes) agents.lose(node)
  for (const node of nodes) agents.start(node)
}

const logged = (agents: Agents, message: RegExp) =>
  agents.lines.filter((line) => message.test(line.message))

/** It has the record, as a log that is opened for that tells. */
function hasRecord(agents: Agents, node: Node, number: PartitionNumber): boolean {
  node.front.listOffsets(number, -1)
  agents.run(3)
  return agents.logOf(node, number)?.logEndOffset === 1
}

describe('a directory that was emptied', () => {
  it('is filled anew though nobody touches what was in it, a bounded number at a time', () => {
    const { agents, numbers } = quiet(150)
    const two = agents.node(2)
    const wakes = wakesOf(two)
    lose(agents, two)
    agents.runUntil('it says so', () => isFilled(agents, 2))
    expect(new Set(wakes)).toEqual(new Set(numbers))
    for (const number of numbers) expect(agents.logOf(two, number)?.logEndOffset).toBe(1)
    expect(logged(agents, /filled anew/)).toMatchObject([
      { level: 'warn', fields: { broker: 2, partitions: 150 } },
    ])
    const said = server(agents)
    expect(said[0]).toMatchObject({ brokerId: 2, left: 150, leaderless: 0 })
    expect(said.at(-1)).toMatchObject({ left: 0, leaderless: 0 })
    expect(said.map(({ left }) => left)).toEqual(
      said.map(({ left }) => left).toSorted((a, b) => b - a),
    )
    agents.publish({ ...agents.entries.at(-1)!, isFilled: true } as never)
    agents.run(300)
    expect(logged(agents, /has all replicas again/)).toMatchObject([
      { fields: { partitions: 150 } },
    ])
    agents.runUntil('all sleep again', () => asleep(agents), 20_000)
  })

  it('takes with it what had one replica there: that is named, and told as long as this life lasts', () => {
    const { agents } = quiet(3)
    agents.createTopic({ replicas: [2], partitions: 12 })
    agents.createTopic({ replicas: [1] })
    agents.run(10)
    const two = agents.node(2)
    lose(agents, two)
    agents.createTopic({ replicas: [2] })
    agents.runUntil('it says so', () => isFilled(agents, 2))
    const [line, ...more] = logged(agents, /what they had is lost/)
    expect(more).toEqual([])
    expect(line).toMatchObject({ level: 'error', fields: { broker: 2, partitions: 12 } })
    const first = Array.from({ length: 10 }, (_, i) => `topic-2-${i}`)
    expect(line!.fields.first).toBe(first.join(', '))
    expect(server(agents).at(-1)).toMatchObject({ left: 0, emptied: 12 })
    agents.publish({ ...agents.entries.findLast(isOf(2))!, isFilled: true } as never)
    agents.run(300)
    expect(server(agents)).toEqual([])
  })

  it('that was begun to be filled is gone on with at the next start, and what is there is not filled again', () => {
    const { agents, numbers } = quiet(100)
    const two = agents.node(2)
    lose(agents, two)
    agents.runUntil('some are filled', () => server(agents).some(({ left }) => left < 60))
    agents.kill(two)
    agents.lines.length = 0
    agents.start(two)
    agents.runUntil('it says so', () => isFilled(agents, 2))
    for (const number of numbers) expect(agents.logOf(two, number)?.logEndOffset).toBe(1)
    const [line] = logged(agents, /filled anew/)
    expect(line!.fields.partitions).toBeLessThan(60)
    // the controller has not heard of it
    agents.asked.length = 0
    agents.lines.length = 0
    server(agents)
    agents.kill(two)
    agents.start(two)
    agents.runUntil('it says so again', () => isFilled(agents, 2))
    expect(logged(agents, /filled anew/)).toEqual([])
    expect(server(agents).filter(({ left }) => left > 0)).toEqual([])
  })

  it('does not wait for what is deleted or lies elsewhere, nor is a first directory looked at', () => {
    const { agents } = quiet(10)
    agents.createTopic({ partitions: 5, replicas: [1, 3] })
    agents.run(10)
    expect(agents.asked).toEqual([])
    const two = agents.node(2)
    agents.kill(agents.node(1))
    agents.kill(agents.node(3))
    lose(agents, two)
    agents.run(500)
    expect(server(agents).at(-1)).toMatchObject({ left: 10 })
    agents.deleteTopic(1)
    agents.runUntil('nothing is left', () => isFilled(agents, 2))
    expect(server(agents).at(-1)).toMatchObject({ left: 0 })
  })

  it('waits for brokers that are away, and is filled when they are back', () => {
    const { agents, numbers } = quiet(10)
    const [one, two, three] = agents.nodes as [Node, Node, Node]
    agents.kill(one)
    agents.kill(three)
    lose(agents, two)
    agents.run(12_000)
    expect(server(agents).at(-1)).toMatchObject({ left: 10, leaderless: 10 })
    // one copy of two is left: that may be all there is
    expect(logged(agents, /Nobody leads a partition/)).toEqual([])
    agents.start(one)
    agents.start(three)
    agents.runUntil('it is filled', () => isFilled(agents, 2), 12_000)
    for (const number of numbers) expect(hasRecord(agents, two, number)).toBe(true)
    expect(server(agents).at(-1)).toMatchObject({ left: 0, leaderless: 0 })
  }, 60_000)
})

describe('two directories of three that were emptied', () => {
  it('leave what nobody can lead, which holds up nothing else, and whose rest sleeps again', () => {
    const agents = new Agents({ brokers: 4, settings: { dehydrateAfterMs: 1_000 } })
    const good = agents.createTopic({ partitions: 12, replicas: [1, 2, 4] })
    agents.createTopic({ partitions: 200, replicas: [1, 2, 3] })
    const { front } = agents.node(1)
    for (let number = 1; number <= 212; number++)
      front.produce(number as never, idempotentBatch(1, 0))
    agents.runUntil('all are led', () => agents.leaders.size === 212, 20_000)
    agents.runUntil('all sleep', () => asleep(agents), 30_000)
    const [one, two, three] = agents.nodes as [Node, Node, Node]
    lose(agents, two, three)
    const seen = new Set<PartitionNumber>()
    agents.runUntil('what can be filled is', () => {
      for (const number of good) if (agents.logOf(two, number) !== null) seen.add(number)
      return seen.size === good.length
    })
    agents.run(60_000)
    expect(server(agents).findLast(({ brokerId }) => brokerId === 2)).toMatchObject({
      ...{ left: 200, leaderless: 200 },
    })
    // tried ever more seldom, and by one that has something of it
    expect(one.agent.openLogs).toBeLessThan(60)
    expect(two.agent.openLogs).toBeLessThan(60)
  }, 120_000)

  it('leave what nobody can lead: a few are named, all are counted, and the others are filled', () => {
    const { agents } = quiet(12, 4, [1, 2, 3])
    agents.createTopic({ partitions: 5, replicas: [1, 2, 4] })
    const [, two, three] = agents.nodes as [Node, Node, Node, Node]
    lose(agents, two, three)
    agents.run(12_000)
    const lost = logged(agents, /Nobody leads a partition/)
    expect(lost.filter(({ fields }) => fields.broker === 2)).toHaveLength(10)
    expect(lost[0]).toMatchObject({ level: 'error', fields: { topic: 'topic-1' } })
    const said = server(agents)
    const last = (id: number) => said.findLast(({ brokerId }) => brokerId === id)
    // of 17 that broker 2 has
    for (const id of [2, 3]) expect(last(id)).toMatchObject({ left: 12, leaderless: 12 })
    expect(isFilled(agents, 2)).toBe(false)
    agents.deleteTopic(1)
    agents.runUntil('nothing is left', () => isFilled(agents, 2) && isFilled(agents, 3), 6_000)
  }, 60_000)
})
