import { describe, expect, test } from 'vitest'
import { ManualClock } from '../../src/base/clock.ts'
import { defaultLimits } from '../../src/net/connection-set.ts'
import { RateLimitedLog } from '../../src/net/rate-limited-log.ts'

import { frames, World } from './connection-world.ts'

describe('a deep pipeline', () => {
  test('hands over for a while only, then others have their turn', () => {
    const world = new World()
    const { connection, received } = world.connect()
    world.onFrame = () => world.clock.advance(4)
    connection.onData(frames(...Array.from({ length: 9 }, (_, i) => `request ${i}`)))
    // 4, 8, 12 ms: over
    expect(world.slots).toHaveLength(3)
    expect(connection.paused).toBe(true)
    expect(world.set.turns.nextAtMs).toBeLessThan(Number.POSITIVE_INFINITY)
    for (let i = 0; i < 3; i++) world.reply(i, String(i))
    // Replies that leave do not let it jump the queue.
    world.set.flush()
    expect(received.join('')).toBe('012')
    expect(world.slots).toHaveLength(3)
    const other = world.connect()
    other.connection.onData(frames('other'))
    expect(world.slots).toHaveLength(4)
    expect(world.set.resumeYielded()).toBe(1)
    expect(world.slots).toHaveLength(7)
    world.set.resumeYielded()
    expect(world.slots).toHaveLength(10)
    expect(world.set.turns.nextAtMs).toBe(Number.POSITIVE_INFINITY)
    expect(connection.paused).toBe(false)
    expect(world.set.resumeYielded()).toBe(0)
  })

  test('many at once have a turn together, and who comes later waits for the next', () => {
    const world = new World()
    world.onFrame = () => world.clock.advance(30)
    const clients = Array.from({ length: 5 }, () => world.connect())
    for (const { connection } of clients) connection.onData(frames('one'))
    expect(world.slots).toHaveLength(2)
    expect(world.set.turns.isBusy).toBe(true)
    // 10 ms a turn: one at a time
    for (const done of [3, 4, 5]) {
      world.set.resumeYielded()
      expect(world.slots).toHaveLength(done)
    }
    expect(world.set.turns.nextAtMs).toBe(Number.POSITIVE_INFINITY)
    expect(world.set.turns.isBusy).toBe(false)
  })

  test('keeps nobody waiting who comes when the queue has moved on', () => {
    const world = new World()
    world.onFrame = () => world.clock.advance(30)
    const clients = Array.from({ length: 20 }, () => world.connect())
    for (const { connection } of clients) connection.onData(frames('one'))
    world.set.resumeYielded()
    const other = world.connect()
    other.connection.onData(frames('other'))
    expect(world.slots.at(-1)!.connection).toBe(other.connection)
    expect(world.set.turns.nextAtMs).toBeLessThan(Number.POSITIVE_INFINITY)
  })

  test('of a client that sends no more is answered to its end', () => {
    const world = new World()
    const { connection, socket } = world.connect()
    world.onFrame = () => world.clock.advance(20)
    connection.onData(frames('a', 'b'))
    connection.onEnd()
    expect(socket.destroyed).toBe(false)
    world.reply(0, 'A')
    world.set.flush()
    expect(socket.destroyed).toBe(false)
    world.set.resumeYielded()
    // Told again: the second request might wait for something.
    expect(world.ended).toEqual([connection.id, connection.id])
    world.reply(1, 'B')
    world.set.flush()
    expect(socket.destroyed).toBe(true)
  })

  test('of a client that goes away is forgotten', () => {
    const world = new World()
    const { connection } = world.connect()
    world.onFrame = () => world.clock.advance(20)
    connection.onData(frames('a', 'b'))
    connection.close()
    expect(world.set.turns.nextAtMs).toBe(Number.POSITIVE_INFINITY)
    expect([world.budget.usedBytes, world.replies.usedBytes]).toEqual([0, 0])
  })
})

describe('replies that are not read', () => {
  test('close who holds most of them once they fill their budget twice', () => {
    const world = new World(1 << 20)
    const clients = [400, 900, 800].map((kilobytes) => {
      world.clock.advance(5_000)
      const client = world.connect()
      client.socket.blocked = true
      client.connection.onData(frames('x'))
      world.reply(world.slots.length - 1, 'y'.repeat(kilobytes * 1024))
      world.set.flush()
      return client
    })
    expect(clients.map(({ socket }) => socket.destroyed)).toEqual([false, true, false])
    expect(world.lines).toEqual([expect.stringContaining('does not read its replies')])
    expect(world.replies.usedBytes).toBe(1200 * 1024)
  })

  test('close whoever holds most at four times, though it may be reading', () => {
    const world = new World(1 << 20)
    const clients = [3, 2, 1].map((megabytes) => {
      const client = world.connect()
      client.socket.blocked = true
      client.connection.onData(frames('x'))
      world.reply(world.slots.length - 1, 'y'.repeat(megabytes << 20))
      world.set.flush()
      return client
    })
    expect(clients.map(({ socket }) => socket.destroyed)).toEqual([true, false, false])
  })

  test('one alone may have as much as it asked for', () => {
    const world = new World(1 << 20)
    const { connection, socket } = world.connect()
    socket.blocked = true
    connection.onData(frames('x'))
    world.reply(0, 'y'.repeat(5 << 20))
    world.set.flush()
    expect(socket.destroyed).toBe(false)
  })
})

describe('more connections than there are descriptors for', () => {
  test('are refused, but for one that has been idle for a while', () => {
    const world = new World(1 << 20, { ...defaultLimits, connectionsMax: 2 })
    const first = world.connect()
    world.connect()
    expect(world.set.makeRoom('third')).toBe(false)
    expect(world.lines.at(-1)).toContain('limit of open files')
    world.clock.advance(10_000)
    expect(world.set.makeRoom('third')).toBe(true)
    expect(first.socket.destroyed).toBe(true)
    world.connect()
    expect(world.set.size).toBe(2)
  })
})

describe('the log of what clients cause', () => {
  test('tells how many lines were left out though none follows, and cuts long texts', () => {
    const clock = new ManualClock()
    const lines: [string, unknown][] = []
    const logger = {
      log: (_: unknown, message: string, fields?: object) => void lines.push([message, fields]),
    }
    const log = new RateLimitedLog(logger, clock, 2, 1000)
    expect(log.nextFlushAtMs).toBe(Number.POSITIVE_INFINITY)
    for (let i = 0; i < 5; i++) log.log('warn', `line ${i}`, { name: 'x'.repeat(32_000), i })
    expect(lines[0]).toEqual(['line 0', { name: `${'x'.repeat(200)}… (32000 characters)`, i: 0 }])
    expect(log.nextFlushAtMs).toBe(clock.monotonicMs() + 1000)
    expect(log.flush(clock.monotonicMs())).toBe(0)
    clock.advance(1000)
    expect(log.flush(clock.monotonicMs())).toBe(3)
    expect(lines.slice(2)).toEqual([['further lines like these were left out', { left: 3 }]])
    expect(log.nextFlushAtMs).toBe(Number.POSITIVE_INFINITY)
    log.log('warn', 'next')
    expect(lines).toHaveLength(4)
  })
})
