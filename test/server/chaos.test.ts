/** Faults on demand through the embedded engine, and what real clients see of them. */
import { readdirSync, statSync } from 'node:fs'
import path from 'node:path'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { ErrorCode } from '../../src/base/error-code.ts'
import { batch, ChaosEngine } from './chaos-engine.ts'

let engine: ChaosEngine
afterEach(() => engine.close())

/** Of all segments of broker 2. */
function logBytes(): number {
  const root = path.join(engine.griot.dataDir, 'broker-2')
  const names = readdirSync(root, { recursive: true, encoding: 'utf8' })
  const logs = names.filter((name) => name.endsWith('.log'))
  return logs.reduce((sum, name) => sum + statSync(path.join(root, name)).size, 0)
}

describe('a broker that is killed on demand', () => {
  test('costs a client nothing but time, also twelve times in a row', async () => {
    engine = await ChaosEngine.start(2)
    await engine.makeTopic('orders', 2)
    const producer = await engine.producer()
    let count = 0
    const send = async () => {
      const messages = [0, 1].map((partition) => ({ partition, value: `${count}` }))
      await producer.send({ topic: 'orders', messages })
      count++
    }
    await send()
    const beganAt = performance.now()
    for (let kill = 0; kill < 12; kill++) {
      await engine.chaos.killBroker(1 + (kill % 2))
      // answered once both brokers are there
      await send()
    }
    // deaths on demand are no reason to wait longer and longer: 250 ms × 2^n would be minutes by now
    expect(performance.now() - beganAt).toBeLessThan(30_000)
    expect(await engine.endsOf('orders')).toEqual([`${count}`, `${count}`])
    await engine.healthIs('serving')
  }, 50_000)

  test('is dead when it says so, and missed at once', async () => {
    engine = await ChaosEngine.start(2)
    const leaders = await engine.makeTopic('orders', 2)
    const wire = await engine.wire()
    await engine.chaos.killBroker(2)
    await engine.healthIs('degraded: broker 2 died')
    const [one, two] = [leaders.indexOf(1), leaders.indexOf(2)]
    expect(await wire.produce('orders', one, batch('a'))).toMatchObject({ errorCode: 0 })
    const { errorCode } = await wire.produce('orders', two, batch('a'))
    expect([
      ErrorCode.NONE,
      ErrorCode.LEADER_NOT_AVAILABLE,
      ErrorCode.NOT_LEADER_OR_FOLLOWER,
    ]).toContain(errorCode)
    await engine.healthIs('serving')
  })

  test('is refused where nobody would be left, and where it is dead', async () => {
    engine = await ChaosEngine.start(2)
    await engine.chaos.killBroker(1)
    await expect(engine.chaos.killBroker(2)).rejects.toThrow('broker 2 is the only one that lives')
    await expect(engine.chaos.killBroker(1)).rejects.toThrow('broker 1 is not there now')
    await engine.healthIs('serving')
    await engine.chaos.killBroker(2)
    await engine.healthIs('serving')
  })
})

test('brokers that are killed at the same time do not count on each other', async () => {
  engine = await ChaosEngine.start(3)
  const kills = [1, 2, 3].map((broker) => engine.chaos.killBroker(broker))
  const ends = await Promise.allSettled(kills)
  expect(ends.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected'])
  expect(ends[2]).toMatchObject({
    reason: { message: expect.stringMatching(/^broker 3 is the only one that lives/) },
  })
  await engine.healthIs('serving')
})

describe('a disk that fails on demand', () => {
  test.each(['EIO', 'ENOSPC'] as const)(
    'fails produce with %s, leaves reads and the other broker alone, and is healed',
    async (code) => {
      engine = await ChaosEngine.start(2)
      const leaders = await engine.makeTopic('orders', 2)
      // broker 1 also has the metadata
      const [good, bad] = [leaders.indexOf(1), leaders.indexOf(2)]
      const wire = await engine.wire()
      expect(await wire.produce('orders', bad, batch('before'))).toMatchObject({ errorCode: 0 })
      await engine.chaos.failDisk(2, code)
      const what = code === 'EIO' ? 'its disk fails with EIO' : 'its disk is full (ENOSPC)'
      expect(engine.chaos.faults).toEqual([`broker 2: ${what}, on demand`])
      await engine.healthIs(`broker 2: ${what}, on demand`)
      for (let i = 0; i < 3; i++) {
        const failed = await wire.produce('orders', bad, batch('lost'))
        expect(failed).toMatchObject({ errorCode: ErrorCode.KAFKA_STORAGE_ERROR })
      }
      expect(await wire.produce('orders', good, batch('good'))).toMatchObject({ errorCode: 0 })
      expect((await engine.endsOf('orders'))[bad]).toBe('1')
      await engine.chaos.heal()
      const producer = await engine.producer()
      await producer.send({ topic: 'orders', messages: [{ partition: bad, value: 'after' }] })
      expect((await engine.endsOf('orders'))[bad]).toBe('2')
      await engine.healthIs('serving')
    },
    30_000,
  )

  test('fails a flush that is under way', async () => {
    engine = await ChaosEngine.start(2)
    const leaders = await engine.makeTopic('orders', 2)
    const bad = leaders.indexOf(2)
    const configEntries = [{ name: 'flush.messages', value: '1' }]
    const resources = [{ type: 2, name: 'orders', configEntries }]
    await engine.withAdmin((admin) => admin.alterConfigs({ validateOnly: false, resources }))
    const wire = await engine.wire()
    const produce = () => wire.produce('orders', bad, batch('a'))
    await vi.waitFor(async () => expect(await produce()).toMatchObject({ errorCode: 0 }))
    const before = logBytes()
    await engine.chaos.slowDisk(2, 500)
    const answer = produce()
    // what is written waits for the flusher now
    await vi.waitFor(() => expect(logBytes()).toBeGreaterThan(before), { timeout: 10_000 })
    await engine.chaos.failDisk(2)
    expect(await answer).toMatchObject({ errorCode: ErrorCode.KAFKA_STORAGE_ERROR })
    await engine.chaos.heal()
    const metrics = await (await fetch(`${engine.griot.url}/metrics`)).text()
    expect(metrics).toMatch(/griot_broker_flushes_failed_total\{broker="2"\} [1-9]/)
    const producer = await engine.producer()
    await producer.send({ topic: 'orders', messages: [{ partition: bad, value: 'after' }] })
  }, 30_000)

  test('is over by itself, and holds for a successor', async () => {
    engine = await ChaosEngine.start(2)
    const leaders = await engine.makeTopic('orders', 2)
    const bad = leaders.indexOf(2)
    const wire = await engine.wire()
    const produce = async () => (await wire.produce('orders', bad, batch('a'))).errorCode
    await engine.chaos.slowDisk(2, 1)
    await engine.chaos.failDisk(2, 'ENOSPC', 4_000)
    await engine.chaos.killBroker(2)
    await vi.waitFor(async () => expect(await produce()).toBe(ErrorCode.KAFKA_STORAGE_ERROR), {
      ...{ timeout: 3_500, interval: 20 },
    })
    expect(engine.chaos.faults).toHaveLength(2)
    await vi.waitFor(async () => expect(await produce()).toBe(ErrorCode.NONE), {
      ...{ timeout: 10_000, interval: 50 },
    })
    expect(engine.chaos.faults).toEqual(['broker 2: its disk is slower by 1 ms, on demand'])
  }, 30_000)

  test('is slow by what was asked for', async () => {
    engine = await ChaosEngine.start(1)
    await engine.makeTopic('orders', 1)
    const wire = await engine.wire()
    const produce = async () => {
      const from = performance.now()
      expect(await wire.produce('orders', 0, batch('a'))).toMatchObject({ errorCode: 0 })
      return performance.now() - from
    }
    await produce()
    await engine.chaos.slowDisk(1, 200)
    expect(await produce()).toBeGreaterThanOrEqual(195)
    // asked for again: in the place of what was
    await engine.chaos.slowDisk(1, 400)
    expect(await produce()).toBeGreaterThanOrEqual(395)
    expect(engine.chaos.faults).toEqual(['broker 1: its disk is slower by 400 ms, on demand'])
    await engine.chaos.healDisk(1)
    // one may still be under way
    await produce()
    const tookMs = [await produce(), await produce(), await produce()]
    expect(Math.min(...tookMs)).toBeLessThan(195)
  })
})

test('brokers that do not hear each other are said to be so, until it is over', async () => {
  engine = await ChaosEngine.start(3)
  await engine.chaos.partition(3, 1)
  await engine.chaos.partition(2, 3, 300)
  const cut = 'brokers 1 and 3 do not hear each other, on demand'
  expect(engine.chaos.faults).toEqual([cut, 'brokers 2 and 3 do not hear each other, on demand'])
  await vi.waitFor(() => expect(engine.chaos.faults).toEqual([cut]), { timeout: 5_000 })
  await engine.healthIs(`degraded: ${cut}`)
  await engine.chaos.heal()
  expect(engine.chaos.faults).toEqual([])
  await engine.healthIs('serving')
})

test('without chaos: true all of it is refused, and says how to turn it on', async () => {
  engine = await ChaosEngine.start(2, { chaos: false })
  const { chaos } = engine
  const all = [
    chaos.killBroker(1),
    chaos.pauseBroker(1, 10),
    chaos.failDisk(1),
    chaos.slowDisk(1, 10),
    chaos.partition(1, 2),
    chaos.healDisk(1),
    chaos.heal(),
  ]
  for (const one of all) {
    await expect(one).rejects.toThrow(
      /^faults on demand are off: start the engine with --chaos .*chaos: true/,
    )
  }
  expect(await engine.health()).toBe('serving')
})

test('what cannot be meant is refused by name', async () => {
  engine = await ChaosEngine.start(1)
  const { chaos } = engine
  await expect(chaos.failDisk(2)).rejects.toThrow('broker: 2 is refused, there is broker 1 alone')
  await expect(chaos.pauseBroker(1, 0)).rejects.toThrow('forMs: 0 is refused')
  await expect(chaos.killBroker(1)).rejects.toThrow('start it with more brokers')
  await expect(chaos.failDisk(1, 'EPERM' as 'EIO')).rejects.toThrow('code: "EPERM" is refused')
})

test('an engine that stops while faults last stops', async () => {
  engine = await ChaosEngine.start(2, { stopTimeout: 2_000 })
  await engine.chaos.failDisk(1)
  await engine.chaos.slowDisk(2, 100, 60_000)
  await engine.chaos.pauseBroker(2, 60_000)
  const from = performance.now()
  await engine.close()
  expect(performance.now() - from).toBeLessThan(15_000)
  await expect(engine.chaos.killBroker(1)).rejects.toThrow('the engine is closed')
})
