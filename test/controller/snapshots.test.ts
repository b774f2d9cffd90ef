/** Snapshots that cannot be written are tried again now and then, and no more. */
import { describe, expect, it } from 'vitest'
import { ManualClock } from '../../src/base/clock.ts'
import { SeededRandom } from '../../src/base/random.ts'
import { Checkpoints, PART } from '../../src/broker/checkpoints.ts'
import { ControllerAgent } from '../../src/controller/agent.ts'
import { SimulatedDisk } from '../../src/log/simulated-disk.ts'
import { SimulatedFlusher } from '../../src/log/simulated-flusher.ts'
import { FakeEntryLog } from './fake-entry-log.ts'
import { imageOf } from './image-of.ts'

const DIRECTORY = '/data/broker-2/metadata'
const MINUTE = 60_000

/** One that follows a leader, whose log begins with a snapshot that this one has not yet. */
function follower({ maxBytes = 2 ** 40, maxIntervalMs = 0 } = {}) {
  const disk = new SimulatedDisk()
  disk.mkdirs(DIRECTORY)
  const flush = new SimulatedFlusher(disk)
  const clock = new ManualClock()
  const lines: string[] = []
  const logger = { log: (_: string, message: string) => lines.push(message) }
  const environment = { disk, flush, clock, logger, space: null }
  const store = Checkpoints.open({ environment, directory: DIRECTORY })
  const log = new FakeEntryLog()
  const settings = { cells: 1, brokersPerCell: 3, defaultPartitions: 1, isReplicated: true }
  const agent = new ControllerAgent({
    ...{ log, clock, logger, random: new SeededRandom(3), settings },
    snapshots: { store, maxBytes, maxIntervalMs },
    publish: () => {},
    respond: () => {},
  })
  const turn = (nowMs: number) => store.doWork(nowMs) + agent.doWork(nowMs) + flush.doWork()
  const settle = (nowMs: number) => {
    for (let turns = 0; turn(nowMs) > 0; turns++) if (turns > 100) return false
    return true
  }
  // what it has applied, it made itself as the leader of a term that is over
  settle(0)
  log.commit()
  settle(0)
  log.follow()
  settle(0)
  const attempts = () => lines.filter((one) => one.includes('cannot be made')).length
  return { disk, store, log, agent, settle, attempts, lines }
}

const isFull = ({ operation, path }: { operation: string; path: string }) =>
  (operation === 'open' || operation === 'write') && path.endsWith(PART)
    ? ({ kind: 'error', code: 'ENOSPC' } as const)
    : null

describe('a snapshot that cannot be written', () => {
  it('and that is waited for is tried now and then, and the thread rests in between', () => {
    const { disk, store, log, agent, settle, attempts } = follower()
    disk.onOperation = isFull
    expect(store.covers(log.endOffset)).toBe(false)
    for (let nowMs = 0; nowMs < MINUTE; nowMs += 10) {
      expect(settle(nowMs), `turns end at ${nowMs}`).toBe(true)
      expect(agent.nextTimerAtMs).toBeGreaterThan(nowMs)
      expect(agent.nextTimerAtMs).toBeLessThanOrEqual(nowMs + MINUTE)
    }
    expect(attempts()).toBeGreaterThan(1)
    expect(attempts()).toBeLessThanOrEqual(10)
    // there is room again
    disk.onOperation = null
    const nextAtMs = agent.nextTimerAtMs
    settle(nextAtMs)
    expect(store.kept).toMatchObject([{ offset: log.endOffset }])
    expect(agent.nextTimerAtMs).toBe(Number.POSITIVE_INFINITY)
  })

  it.each([
    ['many bytes', { maxBytes: 1 }],
    ['a long time', { maxIntervalMs: 1 }],
  ])('and is due after %s is tried again without more of it', (_, settings) => {
    const { disk, store, log, agent, settle, attempts } = follower(settings)
    // those that were made of its own term
    const before = store.kept.at(-1)?.offset ?? 0
    log.lead(2)
    agent.onRequest('front-0', imageOf(agent).defaultTenant!.tenantId, 0, {
      ...{ kind: 'allocate-producer-ids', count: 1 },
    })
    disk.onOperation = isFull
    settle(1)
    log.commit()
    for (let nowMs = 2; nowMs < MINUTE; nowMs += 10) {
      expect(settle(nowMs), `turns end at ${nowMs}`).toBe(true)
      expect(agent.nextTimerAtMs).toBeGreaterThan(nowMs)
    }
    expect(attempts()).toBeGreaterThan(1)
    expect(attempts()).toBeLessThanOrEqual(10)
    disk.onOperation = null
    settle(agent.nextTimerAtMs)
    expect(store.kept.at(-1)!.offset).toBeGreaterThan(before)
    expect(store.kept.at(-1)).toMatchObject({ offset: log.endOffset })
  })

  it('is not waited for while the log has failed', () => {
    const { log, agent, settle } = follower({ maxIntervalMs: 1_000 })
    expect(agent.nextTimerAtMs).toBe(1_000)
    log.failure = 'its disk fails'
    expect(settle(5_000)).toBe(true)
    expect(agent.nextTimerAtMs).toBe(Number.POSITIVE_INFINITY)
  })
})
