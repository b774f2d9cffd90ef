import { expect, test } from 'vitest'
import { Harness } from './harness.ts'
import { batchOf, produced, sendFetch, sendProduce } from './requests.ts'

const IDLE_MS = 600_000

test('a front closes who has asked nothing for connections.max.idle.ms, at its own timer, and no long poll', () => {
  const world = new Harness()
  world.createTopic('t', 2)
  const [silent, busy, polling] = [world.connect(), world.connect(), world.connect()]
  sendFetch(polling, { t: { 1: 0 } }, { maxWaitMs: 2 * IDLE_MS })
  world.run()
  world.pass(IDLE_MS / 2)
  const written = sendProduce(busy, 't', batchOf('a'))
  world.run()
  expect(produced(busy, written)).toMatchObject({ errorCode: 0 })
  world.pass(IDLE_MS / 2 - 1)
  expect([silent.closed, busy.closed, polling.closed]).toEqual([false, false, false])
  expect(world.front.nextTimerAtMs).toBeLessThanOrEqual(world.clock.monotonicMs() + 1)
  world.pass(1)
  expect([silent.closed, busy.closed, polling.closed]).toEqual([true, false, false])
})

test('of timers that are due at a time a front fires some in each turn, and asks for the next at once', () => {
  const world = new Harness()
  let fired = 0
  const { timers } = world.front.services
  for (let i = 0; i < 100; i++) timers.schedule(world.clock.monotonicMs(), () => fired++)
  for (let before = 0; fired < 100; before = fired) {
    expect(world.front.nextTimerAtMs).toBeLessThanOrEqual(world.clock.monotonicMs())
    expect(world.front.doWork(world.clock.monotonicMs())).toBeGreaterThan(0)
    expect(fired - before).toBeGreaterThan(0)
    expect(fired - before).toBeLessThanOrEqual(32)
  }
})
