import type { MessagePort } from 'node:worker_threads'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { asBrokerId } from '../../src/base/ids.ts'
import type { ControlMessage } from '../../src/link/control.ts'
import { BrokerRestarts, delayMs, type StartEnds } from '../../src/server/broker-restarts.ts'
import { planMemory } from '../../src/server/memory-plan.ts'
import { allocateWiring, listThreads, renewBroker } from '../../src/server/wiring.ts'

const TWO = asBrokerId(2)
const plan = planMemory(64 * 2 ** 20, 3)

interface Start {
  readonly ends: StartEnds
  readonly becomeReady: () => void
  readonly fail: () => void
}

/** A server without threads: what it would tell and start is written down. */
function makeServer() {
  let wiring = allocateWiring(listThreads(3, true), plan)
  const dead = new Set<string>(['broker-1-2'])
  const told: { name: string; message: ControlMessage }[] = []
  const starts: Start[] = []
  const back: number[] = []
  const ports: MessagePort[] = []
  const restarts = new BrokerRestarts({
    wiring: () => wiring,
    isAlive: (name) => !dead.has(name),
    tell: (name, message, transfer = []) => {
      ports.push(...transfer)
      if (!dead.has(name)) told.push({ name, message })
    },
    start: (broker, ends) => {
      wiring = renewBroker(wiring, plan, broker - 1)
      dead.delete(`broker-1-${broker}`)
      ports.push(ends.server, ...ends.channels.map(({ port }) => port))
      return new Promise((resolve, reject) => {
        starts.push({ ends, becomeReady: resolve, fail: () => reject(new Error('no')) })
      })
    },
    onBack: (broker) => back.push(broker),
  })
  const toldOf = (kind: ControlMessage['kind']) =>
    told.filter(({ message }) => message.kind === kind).map(({ name }) => name)
  closing.push(() => {
    restarts.stop()
    for (const port of ports) port.close()
  })
  return { restarts, dead, told, toldOf, starts, back, wiring: () => wiring }
}

const closing: (() => void)[] = []
afterEach(() => {
  for (const close of closing.splice(0)) close()
})

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

describe('a broker whose thread has died', () => {
  test('is started anew once its thread has exited and the flusher has let go of it; fronts wait until it is ready', async () => {
    const { restarts, toldOf, starts, back } = makeServer()
    let exit = () => {}
    restarts.onGone(TWO, new Promise((resolve) => (exit = resolve)))
    const others = ['broker-1-1', 'broker-1-3', 'flusher', 'front-0', 'front-1']
    expect(toldOf('broker-gone').sort()).toEqual(others)
    restarts.onDropped(TWO)
    await pause(350)
    expect(starts).toHaveLength(0)
    exit()
    await vi.waitFor(() => expect(starts).toHaveLength(1))
    expect(toldOf('broker-back').sort()).toEqual(['broker-1-1', 'broker-1-3', 'flusher'])
    const { channels, gone } = starts[0]!.ends
    expect(channels.map(({ peer }) => peer)).toEqual([
      ...['server', 'front-0', 'broker-1-1', 'broker-1-3', 'front-1'],
    ])
    expect(gone).toEqual([])
    starts[0]!.becomeReady()
    await vi.waitFor(() => expect(back).toEqual([2]))
    expect(toldOf('broker-back').slice(3)).toEqual(['front-0', 'front-1'])
  })

  test('is told of once, as soon as it runs no more, and what is said before its exit counts', async () => {
    const { restarts, toldOf, starts } = makeServer()
    for (let death = 1; death <= 2; death++) {
      restarts.announce(TWO)
      expect(toldOf('broker-gone')).toHaveLength(5 * death)
      restarts.announce(TWO)
      restarts.onDropped(TWO)
      let exit = () => {}
      restarts.onGone(TWO, new Promise((resolve) => (exit = resolve)), true)
      expect(toldOf('broker-gone')).toHaveLength(5 * death)
      await pause(300)
      expect(starts).toHaveLength(death - 1)
      exit()
      await vi.waitFor(() => expect(starts).toHaveLength(death))
      // its thread is there again, and dies as well
    }
  })

  test('is gone for one that is started before it has exited', async () => {
    const { restarts, starts } = makeServer()
    restarts.announce(asBrokerId(3))
    restarts.onGone(TWO, Promise.resolve(), true)
    restarts.onDropped(TWO)
    await vi.waitFor(() => expect(starts).toHaveLength(1))
    const { channels, gone } = starts[0]!.ends
    expect(gone).toEqual(['broker-1-3'])
    expect(channels.map(({ peer }) => peer)).not.toContain('broker-1-3')
  })

  test('is not waited for longer and longer where that was wanted', async () => {
    const { restarts, dead, starts } = makeServer()
    for (let death = 1; death <= 4; death++) {
      const fromMs = performance.now()
      dead.add('broker-1-2')
      restarts.onGone(TWO, Promise.resolve(), true)
      restarts.onDropped(TWO)
      await vi.waitFor(() => expect(starts).toHaveLength(death), 5_000)
      expect(performance.now() - fromMs).toBeLessThan(2_000)
    }
    // and counts for nothing when one dies of itself
    const fromMs = performance.now()
    restarts.onGone(TWO, Promise.resolve())
    restarts.onDropped(TWO)
    await vi.waitFor(() => expect(starts).toHaveLength(5), 5_000)
    expect(performance.now() - fromMs).toBeLessThan(2_000)
  })

  test('is not started while the flusher is at work for it', async () => {
    const { restarts, starts } = makeServer()
    restarts.onGone(TWO, Promise.resolve())
    await pause(350)
    expect(starts).toHaveLength(0)
    restarts.onDropped(TWO)
    await vi.waitFor(() => expect(starts).toHaveLength(1))
  })

  test('shares new memory with everybody, of which each is told its own', async () => {
    const { restarts, told, starts, wiring } = makeServer()
    const before = wiring()
    restarts.onGone(TWO, Promise.resolve())
    restarts.onDropped(TWO)
    await vi.waitFor(() => expect(starts).toHaveLength(1))
    starts[0]!.becomeReady()
    await vi.waitFor(() => expect(told.at(-1)!.name).toBe('front-1'))
    const after = wiring()
    const backOf = (name: string) => {
      const found = told.find((one) => one.name === name && one.message.kind === 'broker-back')
      return found!.message as Extract<ControlMessage, { kind: 'broker-back' }>
    }
    expect(backOf('front-0').writes).toBe(after.fronts[0]![1]!.requests)
    expect(backOf('front-0').reads).toBe(after.fronts[0]![1]!.replies)
    expect(backOf('front-0').arena).toBe(after.arenas[1])
    expect(backOf('flusher').reads).toBe(after.flush[1]!.requests)
    expect(backOf('flusher').port).toBeNull()
    expect(backOf('broker-1-3').writes).toBe(after.peers[2]![1])
    expect(backOf('broker-1-3').reads).toBe(after.peers[1]![2])
    const shared = (of: typeof after) => [
      ...[of.fronts[0]![1]!.requests, of.fronts[1]![1]!.replies, of.flush[1]!.replies],
      ...[of.peers[0]![1]!, of.peers[1]![2]!],
    ]
    const old = new Set([...shared(before).map(({ sab }) => sab), before.arenas[1]])
    for (const { sab } of shared(after)) expect(old.has(sab)).toBe(false)
    expect(old.has(after.arenas[1])).toBe(false)
    // what others share with each other stays
    expect(after.peers[0]![2]).toBe(before.peers[0]![2])
    expect(after.fronts[0]![0]).toBe(before.fronts[0]![0])
  })

  test('that ends before it is ready is told to no front, and started again later', async () => {
    const { restarts, dead, toldOf, starts, back } = makeServer()
    restarts.onGone(TWO, Promise.resolve())
    restarts.onDropped(TWO)
    await vi.waitFor(() => expect(starts).toHaveLength(1))
    dead.add('broker-1-2')
    starts[0]!.fail()
    const atMs = performance.now()
    restarts.onGone(TWO, Promise.resolve())
    restarts.onDropped(TWO)
    await vi.waitFor(() => expect(starts).toHaveLength(2))
    expect(performance.now() - atMs).toBeGreaterThanOrEqual(450)
    expect(toldOf('broker-back').filter((name) => name.startsWith('front'))).toEqual([])
    expect(back).toEqual([])
  })

  test('knows of those that are gone, too, and stays gone when the engine stops', async () => {
    const { restarts, dead, starts, toldOf } = makeServer()
    dead.add('broker-1-3')
    restarts.onGone(TWO, Promise.resolve())
    restarts.onDropped(TWO)
    await vi.waitFor(() => expect(starts).toHaveLength(1))
    expect(starts[0]!.ends.gone).toEqual(['broker-1-3'])
    expect(toldOf('broker-back')).not.toContain('broker-1-3')
    restarts.onGone(asBrokerId(3), Promise.resolve())
    restarts.onDropped(asBrokerId(3))
    restarts.stop()
    await pause(400)
    expect(starts).toHaveLength(1)
  })

  test('is not started by an engine that stops while the flusher is at work for it', async () => {
    const { restarts, starts } = makeServer()
    restarts.onGone(TWO, Promise.resolve())
    await pause(300)
    restarts.stop()
    restarts.onDropped(TWO)
    await pause(50)
    expect(starts).toHaveLength(0)
  })
})

test('each start in a row is waited for twice as long, up to half a minute', () => {
  expect([1, 2, 3, 7, 8, 9, 50].map(delayMs)).toEqual([
    ...[250, 500, 1_000, 16_000, 30_000, 30_000, 30_000],
  ])
})
