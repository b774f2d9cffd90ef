/** Replicas that move between brokers, and partitions that get more of them, while they are written. */
import { describe, expect, it } from 'vitest'
import { asBrokerId, type PartitionNumber } from '../../../src/base/ids.ts'
import { RecordCursor } from '../../../src/record/records.ts'
import { Agents, type Node } from './agents.ts'
import { Mover } from './mover.ts'
import { Producers } from './producer.ts'

function valuesOf(agents: Agents, node: Node, number: PartitionNumber): string {
  const log = agents.logOf(node, number)
  if (log === null) return 'closed'
  const values: string[] = []
  log.readBatches(log.logStartOffset, (bytes, at) => {
    const cursor = new RecordCursor(bytes, at)
    while (cursor.next()) values.push(new TextDecoder().decode(cursor.value()!))
    return true
  })
  return values.join()
}

interface WorldOptions {
  readonly replicas: readonly number[]
  readonly seed?: number
  readonly configs?: Record<string, string>
}

function world({ replicas, seed = 1, configs = {} }: WorldOptions) {
  const agents = new Agents({ brokers: 6, seed })
  const [number] = agents.createTopic({ replicas, configs })
  agents.run(30)
  const producers = new Producers(agents)
  const producer = producers.add(number!, 7)
  const mover = new Mover(agents)
  const turn = (turns: number) => {
    for (let i = 0; i < turns; i++) {
      producers.turn()
      agents.run(1)
      mover.turn()
    }
  }
  const turnUntil = (what: string, isDone: () => boolean, turnsMax = 20_000) => {
    for (let i = 0; i < turnsMax && !isDone(); i++) turn(1)
    if (!isDone()) throw new Error(`not yet: ${what}\n${agents.describe(number!)}`)
  }
  const image = () => agents.up[0]!.agent.image
  const isMoved = (wanted: readonly number[]) =>
    image().movingPartitions().size === 0 && image().replicasOf(number!).join() === wanted.join()
  /** Every record once, on all that are to have it; and nothing of it anywhere else. */
  const expectOn = (wanted: readonly number[]) => {
    producer.isDone = true
    turnUntil('all is answered', () => producer.unanswered === 0)
    turn(1_500)
    expect(producer.errors).toEqual([])
    const count = producer.acknowledged.size
    const expected = Array.from({ length: count }, (_, i) => `p7 s${i}`).join()
    expect(count).toBeGreaterThan(10)
    for (const node of agents.nodes) {
      const isThere = agents.disk.exists(agents.directory(node, 1))
      expect(isThere, `a directory on broker ${node.id}`).toBe(wanted.includes(node.id))
      if (isThere) expect(valuesOf(agents, node, number!), `broker ${node.id}`).toBe(expected)
    }
  }
  return { agents, number: number!, producer, mover, turn, turnUntil, image, isMoved, expectOn }
}

describe('replicas that move', () => {
  it('come back as others: one that has forgotten what it had elects nobody who lacks it', () => {
    const { agents, number, producer, mover, turn, turnUntil, isMoved } = world({
      replicas: [1, 2, 3],
    })
    turn(100)
    // it goes on believing that 1, 2 and 3 vote
    agents.node(3).isHung = true
    turn(400)
    mover.move('topic-1', [1, 4, 3])
    turnUntil('2 has made room for 4', () => isMoved([1, 4, 3]))
    const count = producer.acknowledged.size
    turnUntil('more is acknowledged', () => producer.acknowledged.size > count + 50)
    turnUntil('it is gone there', () => !agents.disk.exists(agents.directory(agents.node(2), 1)))
    mover.move('topic-1', [1, 2, 3, 4])
    agents.kill(agents.node(1))
    agents.kill(agents.node(4))
    agents.node(3).isHung = false
    const { leaderEpoch } = agents.leaders.get(number)!
    turn(3_000)
    expect(agents.leaders.get(number)!.leaderEpoch, agents.describe(number)).toBe(leaderEpoch)
    agents.start(agents.node(1))
    agents.start(agents.node(4))
    turnUntil('it is moved', () => isMoved([1, 2, 3, 4]))
    producer.isDone = true
    turnUntil('all is answered', () => producer.unanswered === 0)
    turn(1_500)
    expect(producer.errors).toEqual([])
    const expected = Array.from({ length: producer.acknowledged.size }, (_, i) => `p7 s${i}`)
    for (const id of [1, 2, 3, 4]) {
      expect(valuesOf(agents, agents.node(id), number), `broker ${id}`).toBe(expected.join())
    }
  })

  it('are made anew where a broker was away while its replica went and another one came', () => {
    const { agents, number, mover, turn, turnUntil, isMoved, expectOn } = world({
      replicas: [1, 2, 3],
    })
    turn(100)
    agents.kill(agents.node(2))
    mover.move('topic-1', [1, 4, 3])
    turnUntil('2 has made room for 4', () => isMoved([1, 4, 3]))
    mover.move('topic-1', [1, 2, 3])
    turn(100)
    agents.start(agents.node(2))
    turnUntil('it is moved', () => isMoved([1, 2, 3]))
    expect(agents.node(1).agent.image.joinGenerationOf(number, asBrokerId(2))).toBe(3)
    expectOn([1, 2, 3])
  })

  it('go to other brokers while they are written, and leave nothing behind', () => {
    const { agents, number, mover, turn, turnUntil, image, isMoved, expectOn } = world({
      replicas: [1, 2, 3],
    })
    turn(100)
    mover.move('topic-1', [3, 4, 5])
    turn(2)
    expect(image().replicasOf(number)).toEqual([3, 4, 5, 1, 2])
    expect(image().reassignmentOf(number)).toMatchObject({ adding: [4, 5], removing: [1, 2] })
    turnUntil('it is moved', () => isMoved([3, 4, 5]))
    expect(mover.settled).toBe(1)
    expect(image().reassignmentOf(number)).toBeUndefined()
    turnUntil('all of them keep up', () => agents.leaders.get(number)!.isr.length === 3)
    expect([...agents.leaders.get(number)!.isr].sort()).toEqual([3, 4, 5])
    expectOn([3, 4, 5])
  })

  it('go to brokers of which none had one, with a single change of leader, and back again', () => {
    const { agents, number, mover, turn, turnUntil, isMoved, expectOn } = world({
      replicas: [1, 2, 3],
    })
    turn(100)
    const { leaderEpoch } = agents.leaders.get(number)!
    mover.move('topic-1', [4, 5, 6])
    turnUntil('it is moved', () => isMoved([4, 5, 6]))
    expect(agents.leaders.get(number)).toMatchObject({ leader: 4, leaderEpoch: leaderEpoch + 1 })
    turn(100)
    mover.move('topic-1', [1, 2, 3])
    turnUntil('it is moved back', () => isMoved([1, 2, 3]))
    turn(100)
    expectOn([1, 2, 3])
  })

  it('go though nobody uses the partition, also after all have begun anew', () => {
    const { agents, number, producer, mover, turn, turnUntil, isMoved, expectOn } = world({
      replicas: [1, 2, 3],
    })
    turn(100)
    producer.isDone = true
    turnUntil('all is answered', () => producer.unanswered === 0)
    mover.move('topic-1', [4, 5, 6])
    agents.killAll(false)
    turnUntil('it is moved', () => isMoved([4, 5, 6]))
    expect(agents.node(1).agent.image.firstReplicaIds(number)).toEqual([])
    agents.killAll(true)
    producer.isDone = false
    turn(200)
    expectOn([4, 5, 6])
  })

  it('keep nobody busy while the broker that they are to go to is away', () => {
    const { agents, mover, producer, turnUntil } = world({ replicas: [1, 2, 3] })
    turnUntil('some are written', () => producer.acknowledged.size > 10)
    producer.isDone = true
    turnUntil('all is answered', () => producer.unanswered === 0)
    agents.kill(agents.node(4))
    mover.move('topic-1', [1, 2, 4])
    agents.run(2_000)
    // a turn each 10 ms, whatever the time until then
    let due = 0
    for (let ms = 0; ms < 1_000; ms++) {
      const { agent } = agents.node(1)
      if (agent.nextTimerAtMs <= agents.clock.monotonicMs()) due++
      agents.run(1)
    }
    expect(due).toBeLessThan(300)
    agents.start(agents.node(4))
    turnUntil('it has moved', () => agents.node(4).agent.image.movingPartitions().size === 0)
  })

  it('stay where they were when that is undone, however far it has got', () => {
    for (const turns of [1, 300, 1_010, 1_030, 1_060, 1_100]) {
      const { number, mover, turn, turnUntil, image, isMoved, expectOn } = world({
        replicas: [1, 2, 3],
        seed: turns,
      })
      turn(100)
      mover.move('topic-1', [4, 5, 6])
      turn(turns)
      mover.turn()
      if (image().reassignmentOf(number) === undefined) continue
      mover.move('topic-1', null)
      turn(2)
      expect(image().replicasOf(number)).toEqual([1, 2, 3])
      turnUntil('it is undone', () => isMoved([1, 2, 3]))
      expectOn([1, 2, 3])
    }
  })

  it('reach the last of several targets', () => {
    const { mover, turn, turnUntil, isMoved, expectOn } = world({ replicas: [1, 2, 3] })
    turn(100)
    mover.move('topic-1', [4, 5, 6])
    turn(1_030)
    mover.move('topic-1', [2, 4, 1])
    turnUntil('it is moved', () => isMoved([2, 4, 1]))
    expectOn([1, 2, 4])
  })

  it('lose nothing while brokers die', () => {
    for (let seed = 1; seed <= 6; seed++) {
      const { agents, mover, turn, turnUntil, isMoved, expectOn } = world({
        replicas: [1, 2, 3],
        seed,
      })
      turn(100)
      mover.move('topic-1', [3, 4, 5])
      for (let i = 0; i < 12; i++) {
        turn(agents.random.below(200))
        const victim = agents.node(1 + agents.random.below(5))
        agents.kill(victim)
        turn(agents.random.below(100))
        agents.start(victim)
      }
      turnUntil(`it is moved, seed ${seed}`, () => isMoved([3, 4, 5]))
      expectOn([3, 4, 5])
    }
  })

  it.each([
    ['while they are written', false],
    ['with a log that is closed', true],
  ])('come back to a broker that was away when they went, %s', (_, isQuiet) => {
    const { agents, number, producer, mover, turn, turnUntil, isMoved, expectOn } = world({
      replicas: [1, 2, 3],
    })
    turn(100)
    producer.isDone = isQuiet
    const isClosed = () => !isQuiet || agents.node(2).agent.openLogs === 0
    turnUntil('it is closed', isClosed, 400_000)
    agents.kill(agents.node(2))
    producer.isDone = false
    mover.move('topic-1', [1, 4, 3])
    turnUntil('2 has made room for 4', () => isMoved([1, 4, 3]))
    agents.start(agents.node(2))
    turnUntil('it is gone there', () => !agents.disk.exists(agents.directory(agents.node(2), 1)))
    turn(100)
    expect(agents.node(2).environment.recoveryPoints.partitions()).not.toContain(number)
    mover.move('topic-1', [1, 2, 3])
    turnUntil('it is moved back', () => isMoved([1, 2, 3]))
    expectOn([1, 2, 3])
  })

  it.each([
    ['lived', false],
    ['was away', true],
  ])('come back to a broker that %s when they went, and died when they were gone', (_, isAway) => {
    const { agents, mover, turn, turnUntil, isMoved, expectOn } = world({ replicas: [1, 2, 3] })
    turn(100)
    const two = agents.node(2)
    if (isAway) agents.kill(two)
    mover.move('topic-1', [1, 4, 3])
    turnUntil('2 has made room for 4', () => isMoved([1, 4, 3]))
    if (isAway) agents.start(two)
    turnUntil('it is gone there', () => !agents.disk.exists(agents.directory(two, 1)))
    agents.kill(two)
    mover.move('topic-1', [1, 2, 3])
    turn(100)
    agents.start(two)
    turnUntil('it is moved back', () => isMoved([1, 2, 3]))
    expectOn([1, 2, 3])
  })

  it('come back where only the recovery points still told of them', () => {
    const { agents, mover, turn, turnUntil, isMoved, expectOn } = world({ replicas: [1, 2, 3] })
    turn(100)
    agents.kill(agents.node(2))
    mover.move('topic-1', [1, 4, 3])
    turnUntil('2 has made room for 4', () => isMoved([1, 4, 3]))
    // as a death between the last file and the word of it leaves it
    agents.disk.removeDirectory(agents.directory(agents.node(2), 1))
    agents.start(agents.node(2))
    turn(500)
    mover.move('topic-1', [1, 2, 3])
    turnUntil('it is moved back', () => isMoved([1, 2, 3]))
    expectOn([1, 2, 3])
  })

  it('are removed by a broker that was away when they went', () => {
    const { agents, mover, turn, turnUntil, isMoved, expectOn } = world({ replicas: [1, 2, 3] })
    turn(100)
    agents.kill(agents.node(3))
    mover.move('topic-1', [1, 2, 4])
    turnUntil('it is moved', () => isMoved([1, 2, 4]))
    expect(agents.disk.exists(agents.directory(agents.node(3), 1))).toBe(true)
    agents.start(agents.node(3))
    turn(500)
    expectOn([1, 2, 4])
  })
})

describe('a partition with one replica', () => {
  it('gets three while it is written, and keeps what it has', () => {
    const { agents, number, producer, mover, turn, turnUntil, image, isMoved, expectOn } = world({
      replicas: [2],
    })
    // nobody tells who leads it: the front asks the broker that has it
    agents.leaders.set(number, { partition: number, leader: 2, leaderEpoch: 0, isr: [2] })
    turn(200)
    expect(producer.acknowledged.size).toBeGreaterThan(20)
    expect(image().isReplicated(number)).toBe(false)
    mover.move('topic-1', [2, 1, 3])
    turn(2)
    expect(image().isReplicated(number)).toBe(true)
    turnUntil('it has three', () => isMoved([2, 1, 3]))
    turnUntil('all keep up', () => agents.leaders.get(number)!.isr.length === 3)
    expect(agents.leaders.get(number)).toMatchObject({ leader: 2, leaderEpoch: 1 })
    const before = producer.acknowledged.size
    agents.kill(agents.node(2))
    turn(100)
    expect(producer.acknowledged.size).toBeGreaterThan(before)
    agents.start(agents.node(2))
    turn(100)
    expectOn([1, 2, 3])
  })

  it('gets three while its broker dies again and again, at any moment', () => {
    for (let seed = 1; seed <= 8; seed++) {
      const { agents, number, mover, turn, turnUntil, isMoved, expectOn } = world({
        replicas: [2],
        seed,
      })
      agents.leaders.set(number, { partition: number, leader: 2, leaderEpoch: 0, isr: [2] })
      turn(100)
      mover.move('topic-1', [2, 1, 3])
      for (let i = 0; i < 8; i++) {
        turn(i === 0 ? 1_000 + agents.random.below(30) : agents.random.below(60))
        agents.kill(agents.node(2))
        agents.start(agents.node(2))
      }
      turnUntil(`it has three, seed ${seed}`, () => isMoved([2, 1, 3]))
      expectOn([1, 2, 3])
    }
  })

  it('gets three while power fails, and keeps what it has flushed', () => {
    for (let seed = 1; seed <= 5; seed++) {
      const { agents, number, mover, turn, turnUntil, isMoved, expectOn } = world({
        replicas: [2],
        seed,
        configs: { 'flush.messages': '1' },
      })
      agents.leaders.set(number, { partition: number, leader: 2, leaderEpoch: 0, isr: [2] })
      turn(100)
      mover.move('topic-1', [2, 1, 3])
      for (let i = 0; i < 4; i++) {
        turn(i === 0 ? 950 + agents.random.below(100) : agents.random.below(150))
        agents.killAll(true)
      }
      turnUntil(`it has three, seed ${seed}`, () => isMoved([2, 1, 3]))
      expectOn([1, 2, 3])
    }
  })

  it('moves to another broker, and is back to one after it had three', () => {
    const { agents, number, mover, turn, turnUntil, isMoved, expectOn } = world({ replicas: [2] })
    agents.leaders.set(number, { partition: number, leader: 2, leaderEpoch: 0, isr: [2] })
    turn(100)
    mover.move('topic-1', [5])
    turnUntil('it is on another', () => isMoved([5]))
    turn(100)
    mover.move('topic-1', [5, 1, 3])
    turnUntil('it has three', () => isMoved([5, 1, 3]))
    mover.move('topic-1', [1])
    turnUntil('it has one', () => isMoved([1]))
    turn(100)
    expectOn([1])
  })

  it('has its first broker’s directory emptied after it got three: that is filled by those that have opened their logs again', () => {
    const { agents, number, producer, mover, turn, turnUntil, isMoved } = world({ replicas: [2] })
    agents.leaders.set(number, { partition: number, leader: 2, leaderEpoch: 0, isr: [2] })
    turn(100)
    mover.move('topic-1', [1, 2, 3])
    turnUntil('it has three', () => isMoved([1, 2, 3]))
    producer.isDone = true
    turnUntil('all is answered', () => producer.unanswered === 0)
    turn(500)
    agents.killAll(false)
    const two = agents.node(2)
    agents.kill(two)
    agents.lose(two)
    agents.start(two)
    const expected = Array.from({ length: producer.acknowledged.size }, (_, i) => `p7 s${i}`)
    turnUntil('it is filled', () => valuesOf(agents, two, number) === expected.join())
    expect(agents.lines.filter(({ level }) => level === 'error')).toEqual([])
  })
})
