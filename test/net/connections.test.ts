import { describe, expect, test } from 'vitest'
import { REQUEST_OVERHEAD_BYTES } from '../../src/net/connection.ts'
import { defaultLimits } from '../../src/net/connection-set.ts'

import { frames, World } from './connection-world.ts'

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
    expect([world.budget.usedBytes, world.replies.usedBytes]).toEqual([0, 0])
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
    expect([world.budget.usedBytes, world.replies.usedBytes]).toEqual([0, 0])
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
    expect([world.budget.usedBytes, world.replies.usedBytes]).toEqual([0, 0])
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
    expect([world.budget.usedBytes, world.replies.usedBytes]).toEqual([0, 0])
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

  test('have room for the whole of every frame that has been begun: large ones come one after another', () => {
    const world = new World(200_000)
    const clients = Array.from({ length: 6 }, () => world.connect())
    const frame = frames(100_000)
    // Everybody sends in small pieces, in turns, and nobody ever finds what it has begun in the way of the others.
    const at = clients.map(() => 0)
    for (let round = 0; round < 1_000 && world.slots.length < 12; round++) {
      clients.forEach(({ connection, socket }, i) => {
        if (socket.paused || at[i]! >= 2 * frame.length) return
        const from = at[i]! % frame.length
        const piece = frame.subarray(from, from + 30_000)
        at[i]! += piece.length
        connection.onData(Buffer.from(piece))
      })
      expect(world.budget.usedBytes).toBeLessThanOrEqual(200_000)
      // Answered at once, or room would never come.
      world.slots.forEach(({ slot }, i) => {
        if (!slot.ready) world.reply(i, 'ok')
      })
      world.set.flush()
    }
    expect(world.slots).toHaveLength(12)
    expect(clients.map(({ socket }) => socket.destroyed)).not.toContain(true)
    expect(world.lines).toEqual([])
    expect([world.budget.usedBytes, world.budget.waiting]).toEqual([0, 0])
  })

  test('are not given away to small frames while a large one waits, nor held back from small ones by large ones', () => {
    const world = new World(800_000)
    const [holder, large, small] = [world.connect(), world.connect(), world.connect()]
    holder.connection.onData(frames(500_000))
    large.connection.onData(frames(600_000).subarray(0, 10))
    expect(large.socket.paused).toBe(true)
    for (let i = 0; i < 5; i++) small.connection.onData(frames(1_000))
    expect(world.slots).toHaveLength(6)
    // More than is small waits its turn behind the large one.
    const other = world.connect()
    other.connection.onData(frames(70_000))
    expect(other.socket.paused).toBe(true)
    world.reply(0, '')
    world.set.flush()
    expect([large.socket.paused, other.socket.paused]).toEqual([false, false])
  })

  test('cut off who sends nothing more of a frame that others wait for, and nobody else', () => {
    const world = new World(200_000)
    const [stuck, slow, honest] = [world.connect(), world.connect(), world.connect()]
    stuck.connection.onData(frames(80_000).subarray(0, 10))
    slow.connection.onData(frames(90_000).subarray(0, 10))
    const relieve = () => world.budget.relieve(world.clock.monotonicMs())
    world.clock.advance(60_000)
    // Nobody waits.
    expect([relieve(), world.budget.nextReliefAtMs]).toEqual([0, Number.POSITIVE_INFINITY])
    slow.connection.onData(Buffer.alloc(70_000))
    honest.connection.onData(frames(150_000).subarray(0, 10))
    expect(honest.socket.paused).toBe(true)
    expect(world.budget.nextReliefAtMs).toBeLessThanOrEqual(world.clock.monotonicMs())
    expect([relieve(), relieve()]).toEqual([1, 0])
    expect([stuck, slow, honest].map(({ socket }) => socket.destroyed)).toEqual([
      true,
      false,
      false,
    ])
    expect(world.lines.at(-1)).toContain('sends nothing more')
    slow.connection.onData(Buffer.alloc(20_000))
    world.reply(0, '')
    world.set.flush()
    expect(honest.socket.paused).toBe(false)
  })

  test('leave who has waited for room its time to send the rest, however long that took', () => {
    const world = new World(200_000)
    const [holder, begun, waiting] = [world.connect(), world.connect(), world.connect()]
    holder.connection.onData(frames(150_000))
    begun.connection.onData(frames(150_000).subarray(0, 80_000))
    waiting.connection.onData(frames(150_000).subarray(0, 80_000))
    expect([begun.socket.paused, waiting.socket.paused]).toEqual([true, true])
    world.clock.advance(60_000)
    world.reply(0, '')
    world.set.flush()
    expect([begun.socket.paused, waiting.socket.paused]).toEqual([false, true])
    expect(world.budget.relieve(world.clock.monotonicMs())).toBe(0)
    world.clock.advance(60_000)
    expect(world.budget.relieve(world.clock.monotonicMs())).toBe(1)
    expect([begun.socket.destroyed, waiting.socket.paused]).toEqual([true, false])
  })

  test('refuse a frame that can never fit, at once and with a line', () => {
    const world = new World(200_000)
    const { connection, socket } = world.connect()
    connection.onData(frames(190_000).subarray(0, 4))
    expect(socket.destroyed).toBe(true)
    expect(world.lines[0]).toContain('socket.request.max.bytes')
    expect(world.budget.usedBytes).toBe(0)
  })

  test('of replies hold up who does not take its own, and nobody else', () => {
    const world = new World(200_000)
    const stuck = Array.from({ length: 3 }, () => world.connect())
    stuck.forEach(({ socket, connection }, i) => {
      socket.blocked = true
      connection.onData(frames('a'))
      world.reply(i, 'x'.repeat(70_000))
    })
    world.set.flush()
    expect(world.replies.roomBytes).toBe(0)
    stuck[0]!.connection.onData(frames('b'))
    const honest = world.connect()
    honest.connection.onData(frames('c'))
    world.reply(3, 'C')
    world.set.flush()
    expect(honest.received).toEqual(['C'])
    expect(stuck[0]!.socket.paused).toBe(true)
    stuck[0]!.socket.drain()
    expect(stuck[0]!.socket.paused).toBe(false)
    expect(world.slots).toHaveLength(5)
  })

  test('of replies close the socket that has not taken them for longest, when asked to', () => {
    const world = new World(200_000)
    const [small, large, late] = [world.connect(), world.connect(), world.connect()]
    ;[small, large, late].forEach(({ socket, connection }, i) => {
      socket.blocked = true
      connection.onData(frames('a'))
      world.clock.advance(30_000)
      world.reply(i, 'x'.repeat(i === 0 ? 100 : 90_000))
      world.set.flush()
    })
    world.clock.advance(4_999)
    expect(world.set.closeStuck(world.clock.monotonicMs())).toBe(1)
    expect(large.socket.destroyed).toBe(true)
    expect(world.set.closeStuck(world.clock.monotonicMs())).toBe(0)
    world.clock.advance(1)
    expect(world.set.nextStuckAtMs).toBe(world.clock.monotonicMs())
    expect(world.set.closeStuck(world.clock.monotonicMs())).toBe(1)
    expect([small, late].map(({ socket }) => socket.destroyed)).toEqual([false, true])
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
    expect(world.budget.usedBytes).toBe(
      2 * (1 + REQUEST_OVERHEAD_BYTES) + 1000 + REQUEST_OVERHEAD_BYTES,
    )
    expect(world.replies.usedBytes).toBe(5)
    one.socket.destroy()
    two.socket.destroy()
    expect([world.budget.usedBytes, world.replies.usedBytes]).toEqual([0, 0])
    expect(world.set.size).toBe(0)
    // Answers that come too late are swallowed.
    world.reply(0, 'late')
    world.set.flush()
    expect([world.budget.usedBytes, world.replies.usedBytes]).toEqual([0, 0])
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

describe('a client that sends no more', () => {
  test('gets what it has asked for, then its connection is closed', () => {
    const world = new World()
    const { connection, received, socket } = world.connect()
    connection.onData(frames('a', 'b'))
    connection.onEnd()
    expect(world.ended).toEqual([connection.id])
    world.reply(1, 'B')
    world.set.flush()
    expect(socket.destroyed).toBe(false)
    world.reply(0, 'A')
    world.set.flush()
    expect(received.join('')).toBe('AB')
    expect(socket.destroyed).toBe(true)
  })

  test('gets it also when there was no room to read all of it yet', () => {
    const limits = { ...defaultLimits, connectionBytesMax: 2_000 }
    const world = new World(1 << 20, limits)
    const { connection, received, socket } = world.connect()
    connection.onData(frames(...Array.from({ length: 9 }, () => 488)))
    connection.onEnd()
    for (let i = 0; i < 9; i++) {
      world.reply(i, `${i}`)
      world.set.flush()
    }
    expect(received.join('')).toBe('012345678')
    expect(socket.destroyed).toBe(true)
  })

  test('is closed at once when nothing is outstanding, or a frame came in part', () => {
    const world = new World()
    const [idle, cut] = [world.connect(), world.connect()]
    cut.connection.onData(frames(1_000).subarray(0, 100))
    idle.connection.onEnd()
    cut.connection.onEnd()
    expect([idle, cut].map(({ socket }) => socket.destroyed)).toEqual([true, true])
    expect(world.budget.usedBytes).toBe(0)
  })
})

test('a reader that takes nothing is idle, whatever it has asked for besides', () => {
  const world = new World()
  const { connection, socket } = world.connect()
  socket.blocked = true
  connection.onData(frames('a', 'b'))
  world.reply(0, 'never taken')
  world.set.flush()
  world.clock.advance(600_000)
  world.set.closeIdle(world.clock.monotonicMs())
  expect(socket.destroyed).toBe(true)
})
