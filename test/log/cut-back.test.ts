/** A log that is cut back, or begins anew, below what the recovery points say that is durable. */
import { describe, expect, it } from 'vitest'
import type { LogConfig } from '../../src/log/log-config.ts'
import type { PartitionLog } from '../../src/log/partition-log.ts'
import type { SimulatedFlusher } from '../../src/log/simulated-flusher.ts'
import { append, batchOf, PARTITION, ROOT, simulated } from './support.ts'
import { liveUntil } from './workload.ts'

const SEEDS = process.env.GRIOT_TEST_LONG ? 50 : 8
const TIMEOUT_MS = process.env.GRIOT_TEST_LONG ? 600_000 : 60_000
const CONFIG: Partial<LogConfig> = { segmentBytes: 300, indexIntervalBytes: 50, flushMessages: 1 }

const settle = (flusher: SimulatedFlusher) => {
  while (flusher.doWork() > 0);
}

/** A log of offsets 0 to 19 in several segments, all of it durable, as the recovery points say durably. */
function durable() {
  const world = simulated(false)
  const { broker, disk, flusher } = world
  const log = broker.open(CONFIG)
  for (let i = 0; i < 10; i++) append(log, batchOf([`${i}-a`, `${i}-b`]), 1)
  log.flushAll(() => {})
  settle(flusher)
  log.close()
  for (const name of disk.list(ROOT)) {
    if (name.startsWith('recovery-points')) disk.flush(`${ROOT}/${name}`)
  }
  return { ...world, log: broker.open(CONFIG) }
}

type World = ReturnType<typeof durable>

/** As replicas are. */
function cutBack(log: PartitionLog, offset: number): void {
  const cut = () => log.truncateTo(offset)
  const isToldFirst = log.announceCut(offset, (failed) => {
    if (failed !== null) throw failed
    cut()
  })
  if (!isToldFirst) cut()
}

/** Does `work` up to every single change on disk, cuts the power there, and opens the log. */
function cutEverywhere(
  work: (world: World) => void,
  check: (log: PartitionLog, where: string) => void,
): number {
  let changes = 0
  for (let at = 1, more = true; more; at++) {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const world = durable()
      const { broker, disk, flusher } = world
      more = liveUntil(disk, disk.operations + at, () => work(world))
      disk.powerCut(at * 1000 + seed)
      flusher.forget()
      broker.start()
      check(broker.open(CONFIG), `change ${at}, seed ${seed}`)
    }
    changes = at
  }
  return changes
}

describe('a power cut after every single change', () => {
  it(
    'while a log begins anew below its durable end leaves the old or the new one, whole',
    () => {
      const changes = cutEverywhere(
        ({ log, broker, flusher }) => {
          log.restartAt(11, {}, () => {})
          settle(flusher)
          log.abandon()
          const next = broker.open(CONFIG)
          settle(flusher)
          append(next, batchOf(['new']), 2)
          settle(flusher)
        },
        (log, where) => expect(log.failure, where).toBeNull(),
      )
      expect(changes).toBeGreaterThan(20)
    },
    TIMEOUT_MS,
  )

  it(
    'while a log is cut back below its durable end leaves what was there, or what is there since',
    () => {
      const changes = cutEverywhere(
        ({ log, flusher }) => {
          cutBack(log, 11)
          settle(flusher)
          append(log, batchOf(['new']), 2)
          settle(flusher)
        },
        (log, where) => {
          expect(log.failure, where).toBeNull()
          expect(log.logEndOffset, where).toBeGreaterThanOrEqual(10)
        },
      )
      expect(changes).toBeGreaterThan(15)
    },
    TIMEOUT_MS,
  )

  it(
    'while a log is cut back, was flushed meanwhile and dies between leaves one that is whole',
    () => {
      const changes = cutEverywhere(
        ({ log, broker, disk, flusher }) => {
          append(log, batchOf(['more']), 1)
          cutBack(log, 11)
          settle(flusher)
          expect(log.logEndOffset).toBe(10)
          disk.kill()
          flusher.forget()
          broker.start()
          const next = broker.open(CONFIG)
          append(next, batchOf(['new']), 2)
          cutBack(next, 5)
          settle(flusher)
          append(next, batchOf(['newer']), 3)
          settle(flusher)
        },
        (log, where) => {
          expect(log.failure, where).toBeNull()
          expect(log.logEndOffset, where).toBeGreaterThanOrEqual(4)
        },
      )
      expect(changes).toBeGreaterThan(20)
    },
    TIMEOUT_MS,
  )
})

describe('a cut back', () => {
  it('waits for nothing where the recovery points have never told of more', () => {
    const { broker, flusher } = simulated(false)
    const log = broker.open(CONFIG)
    append(log, batchOf(['a', 'b']))
    append(log, batchOf(['c', 'd']))
    expect(log.announceCut(2, () => {})).toBe(false)
    settle(flusher)
    expect(log.announceCut(4, () => {})).toBe(false)
  })

  it('is not announced where the word of it cannot be made durable, and the next try writes it anew', () => {
    const { log, broker, disk, flusher } = durable()
    disk.onOperation = ({ operation, path }) =>
      operation === 'flush' && path.includes('recovery-points')
        ? { kind: 'error', code: 'EIO' }
        : null
    const told: (string | null)[] = []
    const announce = () => log.announceCut(11, (failed) => told.push(failed?.code ?? null))
    expect(announce()).toBe(true)
    settle(flusher)
    expect(told).toEqual(['EIO'])
    expect(announce()).toBe(true)
    settle(flusher)
    expect(told).toEqual(['EIO', 'EIO'])
    expect(log.logEndOffset).toBe(20)
    disk.onOperation = null
    const before = disk.list(ROOT)
    expect(announce()).toBe(true)
    settle(flusher)
    expect(told).toEqual(['EIO', 'EIO', null])
    expect(disk.list(ROOT)).not.toEqual(before)
    expect(announce()).toBe(false)
    expect(broker.environment.recoveryPoints.of(PARTITION).flushedOffset).toBe(10)
  })

  it('is not announced once the log is closed, or has lost a flush', () => {
    for (const end of [
      ({ log }: World) => void log.close(),
      ({ log, disk, flusher }: World) => {
        append(log, batchOf(['lost']), 1)
        disk.onOperation = ({ operation, path }) =>
          operation === 'flush' && path.endsWith('.log') ? { kind: 'error', code: 'EIO' } : null
        settle(flusher)
      },
    ]) {
      const world = durable()
      const told: (string | null)[] = []
      world.log.announceCut(11, (failed) => told.push(failed?.code ?? null))
      end(world)
      settle(world.flusher)
      expect(told).toEqual(['ECANCELED'])
    }
  })
})
