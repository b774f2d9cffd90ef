import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ErrorCode } from '../../src/base/error-code.ts'
import { asPartitionNumber } from '../../src/base/ids.ts'
import { FetchSource } from '../../src/link/commands.ts'
import { BrokerCounter } from '../../src/link/counters.ts'
import { ErrorClass } from '../../src/link/error-class.ts'
import { NodeDisk } from '../../src/log/node-disk.ts'
import { baseOffsetOf, lastOffsetDeltaOf, sizeInBytesOf } from '../../src/record/batch.ts'
import { RingLogReader } from '../../src/shared/ring-log-reader.ts'
import { idempotentBatch, plainBatch } from './batches.ts'
import { instantFlusher } from './instant-flusher.ts'
import { World, type WorldOptions } from './world.ts'

let directory = ''
beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'griot-broker-'))
})
afterEach(() => fs.rmSync(directory, { recursive: true, force: true }))

const disks: [string, () => WorldOptions][] = [
  ['a simulated disk', () => ({})],
  [
    "the machine's disk",
    () => ({ disk: new NodeDisk(), root: `${directory}/broker-1`, flush: instantFlusher() }),
  ],
]

describe.each(disks)('a broker on %s', (_name, options) => {
  it('stores a batch and says at which offsets', () => {
    const world = new World(options())
    const [partition] = world.createTopic()
    const first = world.front.produce(partition!, plainBatch(3))
    const second = world.front.produce(partition!, plainBatch(2))
    world.run()
    expect(world.front.take()).toEqual([
      {
        kind: 'produced',
        correlation: first,
        error: 0,
        reason: 0,
        baseOffset: 0,
        logAppendTimeMs: -1,
        logStartOffset: 0,
      },
      {
        kind: 'produced',
        correlation: second,
        error: 0,
        reason: 0,
        baseOffset: 3,
        logAppendTimeMs: -1,
        logStartOffset: 0,
      },
    ])
    expect(world.front.rung).toBe(1)
    expect(world.complaints()).toEqual([])
  })

  it('points a fetch at the ring log, from which a front reads without asking', () => {
    const world = new World(options())
    const [partition] = world.createTopic()
    const batch = plainBatch(3)
    world.front.produce(partition!, batch)
    world.run()
    world.front.take()
    world.front.locate(partition!, 0)
    world.run()
    const located = world.front.takeOne('located')
    expect(located).toMatchObject({ error: 0, source: FetchSource.RING, highWatermark: 3 })
    const region = {
      sab: world.arena.sab,
      byteOffset: located.ringByteOffset,
      byteLength: located.ringByteLength,
    }
    const reader = new RingLogReader(region, located.ringGeneration, 0)
    const bytes = readRing(reader, 0)
    expect(bytes.length).toBe(batch.length)
    expect(bytes.subarray(61)).toEqual(batch.subarray(61))
    // and once more, with nobody asking the broker
    world.front.produce(partition!, plainBatch(1))
    world.run()
    const next = readRing(reader, 3)
    expect(baseOffsetOf(next, 0)).toBe(3)
  })

  it('points a fetch of older records at the segment file', () => {
    const world = new World({ ...options(), arenaBytes: 1 << 20 })
    const [partition] = world.createTopic()
    const batch = plainBatch(1, 20_000)
    for (let i = 0; i < 100; i++) {
      world.front.produce(partition!, batch)
      world.run()
    }
    expect(world.front.take().every((reply) => reply.kind === 'produced' && !reply.error)).toBe(
      true,
    )
    world.front.locate(partition!, 5, { maxBytes: 100_000 })
    world.run()
    const located = world.front.takeOne('located')
    expect(located).toMatchObject({ error: 0, source: FetchSource.FILE, segmentBaseOffset: 0 })
    const file = world.disk.readFile(`${world.directory(1)}/00000000000000000000.log`)
    const bytes = file.subarray(located.position, located.position + located.byteLength)
    expect(baseOffsetOf(bytes, 0)).toBe(5)
    expect(sizeInBytesOf(bytes, 0)).toBe(batch.length)
  })

  it('answers what it held before a restart, clean or not', () => {
    let world = new World(options())
    const [partition] = world.createTopic()
    world.front.produce(partition!, idempotentBatch(7, 0, 3))
    world.run()
    world.stop()
    expect(world.agent.isStopped).toBe(true)
    for (const expected of [3, 4]) {
      world = world.restart()
      world.front.locate(partition!, expected)
      world.run()
      expect(world.front.takeOne('located')).toMatchObject({ error: 0, highWatermark: expected })
      world.front.produce(partition!, idempotentBatch(7, expected))
      world.run()
      expect(world.front.takeOne('produced')).toMatchObject({ error: 0, baseOffset: expected })
      // no stop: as after a kill
    }
  })
})

describe('produce', () => {
  it('of an idempotent producer is stored once, however often it is sent', () => {
    const world = new World()
    const [partition] = world.createTopic()
    const batch = () => idempotentBatch(9, 0, 2)
    world.front.produce(partition!, batch())
    world.front.produce(partition!, batch())
    world.run()
    world.front.produce(partition!, batch())
    world.front.produce(partition!, idempotentBatch(9, 2))
    world.front.produce(partition!, idempotentBatch(9, 40))
    world.run()
    expect(outcomes(world)).toEqual([
      [0, 0],
      [0, 0],
      [ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER, -1],
      [0, 0],
      [0, 2],
    ])
  })

  it('is refused where the partition is unknown, or led by another broker, or damaged', () => {
    const world = new World()
    const [elsewhere] = world.createTopic({ leader: 2 })
    const [here] = world.createTopic()
    const damaged = plainBatch()
    damaged[70]! ^= 1
    world.front.produce(asPartitionNumber(99), plainBatch())
    world.front.produce(elsewhere!, plainBatch())
    world.front.produce(here!, damaged)
    world.run()
    expect(outcomes(world)).toEqual([
      [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, -1],
      [ErrorCode.NOT_LEADER_OR_FOLLOWER, -1],
      [ErrorCode.CORRUPT_MESSAGE, -1],
    ])
    expect(world.complaints()).toEqual([])
  })

  it('may come in the same turn as the metadata that names its topic', () => {
    const world = new World({ settings: { controlPerTurn: 0 } })
    const [partition] = world.createTopic()
    world.front.produce(partition!, plainBatch())
    world.run()
    expect(outcomes(world)).toEqual([[0, 0]])
  })

  it('too large for the ring comes in a buffer of its own, in its place among the others', () => {
    const world = new World()
    const [partition] = world.createTopic()
    world.run()
    world.front.produce(partition!, plainBatch(1))
    world.front.produce(partition!, plainBatch(1, 500_000))
    world.front.produce(partition!, plainBatch(1))
    world.run()
    expect(outcomes(world)).toEqual([
      [0, 0],
      [0, 1],
      [0, 2],
    ])
  })

  it('may come in the same turn as its buffer', () => {
    const world = new World({ settings: { controlPerTurn: 0 } })
    const [partition] = world.createTopic()
    world.front.produce(partition!, plainBatch(1, 500_000))
    world.run()
    expect(outcomes(world)).toEqual([[0, 0]])
  })

  it('is refused when its buffer never came', () => {
    const world = new World()
    const [partition] = world.createTopic()
    world.front.produce(partition!, plainBatch(1, 500_000), { forgetBuffer: true })
    world.front.produce(partition!, plainBatch(1))
    world.run()
    expect(outcomes(world)).toEqual([
      [ErrorCode.UNKNOWN_SERVER_ERROR, -1],
      [0, 0],
    ])
  })

  it('with acks=0 is answered too, so that the front gets its room back', () => {
    const world = new World()
    const [partition] = world.createTopic()
    world.front.produce(partition!, plainBatch(), { acks: 0 })
    world.run()
    expect(outcomes(world)).toEqual([[0, 0]])
  })

  it('waits for the flush where the topic asks for it, and others do not wait', () => {
    const world = new World()
    const [durable] = world.createTopic({ configs: { 'flush.messages': '1' } })
    const [quick] = world.createTopic()
    world.run()
    // the first write makes files; it is the second that shows the order
    world.front.produce(durable!, plainBatch())
    world.run()
    world.front.take()
    const one = world.front.produce(durable!, plainBatch())
    const two = world.front.produce(quick!, plainBatch())
    const three = world.front.produce(durable!, plainBatch())
    world.run()
    const order = world.front.take().map((reply) => reply.kind === 'produced' && reply.correlation)
    expect(order).toEqual([two, one, three])
  })

  it('gives every front its turn, however much one of them sends', () => {
    const world = new World({ settings: { commandsPerTurn: 64 } })
    const [partition] = world.createTopic()
    world.run()
    for (let i = 0; i < 400; i++) world.fronts[0]!.produce(partition!, plainBatch())
    world.fronts[1]!.produce(partition!, plainBatch())
    world.turn()
    expect(world.fronts[1]!.take().length).toBe(1)
    expect(world.fronts[0]!.take().length).toBe(64)
    world.run()
    expect(world.fronts[0]!.take().length).toBe(336)
  })

  it('writes before it stages more than a turn may hold', () => {
    const world = new World({ settings: { stagedBytesPerTurn: 100_000 } })
    const [partition] = world.createTopic()
    world.run()
    for (let i = 0; i < 8; i++) world.front.produce(partition!, plainBatch(1, 20_000))
    // a slice of commands is the grain: what counts is that the rest waits in the ring
    for (let i = 0; i < 60; i++) world.front.produce(partition!, plainBatch())
    world.turn()
    expect(world.front.take().length).toBeLessThan(60)
    world.run()
    expect(world.environment.recoveryPoints.dirtyPartitions()).toEqual([partition])
  })
})

describe('locate and list offsets', () => {
  it('refuse a leader epoch that is not the current one, and tell which way', () => {
    const world = new World()
    const [partition] = world.createTopic({ leaderEpoch: 5 })
    const epochs = [4, 5, 6, -1]
    for (const currentLeaderEpoch of epochs) {
      world.front.locate(partition!, 0, { currentLeaderEpoch })
      world.front.listOffsets(partition!, -1, currentLeaderEpoch)
    }
    world.run()
    const errors = world.front.take().map((reply) => reply.error)
    const expected = [ErrorCode.FENCED_LEADER_EPOCH, 0, ErrorCode.UNKNOWN_LEADER_EPOCH, 0]
    expect(errors).toEqual(expected.flatMap((error) => [error, error]))
  })

  it('tell the ends, and refuse what lies outside', () => {
    const world = new World()
    const [partition] = world.createTopic()
    world.front.produce(partition!, plainBatch(4))
    world.run()
    world.front.take()
    world.front.locate(partition!, 4)
    world.front.locate(partition!, 5)
    world.front.listOffsets(partition!, -1)
    world.front.listOffsets(partition!, -2)
    world.run()
    expect(world.front.take()).toMatchObject([
      { kind: 'located', error: 0, source: FetchSource.NONE, highWatermark: 4, logEndOffset: 4 },
      { kind: 'located', error: ErrorCode.OFFSET_OUT_OF_RANGE, highWatermark: 4 },
      { kind: 'offsets', error: 0, offset: 4 },
      { kind: 'offsets', error: 0, offset: 0 },
    ])
  })
})

describe('a watch', () => {
  it('is answered once, by the write that passes it', () => {
    const world = new World()
    const [partition] = world.createTopic()
    world.front.watch(partition!, 0)
    world.fronts[1]!.watch(partition!, 1)
    world.run()
    expect(world.front.take()).toEqual([])
    world.front.produce(partition!, plainBatch())
    world.run()
    expect(world.front.take()).toMatchObject([
      { kind: 'produced' },
      { kind: 'woken', partition, error: 0, highWatermark: 1 },
    ])
    expect(world.fronts[1]!.take()).toEqual([])
    world.front.produce(partition!, plainBatch())
    world.run()
    expect(world.front.takeOne('produced').baseOffset).toBe(1)
    expect(world.fronts[1]!.takeOne('woken').highWatermark).toBe(2)
  })

  it('that has waited for long has what it waits for in the ring log, however large', () => {
    const world = new World()
    const [partition] = world.createTopic()
    const sourceOf = (offset: number) => {
      world.front.locate(partition!, offset)
      world.run()
      return world.front.takeOne('located').source
    }
    world.front.produce(partition!, plainBatch(1, 30_000))
    world.run()
    world.front.take()
    expect(sourceOf(0)).toBe(FetchSource.FILE)
    world.front.watch(partition!, 1)
    world.run()
    world.clock.advance(60_000)
    world.front.produce(partition!, plainBatch(1, 30_000))
    world.run()
    expect(world.front.take()).toMatchObject([{ kind: 'produced' }, { kind: 'woken' }])
    expect(sourceOf(1)).toBe(FetchSource.RING)
  })

  it('that is late is answered at once, and one for nothing with the reason', () => {
    const world = new World()
    const [partition] = world.createTopic()
    world.front.produce(partition!, plainBatch(5))
    world.run()
    world.front.take()
    world.front.watch(partition!, 2)
    world.front.watch(asPartitionNumber(77), 0)
    world.run()
    expect(world.front.take()).toMatchObject([
      { kind: 'woken', partition, error: 0, highWatermark: 5 },
      { kind: 'woken', error: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION },
    ])
  })
})

describe('counters', () => {
  it('tell what a tenant has the broker do', () => {
    const counts = new Map<number, number>()
    const add = (_row: number, kind: number, amount: number) =>
      counts.set(kind, (counts.get(kind) ?? 0) + amount)
    const counters = { writer: { add, set: () => {} }, rowOf: () => 3, brokerRow: 0 }
    const world = new World({ counters })
    const [partition] = world.createTopic()
    const batch = plainBatch()
    world.front.produce(partition!, batch)
    world.front.produce(partition!, batch)
    world.front.locate(partition!, 0)
    world.run()
    expect(counts.get(BrokerCounter.PRODUCES)).toBe(2)
    expect(counts.get(BrokerCounter.PRODUCE_BYTES)).toBe(2 * batch.length)
    expect(counts.get(BrokerCounter.LOCATES)).toBe(1)
    const { RECORDS, PRODUCES_REFUSED } = BrokerCounter
    expect(counts.get(RECORDS)).toBe(2 * lastOffsetDeltaOf(batch, 0) + 2)
    const corrupt = plainBatch()
    corrupt[80]! ^= 4
    world.front.produce(partition!, corrupt)
    world.run()
    expect(counts.get(BrokerCounter.PRODUCES)).toBe(3)
    expect(counts.get(PRODUCES_REFUSED + ErrorClass.CLIENT)).toBe(1)
    expect(counts.get(PRODUCES_REFUSED + ErrorClass.SERVER)).toBeUndefined()
  })
})

/** Everything from `offset` on that the ring log has. */
function readRing(reader: RingLogReader, offset: number): Uint8Array {
  const span = { position: 0, length: 0 }
  expect(reader.readable(reader.find(offset), 1 << 20, span)).toBe(true)
  const bytes = new Uint8Array(span.length)
  expect(reader.copy(span.position, span.length, bytes, 0)).toBe(true)
  return bytes
}

/** Error and base offset of what was produced, in the order of the replies. */
function outcomes(world: World): [number, number][] {
  return world.front.take().map((reply) => {
    if (reply.kind !== 'produced') throw new Error(`unexpected ${reply.kind}`)
    return [reply.error, reply.baseOffset]
  })
}
