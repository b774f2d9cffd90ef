/** A broker that hangs is found, and replaced when it goes on hanging: real threads and a real client, and the parts alone. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { BrokerState } from '../../src/base/broker-beat.ts'
import { ZERO_TOPIC_ID } from '../../src/base/ids.ts'
import { silentLogger } from '../../src/base/log.ts'
import { metadata } from '../../src/protocol/03-metadata.ts'
import { BrokerWatch } from '../../src/server/broker-watch.ts'
import { HungBrokers } from '../../src/server/hung-brokers.ts'
import { planMemory } from '../../src/server/memory-plan.ts'
import { allocateWiring, listThreads } from '../../src/server/wiring.ts'
import { BeatWriter, BrokerLives } from '../../src/shared/broker-beats.ts'
import { batch, ChaosEngine } from './chaos-engine.ts'

describe('an engine', () => {
  let engine: ChaosEngine
  afterEach(() => engine.close())

  describe('a broker that is paused', () => {
    test('is found to hang, and to turn again', async () => {
      engine = await ChaosEngine.start(2)
      const leaders = await engine.makeTopic('orders', 2)
      const wires = [await engine.wire(), await engine.wire()]
      const beganAt = performance.now()
      await engine.chaos.pauseBroker(2, 3_500)
      const two = leaders.indexOf(2)
      const answer = wires[0]!.produce('orders', two, batch('late'))
      await engine.healthIs('degraded: broker 2 hangs: its thread does not turn')
      await engine.healthIs('1 partition has no leader')
      const { topics } = await wires[1]!.request(metadata, 9, {
        topics: [{ name: 'orders', topicId: ZERO_TOPIC_ID }],
        includeClusterAuthorizedOperations: false,
        includeTopicAuthorizedOperations: false,
      })
      const told = topics[0]!.partitions.map((row) => [row.partitionIndex, row.leaderId])
      expect(Object.fromEntries(told)).toEqual({ [leaders.indexOf(1)]: 1, [two]: -1 })
      expect(performance.now() - beganAt).toBeLessThan(3_500)
      expect(await wires[1]!.produce('orders', leaders.indexOf(1), batch('a'))).toMatchObject({
        errorCode: 0,
      })
      expect(await answer).toMatchObject({ errorCode: 0, baseOffset: 0 })
      await engine.healthIs('serving')
    })

    test('is replaced after ten seconds and a little', async () => {
      engine = await ChaosEngine.start(2)
      const leaders = await engine.makeTopic('orders', 2)
      const producer = await engine.producer()
      const send = () =>
        producer.send({
          topic: 'orders',
          messages: [{ partition: leaders.indexOf(2), value: 'a' }],
        })
      await send()
      await engine.chaos.pauseBroker(2, 600_000)
      await engine.healthIs('degraded: broker 2 hangs')
      await engine.healthIs('broker 2 died', 15_000)
      await send()
      await engine.healthIs('serving')
      expect((await engine.endsOf('orders'))[leaders.indexOf(2)]).toBe('2')
    }, 40_000)

    test('can be killed', async () => {
      engine = await ChaosEngine.start(2)
      await engine.chaos.pauseBroker(2, 600_000)
      await engine.chaos.killBroker(2)
      await engine.healthIs('serving')
    })
  })
})

describe('the front that watches brokers', () => {
  const wiring = allocateWiring(listThreads(2, false), planMemory(64 * 2 ** 20, 2))
  const lives = new BrokerLives(wiring.beats)
  const said: [number, boolean][] = []
  const watch = new BrokerWatch(wiring, (broker, isHung) => said.push([broker, isHung]))
  const startThread = (broker: number) => {
    lives.spawning(broker)
    const beats = new BeatWriter(wiring.beats, broker)
    beats.setState(BrokerState.SERVING)
    return beats
  }
  let nowMs = 0
  /** Looks with each heartbeat and when it is asked to, for so long; `beating` beat meanwhile. */
  const pass = (ms: number, ...beating: BeatWriter[]) => {
    for (const endMs = nowMs + ms; nowMs < endMs; ) {
      nowMs = Math.min(endMs, nowMs + 500, watch.nextLookAtMs)
      for (const one of beating) one.beat(nowMs)
      watch.look(nowMs)
    }
    return said.splice(0)
  }

  test('says who hangs, that it turns again, and that it is gone', () => {
    watch.look(nowMs)
    const [one, two] = [startThread(0), startThread(1)]
    expect(pass(5_000, one, two)).toEqual([])
    expect(pass(900, one)).toEqual([])
    expect(pass(1_000, one)).toEqual([[2, true]])
    expect(pass(5_000, one)).toEqual([])
    expect(pass(600, one, two)).toEqual([[2, false]])
    expect(pass(2_000, one)).toEqual([[2, true]])
    // dead, and there again before anybody looked
    lives.ended(1)
    const successor = startThread(1)
    expect(pass(600, one, successor)).toEqual([[2, false]])
    expect(pass(2_000, one)).toEqual([[2, true]])
    lives.ended(1)
    expect(pass(600, one)).toEqual([[2, false]])
  })
})

describe('the server that is told of brokers that hang', () => {
  const reasons = new Map<string, string>()
  const killed: number[] = []
  let living = 3
  const options = {
    logger: silentLogger,
    living: () => living,
    kill: (broker: number) => void killed.push(broker),
    setReason: (key: string, reason: string | null) => {
      if (reason === null) reasons.delete(key)
      else reasons.set(key, reason)
    },
    hungMsMax: 100,
  }
  let hung: HungBrokers
  beforeEach(() => {
    hung = new HungBrokers(options)
  })
  const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
  afterEach(() => {
    hung.stop()
    killed.length = 0
    reasons.clear()
    living = 3
  })

  test('ends one that goes on, and leaves one that turns again', async () => {
    hung.onHung(2, true)
    hung.onHung(3, true)
    expect([...reasons.values()]).toEqual(
      [2, 3].map((n) => `broker ${n} hangs: its thread does not turn`),
    )
    hung.onHung(3, false)
    await vi.waitFor(() => expect(killed).toEqual([2]))
    expect([...reasons.keys()]).toEqual(['hung 2'])
    hung.onHung(2, false)
    expect(reasons.size).toBe(0)
  })

  test('ends none when no other turns, until one does', async () => {
    living = 2
    hung.onHung(1, true)
    hung.onHung(2, true)
    await pause(300)
    expect(killed).toEqual([])
    living = 3
    await vi.waitFor(() => expect(killed.length).toBeGreaterThan(0))
  })

  test('never ends the last one that lives, nor counts on one that is being ended', async () => {
    hung.stop()
    const kill = (broker: number) => {
      living--
      killed.push(broker)
    }
    hung = new HungBrokers({ ...options, kill })
    for (const broker of [1, 2]) hung.onHung(broker, true)
    await vi.waitFor(() => expect(killed).toEqual([1, 2]))
    // neither of them is gone yet
    hung.onHung(3, true)
    await pause(300)
    expect(killed).toEqual([1, 2])
  })

  test('ends none after the engine has begun to stop', async () => {
    hung.onHung(1, true)
    hung.stop()
    hung.onHung(2, true)
    await pause(200)
    expect(killed).toEqual([])
  })
})
