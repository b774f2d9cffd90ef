import { describe, expect, test } from 'vitest'
import { ManualClock } from '../../src/base/clock.ts'
import type { KafkaConnection } from '../../src/net/connection.ts'
import { REQUEST_OVERHEAD_BYTES } from '../../src/net/connection.ts'
import { ConnectionSet, defaultLimits, type RequestSink } from '../../src/net/connection-set.ts'
import { InFlightBudget } from '../../src/net/in-flight.ts'
import type { ReplySlot } from '../../src/net/reply-slot.ts'
import { FakeSocket } from '../front/fake-socket.ts'

/** A sink that only collects, and connections over fake sockets. */
class World {
  readonly clock = new ManualClock()
  readonly lines: string[] = []
  readonly slots: { connection: KafkaConnection; slot: ReplySlot; frame: Uint8Array }[] = []
  readonly set: ConnectionSet
  readonly budget: InFlightBudget
  readonly closed: number[] = []

  constructor(capacityBytes = 1 << 20, limits = defaultLimits) {
    this.budget = new InFlightBudget(capacityBytes)
    const sink: RequestSink = {
      onOpen: () => {},
      onReadEnd: () => {},
      onDrained: () => {},
      onClose: (connection) => void this.closed.push(connection.id),
      onFrame: (connection, slot, frame) => void this.slots.push({ connection, slot, frame }),
    }
    this.set = new ConnectionSet({
      sink,
      clock: this.clock,
      logger: {
        log: (_level, message, fields) => this.lines.push(`${message}: ${fields?.reason}`),
      },
      budget: this.budget,
      limits,
    })
  }

  connect() {
    const received: string[] = []
    const listener = { name: 'test', nodeId: 1, advertisedHost: null, advertisedPorts: [1] }
    const socket = new FakeSocket(
      (bytes) => void received.push(Buffer.from(bytes).toString()),
      () => connection.onClosed(),
    )
    const addresses = { remote: 'client', local: '127.0.0.1' }
    const connection: KafkaConnection = this.set.open(socket, listener, addresses)
    return { socket, connection, received }
  }

  reply(index: number, text: string, onDrained: (() => void) | null = null): void {
    const bytes = Buffer.from(text)
    this.slots[index]!.slot.send({ chunks: [bytes], byteLength: bytes.length }, onDrained)
  }
}

const frames = (...bodies: (string | number)[]): Buffer =>
  Buffer.concat(
    bodies.map((body) => {
      const bytes = typeof body === 'number' ? Buffer.alloc(body) : Buffer.from(body)
      const size = Buffer.alloc(4)
      size.writeInt32BE(bytes.length)
      return Buffer.concat([size, bytes])
    }),
  )

describe('replies', () => {
  test('keep the order of the requests, whichever is ready first', () => {
    const world = new World()
    const { connection, received } = world.connect()
    connection.onData(frames('a', 'b', 'c'))
    world.reply(2, 'C')
    world.reply(1, 'B')
    world.set.flush()
    expect(received).toEqual([])
    world.reply(0, 'A')
    world.set.flush()
    expect(received.join('')).toBe('ABC')
  })

  test('that are ready together leave in one write', () => {
    const world = new World()
    const { connection, socket } = world.connect()
    connection.onData(frames(...Array.from({ length: 100 }, (_, i) => `${i}`)))
    for (let i = 0; i < 100; i++) world.reply(i, 'x'.repeat(100))
    world.set.flush()
    expect(socket.writes).toBe(1)
  })

  test('that are skipped hold nobody up', () => {
    const world = new World()
    const { connection, received } = world.connect()
    connection.onData(frames('a', 'b'))
    world.reply(1, 'B')
    world.slots[0]!.slot.skip()
    world.set.flush()
    expect(received).toEqual(['B'])
    expect(world.budget.usedBytes).toBe(0)
  })

  test('before the one that closes the connection still go out, those behind do not', () => {
    const world = new World()
    const { connection, received, socket } = world.connect()
    connection.onData(frames('a', 'b', 'c'))
    world.slots[1]!.slot.closeConnection('broken')
    world.reply(2, 'C')
    world.set.flush()
    expect(socket.destroyed).toBe(false)
    connection.onData(frames('d'))
    world.reply(0, 'A')
    world.set.flush()
    expect(received).toEqual(['A'])
    expect(socket.destroyed).toBe(true)
    expect(world.slots).toHaveLength(3)
    expect(world.budget.usedBytes).toBe(0)
  })

  test('tell once when their memory is free, also when the socket dies', () => {
    const world = new World()
    const { connection, socket } = world.connect()
    let drained = 0
    socket.blocked = true
    connection.onData(frames('a', 'b', 'c'))
    for (let i = 1; i < 3; i++) world.reply(i, 'x', () => drained++)
    world.reply(0, 'x', () => drained++)
    world.set.flush()
    expect(connection.drained).toBe(false)
    expect(drained).toBe(0)
    socket.destroy()
    expect(drained).toBe(3)
    connection.onClosed()
    expect(drained).toBe(3)
    expect(world.budget.usedBytes).toBe(0)
  })
})

describe('bytes in flight', () => {
  const limits = { ...defaultLimits, connectionBytesMax: 10_000 }

  test('pause a connection at its cap and let it go on at half of it', () => {
    const world = new World(1 << 20, limits)
    const { connection, socket } = world.connect()
    connection.onData(frames(...Array.from({ length: 40 }, () => 488)))
    // 488 + 512 for each: ten reach the cap
    expect(world.slots).toHaveLength(10)
    expect(socket.paused).toBe(true)
    for (let i = 0; i < 5; i++) world.reply(i, '')
    world.set.flush()
    expect(world.slots).toHaveLength(10)
    world.reply(5, '')
    world.set.flush()
    expect(world.slots.length).toBeGreaterThan(10)
    for (let i = 6; i < 40; i++) {
      world.reply(i, '')
      world.set.flush()
    }
    expect(world.slots).toHaveLength(40)
    expect(socket.paused).toBe(false)
    expect(world.budget.usedBytes).toBe(0)
  })

  test('count replies until they have left user space', () => {
    const world = new World(1 << 20, limits)
    const { connection, socket } = world.connect()
    socket.blocked = true
    connection.onData(frames('a'))
    world.reply(0, 'x'.repeat(20_000))
    world.set.flush()
    expect(connection.inFlightBytes).toBe(20_000)
    connection.onData(frames('b'))
    expect(world.slots).toHaveLength(1)
    expect(socket.paused).toBe(true)
    socket.drain()
    expect(world.slots).toHaveLength(2)
    expect(socket.paused).toBe(false)
  })

  test('pause everybody who finds the total used up, and wake them in order', () => {
    const world = new World(20_000, { ...limits, connectionBytesMax: 1 << 20 })
    const first = world.connect()
    const others = [world.connect(), world.connect()]
    first.connection.onData(frames(...Array.from({ length: 4 }, () => 6_000)))
    const held = world.slots.length
    for (const { connection } of others) connection.onData(frames('x'))
    expect(world.slots).toHaveLength(held)
    expect(others.map(({ socket }) => socket.paused)).toEqual([true, true])
    for (let i = 0; i < held; i++) world.reply(i, '')
    world.set.flush()
    expect(others.map(({ socket }) => socket.paused)).toEqual([false, false])
    expect(world.slots.length).toBeGreaterThanOrEqual(held + 2)
  })

  test('end with the largest unfinished frame, when those alone fill the total', () => {
    const world = new World(100_000)
    const hostile = [world.connect(), world.connect(), world.connect()]
    hostile.forEach(({ connection }, i) => {
      const frame = frames(45_000)
      connection.onData(frame.subarray(0, 30_000 + i * 2_000))
    })
    const honest = world.connect()
    honest.connection.onData(frames('a'))
    hostile[0]!.connection.onData(Buffer.alloc(2_000))
    expect(world.lines).toEqual([])
    hostile[1]!.connection.onData(Buffer.alloc(8_000))
    const late = world.connect()
    late.connection.onData(frames('b'))
    const closed = hostile.filter(({ socket }) => socket.destroyed)
    expect(closed).toHaveLength(1)
    expect(world.lines[0]).toContain('unfinished')
    expect(world.slots.length).toBe(2)
  })

  test('come back to nothing when connections die in any state', () => {
    const world = new World()
    const one = world.connect()
    const two = world.connect()
    one.connection.onData(Buffer.concat([frames('a', 'b'), frames(1000).subarray(0, 500)]))
    two.socket.blocked = true
    two.connection.onData(frames('c'))
    world.reply(2, 'reply')
    world.set.flush()
    expect(world.budget.usedBytes).toBe(2 * (1 + REQUEST_OVERHEAD_BYTES) + 496 + 5)
    one.socket.destroy()
    two.socket.destroy()
    expect(world.budget.usedBytes).toBe(0)
    expect(world.set.size).toBe(0)
    // Answers that come too late are swallowed.
    world.reply(0, 'late')
    world.set.flush()
    expect(world.budget.usedBytes).toBe(0)
  })
})

describe('a broken stream', () => {
  test('closes its connection with a line, and not too many lines', () => {
    const world = new World()
    for (let i = 0; i < 50; i++) {
      const { connection, socket } = world.connect()
      connection.onData(Buffer.from([0xff, 0xff, 0xff, 0xff]))
      expect(socket.destroyed).toBe(true)
    }
    expect(world.lines).toHaveLength(10)
    expect(world.lines[0]).toContain('negative')
    world.clock.advance(1000)
    const { connection } = world.connect()
    connection.onData(Buffer.from([0x7f, 0xff, 0xff, 0xff]))
    expect(world.lines.slice(10)).toEqual([
      expect.stringContaining('left out'),
      expect.stringContaining('socket.request.max.bytes'),
    ])
  })
})

describe('idle connections', () => {
  test('are closed in their time, active ones and long polls are not', () => {
    const world = new World()
    const [idle, active, polling] = [world.connect(), world.connect(), world.connect()]
    world.clock.advance(400_000)
    active.connection.onData(frames('x'))
    world.reply(0, '')
    polling.connection.onData(frames('poll'))
    world.set.flush()
    world.clock.advance(200_000)
    expect(world.set.nextIdleAtMs).toBe(world.clock.monotonicMs())
    world.set.closeIdle(world.clock.monotonicMs())
    expect([idle, active, polling].map(({ socket }) => socket.destroyed)).toEqual([
      true,
      false,
      false,
    ])
    world.clock.advance(400_000)
    world.set.closeIdle(world.clock.monotonicMs())
    expect([active, polling].map(({ socket }) => socket.destroyed)).toEqual([true, false])
  })

  test('with a reply that nobody takes are idle, too', () => {
    const world = new World()
    const { connection, socket } = world.connect()
    socket.blocked = true
    connection.onData(frames('x'))
    world.reply(0, 'never read')
    world.set.flush()
    world.clock.advance(600_000)
    world.set.closeIdle(world.clock.monotonicMs())
    expect(socket.destroyed).toBe(true)
  })
})

test('a connection that is finished answers what it has read, and no more', () => {
  const world = new World()
  const { connection, received, socket } = world.connect()
  connection.onData(frames('a'))
  world.set.finishAll()
  connection.onData(frames('b'))
  expect(world.slots).toHaveLength(1)
  expect(socket.destroyed).toBe(false)
  world.reply(0, 'A')
  world.set.flush()
  expect(received).toEqual(['A'])
  expect(socket.destroyed).toBe(true)
})
