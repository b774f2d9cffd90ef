import { describe, expect, it } from 'vitest'
import { ErrorCode } from '../../src/base/error-code.ts'
import type { MetadataEntry } from '../../src/image/entry.ts'
import type { MetadataMessage } from '../../src/image/request.ts'
import { SimulatedDisk } from '../../src/log/simulated-disk.ts'
import { heartbeat } from '../../src/protocol/12-heartbeat.ts'
import { encodeRequest, joinFrame } from '../../src/protocol/codec.ts'
import { answers, ask, Counting, failing, heldFlusher, start } from './counting.ts'
import { World } from './world.ts'

/** An image in two messages, the first of which names nothing but the cluster. */
const inTwo = (entries: readonly MetadataEntry[]): MetadataMessage[] => {
  const [first, ...rest] = entries
  const { length } = entries
  return [
    { kind: 'metadata', epoch: 1, first: 0, offset: 1, entries: [first!], more: true },
    { kind: 'metadata', epoch: 1, first: 1, offset: length, entries: rest },
  ]
}

describe('a coordinator', () => {
  it('is made at the first call, and answers once what it decided is in its log', () => {
    const { world, made, partition } = start()
    expect(made).toHaveLength(0)
    const first = ask(world, partition, 'put:a')
    const second = ask(world, partition, 'get')
    world.run()
    expect(answers(world)).toEqual([
      { correlation: first, code: 0 },
      { correlation: second, code: 1 },
    ])
    expect(made[0]!.values).toEqual(['a'])
    expect(made[0]!.committed).toBe(1)
  })

  it('is loaded from its log in a later life, a bit per turn, and answers who waited in order', () => {
    const { world, partition } = start()
    const value = 'x'.repeat(30_000)
    for (let i = 0; i < 300; i++) {
      ask(world, partition, `put:${i}${value}`)
      world.run()
    }
    expect(answers(world)).toHaveLength(300)
    const made: Counting[] = []
    const next = world.restart({
      newCoordinator: () => {
        made.push(new Counting())
        return made.at(-1)!
      },
    })
    const asked = ['get', 'put:new', 'get'].map((what) => ask(next, partition, what))
    next.turn()
    expect(answers(next)).toEqual([])
    next.run()
    expect(answers(next)).toEqual(
      asked.map((correlation, i) => ({ correlation, code: 300 + Number(i === 2) })),
    )
    expect(made[0]!.values.map((one) => one.replace(value, ''))).toEqual([
      ...Array.from({ length: 300 }, (_, i) => `${i}`),
      'new',
    ])
  })

  it('takes a request that is too large for the ring', () => {
    const { world, made, partition } = start()
    ask(world, partition, `put:${'y'.repeat(32_000)}`)
    const frame = joinFrame(
      encodeRequest(heartbeat, 4, 7, 'z'.repeat(32_767), {
        groupId: `put:${'y'.repeat(32_000)}`,
        generationId: 0,
        memberId: '',
        groupInstanceId: null,
      }),
    ).subarray(4)
    world.front.coordinate(partition, frame)
    world.run()
    expect(answers(world)).toMatchObject([{ code: 0 }, { code: 1 }])
    expect(made[0]!.values.map((one) => one.length)).toEqual([32_000, 32_000])
  })

  it('whose log cannot be written begins anew from it, and says so to those who wait', () => {
    const { world, made, partition } = start()
    const before = [ask(world, partition, 'put:a'), ask(world, partition, 'park')]
    world.run()
    expect(answers(world)).toEqual([{ correlation: before[0], code: 0 }])
    world.simulated.onOperation = failing('write', '.log', 'EIO')
    const lost = ask(world, partition, 'put:b')
    world.run()
    expect(answers(world)).toEqual([
      { correlation: lost, refused: ErrorCode.NOT_COORDINATOR },
      { correlation: before[1], code: ErrorCode.NOT_COORDINATOR },
    ])
    world.simulated.onOperation = () => null
    world.pass(10_000)
    const after = [ask(world, partition, 'get'), ask(world, partition, 'put:c')]
    world.run()
    expect(answers(world)).toEqual(after.map((correlation) => ({ correlation, code: 1 })))
    expect(made).toHaveLength(2)
    expect(made[1]!.values).toEqual(['a', 'c'])
  })

  it('that throws ends alone: who waits is answered, the next call begins anew, others go on', () => {
    const { world, made, partition } = start()
    const [other] = world.createTopic({ internal: true })
    ask(world, partition, 'put:a')
    ask(world, other!, 'put:o')
    const parked = ask(world, partition, 'park')
    world.run()
    answers(world)
    const thrown = ask(world, partition, 'throw')
    const fine = ask(world, other!, 'get')
    world.run()
    expect(answers(world)).toEqual([
      { correlation: thrown, refused: ErrorCode.UNKNOWN_SERVER_ERROR },
      { correlation: parked, code: ErrorCode.NOT_COORDINATOR },
      { correlation: fine, code: 1 },
    ])
    ask(world, partition, 'get')
    world.run()
    expect(answers(world)).toMatchObject([{ code: 1 }])
    expect(made).toHaveLength(3)
    expect(world.complaints()).toEqual(['a coordinator failed'])
    const { fields } = world.lines.find(({ message }) => message === 'a coordinator failed')!
    const { name } = world.agent.image.topicOf(partition)!
    expect(fields).toMatchObject({ topic: name, partition: 0, directory: expect.any(String) })
  })

  it('whose record its log refuses goes on without it', () => {
    const { world, made } = start()
    const configs = { 'max.message.bytes': '1000' }
    const [partition] = world.createTopic({ internal: true, configs })
    const asked = ['put:a', `put:${'b'.repeat(2_000)}`, 'put:c', 'get'].map((what) =>
      ask(world, partition!, what),
    )
    world.run()
    expect(answers(world)).toEqual([
      { correlation: asked[0], code: 0 },
      { correlation: asked[1], code: ErrorCode.MESSAGE_TOO_LARGE },
      { correlation: asked[2], code: 1 },
      { correlation: asked[3], code: 2 },
    ])
    expect(made[0]!.values).toEqual(['a', 'c'])
  })

  it('is not loaded while a part of the first image is still to come', () => {
    const { world, made, partition, newCoordinator } = start()
    const next = new World({ disk: world.disk, entries: [], newCoordinator })
    const [part, rest] = inTwo(world.entries)
    next.controller.post('broker-1-1', part!)
    ask(next, partition, 'get')
    next.run()
    expect(answers(next)).toMatchObject([{ refused: ErrorCode.COORDINATOR_LOAD_IN_PROGRESS }])
    expect(made).toHaveLength(0)
    next.controller.post('broker-1-1', rest!)
    ask(next, partition, 'get')
    next.run()
    expect(answers(next)).toMatchObject([{ code: 0 }])
  })

  it('answers by its timer', () => {
    const { world, made, partition } = start()
    const later = ask(world, partition, 'later')
    world.run()
    expect(answers(world)).toEqual([])
    expect(world.agent.nextTimerAtMs).toBeLessThanOrEqual(world.clock.monotonicMs() + 1_000)
    world.pass(1_000)
    expect(answers(world)).toEqual([{ correlation: later, code: 0 }])
    expect(made[0]!.values).toEqual(['timer'])
  })

  it('waits for the flush where its topic asks for that', () => {
    const { world } = start()
    const [partition] = world.createTopic({ internal: true, configs: { 'flush.messages': '1' } })
    world.run()
    ask(world, partition!, 'put:a')
    world.turn()
    expect(answers(world)).toEqual([])
    world.run()
    expect(answers(world)).toMatchObject([{ code: 0 }])
  })

  it('is told of topics of its tenant that are gone', () => {
    const { world, made, partition } = start()
    world.createTopic()
    ask(world, partition, 'get')
    world.run()
    world.deleteTopic(2)
    world.run()
    expect(made[0]!.deleted).toEqual(['topic-2'])
  })

  it('is told of topics that an image begun anew does not name any more', () => {
    const { world, made, partition } = start()
    world.createTopic()
    world.createTopic()
    ask(world, partition, 'get')
    world.run()
    const kept = world.entries.filter(
      (entry) => entry.kind !== 'topic-created' || entry.name !== 'topic-3',
    )
    const begin = {
      kind: 'metadata',
      epoch: 1,
      first: 0,
      offset: 1,
      entries: kept.slice(0, 1),
    } as const
    // begun twice, before it is whole
    for (let i = 0; i < 2; i++) {
      world.controller.post('broker-1-1', { ...begin, more: true })
      world.run()
      expect(made[0]!.deleted).toEqual([])
    }
    const rest = { ...begin, first: 1, offset: world.entries.length, entries: kept.slice(1) }
    world.controller.post('broker-1-1', rest)
    world.run()
    expect(made[0]!.deleted).toEqual(['topic-3'])
    ask(world, partition, 'put:a')
    world.run()
    expect(made).toHaveLength(1)
    // in one message as well, and none is told of twice
    const whole = kept.filter((entry) => entry.kind !== 'topic-created' || entry.name === 'topic-1')
    world.controller.post('broker-1-1', { ...begin, offset: world.entries.length, entries: whole })
    world.run()
    expect(made[0]!.deleted).toEqual(['topic-3', 'topic-2'])
  })

  it('goes with its topic, and is not to be had where another broker leads', () => {
    const { world, partition } = start()
    const [elsewhere] = world.createTopic({ internal: true, leader: 2 })
    const parked = ask(world, partition, 'park')
    const asked = ask(world, elsewhere!, 'get')
    world.run()
    expect(answers(world)).toEqual([{ correlation: asked, refused: ErrorCode.NOT_COORDINATOR }])
    world.deleteTopic(1)
    world.run()
    expect(answers(world)).toEqual([{ correlation: parked, code: ErrorCode.NOT_COORDINATOR }])
    const again = ask(world, partition, 'get')
    world.run()
    expect(answers(world)).toEqual([{ correlation: again, refused: ErrorCode.NOT_COORDINATOR }])
  })

  it('goes on with a full disk', () => {
    const { world, partition } = start({ diskMarkBytes: 1_000_000 })
    ask(world, partition, 'put:a')
    world.run()
    world.simulated.occupiedBytes = 2 ** 40 - 500_000
    world.clock.advance(1_000)
    ask(world, partition, 'put:b')
    ask(world, partition, 'put:c')
    world.run()
    expect(answers(world)).toMatchObject([{ code: 0 }, { code: 1 }, { code: 2 }])
  })

  it('answers who waits when the broker stops, and loses nothing', () => {
    const { world, partition, newCoordinator } = start()
    const asked = ['put:a', 'park', 'put:b'].map((what) => ask(world, partition, what))
    world.turn()
    world.stop()
    expect(answers(world)).toEqual([
      { correlation: asked[0], code: 0 },
      { correlation: asked[2], code: 1 },
      { correlation: asked[1], code: ErrorCode.NOT_COORDINATOR },
    ])
    const next = world.restart({ newCoordinator })
    ask(next, partition, 'get')
    next.run()
    expect(answers(next)).toMatchObject([{ code: 2 }])
  })

  it('in which nobody lives is dropped after ten minutes, and comes back with all that it had', () => {
    const { world, made, partition } = start()
    ask(world, partition, 'put:a')
    world.run()
    answers(world)
    world.pass(601_000, 10_000)
    ask(world, partition, 'get')
    world.run()
    expect(answers(world)).toMatchObject([{ code: 1 }])
    expect(made).toHaveLength(2)
    made[1]!.isQuiet = false
    world.pass(1_300_000, 10_000)
    ask(world, partition, 'get')
    world.run()
    expect(made).toHaveLength(2)
  })

  it('whose log fails in the midst of a turn is to be had again once the log is', () => {
    const { world, partition } = start()
    ask(world, partition, 'put:a')
    world.run()
    answers(world)
    world.simulated.onOperation = failing('write', '.log', 'EIO')
    const value = 'v'.repeat(30_000)
    // more than the ring of a log takes: some of it is written before the turn ends
    for (let i = 0; i < 60; i++) ask(world, partition, `put:${value}`)
    world.run()
    expect(answers(world).every((one) => 'refused' in one)).toBe(true)
    world.simulated.onOperation = () => null
    const after = [ask(world, partition, 'put:b'), ask(world, partition, 'get')]
    world.run()
    expect(answers(world)).toEqual([
      { correlation: after[0], code: 1 },
      { correlation: after[1], code: 2 },
    ])
  })

  it('that throws after it has taken a call, or with the answers of others, leaves nobody without one answer', () => {
    const { world, partition } = start()
    const parked = ask(world, partition, 'park')
    const thrown = ask(world, partition, 'park-throw')
    world.run()
    const first = answers(world)
    expect(first.map(({ correlation }) => correlation).sort()).toEqual([parked, thrown].sort())
    const waiting = ask(world, partition, 'park')
    const other = ask(world, partition, 'put-throw')
    world.run()
    const second = answers(world)
    expect(second.map(({ correlation }) => correlation).sort()).toEqual([waiting, other].sort())
  })

  it('that throws in a turn in which it has decided something begins anew with that', () => {
    const { world, made, partition } = start()
    ask(world, partition, 'put:a')
    ask(world, partition, 'throw')
    ask(world, partition, 'get')
    world.run()
    answers(world)
    ask(world, partition, 'put:b')
    world.run()
    const next = made.at(-1)!
    expect(next.values).toEqual(['a', 'b'])
  })

  it('is loaded once what its log holds is durable, if its topic wants that: a life before has answered for it', () => {
    const { world } = start()
    const [partition] = world.createTopic({ internal: true, configs: { 'flush.messages': '1' } })
    world.run()
    for (const what of ['put:a', 'put:b', 'put:c']) ask(world, partition!, what)
    world.run()
    expect(answers(world)).toMatchObject([{ code: 0 }, { code: 1 }, { code: 2 }])
    const made: Counting[] = []
    const newCoordinator = () => {
      made.push(new Counting())
      return made.at(-1)!
    }
    const { flush, release } = heldFlusher(world.simulated)
    const next = world.restart({ newCoordinator, flush })
    const asked = ask(next, partition!, 'committed')
    next.run()
    expect(answers(next)).toEqual([])
    expect(next.agent.nextTimerAtMs).toBeGreaterThan(next.clock.monotonicMs())
    release()
    next.run()
    expect(answers(next)).toEqual([{ correlation: asked, code: 3 }])
  })

  it('goes on by the image that was there while another is begun', () => {
    const { world, made, partition } = start()
    const [other] = world.createTopic({ internal: true })
    const later = ask(world, partition, 'later')
    world.run()
    const [part, rest] = inTwo(world.entries)
    world.controller.post('broker-1-1', part!)
    const asked = [ask(world, other!, 'get'), ask(world, partition, 'put:a')]
    world.pass(1_000)
    expect(answers(world)).toEqual([
      ...asked.map((correlation) => ({ correlation, code: 0 })),
      { correlation: later, code: 1 },
    ])
    world.controller.post('broker-1-1', rest!)
    world.pass(1_000)
    expect(made.map(({ values, deleted }) => [values, deleted])).toEqual([
      [['a', 'timer'], []],
      [[], []],
    ])
  })

  it('is not dropped before it has looked once for what has expired, however seldom it does', () => {
    const { world, made, partition } = start()
    ask(world, partition, 'get')
    world.run()
    made[0]!.nextTimerAtMs = world.clock.monotonicMs() + 3_000_000
    world.pass(3_010_000, 10_000)
    expect(made[0]!.values).toEqual(['timer'])
    made[0]!.nextTimerAtMs = Number.POSITIVE_INFINITY
    world.pass(1_300_000, 10_000)
    ask(world, partition, 'get')
    world.run()
    expect(made).toHaveLength(2)
  })

  it('begins anew when its log was opened again and has not kept all', () => {
    const { world, made } = start()
    const [partition] = world.createTopic({ internal: true, configs: { 'flush.ms': '1000' } })
    for (const what of ['put:a', 'put:b']) {
      ask(world, partition!, what)
      world.run()
    }
    answers(world)
    const failFlush = failing('flush', '.log', 'EIO')
    world.simulated.onOperation = failFlush
    world.pass(2_000)
    world.simulated.onOperation = () => null
    const path = `${world.directory(2)}/00000000000000000000.log`
    world.simulated.open(path, 'append').truncate(world.simulated.size(path) - 5)
    world.pass(10_000)
    const asked = ask(world, partition!, 'put:c')
    world.run()
    expect(answers(world)).toEqual([
      { correlation: asked, refused: ErrorCode.COORDINATOR_NOT_AVAILABLE },
    ])
    ask(world, partition!, 'put:d')
    world.run()
    expect(answers(world)).toMatchObject([{ code: 1 }])
    expect(made.at(-1)!.values).toEqual(['a', 'd'])
  })

  it('tells nobody of what is not durable yet, in later turns either, and keeps its log open until it is', () => {
    const disk = new SimulatedDisk({ nowMs: () => 0 })
    const { flush, release } = heldFlusher(disk)
    const settings = { openLogsMax: 1 }
    const { world } = start({ disk, flush, settings })
    const [partition] = world.createTopic({ internal: true, configs: { 'flush.messages': '1' } })
    const others = world.createTopic({ partitions: 4 })
    const asked = [ask(world, partition!, 'put:a')]
    world.run()
    asked.push(ask(world, partition!, 'get'))
    world.run()
    for (const other of others) {
      world.front.locate(other, 0)
      world.run()
    }
    expect(answers(world)).toEqual([])
    release()
    world.run()
    expect(answers(world)).toEqual(asked.map((correlation, code) => ({ correlation, code })))
  })
})
