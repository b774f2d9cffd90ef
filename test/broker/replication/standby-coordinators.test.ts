/** Followers replay coordinators' logs as they are committed: who leads next coordinates at once. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import type { PartitionNumber } from '../../../src/base/ids.ts'
import { StandbyCoordinators } from '../../../src/broker/standby-coordinators.ts'
import { brokerPeer } from '../../../src/link/ports.ts'
import { buildBatch } from '../../../src/record/builder.ts'
import { append, simulated } from '../../log/support.ts'
import { idempotentBatch } from '../batches.ts'
import { CELL } from '../world.ts'
import type { Agents, Node } from './agents.ts'
import { ask, leader, world } from './coordinators-world.ts'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

/** Writes `count` records by the leader's coordinator. */
function put(agents: Agents, node: Node, partition: PartitionNumber, count: number): void {
  for (let i = 0; i < count; i++) {
    expect(ask(agents, node, partition, `put:${i}`)).toHaveProperty('code')
  }
}

function begun(settings = {}) {
  const all = world(settings)
  const [one, two, three] = all.agents.nodes as [Node, Node, Node]
  // the first looks for it, and has it elect
  ask(all.agents, one, all.partition, 'get')
  return { ...all, one, two, three }
}

/** Of the log lines that say that a coordinator was loaded, how many records that took. */
const loads = ({ lines }: Agents): [unknown, unknown][] =>
  lines
    .filter(({ message }) => message === 'Coordinator: its log is loaded')
    .map(({ fields }) => [fields.broker, fields.records])

const unreadable = ({ lines }: Agents) =>
  lines.filter(({ message }) => message.startsWith('Coordinator: a log cannot be read')).length

const COUNT = 50

describe('a follower of a coordinator', () => {
  it('has replayed what is committed before it leads, and answers at once', () => {
    const { agents, made, partition, one } = begun()
    put(agents, one, partition, COUNT)
    agents.run(20)
    // the leader's, and one on each follower, which was asked nothing
    expect(made.map(({ values, loads }) => [values.length, loads])).toEqual([
      [COUNT, 1],
      [COUNT, 0],
      [COUNT, 0],
    ])
    agents.kill(one)
    agents.runUntil('another leads', () => leader(agents, partition)?.isUp === true, 200)
    const next = leader(agents, partition)
    expect(ask(agents, next, partition, 'get')).toEqual({ code: COUNT })
    expect(loads(agents)).toEqual([
      [1, 0],
      [next.id, 0],
    ])
    expect(made).toHaveLength(3)
  })

  it('begins from the start of its log where it has just been started, a bit at a time', () => {
    const { agents, made, partition, one, two } = begun()
    put(agents, one, partition, COUNT)
    agents.kill(two)
    agents.run(20)
    agents.start(two)
    agents.run(100)
    put(agents, one, partition, 1)
    agents.run(20)
    expect(made.at(-1)!.values).toHaveLength(COUNT + 1)
    expect(made.at(-1)!.loads).toBe(0)
  })

  it('replays nothing that is not committed, turn by turn', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const { agents, made, partition, one, two, three } = begun()
      put(agents, one, partition, 3)
      agents.run(20)
      const standbys = made.slice(1)
      expect(standbys).toHaveLength(2)
      agents.random.uint32()
      for (let round = 0; round < 30; round++) {
        // what is asked is written and copied in the turns that follow
        ask(agents, one, partition, `put:${round}`, 1 + agents.random.below(3))
        if (round === 15) agents.kill(one)
        const ends = [two, three].map((node) => agents.logOf(node, partition)!.highWatermark)
        for (const { values } of standbys.filter(({ loads }) => loads === 0)) {
          expect(values.length).toBeLessThanOrEqual(Math.max(...ends))
        }
      }
      agents.runUntil('another leads', () => leader(agents, partition)?.isUp === true, 300)
      const next = leader(agents, partition)
      const end = agents.logOf(next, partition)!.logEndOffset
      expect(ask(agents, next, partition, 'get')).toEqual({ code: end })
    }
  })

  it('begins anew where it has led, with what its log has kept', () => {
    const { agents, made, partition, one, two, three } = begun()
    put(agents, one, partition, 5)
    agents.run(20)
    for (const other of [two, three]) other.agent.cut(one.id, true)
    for (const other of [two, three]) one.agent.cut(other.id, true)
    agents.runUntil('another leads', () => agents.leaders.get(partition)!.leader > 1, 500)
    const next = leader(agents, partition)
    put(agents, next, partition, 5)
    for (const other of [two, three]) {
      one.agent.cut(other.id, false)
      other.agent.cut(one.id, false)
    }
    agents.run(100)
    put(agents, leader(agents, partition), partition, 1)
    agents.run(50)
    const newest = made.at(-1)!
    expect([newest.values.length, newest.loads]).toEqual([11, 0])
  })

  it('is dropped where nothing was written for long and nobody lives in it, and not before', () => {
    const { agents, made, partition, one } = begun()
    put(agents, one, partition, 5)
    agents.run(20)
    const [, standby, busy] = made
    busy!.isQuiet = false
    agents.run(7_000, 100)
    expect(made).toHaveLength(3)
    // it sleeps: the first looks for it again
    ask(agents, one, partition, 'get')
    put(agents, one, partition, 1)
    agents.run(20)
    // the leader's own was dropped as well
    expect(standby!.values).toHaveLength(5)
    expect(busy!.values).toHaveLength(6)
  })
})

describe('a log that is damaged where a coordinator must read it', () => {
  /** Flips a bit in the first record of that broker's copy, while it is down. */
  function damage(agents: Agents, node: Node): void {
    agents.disk.flipBit(`${agents.directory(node, 1)}/${'0'.repeat(20)}.log`, 64)
  }

  /** All broker's copies are flushed, so that an opening does not check what they hold. */
  function flushed(agents: Agents, partition: PartitionNumber): void {
    for (const node of agents.up) agents.logOf(node, partition)!.flushAll(() => {})
    agents.run(20)
  }

  /** The first of six records is damaged at broker 2, which has come upon it. */
  function withDamagedFollower() {
    const all = begun()
    const { agents, partition, one, two } = all
    put(agents, one, partition, 5)
    flushed(agents, partition)
    agents.kill(two)
    damage(agents, two)
    agents.start(two)
    agents.run(100)
    put(agents, one, partition, 1)
    agents.run(50)
    expect(unreadable(agents)).toBe(1)
    return all
  }

  it('of a follower is told, and that follower does not lead', () => {
    const { agents, partition, one, two, three } = withDamagedFollower()
    // it follows all the same
    expect(agents.logOf(two, partition)!.logEndOffset).toBe(6)
    agents.kill(one)
    agents.runUntil('another leads', () => leader(agents, partition)?.isUp === true, 300)
    expect(leader(agents, partition)).toBe(three)
    expect(ask(agents, three, partition, 'get')).toEqual({ code: 6 })
  })

  it('of the preferred leader has another lead, and leadership does not come back to it', () => {
    const { agents, partition, one } = begun()
    put(agents, one, partition, 5)
    flushed(agents, partition)
    agents.kill(one)
    damage(agents, one)
    agents.runUntil('another leads', () => leader(agents, partition)?.isUp === true, 300)
    const next = leader(agents, partition)
    agents.start(one)
    // as long as leadership takes to come back, and longer; while it is offered nobody answers
    const led: number[] = []
    for (let i = 0; i < 20; i++) {
      agents.run(30, 100)
      led.push(leader(agents, partition).id)
      let got = ask(agents, next, partition, 'put:x')
      for (let tries = 0; tries < 5 && !('code' in got!); tries++) {
        agents.run(20, 10)
        got = ask(agents, next, partition, 'put:x')
      }
      expect(got).toEqual({ code: 5 + i })
    }
    expect(new Set(led)).toEqual(new Set([next.id]))
    expect(leader(agents, partition)).toBe(next)
  })

  it('leads all the same where it has the longest log of those that are left, and hands over to who has taken it from there', () => {
    const { agents, partition, one, three } = withDamagedFollower()
    agents.kill(three)
    agents.run(20)
    // one more, which this one has and the third has not
    put(agents, one, partition, 1)
    agents.kill(one)
    agents.run(5)
    agents.start(three)
    let got: unknown = null
    for (let i = 0; i < 200 && !(got !== null && 'code' in (got as object)); i++) {
      agents.run(20, 10)
      const led = agents.leaders.get(partition)?.leader
      got = ask(agents, agents.up.find(({ id }) => id === led) ?? three, partition, 'get')
    }
    expect(got, agents.describe(partition)).toEqual({ code: 7 })
    expect(leader(agents, partition)).toBe(three)
  })

  it.each([false, true])(
    'keeps no other partition from its preferred broker (damaged: %s)',
    (isDamaged) => {
      const { agents, partition, one, two, three } = begun()
      const [other] = agents.createTopic() as [PartitionNumber]
      put(agents, one, partition, 5)
      one.front.produce(other, idempotentBatch(1, 0))
      agents.runUntil('the first leads', () => agents.leaders.get(other)?.leader === 1, 200)
      flushed(agents, partition)
      agents.kill(one)
      if (isDamaged) damage(agents, one)
      agents.run(50)
      agents.start(one)
      const work = () => {
        for (const node of [two, three]) {
          if (leader(agents, partition) === node) ask(agents, node, partition, 'put:x')
          if (leader(agents, other) === node) node.front.produce(other, idempotentBatch(2, 0))
        }
        if (leader(agents, partition) === one) ask(agents, one, partition, 'put:x')
        agents.run(10, 20)
        agents.run(10, 80)
      }
      for (let i = 0; i < 60; i++) work()
      expect(leader(agents, other)).toBe(one)
      // it is handed over once more, and is to come back
      one.front.produce(other, idempotentBatch(3, 0))
      agents.run(50)
      const to = leader(agents, partition) === three ? three : two
      agents.frontControl.post(brokerPeer(CELL, one.id), {
        ...{ kind: 'move-leadership', correlation: 1, partition: other, to: to.id },
      })
      agents.runUntil('another leads it', () => leader(agents, other) === to, 200)
      for (let i = 0; i < 60 && leader(agents, other) !== one; i++) work()
      expect(leader(agents, other)).toBe(one)
    },
  )
})

describe('standby coordinators', () => {
  it('replay a bounded bit a turn, however many logs are behind', () => {
    const { broker } = simulated(false)
    const log = broker.open({})
    const batch = buildBatch([
      { timestampMs: 1, key: new Uint8Array(60), value: new Uint8Array(60) },
    ])
    const records = 2_000
    for (let i = 0; i < records; i++) append(log, batch)
    const logs = 10
    let replayed = 0
    const standbys = new StandbyCoordinators({
      newCoordinator: () =>
        ({ commit: () => {}, replay: () => void replayed++, isQuiet: true }) as never,
      logger: { log: () => {} },
      onRotten: () => {},
    })
    for (let number = 1; number <= logs; number++) {
      standbys.onCommit({ number, log, ledTerm: 0, topic: { tenantId: 't' } } as never)
    }
    let turns = 0
    for (let before = 0; standbys.hasWork; before = replayed, turns++) {
      standbys.doWork(turns)
      expect((replayed - before) * batch.length).toBeLessThanOrEqual(2 * 256 * 1024)
    }
    expect(replayed).toBe(logs * records)
    expect(turns).toBeGreaterThan(3)
  })

  it('are dropped with their topic, also where nothing else of it is in use', async () => {
    const { agents, made, partition, one, two, three } = begun({ dehydrateAfterMs: 2_000 })
    put(agents, one, partition, 1)
    agents.run(20)
    expect(made).toHaveLength(3)
    const weak = made.splice(0).map((coordinator) => {
      coordinator.isQuiet = false
      return new WeakRef(coordinator)
    })
    // followers close their logs, and forget their replicas
    agents.run(1_200, 100)
    expect([two, three].map((node) => node.agent.replica(partition))).toEqual([
      undefined,
      undefined,
    ])
    agents.deleteTopic(1)
    agents.run(100, 100)
    const left = () => weak.filter((ref) => ref.deref() !== undefined).length
    for (let tries = 0; tries < 20 && left() > 0; tries++) {
      // what was looked at in this turn of the event loop is kept for its end
      await new Promise((resolve) => setTimeout(resolve, 10))
      collectGarbage()
    }
    expect(left()).toBe(0)
  })
})
