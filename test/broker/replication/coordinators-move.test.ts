/** Coordinators live where their partition is led, and take along what is committed. */
import { describe, expect, it } from 'vitest'
import { ErrorCode } from '../../../src/base/error-code.ts'
import { ask, leader, refusals, world } from './coordinators-world.ts'

describe('a coordinator of a partition with several replicas', () => {
  it('answers once a majority has what it decided, and goes on with the next leader', () => {
    const { agents, partition } = world()
    const one = agents.node(1)
    expect(ask(agents, one, partition, 'put:a')).toEqual({ refused: ErrorCode.NOT_COORDINATOR })
    expect(leader(agents, partition)).toBe(one)
    for (const [i, value] of ['a', 'b', 'c'].entries()) {
      expect(ask(agents, one, partition, `put:${value}`)).toEqual({ code: i })
    }
    // one that does not lead sends whoever asks to look for another
    expect(ask(agents, agents.node(3), partition, 'get')).toEqual({
      refused: ErrorCode.NOT_COORDINATOR,
    })
    agents.kill(one)
    agents.runUntil('another leads', () => leader(agents, partition)?.isUp === true, 200)
    const second = leader(agents, partition)
    expect(ask(agents, second, partition, 'get')).toEqual({ code: 3 })
    expect(ask(agents, second, partition, 'put:d')).toEqual({ code: 3 })
    agents.start(one)
    agents.run(200)
    agents.kill(second)
    agents.runUntil('a third one leads', () => leader(agents, partition)?.isUp === true, 300)
    expect(ask(agents, leader(agents, partition), partition, 'get')).toEqual({ code: 4 })
  })

  it('stays where it is while nobody writes, and does not answer once another has led', () => {
    const { agents, partition } = world({ dehydrateAfterMs: 2_000 })
    const [one, two] = agents.nodes
    ask(agents, one!, partition, 'get')
    expect(ask(agents, one!, partition, 'put:a')).toEqual({ code: 0 })
    agents.run(200, 100)
    expect(ask(agents, one!, partition, 'put:b')).toEqual({ code: 1 })
    one!.isHung = true
    agents.runUntil('another leads', () => agents.leaders.get(partition)!.leader > 1, 3_000)
    const second = leader(agents, partition)
    expect(ask(agents, second, partition, 'put:c')).toEqual({ code: 2 })
    one!.isHung = false
    expect(ask(agents, one!, partition, 'get')).toEqual({ refused: ErrorCode.NOT_COORDINATOR })
    agents.runUntil('it leads again', () => leader(agents, partition) === one, 20_000)
    expect(ask(agents, one!, partition, 'get')).toEqual({ code: 3 })
    expect(two!.failure).toBe(null)
  })

  it('does not answer for what no majority has, and the next leader does not know of it', () => {
    const { agents, partition } = world()
    const [one, two, three] = agents.nodes
    ask(agents, one!, partition, 'get')
    expect(ask(agents, one!, partition, 'put:a')).toEqual({ code: 0 })
    for (const other of [two!, three!]) {
      one!.agent.cut(other.id, true)
      // they find out later: what is written now goes nowhere
    }
    expect(ask(agents, one!, partition, 'put:lost', 2)).not.toEqual({ code: 1 })
    for (const other of [two!, three!]) other.agent.cut(one!.id, true)
    agents.runUntil('another leads', () => leader(agents, partition) !== one, 500)
    agents.runUntil('it is told', () => agents.leaders.get(partition)!.leader > 1, 500)
    expect(ask(agents, leader(agents, partition), partition, 'get')).toEqual({ code: 1 })
    for (const other of [two!, three!]) {
      one!.agent.cut(other.id, false)
      other.agent.cut(one!.id, false)
    }
    agents.run(300)
    expect(ask(agents, one!, partition, 'get')).toEqual({ refused: ErrorCode.NOT_COORDINATOR })
    const [a, b, c] = agents.nodes.map((node) => agents.logOf(node, partition)!.logEndOffset)
    expect([b, c]).toEqual([a, a])
  })

  it('says of what it has written and cannot answer for that it has looked at it, so that no front sends it again', () => {
    const { agents, partition } = world()
    const [one, two, three] = agents.nodes
    ask(agents, one!, partition, 'get')
    expect(ask(agents, one!, partition, 'put:a')).toEqual({ code: 0 })
    const before = agents.logOf(one!, partition)!.logEndOffset
    for (const other of [two!, three!]) other.agent.cut(one!.id, true)
    expect(ask(agents, one!, partition, 'put:lost', 1)).toBe(null)
    expect(agents.logOf(one!, partition)!.logEndOffset).toBe(before + 1)
    for (const other of [two!, three!]) one!.agent.cut(other.id, true)
    agents.runUntil('it knows', () => refusals(agents, one!).length > 0, 500)
    expect(refusals(agents, one!)).toEqual([[ErrorCode.NOT_COORDINATOR, 1]])
    agents.told.splice(0)
    expect(ask(agents, one!, partition, 'get', 1)).toEqual({ refused: ErrorCode.NOT_COORDINATOR })
  })
})
