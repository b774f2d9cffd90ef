import { describe, expect, it } from 'vitest'
import { ErrorCode } from '../../src/base/error-code.ts'
import type { PartitionNumber } from '../../src/base/ids.ts'
import { MAGIC_V2, sizeInBytesOf } from '../../src/record/batch.ts'
import { keyed, seenBatch } from '../log/cleaning-support.ts'
import { BROKER, TENANT, World, type WorldOptions } from './world.ts'

const CONFIGS = {
  'cleanup.policy': 'compact',
  'internal.segment.bytes': '4000',
  'delete.retention.ms': '1000',
}
/** Of the records: within the clock of these worlds. */
const AT = { timestampMs: 1_000_000 }
/** Slices small enough that a cleaning takes many turns. */
const SETTINGS = { cleaningBytesPerTurn: 500, cleaningRecordsPerTurn: 10 }

function worldWith(options: WorldOptions = {}, internal = true) {
  const world = new World({ ...options, settings: { ...SETTINGS, ...options.settings } })
  const [partition] = world.createTopic({ internal, configs: CONFIGS })
  return { world, partition: partition! }
}

/** `count` values of ten keys, one a batch, numbered from `from` on; all of them are taken. */
function produce(world: World, partition: PartitionNumber, count: number, from = 0): void {
  for (let i = from; i < from + count; i++) {
    world.front.produce(partition, keyed([[`key ${i % 10}`, `value ${i}`]], AT))
    world.turn()
    for (const reply of world.front.take()) {
      if ('error' in reply) expect(reply.error).toBe(ErrorCode.NONE)
    }
  }
}

const filesOf = (world: World, topic = 1) => world.disk.list(world.directory(topic))
const logBytes = (world: World, topic = 1) =>
  filesOf(world, topic)
    .filter((name) => name.endsWith('.log'))
    .reduce((sum, name) => sum + world.disk.size(`${world.directory(topic)}/${name}`), 0)

/** All records on disk, in order. */
function records(world: World, topic = 1) {
  return filesOf(world, topic)
    .filter((name) => name.endsWith('.log'))
    .flatMap((name) => {
      const bytes = world.disk.readFile(`${world.directory(topic)}/${name}`)
      const found = []
      for (let at = 0; at < bytes.length; at += sizeInBytesOf(bytes, at)) {
        expect(bytes[at + 16]).toBe(MAGIC_V2)
        found.push(...seenBatch(bytes, at).records)
      }
      return found
    })
}

const valuesOf = (world: World) =>
  Object.fromEntries(records(world).map(({ key, value }) => [key, value]))
const wanted = (end: number) =>
  Object.fromEntries(
    Array.from({ length: 10 }, (_, i) => {
      const last = end - 10 + i
      return [`key ${last % 10}`, `value ${last}`]
    }),
  )

describe('an internal topic', () => {
  it('stays as small as what it holds and two segments, however much is written', () => {
    const { world, partition } = worldWith()
    let most = 0
    for (let round = 0; round < 30; round++) {
      produce(world, partition, 40, round * 40)
      world.run()
      most = Math.max(most, logBytes(world))
    }
    expect(most).toBeLessThan(2 * 4_000 + 10 * 90)
    expect(valuesOf(world)).toEqual(wanted(1_200))
    expect(world.complaints()).toEqual([])
  })

  it('is cleaned a bounded bit per turn, and commands are taken in between', () => {
    const { world, partition } = worldWith({ settings: { cleaningBytesPerTurn: 200 } })
    produce(world, partition, 55)
    const answered: number[] = []
    let turns = 0
    while (!world.lines.some(({ message }) => message.startsWith('Log cleaned'))) {
      world.front.produce(partition, keyed([['key 0', `turn ${turns}`]], AT))
      world.turn()
      answered.push(world.front.take().length)
      expect(++turns).toBeLessThan(1_000)
    }
    // 4,000 bytes are read twice, 200 at a time
    expect(turns).toBeGreaterThan(20)
    expect(answered.slice(1).every((count) => count > 0)).toBe(true)
  })

  it.each([
    ['compact', 'delete', true],
    ['delete', 'compact', false],
  ])(
    'is cleaned by what this broker says (%s), not by what brokers say (%s)',
    (own, all, isCleaned) => {
      const world = new World({ settings: SETTINGS })
      for (const [brokerId, policy] of [
        [BROKER, own],
        [0, all],
      ] as const) {
        const configs = { 'log.cleanup.policy': policy }
        world.publish({ kind: 'broker-configs', tenantId: TENANT, brokerId, configs })
      }
      const { 'cleanup.policy': _, ...configs } = CONFIGS
      const [partition] = world.createTopic({ internal: true, configs })
      produce(world, partition!, 120)
      world.run()
      expect(valuesOf(world)).toEqual(wanted(120))
      if (isCleaned) expect(records(world).length).toBeLessThan(100)
      else expect(records(world).length).toBe(120)
    },
  )

  it('of clients with cleanup.policy=compact is left alone for now', () => {
    const { world, partition } = worldWith({}, false)
    produce(world, partition, 200)
    world.run()
    expect(records(world).length).toBe(200)
  })
})

describe('a log that goes away while it is cleaned', () => {
  /** Takes turns until the directory holds what `name` says; false when it never does. */
  const until = (world: World, name: RegExp): boolean => {
    for (let turns = 0; turns < 300; turns++) {
      if (filesOf(world).some((one) => name.test(one))) return true
      if (world.turn() === 0) return false
    }
    return false
  }

  it.each([
    ['is written', /\.log\.cleaned$/],
    ['is swapped', /\.swap-/],
  ])('because its topic was deleted, when a new segment %s, leaves nothing', (_, stage) => {
    const { world, partition } = worldWith()
    produce(world, partition, 55)
    expect(until(world, stage)).toBe(true)
    world.deleteTopic(1)
    world.run()
    expect(world.disk.exists(world.directory(1))).toBe(false)
    expect(world.complaints()).toEqual([])
    expect(world.environment.files.openCount).toBe(0)
  })

  it.each([
    ['is written', /\.log\.cleaned$/],
    ['is swapped', /\.swap-/],
  ])('because the broker stops, when a new segment %s, is whole in its next life', (_, stage) => {
    const { world, partition } = worldWith()
    produce(world, partition, 55)
    expect(until(world, stage)).toBe(true)
    world.stop()
    expect(world.agent.isStopped).toBe(true)
    const next = world.restart({ settings: SETTINGS })
    produce(next, partition, 55, 55)
    next.run()
    expect(filesOf(next).filter((name) => /cleaned$|swap/.test(name))).toEqual([])
    expect(valuesOf(next)).toEqual(wanted(110))
    expect(next.complaints()).toEqual([])
  })
})

describe('an error while a log is cleaned', () => {
  it('ends that attempt, not the partition; it is tried again, later each time', () => {
    const { world, partition } = worldWith()
    let failures = 0
    world.simulated.onOperation = ({ operation, path }) => {
      if (operation !== 'write' || !path.endsWith('.log.cleaned')) return null
      failures++
      return { kind: 'error', code: 'ENOSPC' }
    }
    produce(world, partition, 55)
    world.run()
    expect(failures).toBe(1)
    world.pass(5_000)
    expect(failures).toBe(2)
    world.pass(9_000)
    expect(failures).toBe(2)
    world.pass(1_000)
    expect(failures).toBe(3)
    expect(filesOf(world).filter((name) => /cleaned$|swap/.test(name))).toEqual([])
    world.front.take()
    world.front.produce(partition, keyed([['key 5', 'value 55']], AT))
    world.run()
    expect(world.front.takeOne('produced').error).toBe(ErrorCode.NONE)
    world.simulated.onOperation = null
    world.pass(20_000)
    expect(records(world).length).toBeLessThan(25)
    expect(valuesOf(world)).toEqual(wanted(56))
  })

  it('in the midst of a swap has the log opened again, which brings it to its end', () => {
    const { world, partition } = worldWith()
    world.simulated.onOperation = ({ operation, path }) =>
      operation === 'rename' && path.includes('.swap-') ? { kind: 'error', code: 'EIO' } : null
    produce(world, partition, 55)
    world.run()
    expect(world.complaints()).toContainEqual(expect.stringMatching(/could not take their place/))
    world.front.take()
    world.front.produce(partition, keyed([['key 0', 'refused']], AT))
    world.run()
    expect(world.front.takeOne('produced').error).toBe(ErrorCode.KAFKA_STORAGE_ERROR)
    world.simulated.onOperation = null
    world.pass(5_000)
    produce(world, partition, 5, 55)
    world.run()
    expect(valuesOf(world)).toEqual(wanted(60))
    expect(records(world).length).toBeLessThan(25)
    expect(filesOf(world).filter((name) => /cleaned$|swap/.test(name))).toEqual([])
  })

  it('of the data is said once; the log is left as it is', () => {
    const { world, partition } = worldWith()
    produce(world, partition, 20)
    const [name] = filesOf(world).filter((one) => one.endsWith('.log'))
    world.simulated.flipBit(`${world.directory(1)}/${name}`, 75)
    for (let round = 0; round < 4; round++) {
      produce(world, partition, 45, 20 + round * 45)
      world.run()
    }
    expect(world.complaints()).toEqual([
      expect.stringMatching(/can be cleaned no further: bad CRC/),
    ])
  })
})
