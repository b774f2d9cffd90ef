/** Control messages that come in the middle of a turn, after batches were staged and before they are written. */
import { describe, expect, it } from 'vitest'
import { ErrorCode } from '../../../src/base/error-code.ts'
import { asPartitionNumber } from '../../../src/base/ids.ts'
import type { ControlMessage } from '../../../src/link/control.ts'
import { brokerPeer } from '../../../src/link/ports.ts'
import { idempotentBatch } from '../batches.ts'
import { CELL, TENANT, topicId } from '../world.ts'
import { Agents } from './agents.ts'

const NOBODYS = asPartitionNumber(9_999)

/** A partition that broker 1 leads, whose broker takes one control message at the beginning of a turn. */
function world() {
  const agents = new Agents({ settings: { controlPerTurn: 1 } })
  const [number] = agents.createTopic()
  agents.run(30)
  const one = agents.node(1)
  one.front.produce(number!, idempotentBatch(1, 0))
  agents.runUntil('it is led', () => agents.leaders.get(number!)?.leader === 1)
  one.front.produce(number!, idempotentBatch(1, 0))
  agents.run(10)
  one.front.take()
  const peer = brokerPeer(CELL, one.id)
  /** A batch is staged, then the messages come, then the turn goes on. */
  const inTheMiddle = (...messages: ControlMessage[]) => {
    agents.frontControl.post(peer, { kind: 'describe-metadata', correlation: 1 })
    for (const message of messages) agents.frontControl.post(peer, message)
    one.front.produce(number!, idempotentBatch(1, 1))
    // who asks for a partition that is not known has the port looked through
    one.front.produce(NOBODYS, idempotentBatch(2, 0))
    agents.turn(one)
  }
  const answers = () =>
    one.front.take().flatMap((reply) => (reply.kind === 'produced' ? [reply.error] : []))
  const failures = () => agents.lines.filter(({ level }) => level === 'error')
  return { agents, number: number!, one, inTheMiddle, answers, failures }
}

describe('in the middle of a turn', () => {
  it('an order to hand leadership over loses nothing that was staged', () => {
    const { agents, number, inTheMiddle, answers, failures } = world()
    inTheMiddle({ kind: 'move-leadership', correlation: 2, partition: number, to: 2 })
    agents.run(100)
    expect(failures()).toEqual([])
    expect(answers().sort()).toEqual([ErrorCode.NONE, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION])
    expect(agents.leaders.get(number)!.leader).toBe(2)
    expect(agents.logOf(agents.node(2), number)!.highWatermark).toBe(2)
  })

  it('an order to stop has what was staged written and answered', () => {
    const { agents, number, one, inTheMiddle, answers, failures } = world()
    inTheMiddle({ kind: 'stop', deadlineMs: 1_000 })
    agents.run(200)
    expect(failures()).toEqual([])
    expect(answers()).toContain(ErrorCode.NONE)
    expect(one.agent.isStopped).toBe(true)
    expect(agents.disk.exists(agents.directory(one, 1))).toBe(true)
    expect(agents.logOf(agents.node(2), number)!.logEndOffset).toBe(2)
  })

  it('the end of its topic answers whoever waits, and leaves nothing', () => {
    const { agents, one, inTheMiddle, answers, failures } = world()
    const offset = agents.entries.length
    const entry = { kind: 'topic-deleted', tenantId: TENANT, topicId: topicId(1) } as const
    agents.entries.push(entry)
    inTheMiddle({ kind: 'metadata', first: offset, offset: offset + 1, epoch: 1, entries: [entry] })
    agents.run(200)
    expect(failures()).toEqual([])
    const { UNKNOWN_TOPIC_OR_PARTITION } = ErrorCode
    expect(answers()).toEqual([UNKNOWN_TOPIC_OR_PARTITION, UNKNOWN_TOPIC_OR_PARTITION])
    expect(agents.disk.exists(agents.directory(one, 1))).toBe(false)
  })

  it('other configs hold for what was staged before as they did', () => {
    const { agents, number, inTheMiddle, answers, failures } = world()
    const offset = agents.entries.length
    const configs = { 'max.message.bytes': '1', 'segment.bytes': '1048576', 'flush.messages': '1' }
    const entry = { kind: 'topic-configs', tenantId: TENANT, topicId: topicId(1), configs } as const
    agents.entries.push(entry)
    inTheMiddle({ kind: 'metadata', first: offset, offset: offset + 1, epoch: 1, entries: [entry] })
    agents.run(200)
    expect(failures()).toEqual([])
    expect(answers().sort()).toEqual([ErrorCode.NONE, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION])
    expect(agents.logOf(agents.node(1), number)!.highWatermark).toBe(2)
  })
})
