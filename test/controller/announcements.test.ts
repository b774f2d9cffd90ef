import { describe, expect, it } from 'vitest'
import { ManualClock } from '../../src/base/clock.ts'
import { ErrorCode } from '../../src/base/error-code.ts'
import { silentLogger } from '../../src/base/log.ts'
import { SeededRandom } from '../../src/base/random.ts'
import { ControllerAgent } from '../../src/controller/agent.ts'
import { applyMetadata } from '../../src/image/apply-metadata.ts'
import { MetadataImage } from '../../src/image/image.ts'
import type { ControllerResponse, MetadataMessage } from '../../src/image/request.ts'
import { SNAPSHOT_CHUNK_ENTRIES } from '../../src/image/snapshot.ts'
import { FakeEntryLog } from './fake-entry-log.ts'
import { imageOf } from './image-of.ts'

const TOPICS = 2 * SNAPSHOT_CHUNK_ENTRIES + 2_000

type Event =
  | { readonly to: string; readonly message: MetadataMessage }
  | { readonly correlation: number; readonly response: ControllerResponse | null }

/** A controller and what it has done, turn by turn. */
function controller(log = new FakeEntryLog()) {
  const events: Event[] = []
  const follower = new MetadataImage()
  const joined = new MetadataImage()
  const agent = new ControllerAgent({
    log,
    clock: new ManualClock(),
    random: new SeededRandom(1),
    logger: silentLogger,
    settings: { cells: 1, brokersPerCell: 3, defaultPartitions: 1 },
    publish: (message) => {
      for (const image of hearers) applyMetadata(image, structuredClone(message))
      events.push({ to: 'all', message })
    },
    respond: (_front, correlation, response) => events.push({ correlation, response }),
  })
  const hearers = [follower]
  const turn = () => {
    log.commit()
    return agent.doWork(0)
  }
  /** A thread begins with nothing, and hears from now on what is published. */
  const join = () => {
    hearers.push(joined)
    agent.bringUpToDate('broker-1-2', (message) => {
      applyMetadata(joined, structuredClone(message))
      events.push({ to: 'one', message })
    })
  }
  const create = (correlation: number, ...names: string[]) =>
    agent.onRequest('front-0', imageOf(agent).defaultTenant!.tenantId, correlation, {
      kind: 'create-topics',
      validateOnly: false,
      topics: names.map((name) => ({
        ...{ name, partitions: 1, replicationFactor: -1, assignments: [], configs: [] },
      })),
    })
  return { agent, log, events, follower, joined, turn, join, create }
}

/** One that leads with many topics, in term 1; its log is everybody's. */
function withTopics() {
  const one = controller()
  one.turn()
  one.turn()
  for (let n = 0; n < TOPICS; n += 1_000) {
    one.create(n, ...Array.from({ length: 1_000 }, (_, i) => `t${n + i}`))
    one.turn()
    one.turn()
  }
  expect(imageOf(one.agent).topicCount).toBe(TOPICS)
  one.events.length = 0
  return one
}

/** The same log, led in the next term by another, up to the turn in which it publishes. */
function elected(log: FakeEntryLog) {
  const next = controller(log.reopened(true))
  for (let turns = 0; next.events.length === 0; turns++) {
    expect(turns).toBeLessThan(10)
    next.turn()
  }
  return next
}

const created = (correlation: number, error: number) => ({
  correlation,
  response: { kind: 'create-topics', results: [{ error }] },
})

describe('a controller with many topics', () => {
  const { log } = withTopics()

  it('publishes them in several turns, decides nothing meanwhile, and serves afterwards', () => {
    const { agent, events, follower, turn, create } = elected(log)
    const { endOffset } = log
    create(1, 'new')
    for (let told = 1; told < 3; told++) {
      expect(events).toHaveLength(told)
      expect(events.at(-1)).toMatchObject({ to: 'all', message: { epoch: 2, more: true } })
      expect([agent.serves, agent.epoch, agent.offset]).toEqual([false, 0, endOffset])
      expect(follower.isWhole).toBe(false)
      expect(turn()).toBeGreaterThan(0)
    }
    expect([agent.serves, agent.epoch, follower.isWhole]).toEqual([true, 2, true])
    expect(events[2]).toMatchObject({ to: 'all', message: { epoch: 2, offset: endOffset } })
    turn()
    expect(events.slice(3)).toMatchObject([
      { to: 'all', message: { first: endOffset } },
      created(1, ErrorCode.NONE),
    ])
    expect(follower.hash()).toBe(imageOf(agent).hash())
    expect(follower.topicCount).toBe(TOPICS + 1)
  })

  it('deposed in the midst, it says no more of that, and hands back what it was asked', () => {
    const { agent, log: own, events, follower, turn, create } = elected(log)
    create(1, 'new')
    own.follow()
    for (let turns = 0; turns < 5; turns++) agent.doWork(0)
    expect(events.slice(1)).toEqual([{ correlation: 1, response: null }])
    expect([agent.serves, follower.isWhole]).toEqual([false, false])
    // and begins at the beginning when it leads again
    own.lead(9)
    for (let turns = 0; turns < 6; turns++) turn()
    expect(events[2]).toMatchObject({ message: { epoch: 9, first: 0 } })
    expect([agent.serves, follower.hash()]).toEqual([true, imageOf(agent).hash()])
  })

  it('begins anew for all when one comes in the midst who has missed the beginning', () => {
    const { agent, events, follower, joined, turn, join } = elected(log)
    turn()
    join()
    for (let turns = 0; turns < 4; turns++) turn()
    const firsts = events.map((event) => 'message' in event && event.message.first)
    expect(firsts).toEqual([0, 5_000, 0, 5_000, 10_000])
    expect(agent.serves).toBe(true)
    for (const image of [follower, joined]) expect(image.hash()).toBe(imageOf(agent).hash())
  })

  it('tells one who comes later in several turns as well, and what is decided follows on that', () => {
    const { agent, events, follower, joined, turn, join, create } = elected(log)
    for (let turns = 0; turns < 3; turns++) turn()
    expect(agent.serves).toBe(true)
    events.length = 0
    create(1, 'before')
    // appended, and not committed yet
    agent.doWork(0)
    join()
    create(2, 'after')
    for (let turns = 0; turns < 6; turns++) turn()
    expect(events.map((event) => ('to' in event ? event.to : event.correlation))).toEqual([
      ...['one', 'one', 'one'],
      ...['all', 1, 'all', 2],
    ])
    expect(agent.serves).toBe(true)
    for (const image of [follower, joined]) expect(image.hash()).toBe(imageOf(agent).hash())
    expect(joined.topicCount).toBe(TOPICS + 2)
  })

  it('deposed while it tells one, it tells all when it leads again, and that one nothing besides', () => {
    const { agent, log: own, events, follower, joined, turn, join } = elected(log)
    for (let turns = 0; turns < 3; turns++) turn()
    join()
    turn()
    events.length = 0
    own.follow()
    agent.doWork(0)
    own.lead(9)
    for (let turns = 0; turns < 4; turns++) turn()
    expect(events).toHaveLength(3)
    for (const event of events) expect(event).toMatchObject({ to: 'all', message: { epoch: 9 } })
    expect(agent.serves).toBe(true)
    for (const image of [follower, joined]) expect(image.hash()).toBe(imageOf(agent).hash())
  })

  it('tells one who comes later while the disk of its log fails, too', () => {
    const { agent, log: own, events, joined, turn, join } = elected(log)
    for (let turns = 0; turns < 3; turns++) turn()
    own.failure = 'EIO'
    events.length = 0
    join()
    for (let turns = 0; turns < 3; turns++) agent.doWork(0)
    expect(events).toMatchObject([{ to: 'one' }, { to: 'one' }, { to: 'one' }])
    expect(joined.hash()).toBe(imageOf(agent).hash())
  })

  it('tells nobody what it may not say: it does not lead', () => {
    const { agent, log: own, events, turn, join } = elected(log)
    for (let turns = 0; turns < 3; turns++) turn()
    own.follow()
    agent.doWork(0)
    events.length = 0
    join()
    for (let turns = 0; turns < 3; turns++) agent.doWork(0)
    expect(events).toEqual([])
  })
})
