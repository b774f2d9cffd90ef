import { expect, test } from 'vitest'
import { asPartitionNumber } from '../../src/base/ids.ts'
import { TailReader, TailReaders } from '../../src/cell/tail-reader.ts'
import type { LocatedReply } from '../../src/link/replies.ts'
import { newRegion } from '../../src/shared/region.ts'
import { RingLogReader } from '../../src/shared/ring-log-reader.ts'
import { RingLogWriter } from '../../src/shared/ring-log-writer.ts'
import { append, publishAll, stage } from '../shared/batches.ts'

const PARTITION = asPartitionNumber(7)

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

test("another broker's ring of the same generation takes the place of the one before", () => {
  const tails = new TailReaders(0)
  const one = makeRing()
  const two = makeRing()
  const first = tails.update(PARTITION, one.located, one.region.sab)
  expect(tails.update(PARTITION, one.located, one.region.sab)).toBe(first)
  const second = tails.update(PARTITION, two.located, two.region.sab)
  expect(second).toBeDefined()
  expect(second).not.toBe(first)
  expect(second!.region.sab).toBe(two.region.sab)
  expect(tails.get(PARTITION)).toBe(second)
})

test('bytes that consumers may not read are neither held nor copied, and pin nothing', () => {
  const { region, writer } = makeRing()
  append(writer, 2, 100)
  stage(writer, 2, 1, 100)
  publishAll(writer, 3, 2)
  const ring = new RingLogReader(region, 1, 0)
  const at = ring.find(0)
  const tail = new TailReader(ring)
  expect(tail.hold(at, 300)).toBeNull()
  expect(tail.hold(at + 200, 100)).toBeNull()
  expect(tail.copy(at, 300, new Uint8Array(300), 0)).toBe(false)
  expect(tail.holds).toBe(0)
  expect(tail.hold(at, 200)?.length).toBe(200)
  expect(tail.holds).toBe(1)
  tail.release(at)
  expect(tail.holds).toBe(0)
})
