import { MessageChannel, Worker } from 'node:worker_threads'
import { afterEach, describe, expect, it } from 'vitest'
import { asBrokerId, asCellId, asFrontId } from '../../src/base/ids.ts'
import type { ControlMessage } from '../../src/link/control.ts'
import {
  brokerPeer,
  EventPorts,
  frontPeer,
  MemoryPorts,
  PolledPorts,
  SERVER_PEER,
} from '../../src/link/ports.ts'

const ready = (n: number): ControlMessage => ({ kind: 'ready', detail: { n } })

const closing: (() => void)[] = []
afterEach(() => {
  for (const close of closing.splice(0)) close()
})

/** A broker thread's polled end, with a front and the server at the other ends. */
function broker() {
  const toFront = new MessageChannel()
  const toServer = new MessageChannel()
  const rung: string[] = []
  const polled = new PolledPorts([
    { name: 'front-0', port: toFront.port1, bell: null },
    { name: SERVER_PEER, port: toServer.port1, bell: null },
  ])
  const front = new EventPorts({
    onArrival: () => rung.push('front arrival'),
    channels: [
      { name: 'broker-1-1', port: toFront.port2, bell: { ring: () => rung.push('broker bell') } },
    ],
  })
  closing.push(() => {
    polled.close()
    front.close()
    toServer.port2.close()
  })
  return { polled, front, server: toServer.port2, rung }
}

const eventually = async (isTrue: () => boolean) => {
  for (let i = 0; i < 200 && !isTrue(); i++) await new Promise((done) => setTimeout(done, 5))
  expect(isTrue()).toBe(true)
}

describe('a thread that ends', () => {
  it('is told of once to who has an event loop, after all that it has sent', async () => {
    const code = `
      const { workerData, parentPort } = require('node:worker_threads')
      workerData.postMessage({ kind: 'stopped' })
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)`
    const { port1, port2 } = new MessageChannel()
    const worker = new Worker(code, { eval: true, workerData: port2, transferList: [port2] })
    const seen: string[] = []
    const ports = new EventPorts({
      onArrival: () => seen.push('message'),
      channels: [{ name: 'broker-1-1', port: port1, bell: null }],
      onClosed: (name) => seen.push(`${name} closed`),
    })
    closing.push(() => ports.close())
    await eventually(() => seen.length === 1)
    await worker.terminate()
    // before its exit, but where both come while this thread has other work: `test/server/death-told.test.ts`
    await eventually(() => seen.length > 1)
    await new Promise((done) => setImmediate(done))
    expect(seen).toEqual(['message', 'broker-1-1 closed'])
  })

  it('is not told of where its channel was given up', async () => {
    const { port1, port2 } = new MessageChannel()
    const closed: string[] = []
    const ports = new EventPorts({
      onArrival: () => {},
      channels: [{ name: 'broker-1-1', port: port1, bell: null }],
      onClosed: (name) => closed.push(name),
    })
    ports.disconnect('broker-1-1')
    await new Promise((done) => port2.once('close', done))
    await new Promise((done) => setImmediate(done))
    expect(closed).toEqual([])
  })
})

describe('polled ports', () => {
  it('hand out messages in order per sender, in turn over senders, with the sender named', () => {
    const { polled, front, server } = broker()
    for (let n = 0; n < 3; n++) front.post('broker-1-1', ready(n))
    for (let n = 10; n < 13; n++) server.postMessage(ready(n))
    const seen: [string, number][] = []
    for (let got = polled.poll(); got !== undefined; got = polled.poll()) {
      if (got.message.kind === 'ready') seen.push([got.from, Number(got.message.detail.n)])
    }
    expect(seen).toEqual([
      ['front-0', 0],
      ['server', 10],
      ['front-0', 1],
      ['server', 11],
      ['front-0', 2],
      ['server', 12],
    ])
    expect(polled.poll()).toBeUndefined()
  })

  it('are woken by the bell that a post rings', () => {
    const { front, rung } = broker()
    front.post('broker-1-1', ready(1))
    expect(rung).toEqual(['broker bell'])
  })

  it('share memory that a message names', () => {
    const { polled, front } = broker()
    const sab = new SharedArrayBuffer(8)
    front.post('broker-1-1', { kind: 'batch-buffer', bufferId: 5, sab })
    const got = polled.poll()
    new Uint8Array(sab)[3] = 42
    if (got?.message.kind !== 'batch-buffer') throw new Error('not the buffer')
    expect(new Uint8Array(got.message.sab)[3]).toBe(42)
  })
})

describe('event ports', () => {
  it('say that something arrived, and keep it until polled', async () => {
    const { polled, front, rung } = broker()
    polled.post('front-0', ready(1))
    polled.post('front-0', ready(2))
    await eventually(() => rung.length === 2)
    expect(front.poll()).toEqual({ from: 'broker-1-1', message: ready(1) })
    expect(front.poll()).toEqual({ from: 'broker-1-1', message: ready(2) })
    expect(front.poll()).toBeUndefined()
  })

  it('swallow what is sent to a thread that is gone, but not to one that never was', () => {
    const { front } = broker()
    front.disconnect('broker-1-1')
    expect(() => front.post('broker-1-1', ready(1))).not.toThrow()
    expect(() => front.post('broker-1-2', ready(1))).toThrow(/never connected/)
  })

  it('can be connected again, to the replacement', () => {
    const { front } = broker()
    front.disconnect('broker-1-1')
    const channel = new MessageChannel()
    const replacement = new PolledPorts([{ name: 'front-0', port: channel.port1, bell: null }])
    closing.push(() => replacement.close())
    front.connect({ name: 'broker-1-1', port: channel.port2, bell: null })
    front.post('broker-1-1', ready(9))
    expect(replacement.poll()?.message).toEqual(ready(9))
  })
})

describe('memory ports', () => {
  it('carry clones between agents of one thread and ring the receiver', () => {
    const ports = new MemoryPorts()
    let rung = 0
    const server = ports.port(SERVER_PEER)
    const agent = ports.port(brokerPeer(asCellId(1), asBrokerId(2)), { ring: () => rung++ })
    const detail = { n: 1 }
    server.post('broker-1-2', { kind: 'ready', detail })
    detail.n = 2
    expect(ports.pending('broker-1-2')).toBe(1)
    expect(agent.poll()).toEqual({ from: 'server', message: ready(1) })
    expect(rung).toBe(1)
    expect(agent.poll()).toBeUndefined()
    expect(() => agent.post(frontPeer(asFrontId(0)), ready(1))).toThrow(/never connected/)
  })
})
