/** A broker's thread that stands still: its partitions wait, nothing else does. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Griot } from '../../dist/index.js'
import { asBrokerId } from '../../src/base/ids.ts'
import { buildBatch } from '../../src/record/builder.ts'
import type { Engine } from '../../src/server/engine.ts'
import { Wire } from '../clients/wire.ts'

const PAUSE_MS = 2_000

let griot: Griot
beforeEach(async () => {
  griot = await Griot.start({ brokers: 2, logLevel: 'silent' })
})
afterEach(() => griot.close())

const engineOf = (one: Griot): Engine =>
  (one as unknown as Record<symbol, Engine>)[Symbol.for('griot.engine')]!

const batch = (value: string) =>
  buildBatch([{ timestampMs: Date.now(), key: null, value: Buffer.from(value) }])

test('a broker that hangs holds up its own partitions only, and loses nothing', async () => {
  const admin = await Wire.open(griot.brokers[0]!)
  await admin.createTopic('paused', 2)
  const wires = [await Wire.open(griot.brokers[0]!), await Wire.open(griot.brokers[0]!)]
  for (const [partition, wire] of wires.entries()) {
    expect(await wire.produce('paused', partition, batch('before'))).toMatchObject({ errorCode: 0 })
  }
  const beganAt = performance.now()
  engineOf(griot).pauseBroker(asBrokerId(2), PAUSE_MS)
  // the pause begins with the thread's next turn
  await new Promise((resolve) => setTimeout(resolve, 50))
  const tookMs: number[] = []
  await Promise.all(
    wires.map(async (wire, partition) => {
      const answer = await wire.produce('paused', partition, batch('meanwhile'))
      tookMs[partition] = performance.now() - beganAt
      expect(answer).toMatchObject({ errorCode: 0, baseOffset: 1 })
    }),
  )
  expect(Math.min(...tookMs)).toBeLessThan(PAUSE_MS / 2)
  expect(Math.max(...tookMs)).toBeGreaterThanOrEqual(PAUSE_MS - 50)
  for (const wire of [admin, ...wires]) wire.close()
})
