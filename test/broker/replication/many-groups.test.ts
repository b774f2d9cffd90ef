/** Many partitions at once: what their first records cost, and that all of them find leaders again when all are lost together. */
import { expect, it } from 'vitest'
import type { PartitionNumber } from '../../../src/base/ids.ts'
import { idempotentBatch } from '../batches.ts'
import { Agents } from './agents.ts'

const preferredOf = (at: number): number[] =>
  [
    [1, 2, 3],
    [2, 3, 1],
    [3, 1, 2],
  ][at % 3]!

/** Topics whose preferred replicas are on each broker in turn. */
function createPartitions(agents: Agents, count: number): PartitionNumber[][] {
  return [0, 1, 2].map((at) =>
    agents.createTopic({ partitions: count / 3, replicas: preferredOf(at) }),
  )
}

/** One record to each, sent again where a leader was not known yet; returns how many are acknowledged. */
function produceToAll(agents: Agents, partitions: PartitionNumber[][], turnsMax: number): number {
  const open = new Set<PartitionNumber>()
  let acknowledged = 0
  const of = new Map<string, PartitionNumber>()
  const send = (at: number, number: PartitionNumber) => {
    const { front } = agents.node(at + 1)
    of.set(`${at} ${front.produce(number, idempotentBatch(1, 0))}`, number)
    open.add(number)
  }
  const queued = partitions.map((numbers) => [...numbers])
  for (let turn = 0; turn < turnsMax; turn++) {
    for (const [at, numbers] of queued.entries()) {
      for (const number of numbers.splice(0, 100)) send(at, number)
    }
    agents.run(1)
    for (const at of queued.keys()) {
      for (const reply of agents.node(at + 1).front.take()) {
        if (reply.kind !== 'produced') continue
        const number = of.get(`${at} ${reply.correlation}`)!
        if (reply.error === 0) acknowledged++
        else queued[at]!.push(number)
      }
    }
    if (acknowledged === open.size && queued.every(({ length }) => length === 0)) break
  }
  return acknowledged
}

const nameOf = (path: string): string =>
  path
    .replace(/.*\//, '')
    .replace(/^\d{20}/, '')
    .replace(/^\d+-\d+$/, 'partition')

it('300 new partitions take their first records without an election, and with a few flushes of votes', () => {
  const agents = new Agents()
  const partitions = createPartitions(agents, 300)
  agents.run(30)
  const made = new Map<string, number>()
  agents.disk.onOperation = ({ operation, path }) => {
    const kind = `${operation} ${nameOf(path)}`
    made.set(kind, (made.get(kind) ?? 0) + 1)
    return null
  }
  expect(produceToAll(agents, partitions, 300)).toBe(300)
  agents.run(50)
  agents.disk.onOperation = null
  for (const number of partitions.flat()) {
    for (const node of agents.nodes) {
      const { group, log } = node.agent.replica(number)!
      expect([group!.raft.term, log!.highWatermark]).toEqual([1, 1])
    }
  }
  const count = (kind: string) => made.get(kind) ?? 0
  // of 900 replicas: one write and one flush for all that vote in a turn, not one for each
  expect(count('write raft-hard-states')).toBeLessThan(30)
  expect(count('flush raft-hard-states')).toBeLessThan(30)
  expect(count('write .control-entries')).toBe(900)
  // and no file that can wait
  const files = [...made].flatMap(([kind, times]) => (/^open /.test(kind) ? [[kind, times]] : []))
  expect(files.sort()).toEqual([
    ['open .control-entries.tmp', 900],
    ['open .log', 900],
    ['open raft-hard-states.tmp', 3],
  ])
})

it('900 partitions that lose their leaders at once have others soon, however many messages that takes', () => {
  const agents = new Agents()
  const partitions = createPartitions(agents, 900)
  agents.run(30)
  expect(produceToAll(agents, partitions, 1_000)).toBe(900)
  const numbers = partitions.flat()
  const groupsOf = (number: PartitionNumber) =>
    agents.nodes.map((node) => node.agent.replica(number)!.group!)
  // everybody was taken for hung, and gives up what it leads
  agents.clock.advance(2_000)
  const isLed = (number: PartitionNumber) =>
    groupsOf(number).some((group) => group.takesAppends && group.knowsCommit)
  agents.run(1)
  expect(numbers.filter(isLed)).toEqual([])
  // turns of a machine that has much to do: each is as long as two ticks
  let turns = 0
  for (; turns < 1_000 && !numbers.every(isLed); turns++) agents.run(1, 20)
  expect(numbers.filter((number) => !isLed(number))).toEqual([])
  const termOf = (number: PartitionNumber) =>
    Math.max(...groupsOf(number).map(({ raft }) => raft.term))
  // nobody was asked again and again, to no avail
  expect(Math.max(...numbers.map(termOf))).toBeLessThan(4)
})
