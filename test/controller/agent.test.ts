import { describe, expect, it } from 'vitest'
import { ManualClock } from '../../src/base/clock.ts'
import { ErrorCode } from '../../src/base/error-code.ts'
import { type LogFields, type Logger, silentLogger } from '../../src/base/log.ts'
import { SeededRandom } from '../../src/base/random.ts'
import { ControllerAgent } from '../../src/controller/agent.ts'
import { decodeEntry, encodeEntry } from '../../src/controller/entry-codec.ts'
import { applyMetadata } from '../../src/image/apply-metadata.ts'
import { METADATA_FORMAT } from '../../src/image/entry.ts'
import { MetadataImage } from '../../src/image/image.ts'
import type {
  ControllerRequest,
  ControllerResponse,
  MetadataMessage,
} from '../../src/image/request.ts'
import { FakeEntryLog } from './fake-entry-log.ts'
import { imageOf } from './image-of.ts'

type Event =
  | { kind: 'published'; message: MetadataMessage }
  | { kind: 'answered'; correlation: number; response: ControllerResponse | null }

/** An agent over a log, a follower that applies what is published, and what happened in order. */
function harness(
  log = new FakeEntryLog(),
  brokersPerCell = 3,
  seed = 1,
  logger: Logger = silentLogger,
) {
  const events: Event[] = []
  const follower = new MetadataImage()
  const agent = new ControllerAgent({
    log,
    clock: new ManualClock(),
    random: new SeededRandom(seed),
    logger,
    settings: { cells: 1, brokersPerCell, defaultPartitions: 4 },
    publish: (message) => {
      // As a port does: nothing is shared with the sender.
      applyMetadata(follower, structuredClone(message))
      events.push({ kind: 'published', message })
    },
    respond: (_front, correlation, response) => {
      events.push({ kind: 'answered', correlation, response })
    },
  })
  const turn = () => {
    log.commit()
    return agent.doWork(0)
  }
  const start = () => {
    agent.doWork(0)
    turn()
    return follower.defaultTenant!.tenantId
  }
  return { agent, log, events, follower, turn, start }
}

const create = (...names: string[]): ControllerRequest => ({
  kind: 'create-topics',
  validateOnly: false,
  topics: names.map((name) => ({
    name,
    partitions: 3,
    replicationFactor: -1,
    assignments: [],
    configs: [],
  })),
})

describe('ControllerAgent', () => {
  it('forms the cluster at first start, and publishes only once that is durable', () => {
    const { agent, log, events, follower } = harness()
    agent.doWork(0)
    expect(log.entries.map((bytes, offset) => decodeEntry(bytes, offset).kind)).toEqual([
      'cluster-formed',
      'tenant-created',
    ])
    agent.doWork(0)
    expect(events).toEqual([])
    expect(agent.serves).toBe(false)
    log.commit()
    agent.doWork(0)
    expect(agent.serves).toBe(true)
    expect(events).toHaveLength(1)
    expect(follower.offset).toBe(2)
    expect(follower).toMatchObject({ cells: 1, brokersPerCell: 3 })
    expect(follower.clusterId).toMatch(/^[A-Za-z0-9_][A-Za-z0-9_-]{21}$/)
    expect(follower.defaultTenant?.tenantId).toMatch(/^[0-9a-f]{16}$/)
    expect(follower.defaultTenant?.clusterId).toMatch(/^[A-Za-z0-9_][A-Za-z0-9_-]{21}$/)
    expect(follower.defaultTenant?.clusterId).not.toBe(follower.clusterId)
  })

  it('logs once which cluster ids there are, and whose', () => {
    const lines: [string, LogFields | undefined][] = []
    const logger: Logger = { log: (_level, message, fields) => lines.push([message, fields]) }
    const log = new FakeEntryLog()
    const { follower, start } = harness(log, 3, 1, logger)
    start()
    const { tenantId, clusterId } = follower.defaultTenant!
    const formed = { physicalClusterId: follower.clusterId, cells: 1, brokersPerCell: 3 }
    expect(lines).toEqual([
      ['cluster formed', formed],
      ['tenant made', { tenant: 'default', tenantId, clusterId }],
    ])
    harness(log, 3, 1, logger).start()
    expect(lines).toHaveLength(2)
  })

  it('answers brokers that register once that is durable, and says who comes with another directory', () => {
    const lines: [string, LogFields | undefined][] = []
    const logger: Logger = { log: (_level, message, fields) => lines.push([message, fields]) }
    const log = new FakeEntryLog()
    const one = harness(log, 3, 1, logger)
    const nobody = one.start().slice(0, 0) as never
    lines.length = one.events.length = 0
    const register = (brokerId: number, digit: string) => {
      const directoryId = digit.repeat(32)
      const request = {
        kind: 'register-broker',
        cellId: 1,
        brokerId,
        directoryId,
        rack: 'r',
      } as const
      one.agent.onRequest('broker', nobody, 7, request)
      one.agent.doWork(0)
    }
    register(2, 'a')
    expect(one.events).toEqual([])
    one.turn()
    expect(one.events.map((event) => event.kind)).toEqual(['published', 'answered'])
    expect(one.events[1]).toMatchObject({ response: { kind: 'register-broker', error: 0 } })
    expect(lines).toEqual([])
    register(2, 'b')
    one.turn()
    const said = expect.stringContaining('another directory')
    expect(lines).toMatchObject([[said, { brokerId: 2, life: 1 }]])
    for (let n = 0; n < 3; n++) register(3, 'b')
    expect(lines).toHaveLength(2)
    expect(lines[1]).toMatchObject(['broker not registered', { brokerId: 3 }])
    expect(one.events.at(-1)).toMatchObject({ response: { error: ErrorCode.INVALID_REQUEST } })
    const again = harness(log.reopened(false), 3, 2, logger)
    again.start()
    expect(lines).toHaveLength(2)
    const known = again.follower.brokerDirectory(1 as never, 2 as never)
    expect(known).toMatchObject({ directoryId: 'b'.repeat(32), life: 1, rack: 'r' })
  })

  it('goes on with a log that an older format began', () => {
    const log = new FakeEntryLog()
    harness(log).start()
    for (const bytes of log.entries) bytes[0] = 2
    const { agent, follower, start, turn } = harness(log)
    const tenantId = start()
    agent.onRequest('front-0', tenantId, 1, create('orders'))
    agent.doWork(0)
    turn()
    expect(follower.topicByName(tenantId, 'orders')?.partitionCount).toBe(3)
    expect(log.entries.map((bytes) => bytes[0])).toEqual([2, 2, METADATA_FORMAT])
  })

  it('answers when the entries are durable, after everyone has been told', () => {
    const { agent, log, events, follower, start, turn } = harness()
    const tenantId = start()
    events.length = 0
    agent.onRequest('front-0', tenantId, 7, create('orders'))
    agent.doWork(0)
    expect(log.endOffset).toBe(3)
    expect(events).toEqual([])
    turn()
    expect(events.map((event) => event.kind)).toEqual(['published', 'answered'])
    expect(events[0]).toMatchObject({ message: { first: 2, offset: 3 } })
    expect(events[1]).toMatchObject({ correlation: 7, response: { results: [{ error: 0 }] } })
    expect(follower.topicByName(tenantId, 'orders')?.partitionCount).toBe(3)
    expect(turn()).toBe(0)
    expect(agent.uncommittedChanges).toBe(0)
  })

  it('decides many requests in a turn, and answers a read-only one after what it saw', () => {
    const { agent, events, start, turn } = harness()
    const tenantId = start()
    events.length = 0
    for (let i = 0; i < 20; i++) agent.onRequest('front-0', tenantId, i, create(`t${i}`))
    agent.onRequest('front-0', tenantId, 20, create('t3'))
    agent.doWork(0)
    agent.doWork(0)
    expect(events).toEqual([])
    turn()
    expect(events.filter((event) => event.kind === 'published')).toHaveLength(1)
    const answers = events.filter((event) => event.kind === 'answered')
    expect(answers.map((one) => one.correlation)).toEqual(Array.from({ length: 21 }, (_, i) => i))
    expect(answers[20]).toMatchObject({
      response: { results: [{ error: ErrorCode.TOPIC_ALREADY_EXISTS }] },
    })
  })

  it('lets what comes during a flush wait for the next', () => {
    const { agent, log, events, start, turn } = harness()
    const tenantId = start()
    events.length = 0
    agent.onRequest('front-0', tenantId, 1, create('a'))
    agent.doWork(0)
    agent.onRequest('front-0', tenantId, 2, create('b'))
    agent.doWork(0)
    log.committedOffset = log.endOffset - 1
    agent.doWork(0)
    expect(events.filter((event) => event.kind === 'answered')).toHaveLength(1)
    turn()
    expect(events.filter((event) => event.kind === 'answered')).toHaveLength(2)
  })

  it('has the same image after a restart, after kill -9 and after a power cut', () => {
    const first = harness()
    const tenantId = first.start()
    first.agent.onRequest('front-0', tenantId, 1, create('a', 'b.c'))
    first.agent.onRequest('front-0', tenantId, 2, { kind: 'allocate-producer-ids', count: 9 })
    first.agent.onRequest('front-0', tenantId, 3, {
      kind: 'delete-topics',
      topics: [{ name: 'a' }],
    })
    first.agent.doWork(0)
    first.turn()
    const hash = first.follower.hash()
    for (const powerCut of [false, true]) {
      const again = harness(first.log.reopened(powerCut), 3, 99)
      expect(again.start()).toBe(tenantId)
      expect(again.follower.hash()).toBe(hash)
      expect(imageOf(again.agent).hash()).toBe(hash)
      expect(again.log.endOffset).toBe(first.log.endOffset)
      again.agent.onRequest('front-0', tenantId, 1, create('a'))
      again.agent.doWork(0)
      again.turn()
      expect(again.follower.topicByName(tenantId, 'a')?.numberOf(0 as never)).toBe(7)
      const joined = new MetadataImage()
      for (const message of again.agent.snapshot()) applyMetadata(joined, message)
      expect(joined.hash()).toBe(again.follower.hash())
    }
  })

  it('shows what kill -9 left uncommitted once that is committed', () => {
    const first = harness()
    const tenantId = first.start()
    first.agent.onRequest('front-0', tenantId, 1, create('late'))
    first.agent.doWork(0)
    const log = first.log.reopened(false)
    log.term = 0
    log.committedOffset = first.log.committedOffset
    const again = harness(log)
    again.agent.doWork(0)
    expect(again.events).toEqual([])
    expect(imageOf(again.agent).topicByName(tenantId, 'late')).toBeUndefined()
    log.lead(2)
    again.turn()
    expect(again.follower.topicByName(tenantId, 'late')).toBeDefined()
  })

  it('answers KAFKA_STORAGE_ERROR when the disk refuses, and goes on as if nothing was asked', () => {
    const { agent, log, events, start, turn, follower } = harness()
    const tenantId = start()
    events.length = 0
    log.failNextAppend = new Error('ENOSPC')
    agent.onRequest('front-0', tenantId, 1, create('full'))
    agent.onRequest('front-0', tenantId, 2, create('full'))
    agent.doWork(0)
    turn()
    const answers = events.filter((event) => event.kind === 'answered')
    expect(answers[0]).toMatchObject({
      correlation: 1,
      response: { results: [{ name: 'full', error: ErrorCode.KAFKA_STORAGE_ERROR }] },
    })
    expect(answers[1]).toMatchObject({ correlation: 2, response: { results: [{ error: 0 }] } })
    expect(follower.topicCount).toBe(1)
  })

  it('leaves nobody waiting once the log has lost a flush', () => {
    const { agent, log, events, start } = harness()
    const tenantId = start()
    events.length = 0
    agent.onRequest('front-0', tenantId, 1, create('unsure'))
    agent.doWork(0)
    log.failure = 'EIO'
    agent.onRequest('front-0', tenantId, 2, create('late'))
    expect(agent.doWork(0)).toBe(2)
    expect(events).toMatchObject([
      { correlation: 1, response: { results: [{ error: ErrorCode.KAFKA_STORAGE_ERROR }] } },
      { correlation: 2, response: { results: [{ error: ErrorCode.KAFKA_STORAGE_ERROR }] } },
    ])
    expect(log.endOffset).toBe(3)
  })

  it('fails what waits when it stops', () => {
    const { agent, events, start } = harness()
    const tenantId = start()
    events.length = 0
    agent.onRequest('front-0', tenantId, 1, create('parked'))
    agent.doWork(0)
    agent.onRequest('front-0', tenantId, 2, create('queued'))
    agent.stop()
    expect(events).toMatchObject([
      { correlation: 1, response: { results: [{ error: ErrorCode.NOT_CONTROLLER }] } },
      { correlation: 2, response: { results: [{ error: ErrorCode.NOT_CONTROLLER }] } },
    ])
    expect(agent.doWork(0)).toBe(0)
  })

  it('bounds a turn, and keeps order over turns', () => {
    const { agent, events, start, turn } = harness()
    const tenantId = start()
    events.length = 0
    for (let i = 0; i < 100; i++) agent.onRequest('front-0', tenantId, i, create(`t${i}`))
    expect(agent.doWork(0)).toBeLessThan(100)
    for (let i = 0; i < 8; i++) turn()
    const answers = events.filter((event) => event.kind === 'answered')
    expect(answers.map((one) => one.correlation)).toEqual(Array.from({ length: 100 }, (_, i) => i))
  })

  it('forgets what is not committed when its term ends, and goes on with what the next one has', () => {
    const first = harness()
    const tenantId = first.start()
    const { agent, log, events } = first
    agent.onRequest('front-0', tenantId, 1, create('lost'))
    agent.doWork(0)
    agent.onRequest('front-0', tenantId, 2, create('late'))
    events.length = 0
    // another controller, elected with the same log, has made another topic in its place
    const other = harness(log.reopened(true), 3, 9)
    other.start()
    other.agent.onRequest('front-0', tenantId, 1, create('theirs'))
    other.agent.doWork(0)
    other.turn()
    log.follow(other.log.entries.slice(log.committedOffset))
    agent.doWork(0)
    expect(agent.serves).toBe(false)
    // what was appended may be committed or not; what was not even looked at is for the next one
    expect(events).toMatchObject([
      { correlation: 1, response: { results: [{ error: ErrorCode.NOT_CONTROLLER }] } },
      { correlation: 2, response: null },
    ])
    expect(agent.uncommittedChanges).toBe(0)
    expect(imageOf(agent).hash()).toBe(imageOf(other.agent).hash())
    agent.onRequest('front-0', tenantId, 3, create('any'))
    agent.doWork(0)
    expect(events.at(-1)).toMatchObject({ correlation: 3, response: null })

    // elected again, it knows what was committed meanwhile, and publishes all of it before it answers
    log.lead(4)
    events.length = 0
    agent.onRequest('front-0', tenantId, 4, create('theirs'))
    first.turn()
    first.turn()
    const [published, answered] = events
    expect(published).toMatchObject({ message: { epoch: 4, first: 0, offset: log.endOffset } })
    const exists = { error: ErrorCode.TOPIC_ALREADY_EXISTS }
    expect(answered).toMatchObject({ correlation: 4, response: { results: [exists] } })
    expect(first.follower.hash()).toBe(other.follower.hash())
    expect(first.follower.topicByName(tenantId, 'lost')).toBeUndefined()
  })

  it('holds requests while it hands its leadership over', () => {
    const { agent, log, events, start, turn } = harness()
    const tenantId = start()
    events.length = 0
    log.takesEntries = false
    agent.onRequest('front-0', tenantId, 1, create('held'))
    agent.doWork(0)
    expect([events, log.endOffset]).toEqual([[], 2])
    // it was given up
    log.takesEntries = true
    turn()
    turn()
    expect(events.at(-1)).toMatchObject({ correlation: 1, response: { results: [{ error: 0 }] } })
  })

  it('gives up to another whose disk may be well, which is asked what was not done', () => {
    const { agent, log, events, start, turn } = harness()
    const tenantId = start()
    events.length = 0
    log.hasHeir = true
    log.failNextAppend = new Error('EIO')
    agent.onRequest('front-0', tenantId, 1, create('a'))
    agent.onRequest('front-0', tenantId, 2, create('b'))
    turn()
    turn()
    expect(events).toMatchObject([
      { correlation: 1, response: null },
      { correlation: 2, response: null },
    ])
    expect(log.endOffset).toBe(2)
  })

  it('is not heard by who has heard of a later term', () => {
    const { log, follower, start, agent, turn } = harness()
    const tenantId = start()
    const told: MetadataMessage = {
      kind: 'metadata',
      ...{ epoch: 7, first: follower.offset, offset: follower.offset, entries: [] },
    }
    expect(applyMetadata(follower, told)).toBe(true)
    const hash = follower.hash()
    // it has stood still, and does not know
    agent.onRequest('front-0', tenantId, 1, create('late'))
    agent.doWork(0)
    turn()
    for (const message of agent.snapshot()) {
      expect(applyMetadata(follower, structuredClone(message))).toBe(false)
    }
    expect([follower.hash(), log.endOffset]).toEqual([hash, 3])
  })

  it('applies a long log a bit at a time', () => {
    const first = harness()
    const tenantId = first.start()
    for (let i = 0; i < 5_000; i++) {
      first.agent.onRequest('front-0', tenantId, i, { kind: 'allocate-producer-ids', count: 1 })
    }
    for (let i = 0; i < 400; i++) first.turn()
    expect(first.log.endOffset).toBeGreaterThan(5_000)
    const log = first.log.reopened(true)
    log.term = 0
    const { agent } = harness(log)
    agent.doWork(0)
    expect(agent.offset).toBeLessThan(log.endOffset)
    agent.doWork(0)
    expect(agent.offset).toBe(log.endOffset)
  })

  it('refuses another number of brokers, naming both', () => {
    const first = harness()
    first.start()
    const other = harness(first.log.reopened(false), 5)
    expect(() => other.agent.doWork(0)).toThrow(
      /formed with 3 brokers in one cell, but this start asks for 5 brokers in one cell.*--brokers 3/,
    )
    expect(other.log.appends).toBe(0)
  })

  it('refuses a newer format by name', () => {
    const first = harness()
    first.start()
    const log = first.log.reopened(false)
    const newer = log.entries[1]!.slice()
    newer[0] = METADATA_FORMAT + 1
    log.entries[1] = newer
    expect(() => harness(log).agent.doWork(0)).toThrow(
      `offset 1 has format ${METADATA_FORMAT + 1}, this version reads`,
    )
  })

  it('draws the same ids from the same seed, others from another', () => {
    expect(harness(new FakeEntryLog(), 3, 5).start()).toBe(
      harness(new FakeEntryLog(), 3, 5).start(),
    )
    expect(harness(new FakeEntryLog(), 3, 5).start()).not.toBe(
      harness(new FakeEntryLog(), 3, 6).start(),
    )
  })
})

describe('entries as bytes', () => {
  it('come back as they were, behind a format byte', () => {
    const { log, start } = harness()
    start()
    for (const bytes of log.entries) {
      expect(bytes[0]).toBe(METADATA_FORMAT)
      expect(encodeEntry(decodeEntry(bytes, 0))).toEqual(bytes)
    }
    expect(() => decodeEntry(new Uint8Array([0]), 3)).toThrow(/offset 3 has format 0/)
  })
})
