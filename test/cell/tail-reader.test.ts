import { expect, test } from 'vitest'
import { asBrokerId, asPartitionNumber } from '../../src/base/ids.ts'
import { TailReader, TailReaders } from '../../src/cell/tail-reader.ts'
import type { LocatedReply } from '../../src/link/replies.ts'
import { newRegion } from '../../src/shared/region.ts'
import { RingLogReader } from '../../src/shared/ring-log-reader.ts'
import { RingLogWriter } from '../../src/shared/ring-log-writer.ts'
import { append, publishAll, stage } from '../shared/batches.ts'

const PARTITION = asPartitionNumber(7)
const [ONE, TWO] = [asBrokerId(1), asBrokerId(2)]

/** Each broker counts the generations of its rings by itself. */
function makeRing() {
  const region = newRegion(16_384)
  const writer = new RingLogWriter(region, {
    ...{ generation: 1, partition: PARTITION, fronts: 1 },
    ...{ logStartOffset: 0, highWatermark: 0, lastStableOffset: 0, logEndOffset: 0 },
  })
  const { byteOffset: ringByteOffset, byteLength: ringByteLength } = region
  const located = { ringGeneration: 1, ringByteOffset, ringByteLength } as LocatedReply
  return { region, writer, located }
}

test("each broker's ring of a partition has a reader, and the next life's ring takes its place", () => {
  const tails = new TailReaders(0)
  const [one, two, next] = [makeRing(), makeRing(), makeRing()]
  const first = tails.update(PARTITION, ONE, one.located, one.region.sab)
  expect(tails.update(PARTITION, ONE, one.located, one.region.sab)).toBe(first)
  const second = tails.update(PARTITION, TWO, two.located, two.region.sab)
  expect(second!.region.sab).toBe(two.region.sab)
  expect(tails.get(PARTITION, ONE)).toBe(first)
  expect(tails.get(PARTITION, TWO)).toBe(second)
  const third = tails.update(PARTITION, ONE, next.located, next.region.sab)
  expect(third!.region.sab).toBe(next.region.sab)
  expect(tails.get(PARTITION, ONE)).toBe(third)
  tails.forget(ONE)
  expect([tails.get(PARTITION, ONE), tails.get(PARTITION, TWO)]).toEqual([undefined, second])
})

test('a ring that is looked up anew keeps what sockets hold of it', () => {
  const tails = new TailReaders(0)
  const { region, writer, located } = makeRing()
  append(writer, 2, 100)
  const reader = tails.update(PARTITION, ONE, located, region.sab)!
  const at = new RingLogReader(region, 1, 0).find(0)
  expect(reader.hold(at, 100)?.length).toBe(100)
  tails.sweep(Number.POSITIVE_INFINITY)
  expect(tails.get(PARTITION, ONE)).toBeUndefined()
  const again = tails.update(PARTITION, ONE, located, region.sab)!
  // two readers would each store what they hold to the same word
  expect(again.hold(at + 100, 100)?.length).toBe(100)
  again.release(at + 100)
  expect(again.holds).toBe(1)
  reader.release(at)
  expect(again.holds).toBe(0)
})

test('bytes that consumers may not read are neither held nor copied, and pin nothing', () => {
  const { region, writer } = makeRing()
  append(writer, 2, 100)
  stage(writer, 2, 1, 100)
  publishAll(writer, 3, 2)
  const ring = new RingLogReader(region, 1, 0)
  const at = ring.find(0)
  const tail = new TailReader(ring, ONE)
  expect(tail.hold(at, 300)).toBeNull()
  expect(tail.hold(at + 200, 100)).toBeNull()
  expect(tail.copy(at, 300, new Uint8Array(300), 0)).toBe(false)
  expect(tail.holds).toBe(0)
  expect(tail.hold(at, 200)?.length).toBe(200)
  expect(tail.holds).toBe(1)
  tail.release(at)
  expect(tail.holds).toBe(0)
})
