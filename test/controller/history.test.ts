import { describe, expect, it } from 'vitest'
import { ManualClock } from '../../src/base/clock.ts'
import { silentLogger } from '../../src/base/log.ts'
import { SeededRandom } from '../../src/base/random.ts'
import { ControllerAgent } from '../../src/controller/agent.ts'
import { applyMetadata } from '../../src/image/apply-metadata.ts'
import { MetadataImage } from '../../src/image/image.ts'
import type { ControllerRequest, NewTopic } from '../../src/image/request.ts'
import { FakeEntryLog } from './fake-entry-log.ts'
import { imageOf } from './image-of.ts'

/** Correlation of requests that only validate. */
const VALIDATED = -1
const ROUNDS = process.env.GRIOT_TEST_LONG ? 300 : 30

/** One life of a controller and of an agent that follows it. */
function life(log: FakeEntryLog, random: SeededRandom) {
  const follower = new MetadataImage()
  const answered: string[] = []
  const agent = new ControllerAgent({
    log,
    clock: new ManualClock(),
    random,
    logger: silentLogger,
    settings: { cells: 1, brokersPerCell: 3, defaultPartitions: 2 },
    publish: (message) => applyMetadata(follower, structuredClone(message)),
    respond: (_front, correlation, response) => {
      if (response?.kind !== 'create-topics' && response?.kind !== 'delete-topics') return
      if (correlation === VALIDATED) return
      for (const { error, name } of response.results) {
        if (error === 0) answered.push(`${response.kind} ${name}`)
      }
    },
  })
  return { agent, follower, answered }
}

function someRequest(random: SeededRandom): ControllerRequest {
  const name = () => `t${random.below(4)}${random.chance(0.5) ? '.' : '_'}x`
  if (random.chance(0.2)) return { kind: 'allocate-producer-ids', count: 1 + random.below(9) }
  if (random.chance(0.2)) {
    const topics = [{ name: name(), count: 2 + random.below(9), assignments: null }]
    return { kind: 'create-partitions', validateOnly: random.chance(0.1), topics }
  }
  if (random.chance(0.3)) return someChange(random, name())
  if (random.chance(0.2)) {
    const count = 1 + random.below(3)
    const replicas = [1, 2, 3].slice(0, count).map((id) => ((id + random.below(3)) % 3) + 1)
    const partitions = [{ index: random.below(3), replicas: random.chance(0.3) ? null : replicas }]
    const topics = [{ name: name(), partitions }]
    return { kind: 'alter-reassignments', allowReplicationFactorChange: true, topics }
  }
  if (random.chance(0.4)) return { kind: 'delete-topics', topics: [{ name: name() }] }
  const topics: NewTopic[] = Array.from({ length: 1 + random.below(3) }, () => ({
    name: name(),
    partitions: random.below(5),
    replicationFactor: -1,
    assignments: [],
    configs: random.chance(0.3) ? [{ name: 'retention.ms', value: `${random.below(9)}` }] : [],
  }))
  return { kind: 'create-topics', validateOnly: random.chance(0.1), topics }
}

function someChange(random: SeededRandom, topic: string): ControllerRequest {
  const [type, name, config] = (
    [
      [2, topic, 'retention.ms'],
      [4, random.chance(0.5) ? '1' : '', 'log.retention.ms'],
      [32, `g${random.below(3)}`, 'consumer.session.timeout.ms'],
    ] as const
  )[random.below(3)]!
  const operation = random.chance(0.3) ? 1 : 0
  const change = { name: config, operation, value: String(45_000 + random.below(3)) }
  return {
    ...{ kind: 'alter-configs', incremental: true, validateOnly: random.chance(0.1), nodeId: 1 },
    resources: [{ type, name, changes: [change] }],
  }
}

/** The topics that a client must believe in, from the answers alone. */
function told(before: readonly string[], answered: readonly string[]): string[] {
  const names = new Set(before)
  for (const answer of answered) {
    const [kind, name] = answer.split(' ') as [string, string]
    if (kind === 'create-topics') names.add(name)
    else names.delete(name)
  }
  return [...names].sort()
}

describe('any history of requests, failed writes, kills and power cuts', () => {
  it(`gives a follower, a late joiner and a restart the same image (${ROUNDS} seeds)`, () => {
    for (let seed = 1; seed <= ROUNDS; seed++) {
      const random = new SeededRandom(seed)
      let log = new FakeEntryLog()
      for (let start = 0; start < 4; start++) {
        const { agent, follower, answered } = life(log, random)
        agent.doWork(0)
        log.commit()
        agent.doWork(0)
        const tenantId = follower.defaultTenant!.tenantId
        const before = [...follower.topics(tenantId)].map((topic) => topic.name)
        const steps = 20 + random.below(30)
        for (let step = 0; step < steps; step++) {
          const request = someRequest(random)
          const validates = request.kind === 'create-topics' && request.validateOnly
          agent.onRequest('front-0', tenantId, validates ? VALIDATED : step, request)
          if (random.chance(0.05)) log.failNextAppend = new Error('ENOSPC')
          if (random.chance(0.5)) agent.doWork(0)
          if (random.chance(0.3)) log.commit()
        }
        agent.doWork(0)
        const where = `seed ${seed}, start ${start}`
        expect(agent.offset, where).toBe(follower.offset)
        expect(imageOf(agent).hash(), where).toBe(follower.hash())
        // What was answered is in the log that survives a power cut: never more than is durable.
        expect(follower.offset, where).toBeLessThanOrEqual(log.committedOffset)
        const names = [...follower.topics(tenantId)].map((topic) => topic.name)
        expect(names, where).toEqual(told(before, answered))
        const durable = follower.hash()
        log = log.reopened(true)
        const again = life(log, random)
        again.agent.doWork(0)
        if (follower.offset === log.endOffset) expect(again.follower.hash(), where).toBe(durable)
        expect(again.follower.offset, where).toBeGreaterThanOrEqual(follower.offset)
      }
    }
  })
})
